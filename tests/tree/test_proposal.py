"""`init --from`: the site file of a tree that exists."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_wheel
from wheelhouse_resolver.host.cpu import archs_of, captured_cpu
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import survey
from wheelhouse_resolver.tree.proposal import SiteProposal, decide, propose_site
from wheelhouse_resolver.tree.survey import SurveyedDirectory
from wheelhouse_resolver.utils.elf import ElfFile

TOP = Path(__file__).parent.parent.parent

PURE = "demo-1.0-py3-none-any.whl"


def marked_elf(bits: int) -> bytes:
    """An x86-64 library with nothing but the linker's mark of these levels; of none: without the mark."""
    mark = struct.pack("<III4sIIII", 4, 16, 5, b"GNU\0", 0xC0008002, 4, bits, 0)
    note = struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(mark), len(mark), 8)
    sizes = (64, 56, 1 if bits else 0, 0, 0, 0)
    return (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, *sizes)
        + note
        + mark
    )


def compiled(directory: Path, machine: str = "x86_64", bits: int = 0, name: str = "demo") -> None:
    make_wheel(
        directory, f"{name}-1.0-cp311-cp311-linux_{machine}.whl", files={f"{name}/x.so": marked_elf(bits)}
    )


def tree_of(site: Site) -> None:
    """A tree with a wheel in each directory of *site*."""
    for directory in site.directories():
        if directory.arch == "generic":
            make_wheel(Path(directory.path), PURE)
        else:
            compiled(Path(directory.path), site.family_of(directory) or "x86_64")


def example(name: str, root: Path) -> Site:
    return Site.parse((TOP / f"examples/sites/{name}.toml").read_text(), name, root=str(root))


def told(proposal: SiteProposal) -> Mapping[str, str]:
    return {each.label: f"{each.layer}/{each.arch}" for each in proposal.directories}


def searched_by(site: Site, layer: str | None, cpu: str) -> list[str]:
    """The directories that a node of *layer* with that recorded *cpu* searches, and that exist."""
    archs = archs_of(captured_cpu(str(TOP / f"tests/data/cpuinfo/{cpu}.txt")), site.ladder)
    host = Host(layer=layer, arch=archs[-1] if archs else "generic", archs=archs or ("generic",))
    return [each.path for each in site.search_path(host) if os.path.isdir(each.path)]


# -- the four layouts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("prefix-layers", ["nix", "gentoo2023"]),  # gentoo beside gentoo2020 is for its site to say
        ("os-releases", ["el8", "el9"]),
        ("eessi", ["2023.06"]),
        ("single-layer", ["site"]),
    ],
)
def test_a_site_file_that_describes_the_tree_as_the_sites_own_does(
    name: str, layers: list[str], tmp_path: Path
) -> None:
    site = example(name, tmp_path)
    tree_of(site)
    found = propose_site(tmp_path)
    assert found.unknown == ()
    assert [each.doubt for each in found.directories if each.doubt] == []
    assert Site.parse(found.text, "site.toml").with_links().directories() == found.site.directories()
    everything = {each.path for kind in found.site.host_kinds() for each in kind.search_path}
    assert everything >= {each.path for each in site.directories()}
    # The search of a site that leaves levels out is nothing that a tree shows.
    whole = site._replace(search={})
    for layer in layers:
        for cpu in ("intel-icelake", "intel-haswell", "amd-zen4", "amd-k8", "arm-neoverse-v2", "ibm-power9"):
            assert searched_by(found.site, layer, cpu) == searched_by(whole, layer, cpu)


def test_what_tells_the_hosts_of_a_layer_by_its_name(tmp_path: Path) -> None:
    for name in ("el9", "ubuntu24.04", "gentoo2023", "nix", "other"):
        compiled(tmp_path / name / "avx2")
    layers = {layer.name: layer for layer in propose_site(tmp_path).site.layers}
    assert ("VERSION_ID", ("9", "9.*")) in layers["el9"].os_release
    assert ("ID", ("ubuntu",)) in layers["ubuntu24.04"].os_release
    assert layers["gentoo2023"].env == (("EBVERSIONGENTOO", "2023"),)
    assert layers["nix"].interpreter
    assert not any((layers["other"].env, layers["other"].interpreter, layers["other"].default))


def test_wheels_at_the_root_alone(tmp_path: Path) -> None:
    compiled(tmp_path)
    found = propose_site(tmp_path)
    assert found.site.generic == "."
    assert searched_by(found.site, None, "amd-k8") == [str(tmp_path)]


# -- by what is in the wheels --------------------------------------------------------------------------------


def test_a_name_that_says_nothing_by_the_marks_of_all_wheels(tmp_path: Path) -> None:
    compiled(tmp_path / "el9/avx")
    for name in ("one", "two"):
        compiled(tmp_path / "el9/fast", bits=4, name=name)
        compiled(tmp_path / "el9/mixed", bits=8 if name == "one" else 0, name=name)
    make_wheel(tmp_path / "el9/scripts", PURE)
    found = propose_site(tmp_path)
    assert told(found) == {
        "el9/avx": "el9/avx", "el9/fast": "el9/avx2", "el9/mixed": "None/None", "el9/scripts": "el9/generic",
    }  # fmt: skip
    by_label = {each.label: each.reason for each in found.directories}
    assert by_label["el9/fast"] == "2 of 2 compiled wheels were looked into, and are marked for it"
    assert by_label["el9/mixed"].endswith("1 of 2 looked into are marked, for up to x86-64-v4")
    assert by_label["el9/scripts"] == "all 1 wheels are pure Python"


