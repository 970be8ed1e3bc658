from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from tests.factories import make_tree, make_wheel
from tests.questions import pick
from wheelhouse_resolver.errors import (
    InvalidRequirementError,
    NoWheelhouseError,
    RequirementsFileError,
    UnknownArchError,
    UnknownLayerError,
)
from wheelhouse_resolver.host.detect import Host, detect_host
from wheelhouse_resolver.host.target_python import target_python
from wheelhouse_resolver.selection.pick import Pick
from wheelhouse_resolver.selection.reasons import Rule
from wheelhouse_resolver.selection.requirements import RequirementsFile, read_requirements
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelhouse import Wheelhouse

#: The platform tag of wheels built here, whatever this machine is.
LINUX = f"linux_{platform.machine()}"

Wheels = Mapping[str, Sequence[str]]


def host_with(python: str = "3.11", arch: str = "avx512", layer: str | None = "gentoo") -> Host:
    return Host(arch=arch, layer=layer, python=target_python(python)[0])


HOST = host_with()


def best(result: Pick) -> str | None:
    return f"{result.best.directory.label}/{result.best.filename}" if result.best is not None else None


def rules(result: Pick) -> dict[str, Rule]:
    """The rule that stopped each file: label/filename -> rule."""
    return {f"{each.file.directory.label}/{each.file.filename}": each.rule for each in result.rejected}


def reason(result: Pick, file: str) -> str:
    return next(r.reason for r in result.rejected if f"{r.file.directory.label}/{r.file.filename}" == file)


def pure(*versions: str, name: str = "demo") -> list[str]:
    return [f"{name}-{version}-py3-none-any.whl" for version in versions]