def test_a_name_that_the_wheels_contradict_is_a_doubt(tmp_path: Path) -> None:
    compiled(tmp_path / "nix/avx", bits=4)
    compiled(tmp_path / "nix/avx2", bits=4)
    compiled(tmp_path / "nix/avx2", "aarch64")
    found = {each.label: each.doubt for each in propose_site(tmp_path).directories}
    assert found["nix/avx"] == "it holds wheels that are marked to need x86-64-v3"
    assert found["nix/avx2"] == "it also holds wheels for aarch64"


def test_few_wheels_of_each_directory_are_opened_in_the_time_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        compiled(tmp_path / "nix/avx", name=f"demo{number}")
    opened: list[str] = []

    def look(path: str) -> list[ElfFile]:
        opened.append(path)
        return [ElfFile(path="x.so", isa_needed=4)]

    monkeypatch.setattr(survey, "elf_files", look)
    for seconds, most in ((60.0, 6), (0.0, 1)):
        opened.clear()
        (found,) = survey.survey(str(tmp_path), seconds=seconds)
        assert 0 < len(opened) <= most
        assert (found.wheels, found.compiled, found.opened) == (20, 20, len(opened))


def test_what_is_called_wheels_is_what_the_directory_above_says(tmp_path: Path) -> None:
    compiled(tmp_path / "2023.06/x86_64/amd/zen2/wheels")
    make_wheel(tmp_path / "2023.06/x86_64/generic/wheels", PURE)
    compiled(tmp_path / "team/wheels")
    found = propose_site(tmp_path)
    assert [each.label for each in found.unknown] == ["team/wheels"]
    assert searched_by(found.site, "2023.06", "amd-zen4") == [
        f"{tmp_path}/2023.06/x86_64/amd/zen2/wheels", f"{tmp_path}/2023.06/x86_64/generic/wheels",
    ]  # fmt: skip


# -- what is not known -------------------------------------------------------------------------------------


def test_what_is_not_known_is_listed_and_in_no_search_path(tmp_path: Path) -> None:
    compiled(tmp_path / "nix/avx2")
    compiled(tmp_path / "nix")
    compiled(tmp_path / "nix/x86-64-v3", name="again")
    compiled(tmp_path / "attic/2019\nroot = 1")
    (tmp_path / "nix/avx2/.trash").mkdir()
    make_wheel(tmp_path / "nix/avx2/.trash", PURE)
    found = propose_site(tmp_path)
    assert [each.label for each in found.unknown] == ["attic/2019\nroot = 1", "nix", "nix/x86-64-v3"]
    assert "#   attic/2019?root = 1" in found.text
    assert "its name means the same as that of nix/avx2" in found.text
    assert [each.label for each in found.site.directories()] == ["nix/avx2", "nix/generic", "generic"]


def test_links_are_names_of_what_they_lead_to(tmp_path: Path) -> None:
    compiled(tmp_path / "gentoo2020/x86-64-v3")
    make_wheel(tmp_path / "common", PURE)
    links = {"generic": "common", "gentoo2020/avx2": "x86-64-v3", "gentoo2023": "gentoo2020", "up": "."}
    links |= {"round": "round", "common/round": "../round"}
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
    found = propose_site(tmp_path)
    assert found.unknown == ()
    assert told(found)["generic"] == "None/generic"
    assert {each.label for each in found.site.directories()} >= {"common", "gentoo2020/x86-64-v3"}
    assert searched_by(found.site, "gentoo2023", "amd-zen4") == [
        f"{tmp_path}/gentoo2020/x86-64-v3", f"{tmp_path}/common",
    ]  # fmt: skip


PARTS = st.sampled_from(
    ["avx2", "x86-64-v3", "x86_64", "v3", "zen3", "grace", "aarch64", "generic", "noarch", "intel", "el9",
     "nix", "gentoo2020", "none", "site", "a-b", "a b", "é", "fast", "2023.06", ".x", "lines\n"]
)  # fmt: skip

PROBLEMS = st.sampled_from(("", "", "", "Permission denied"))


@given(
    st.lists(
        st.tuples(
            st.lists(PARTS, max_size=4),
            st.sampled_from((0, 2, 8)),
            st.booleans(),
            st.sampled_from(("", "no")),
        ),
        min_size=1,
        max_size=9,
        unique_by=lambda each: "/".join(each[0]),
    )
)
def test_whatever_the_directories_are_called_the_proposal_can_be_read_and_holds_what_is_known(
    tree: list[tuple[list[str], int, bool, str]],
) -> None:
    found = [
        SurveyedDirectory(
            "/".join(parts) or ".", 2, ("x86_64",), 2 * own, own, own, level * own, problem=problem
        )
        for parts, level, own, problem in tree
    ]
    proposal = decide("/w", found)
    assert sorted(each.label for each in proposal.directories) == sorted(each.label for each in found)
    searched = {each.label for kind in proposal.site.host_kinds() for each in kind.search_path}
    known = {each.label: each.layer for each in proposal.directories if each.arch is not None}
    assert searched >= known.keys()
    names = {each.label: each.layer for each in proposal.site.directories()}
    assert {label: names[label] for label in known} == known