class TestOrder:
    """Newer version, then the more specific directory, then the better tag, then the higher build."""

    ORDER = (
        ("generic", f"demo-2.0-py3-none-{LINUX}.whl"),
        ("gentoo/avx512", f"demo-1.0+site-py3-none-{LINUX}.whl"),
        ("gentoo/avx512", f"demo-1.0-2-cp311-cp311-{LINUX}.whl"),
        ("gentoo/avx512", f"demo-1.0-1b-cp311-cp311-{LINUX}.whl"),
        ("gentoo/avx512", f"demo-1.0-1a-cp311-cp311-{LINUX}.whl"),
        ("gentoo/avx512", f"demo-1.0-cp311-cp311-{LINUX}.whl"),
        ("gentoo/avx512", f"demo-1.0-3-cp311-abi3-{LINUX}.whl"),
        ("gentoo/avx512", f"demo-1.0-3-cp37-abi3-{LINUX}.whl"),
        ("gentoo/avx512", "demo-1.0-9-py3-none-any.whl"),
        ("gentoo/avx2", f"demo-1.0-9-cp311-cp311-{LINUX}.whl"),
        ("gentoo/avx", f"demo-1.0-9-cp311-cp311-{LINUX}.whl"),
        ("gentoo/sse3", f"demo-1.0-9-cp311-cp311-{LINUX}.whl"),
        ("gentoo/generic", f"demo-1.0-9-cp311-cp311-{LINUX}.whl"),
        ("generic", f"demo-1.0-9-cp311-cp311-{LINUX}.whl"),
        ("gentoo/avx512", f"demo-0.9-9-cp311-cp311-{LINUX}.whl"),
    )

    @pytest.mark.parametrize("place", range(len(ORDER) - 1), ids=lambda n: "/".join(TestOrder.ORDER[n]))
    def test_each_wheel_is_picked_before_all_that_stand_below_it(self, place: int, tmp_path: Path) -> None:
        wheels: dict[str, list[str]] = {}
        for label, filename in self.ORDER[place:]:
            wheels.setdefault(label, []).append(filename)
        site = make_tree(tmp_path, wheels)
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "/".join(self.ORDER[place])

    def test_every_loser_says_what_it_lost_by(self, tmp_path: Path) -> None:
        winner = f"demo-1.0-2-cp311-cp311-{LINUX}.whl"
        losers = {
            f"gentoo/avx2/demo-1.0-1-cp311-cp311-{LINUX}.whl": (Rule.LOST_BUILD, "a higher build"),
            f"gentoo/avx2/demo-1.0-cp311-cp311-{LINUX}.whl": (Rule.LOST_BUILD, "a higher build"),
            "gentoo/avx2/demo-1.0-3-py3-none-any.whl": (
                Rule.LOST_TAG,
                "whose tags fit this Python better",
            ),
            f"generic/demo-1.0-9-cp311-cp311-{LINUX}.whl": (
                Rule.LOST_RANK,
                "from a more specific directory",
            ),
            f"gentoo/avx512/demo-0.9-cp311-cp311-{LINUX}.whl": (
                Rule.LOST_VERSION,
                "older than",
            ),
        }
        wheels: dict[str, list[str]] = {"gentoo/avx2": [winner]}
        for each in losers:
            label, _, filename = each.rpartition("/")
            wheels.setdefault(label, []).append(filename)
        result = pick(Wheelhouse(make_tree(tmp_path, wheels)), "demo", HOST)
        assert best(result) == f"gentoo/avx2/{winner}"
        assert rules(result) == {file: rule for file, (rule, _) in losers.items()}
        for file, (_, words) in losers.items():
            place = f"gentoo/avx2/{winner}"
            old = words == "older than"
            assert reason(result, file) == (f"older than {place}" if old else f"shadowed by {place}, {words}")

    def test_wheels_that_are_the_same_in_all_respects_are_told_apart_by_name(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": [*pure("1.0"), "Demo-1.0-py3-none-any.whl"]})
        result = pick(Wheelhouse(site), "demo", HOST)
        assert best(result) == "generic/Demo-1.0-py3-none-any.whl"
        assert rules(result) == {"generic/demo-1.0-py3-none-any.whl": Rule.LOST_NAME}

    def test_stamps_agree_with_ranks(self, tmp_path: Path) -> None:
        stamped = {
            label: [f"demo-1.0-{rank}000{label.rpartition('/')[2]}-cp311-cp311-{LINUX}.whl"]
            for label, rank in {"generic": 1, "gentoo/generic": 100, "gentoo/avx": 300}.items()
        }
        result = pick(Wheelhouse(make_tree(tmp_path, stamped)), "demo", HOST)
        assert best(result) == f"gentoo/avx/demo-1.0-300000avx-cp311-cp311-{LINUX}.whl"


class TestSearchPath:
    WHEELS: ClassVar = {
        label: pure("1.0") for label in ("generic", "gentoo/avx", "gentoo/avx512", "nix/generic")
    }

    @pytest.mark.parametrize(
        ("arch", "layer", "expected"),
        [
            ("avx512", "gentoo", "gentoo/avx512"),
            ("avx2", "gentoo", "gentoo/avx"),
            ("sse3", "gentoo", "generic"),
            ("avx512", "nix", "nix/generic"),
            ("avx512", None, "generic"),
        ],
    )
    def test_only_what_the_host_can_run_is_picked(
        self, arch: str, layer: str | None, expected: str, tmp_path: Path
    ) -> None:
        result = pick(Wheelhouse(make_tree(tmp_path, self.WHEELS)), "demo", host_with(arch=arch, layer=layer))
        assert best(result) == f"{expected}/demo-1.0-py3-none-any.whl"

    def test_what_is_outside_is_told_with_the_reason(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {**self.WHEELS, "gentoo/avx512": pure("9.0")})
        result = pick(Wheelhouse(site), "demo", host_with(arch="avx2"))
        outside = {file for file, rule in rules(result).items() if rule is Rule.OUTSIDE}
        assert outside == {
            "gentoo/avx512/demo-9.0-py3-none-any.whl",
            "nix/generic/demo-1.0-py3-none-any.whl",
        }
        told = "for the arch avx512 (this is avx2); otherwise right"
        assert reason(result, "gentoo/avx512/demo-9.0-py3-none-any.whl") == told
        told = "in the layer nix (this is gentoo); otherwise right"
        assert reason(result, "nix/generic/demo-1.0-py3-none-any.whl") == told

    def test_directories_outside_are_read_only_when_the_rejected_are_asked_for(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, self.WHEELS)
        result = pick(Wheelhouse(site), "demo", host_with(layer=None))
        make_wheel(tmp_path / "nix/sse3", "demo-7.0-py3-none-any.whl")
        assert "nix/sse3/demo-7.0-py3-none-any.whl" in rules(result)

    def test_an_unknown_arch_or_layer_is_an_error(self, tmp_path: Path) -> None:
        wheelhouse = Wheelhouse(make_tree(tmp_path, {}))
        with pytest.raises(UnknownArchError, match="sse3, avx, avx2, avx512"):
            pick(wheelhouse, "demo", host_with(arch="mmx"))
        with pytest.raises(UnknownLayerError, match="nix, gentoo"):
            pick(wheelhouse, "demo", host_with(layer="guix"))

    def test_no_root_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(NoWheelhouseError):
            pick(Wheelhouse(Site.default(tmp_path / "gone")), "demo", HOST)


class TestVersions:
    @pytest.mark.parametrize(
        ("requirement", "present", "expected"),
        [
            ("demo", ["1.0", "2.0"], "2.0"),
            ("demo", ["1.9", "1.10"], "1.10"),
            ("demo", ["1.0", "1.0.post1"], "1.0.post1"),
            ("demo", ["9.0", "1!0.1"], "1!0.1"),
            ("demo<2", ["1.0", "2.0"], "1.0"),
            ("demo!=2.0", ["1.0", "2.0"], "1.0"),
            ("demo>=1,<2", ["0.9", "1.0", "1.5", "2.0"], "1.5"),
            ("demo~=1.4", ["1.3", "1.4", "1.9", "2.0"], "1.9"),
            ("demo~=1.4.2", ["1.4.2", "1.4.9", "1.5"], "1.4.9"),
            ("demo==1.*", ["0.9", "1.0", "1.9", "2.0"], "1.9"),
            ("demo==1", ["1.0", "1.0.1"], "1.0"),
            ("demo>1", ["1.0", "1.0.post1"], None),
            ("demo>=3", ["1.0", "2.0"], None),
            # Pre-releases: only when asked for, or when there is nothing else (PEP 440).
            ("demo", ["1.0", "2.0rc1"], "1.0"),
            ("demo", ["1.0", "2.0.dev1", "2.0a1"], "1.0"),
            ("demo", ["2.0rc1", "2.0b1"], "2.0rc1"),
            ("demo>=1", ["0.9", "2.0rc1"], "2.0rc1"),
            ("demo==2.0rc1", ["1.0", "2.0rc1"], "2.0rc1"),
            ("demo>=2.0b1", ["1.0", "2.0rc1"], "2.0rc1"),
            ("demo>=1.0.dev0", ["1.0", "2.0a1"], "2.0a1"),
            ("demo<2", ["1.0", "2.0rc1"], "1.0"),
            # Local labels: a version with one counts as that version, and as newer.
            ("demo", ["1.0", "1.0+site"], "1.0+site"),
            ("demo==1.0", ["1.0", "1.0+site"], "1.0+site"),
            ("demo>=1.0", ["1.0", "1.0+site"], "1.0+site"),
            ("demo<=1.0", ["1.0", "1.0+site"], "1.0+site"),
            ("demo~=1.0", ["1.0", "1.0+site"], "1.0+site"),
            ("demo==1.*", ["1.0", "1.0+site"], "1.0+site"),
            ("demo>1.0", ["1.0", "1.0+site"], None),
            ("demo!=1.0", ["1.0", "1.0+site"], None),
            ("demo==1.0+site", ["1.0", "1.0+site", "1.0+other"], "1.0+site"),
            ("demo==1.0+site", ["1.0"], None),
            ("demo", ["1.0+site", "1.0.1"], "1.0.1"),
            ("demo", ["1.0+site", "1.0.post1"], "1.0.post1"),
            ("demo", ["1.0+site.9", "1.0+site.10"], "1.0+site.10"),
            # `===` compares the text.
            ("demo===1.0", ["1.0", "1.0+site"], "1.0"),
            ("demo===1.0+site", ["1.0", "1.0+site"], "1.0+site"),
            ("demo===1", ["1.0"], None),
        ],
    )
    def test_the_newest_version_allowed(
        self, requirement: str, present: list[str], expected: str | None, tmp_path: Path
    ) -> None:
        site = make_tree(tmp_path, {"generic": pure(*present)})
        result = pick(Wheelhouse(site), requirement, HOST)
        assert best(result) == (f"generic/demo-{expected}-py3-none-any.whl" if expected else None)

    def test_reasons(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": pure("1.0", "2.0", "3.0rc1")})
        result = pick(Wheelhouse(site), "demo!=2.0", HOST)
        assert rules(result) == {
            "generic/demo-2.0-py3-none-any.whl": Rule.SPECIFIER,
            "generic/demo-3.0rc1-py3-none-any.whl": Rule.PRERELEASE,
        }
        assert reason(result, "generic/demo-2.0-py3-none-any.whl") == "the version is not !=2.0"
        told = "a pre-release, and there is a final version (--pre or == allows it)"
        assert reason(result, "generic/demo-3.0rc1-py3-none-any.whl") == told

    def test_a_final_release_counts_only_if_the_target_can_install_it(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": ["demo-1.0-cp27-none-any.whl", *pure("2.0rc1")]})
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "generic/demo-2.0rc1-py3-none-any.whl"

    def test_when_nothing_matches_the_nearest_miss_comes_first(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": pure("1.0"), "nix/avx": pure("3.0")})
        result = pick(Wheelhouse(site), "demo>=3", HOST)
        assert result.best is None
        assert [each.rule for each in result.rejected] == [Rule.SPECIFIER, Rule.OUTSIDE]

    def test_a_project_that_is_not_there(self, tmp_path: Path) -> None:
        result = pick(Wheelhouse(make_tree(tmp_path, {"generic": pure("1.0", name="other")})), "demo", HOST)
        assert (result.best, result.rejected, result.warnings) == (None, (), ())

    def test_pre_lets_pre_releases_in(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": pure("1.0", "2.0rc1")})
        result = pick(Wheelhouse(site), "demo", HOST, files=RequirementsFile(prereleases=True))
        assert best(result) == "generic/demo-2.0rc1-py3-none-any.whl"


class TestTags:
    @pytest.mark.parametrize(
        ("python", "tag", "fits"),
        [
            ("3.11", "py3-none-any", True),
            ("3.11", "py2.py3-none-any", True),
            ("3.11", "py311-none-any", True),
            ("3.11", "py39-none-any", True),
            ("3.11", f"cp311-cp311-{LINUX}", True),
            ("3.11", f"cp311-none-{LINUX}", True),
            ("3.11", f"cp39-abi3-{LINUX}", True),
            ("3.11", f"cp310.cp311-cp311-{LINUX}", True),
            ("3.11", f"cp311-cp311-{LINUX}.macosx_11_0_arm64", True),
            ("3.11", "py2-none-any", False),
            ("3.11", "py312-none-any", False),
            ("3.11", f"cp310-cp310-{LINUX}", False),
            ("3.11", f"cp312-abi3-{LINUX}", False),
            ("3.11", f"cp311-cp311t-{LINUX}", False),
            ("3.11", "cp311-cp311-win_amd64", False),
            ("3.11", "cp311-cp311-macosx_11_0_arm64", False),
            ("3.11", "cp311-cp311-linux_s390x", False),
            ("3.11", f"pp311-pypy311_pp73-{LINUX}", False),
            ("3.7", f"cp37-cp37m-{LINUX}", True),
            ("3.7", f"cp37-cp37-{LINUX}", False),
            ("3.8", f"cp38-cp38-{LINUX}", True),
            ("3.13t", f"cp313-cp313t-{LINUX}", True),
            ("3.13t", f"cp313-cp313-{LINUX}", False),
            ("2.7", "py2.py3-none-any", True),
            ("2.7", "py3-none-any", False),
        ],
    )
    def test_what_fits_the_target_python(self, python: str, tag: str, fits: bool, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": [f"demo-1.0-{tag}.whl"]})
        result = pick(Wheelhouse(site), "demo", host_with(python))
        assert best(result) == (f"generic/demo-1.0-{tag}.whl" if fits else None)
        assert rules(result) == ({} if fits else {f"generic/demo-1.0-{tag}.whl": Rule.TAG})

    def test_the_reason_names_the_pythons(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": ["demo-1.0-cp38.cp39-none-any.whl"]})
        result = pick(Wheelhouse(site), "demo", HOST)
        told = "for Python 3.8, 3.9 (this is 3.11)"
        assert reason(result, "generic/demo-1.0-cp38.cp39-none-any.whl") == told

    def test_the_reason_spells_the_tags_out_where_the_python_is_right(self, tmp_path: Path) -> None:
        name = f"demo-1.0-cp311-cp311d-{LINUX}.whl"
        result = pick(Wheelhouse(make_tree(tmp_path, {"generic": [name]})), "demo", HOST)
        told = f"for cp311-cp311d-{LINUX}, none of which this Python accepts"
        assert reason(result, f"generic/{name}") == told

    def test_the_target_decides_between_wheels_of_several_pythons(self, tmp_path: Path) -> None:
        wheels = [f"demo-1.0-cp{n}-cp{n}-{LINUX}.whl" for n in ("39", "310", "311", "312")]
        site = make_tree(tmp_path, {"gentoo/avx": wheels})
        for python in ("3.9", "3.10", "3.12"):
            n = python.replace(".", "")
            result = pick(Wheelhouse(site), "demo", host_with(python))
            assert best(result) == f"gentoo/avx/demo-1.0-cp{n}-cp{n}-{LINUX}.whl"


class TestRequiresPython:
    def put(self, root: Path, filename: str, requires: str | None, label: str = "generic") -> None:
        make_wheel(root / label, filename, requires_python=requires)

    @pytest.mark.parametrize(
        ("requires", "fits"),
        [
            (None, True),
            (">=3.8", True),
            (">=3.11", True),
            (">=3.11,<3.12", True),
            ("==3.11.*", True),
            (">=3.12", False),
            ("<3.11", False),
            ("!=3.11.*", False),
            (">=3.11.1", False),
        ],
    )
    def test_it_is_compared_with_the_target(self, requires: str | None, fits: bool, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {})
        self.put(tmp_path, "demo-1.0-py3-none-any.whl", requires)
        result = pick(Wheelhouse(site), "demo", HOST)
        assert (result.best is not None) == fits
        if not fits:
            assert rules(result) == {"generic/demo-1.0-py3-none-any.whl": Rule.REQUIRES_PYTHON}
            told = reason(result, "generic/demo-1.0-py3-none-any.whl")
            assert told == f"Requires-Python {requires} (this is 3.11.0)"

    def test_a_full_version_of_the_target_counts(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {})
        self.put(tmp_path, "demo-1.0-py3-none-any.whl", ">=3.11.4")
        assert pick(Wheelhouse(site), "demo", host_with("3.11.3")).best is None
        assert pick(Wheelhouse(site), "demo", host_with("3.11.4")).best is not None

    def test_an_incompatible_version_gives_way_to_the_next_older_one(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {})
        self.put(tmp_path, "demo-3.0-py3-none-any.whl", ">=3.99")
        self.put(tmp_path, "demo-2.0-py3-none-any.whl", ">=3.12")
        self.put(tmp_path, "demo-1.0-py3-none-any.whl", ">=3.8")
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "generic/demo-1.0-py3-none-any.whl"

    def test_no_lower_build_of_an_incompatible_version_is_taken(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {})
        self.put(tmp_path, "demo-2.0-2-py3-none-any.whl", ">=3.99", "gentoo/avx")
        self.put(tmp_path, "demo-2.0-1-py3-none-any.whl", ">=3.8", "gentoo/avx")
        self.put(tmp_path, "demo-2.0-1-py3-none-any.whl", ">=3.8", "generic")
        self.put(tmp_path, "demo-1.0-py3-none-any.whl", ">=3.8")
        result = pick(Wheelhouse(site), "demo", HOST)
        assert best(result) == "generic/demo-1.0-py3-none-any.whl"
        assert set(rules(result).values()) == {Rule.REQUIRES_PYTHON}
        assert reason(result, "generic/demo-2.0-1-py3-none-any.whl") == (
            "a lower build of gentoo/avx/demo-2.0-2-py3-none-any.whl, which requires Python >=3.99: "
            "pip tries older versions only"
        )

    def test_only_wheels_that_would_win_are_opened(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {})
        self.put(tmp_path, "demo-2.0-py3-none-any.whl", ">=3.8", "gentoo/avx")
        for label, filename in [
            ("gentoo/avx", "demo-1.0-py3-none-any.whl"),
            ("generic", "demo-2.0-py3-none-any.whl"),
            ("gentoo/avx", "demo-9.0-py2-none-any.whl"),
            ("nix/avx", "demo-9.0-py3-none-any.whl"),
        ]:
            (tmp_path / label / filename).write_text("broken")
        result = pick(Wheelhouse(site), "demo", HOST)
        assert best(result) == "gentoo/avx/demo-2.0-py3-none-any.whl"
        assert len(result.rejected) == 4
        assert result.warnings == ()

    def test_a_broken_wheel_that_would_win_leaves_nothing_to_pick(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": pure("1.0")})
        broken = tmp_path / "generic/demo-2.0-py3-none-any.whl"
        broken.write_text("broken")
        result = pick(Wheelhouse(site), "demo", HOST)
        assert (result.best, result.warnings) == (None, ())
        assert result.broken is result.rejected[0]
        assert result.broken.file.path == str(broken)
        assert rules(result) == {
            "generic/demo-2.0-py3-none-any.whl": Rule.BROKEN,
            "generic/demo-1.0-py3-none-any.whl": Rule.LOST_VERSION,
        }
        assert result.broken.reason.startswith("pip would choose it and fail: invalid zip file (6 bytes)")

    def test_an_invalid_one_is_a_warning(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {})
        self.put(tmp_path, "demo-1.0-py3-none-any.whl", ">=3.8.banana")
        result = pick(Wheelhouse(site), "demo", HOST)
        assert best(result) == "generic/demo-1.0-py3-none-any.whl"
        assert "Requires-Python is invalid" in result.warnings[0]

    def test_a_linked_wheel_is_read_where_the_link_points(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {})
        make_wheel(tmp_path / "store", "demo-1.0-py3-none-any.whl", requires_python=">=3.99")
        (tmp_path / "generic/demo-1.0-1000-py3-none-any.whl").symlink_to("../store/demo-1.0-py3-none-any.whl")
        assert rules(pick(Wheelhouse(site), "demo", HOST)) == {
            "generic/demo-1.0-1000-py3-none-any.whl": Rule.REQUIRES_PYTHON
        }


class TestRequirements:
    def test_extras_that_the_winner_lacks_are_a_warning(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {})
        make_wheel(tmp_path / "generic", "demo-1.0-py3-none-any.whl", extras=["Fast_One", "small"])
        result = pick(Wheelhouse(site), "demo[fast-one,SMALL,tiny]", HOST)
        assert best(result) == "generic/demo-1.0-py3-none-any.whl"
        assert result.warnings == ("demo-1.0-py3-none-any.whl does not provide the extra 'tiny'",)

    @pytest.mark.parametrize(
        ("marker", "concerns"),
        [
            ("python_version >= '3.11'", True),
            ("python_version < '3.11'", False),
            ("python_full_version == '3.11.0'", True),
            ("sys_platform == 'linux' and os_name == 'posix'", True),
            ("sys_platform == 'win32'", False),
            ("implementation_name == 'cpython'", True),
            ("extra == 'test'", False),
        ],
    )
    def test_a_marker_is_judged_for_the_target(self, marker: str, concerns: bool, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": pure("1.0")})
        result = pick(Wheelhouse(site), f"demo; {marker}", HOST)
        assert (result.best is not None) == concerns
        assert bool(result.ignored) != concerns
        assert result.rejected == ()

    @pytest.mark.parametrize("requirement", ["Foo.Bar_baz", "foo-bar-baz>=1", "FOO__BAR.BAZ[x]"])
    def test_a_project_may_be_written_in_any_spelling(self, requirement: str, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": ["Foo.Bar_Baz-1.0-py3-none-any.whl"]})
        assert best(pick(Wheelhouse(site), requirement, HOST)) == "generic/Foo.Bar_Baz-1.0-py3-none-any.whl"

    @pytest.mark.parametrize("requirement", ["", "demo>=", "demo @ https://x/demo-1.0-py3-none-any.whl"])
    def test_what_is_no_requirement_is_an_error(self, requirement: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidRequirementError):
            pick(Wheelhouse(make_tree(tmp_path, {})), requirement, HOST)

    def test_a_misnamed_file_is_skipped_and_told(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": pure("1.0")})
        for name in ("demo-2.0-py3-none.whl", "demo-banana-py3-none-any.whl"):
            (tmp_path / "generic" / name).touch()
        result = pick(Wheelhouse(site), "demo", HOST)
        assert best(result) == "generic/demo-1.0-py3-none-any.whl"
        assert rules(result) == {
            "generic/demo-2.0-py3-none.whl": Rule.FILENAME,
            "generic/demo-banana-py3-none-any.whl": Rule.FILENAME,
        }
        assert reason(result, "generic/demo-2.0-py3-none.whl").startswith("invalid wheel file name (")


class TestConstraints:
    def site(self, root: Path, **pip: Any) -> Site:
        site = make_tree(root / "tree", {"generic": pure("1.0", "2.0", "3.0rc1")})
        return site._replace(pip=MappingProxyType(pip))

    def test_the_sites_constraint_files_count(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("other<1\nDemo<2\n")
        (tmp_path / "b.txt").write_text("demo!=1.5\n")
        site = self.site(tmp_path, constraint=(str(tmp_path / "a.txt"), str(tmp_path / "b.txt")))
        result = pick(Wheelhouse(site), "demo", HOST)
        assert best(result) == "generic/demo-1.0-py3-none-any.whl"
        assert rules(result)["generic/demo-2.0-py3-none-any.whl"] is Rule.CONSTRAINT
        told = f"not allowed by the constraint Demo<2 ({tmp_path}/a.txt, line 2)"
        assert reason(result, "generic/demo-2.0-py3-none-any.whl") == told

    def test_one_file_may_be_named_alone(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("demo<2\n")
        site = self.site(tmp_path, constraint=str(tmp_path / "a.txt"))
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "generic/demo-1.0-py3-none-any.whl"

    def test_the_install_section_replaces_it_as_in_pip(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("demo<2\n")
        (tmp_path / "b.txt").write_text("demo>=2\n")
        install = MappingProxyType({"constraint": (str(tmp_path / "b.txt"),)})
        site = self.site(tmp_path, constraint=(str(tmp_path / "a.txt"),), install=install)
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "generic/demo-2.0-py3-none-any.whl"

    def test_a_constraint_counts_only_where_its_marker_holds(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("demo<2; python_version < '3.11'\n")
        site = self.site(tmp_path, constraint=(str(tmp_path / "a.txt"),))
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "generic/demo-2.0-py3-none-any.whl"
        found = pick(Wheelhouse(site), "demo", host_with("3.10"))
        assert best(found) == "generic/demo-1.0-py3-none-any.whl"

    def test_a_constraint_that_names_a_pre_release_lets_it_in(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("demo==3.0rc1\n")
        site = self.site(tmp_path, constraint=(str(tmp_path / "a.txt"),))
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "generic/demo-3.0rc1-py3-none-any.whl"

    @pytest.mark.parametrize(
        ("pip", "found"),
        [
            pytest.param({"no-binary": ("Demo",)}, False, id="by-name"),
            pytest.param({"no-binary": "other,demo"}, False, id="in-a-list"),
            pytest.param({"no-binary": ":all:"}, False, id="all"),
            pytest.param({"no-binary": ":all:", "only-binary": "demo"}, True, id="all-but-this"),
            pytest.param({"install": {"no-binary": "demo"}}, False, id="of-install"),
            pytest.param({"no-binary": "other"}, True, id="another"),
        ],
    )
    def test_a_project_that_pip_takes_no_wheels_of_has_none(
        self, pip: dict[str, Any], found: bool, tmp_path: Path
    ) -> None:
        result = pick(Wheelhouse(self.site(tmp_path, **pip)), "demo", HOST)
        assert (best(result) is not None) is found
        assert (Rule.NO_BINARY in rules(result).values()) is not found

    def test_its_wheels_elsewhere_are_told_too(self, tmp_path: Path) -> None:
        site = self.site(tmp_path, **{"no-binary": "demo"})
        make_wheel(Path(site.root, "nix/generic"), "demo-9.0-py3-none-any.whl")
        found = rules(pick(Wheelhouse(site), "demo", HOST))
        assert found["nix/generic/demo-9.0-py3-none-any.whl"] is Rule.OUTSIDE

    @pytest.mark.parametrize("pip", [{"pre": False}, {"pre": "no"}, {"pre": True, "install": {"pre": 0}}])
    def test_pre_can_be_switched_off(self, pip: dict[str, Any], tmp_path: Path) -> None:
        site = self.site(tmp_path, **pip)
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "generic/demo-2.0-py3-none-any.whl"

    @pytest.mark.parametrize("pip", [{"pre": True}, {"pre": "1"}, {"install": {"pre": True}}])
    def test_pre_in_the_site_lets_pre_releases_in(self, pip: dict[str, Any], tmp_path: Path) -> None:
        site = self.site(tmp_path, **pip)
        assert best(pick(Wheelhouse(site), "demo", HOST)) == "generic/demo-3.0rc1-py3-none-any.whl"

    def test_a_variable_in_the_file_is_taken_from_the_hosts_environment(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("demo==${WANTED}\n")
        site = self.site(tmp_path, constraint=(str(tmp_path / "a.txt"),))
        host = detect_host("3.11", environ={"WANTED": "1.0"}, arch="generic", layer="none", site=site)
        assert best(pick(Wheelhouse(site), "demo", host)) == "generic/demo-1.0-py3-none-any.whl"

    def test_a_missing_file_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        site = self.site(tmp_path, constraint=("/nowhere/constraints.txt",))
        with pytest.raises(RequirementsFileError, match=r"/nowhere/constraints\.txt"):
            pick(Wheelhouse(site), "demo", HOST)

    def test_constraints_of_requirements_files_add_to_the_sites(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("demo<2\n")
        (tmp_path / "r.txt").write_text("demo\n-c c.txt\n")
        (tmp_path / "c.txt").write_text("demo>=2\n")
        site = self.site(tmp_path, constraint=(str(tmp_path / "a.txt"),))
        files = read_requirements(str(tmp_path / "r.txt"), {})
        result = pick(Wheelhouse(site), "demo", HOST, files=files)
        assert result.best is None
        assert set(rules(result).values()) == {Rule.CONSTRAINT}


class TestPick:
    def test_it_is_immutable(self, tmp_path: Path) -> None:
        result = pick(Wheelhouse(make_tree(tmp_path, {})), "demo", HOST)
        with pytest.raises(AttributeError, match="can't set attribute"):
            result.best = None  # type: ignore[misc]

    def test_its_form_for_programs(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"gentoo/avx": pure("1.0"), "generic": pure("0.9")})
        result = pick(Wheelhouse(site), "demo>=0.1", HOST)
        found = json.loads(json.dumps(result.to_dict()))
        assert found["requirement"] == "demo>=0.1"
        assert found["best"] == {
            "name": "demo",
            "version": "1.0",
            "filename": "demo-1.0-py3-none-any.whl",
            "path": f"{tmp_path}/gentoo/avx/demo-1.0-py3-none-any.whl",
            "layer": "gentoo",
            "arch": "avx",
            "rank": 300,
        }
        (rejected,) = found["rejected"]
        assert rejected["filename"] == "demo-0.9-py3-none-any.whl"
        assert rejected["path"] == f"{tmp_path}/generic/demo-0.9-py3-none-any.whl"
        assert rejected["rule"] == "lost-version"
        assert rejected["reason"] == "older than gentoo/avx/demo-1.0-py3-none-any.whl"
        assert (rejected["rank"], rejected["version"], rejected["otherwise"]) == (1, "0.9", [])

    def test_the_library_call_gives_the_same(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {"generic": pure("1.0")})
        result = Wheelhouse(site).pick("demo", HOST)
        assert best(result) == "generic/demo-1.0-py3-none-any.whl"
        assert "demo" in repr(result)
