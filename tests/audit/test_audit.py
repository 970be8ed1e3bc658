"""`audit`: what it finds wrong in a wheelhouse, and that the command that it names mends it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.factories import clean_environ, make_tree, make_wheel, pack, run_cli, with_metadata
from tests.programs import Failed, Program, one_of_each, one_of_each_everyday
from tests.wheelhouse import WheelhouseFixture
from wheelhouse_resolver.audit.findings import Finding, FindingKind, Severity
from wheelhouse_resolver.audit.run import audit
from wheelhouse_resolver.errors import NoWheelhouseError
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelfile.edit import Addition, Edits, relabel
from wheelhouse_resolver.wheelfile.provenance import Provenance
from wheelhouse_resolver.wheelfile.sbom import sbom_text

LINUX = "cp311-cp311-linux_x86_64"
MANY = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def findings(house: WheelhouseFixture, config: str | None = None) -> list[dict[str, Any]]:
    """What audit finds, as JSON."""
    done = house.run("audit", "--json", config=config)
    assert done.err == ""
    found: list[dict[str, Any]] = json.loads(done.out)
    assert done.code == (1 if any(each["severity"] == "error" for each in found) else 0)
    return found


def kinds(house: WheelhouseFixture, config: str | None = None) -> list[str]:
    return [each["kind"] for each in findings(house, config)]


def the(kind: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """The one finding of that *kind*."""
    (one,) = [each for each in found if each["kind"] == kind]
    return one


def fix(house: WheelhouseFixture, finding: dict[str, Any]) -> None:
    """Run the command that the finding names, as it is."""
    done = house.shell(finding["fix"])
    assert (done.returncode, done.stderr) == (0, "")


def relative(house: WheelhouseFixture, paths: list[str]) -> list[str]:
    return [str(Path(path).relative_to(house.root)) for path in paths]


# -- nothing wrong -----------------------------------------------------------------------------------------


def test_an_empty_wheelhouse_has_no_findings(house: WheelhouseFixture) -> None:
    done = house.run("audit")
    assert (done.code, done.out, done.err) == (0, "0 errors, 0 warnings\n", "")
    assert house.run("audit", "--json").out == "[]\n"


def test_what_publish_has_filled_has_no_findings(house: WheelhouseFixture) -> None:
    for number, label in enumerate(("gentoo/avx2", "gentoo/avx", "nix/avx2", "generic", "gentoo/generic")):
        house.publish(house.wheel(f"demo-1.{number % 2}-{LINUX}.whl"), "--to", label)
    assert findings(house) == []


def test_layers_may_have_builds_of_their_own_under_one_name(house: WheelhouseFixture) -> None:
    for label in ("nix/avx2", "gentoo/avx2"):
        mark = {"demo.py": f"MARK = {label!r}\n"}
        house.publish(make_wheel(house.inbox / label, f"demo-1.0-{LINUX}.whl", files=mark), "--to", label)
    assert len(set(map(os.path.basename, house.wheels()))) == 1
    assert findings(house) == []


def test_a_wheelhouse_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    done = run_cli("audit", "--root", tmp_path / "none")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "does not exist" in done.stderr
    with pytest.raises(NoWheelhouseError):
        list(audit(Site.default(tmp_path / "none")))


def test_every_kind_of_finding_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs/publishing.md").read_text()
    table = page.partition("| finding | what is wrong |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(kind.value for kind in FindingKind)
    errors = [kind.value for kind in FindingKind if kind.severity is Severity.ERROR]
    assert sorted(named[: len(errors)]) == sorted(errors)


def test_wheels_that_do_not_say_what_made_them(house: WheelhouseFixture) -> None:
    """Only where that is asked for: a tree has many from before."""
    said = sbom_text(Provenance(project="demo", version="1.0"))
    made = relabel(
        str(house.wheel(f"demo-1.0-{LINUX}.whl")), Edits(), str(house.inbox / "made"), addition=Addition(said)
    )
    house.publish(Path(made.path), "--to", "gentoo/avx2")
    sboms = {"demo-2.0.dist-info/sboms/auditwheel.cdx.json": "{}"}
    house.publish(house.wheel(f"demo-2.0-{LINUX}.whl", files=sboms), "--to", "gentoo/avx2")
    assert kinds(house) == []
    done = house.run("audit", "--json", "--kind", "provenance")
    (found,) = json.loads(done.out)
    assert (done.code, found["kind"], found["severity"], found["version"]) == (
        0,
        "provenance",
        "warning",
        "2.0",
    )
    assert found["message"].endswith("(it has auditwheel.cdx.json)")


# -- the order ---------------------------------------------------------------------------------------------


def test_a_wrong_order_says_who_takes_what_where(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", f"demo-1.0-{LINUX}.whl")
    house.add("gentoo/avx", f"demo-1.0-{LINUX}.whl")
    found = the("wrong-order", findings(house))
    assert found["severity"] == "error"
    assert (found["project"], found["version"]) == ("demo", "1.0")
    better, worse = (
        f"{house.root}/gentoo/avx2/demo-1.0-{LINUX}.whl",
        f"{house.root}/gentoo/avx/demo-1.0-{LINUX}.whl",
    )
    assert found["wanted"] == better
    # pip before 20.3 takes the largest URL, and that happens to be the right one here.
    assert found["chosen"] == dict.fromkeys(
        ["pip >= 26.3", "pip 21.1 to 26.2", "pip 20.3 to 21.0", "uv"], worse
    )
    assert found["hosts"] == ["gentoo/avx2", "gentoo/avx512"]
    assert found["pythons"] == ["3.11 (x86_64)"]
    text = house.run("audit").out
    assert f"policy wants gentoo/avx2/demo-1.0-{LINUX}.whl" in text
    assert "on gentoo/avx2, gentoo/avx512 with Python 3.11 (x86_64)\n" in text
    assert f"fix: {house.site.command('restamp')}\n" in text
    assert text.endswith("\n1 error, 2 warnings\n")


def test_restamp_fixes_a_wrong_order(house: WheelhouseFixture) -> None:
    for label in ("gentoo/avx512", "gentoo/avx2", "gentoo/avx", "gentoo/generic", "nix/avx", "generic"):
        house.add(label, f"demo-1.0-{LINUX}.whl")
    found = findings(house)
    assert {each["kind"] for each in found} == {"wrong-order", "unstamped"}
    fix(house, next(each for each in found if each["kind"] == "wrong-order"))
    assert findings(house) == []


def test_what_no_host_sees_together_has_no_order(house: WheelhouseFixture) -> None:
    house.add("nix/avx2", f"demo-1.0-{LINUX}.whl")
    house.add("gentoo/avx", f"demo-1.0-{LINUX}.whl")
    assert kinds(house) == ["unstamped", "unstamped"]


def test_an_order_that_happens_to_be_right_is_no_error(house: WheelhouseFixture) -> None:
    """The best directory also has the best tag, so nobody gets the wrong one even without stamps."""
    house.add("gentoo/avx2", "demo-1.0-2-cp311-cp311-linux_x86_64.whl")
    house.add("generic", "demo-1.0-1-py3-none-any.whl")
    assert kinds(house) == ["unstamped", "unstamped"]


def test_a_stamped_wheel_beside_an_unstamped_better_one_is_a_wrong_order(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", f"demo-1.0-{LINUX}.whl")
    house.add("generic", f"demo-1.0-1000generic-{LINUX}.whl")
    found = findings(house)
    assert [each["kind"] for each in found] == ["unstamped", "wrong-order"]
    assert len(found[1]["chosen"]) == 5  # every installer
    fix(house, found[1])
    assert findings(house) == []


def test_unstamped_wheels_are_warned_of_each(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", f"demo-1.0-{LINUX}.whl")
    house.add("generic", "other-1.0-3-py3-none-any.whl")
    found = findings(house)
    assert [(each["kind"], each["severity"]) for each in found] == [("unstamped", "warning")] * 2
    assert [relative(house, each["paths"]) for each in found] == [
        [f"gentoo/avx2/demo-1.0-{LINUX}.whl"],
        ["generic/other-1.0-3-py3-none-any.whl"],
    ]
    fix(house, found[0])
    assert findings(house) == []


RANKS = """
[[arch]]
name = "avx"
features = ["avx"]
rank = {avx}
[[arch]]
name = "avx2"
target = "x86_64_v3"
rank = {avx2}
[[layer]]
name = "gentoo"
directories = ["gentoo"]
archs = ["avx", "avx2"]
"""


def test_another_rank_in_the_site_file_makes_stamps_stale(house: WheelhouseFixture) -> None:
    before, after = RANKS.format(avx=300, avx2=400), RANKS.format(avx=450, avx2=700)
    for label in ("gentoo/avx2", "gentoo/avx"):
        house.publish(house.wheel(f"demo-1.0-7-{LINUX}.whl"), "--to", label, config=before)
    assert findings(house, before) == []
    found = findings(house, after)
    assert [each["kind"] for each in found] == ["stale-stamp", "stale-stamp"]
    assert "not that of gentoo/avx2 (rank 700)" in found[0]["message"]
    fix(house, found[0])
    assert findings(house, after) == []
    assert house.wheels("gentoo/avx2") == [f"demo-1.0-700007avx2-{LINUX}.whl"]


def test_a_stamp_of_another_directory_is_stale(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", f"demo-1.0-300000avx-{LINUX}.whl")
    assert kinds(house) == ["stale-stamp"]


def test_a_build_number_that_leaves_no_room_for_a_stamp(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", f"demo-1.0-20240101-{LINUX}.whl")
    found = the("build-number-too-high", findings(house))
    assert found["severity"] == "warning"
    assert "20240101" in found["message"]
    assert house.run("restamp").code == 1


# -- tags --------------------------------------------------------------------------------------------------


def test_a_tag_inversion_is_mended_by_retagging(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", f"demo-1.0-400000avx2-{LINUX}.whl")
    house.add("generic", f"demo-1.0-1000generic-{MANY}.whl")
    (found,) = findings(house)
    assert (found["kind"], found["severity"]) == ("tag-inversion", "error")
    assert found["wanted"].endswith(f"gentoo/avx2/demo-1.0-400000avx2-{LINUX}.whl")
    assert set(found["chosen"]) == {"pip 21.1 to 26.2", "uv"}
    assert found["fix"] == house.site.command("restamp", "--retag")
    assert house.run("restamp").code == 0
    assert kinds(house) == ["tag-inversion"]  # stamps alone do not help
    fix(house, found)
    assert findings(house) == []


def test_unstamped_wheels_with_an_inversion_are_fixed_in_one_go(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", "demo-1.0-py3-none-any.whl")
    house.add("gentoo/generic", f"demo-1.0-{LINUX}.whl")
    house.add("generic", f"demo-1.0-{MANY}.whl")
    found = [each for each in findings(house) if each["kind"] == "tag-inversion"]
    assert found
    fix(house, found[0])
    assert set(kinds(house)) <= {"pure-python-in-arch-directory"}


# -- local labels ------------------------------------------------------------------------------------------


def test_a_local_label_that_hides_a_better_arch(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(f"demo-1.0-{LINUX}.whl"), "--to", "gentoo/avx512")
    house.publish(house.wheel(f"demo-1.0+site-{LINUX}.whl"), "--to", "gentoo/avx2")
    house.publish(house.wheel("other-1.0+site-py3-none-any.whl"), "--to", "gentoo/generic")
    house.publish(house.wheel("other-1.0-py3-none-any.whl"), "--to", "generic")
    (found,) = findings(house)
    assert (found["kind"], found["severity"]) == ("label-over-better-arch", "warning")
    better, newest = f"demo-1.0-500000avx512-{LINUX}.whl", f"demo-1.0+site-400000avx2-{LINUX}.whl"
    assert relative(house, found["paths"]) == [f"gentoo/avx512/{better}", f"gentoo/avx2/{newest}"]
    assert found["message"] == (
        f"every installer takes gentoo/avx2/{newest} and not gentoo/avx512/{better}: "
        "its local label makes the version newer"
    )
    assert (found["hosts"], found["pythons"]) == (["gentoo/avx512"], ["3.11 (x86_64)"])
    assert found["fix"] == house.site.command(
        "publish", "--to", "gentoo/avx512", "--local-label=site", f"{house.root}/gentoo/avx512/{better}"
    )
    assert "    on gentoo/avx512 with Python 3.11 (x86_64)\n" in house.run("audit").out
    fix(house, found)
    assert findings(house) == []
    assert f"demo-1.0+site-500000avx512-{LINUX}.whl" in house.wheels("gentoo/avx512")


def test_of_a_wheel_that_is_to_move_its_label_is_not_spoken_of(house: WheelhouseFixture) -> None:
    """The fix of the one finding would take the file of the other away."""
    house.add("gentoo/avx512", "demo-1.0-500000avx512-py3-none-any.whl")
    house.publish(house.wheel("demo-1.0+site-py3-none-any.whl"), "--to", "gentoo/generic")
    assert [each["kind"] for each in findings(house)] == ["pure-python-in-arch-directory"]


@pytest.mark.parametrize(
    ("better", "newest"),
    [("1.0", "1.0+site.2"), ("1.0.0", "1.0+site"), ("1.0+site", "1.0+site.1"), ("2!1.0rc1", "2!1.0rc1+3")],
)
@pytest.mark.parametrize("tags", [LINUX, MANY], ids=["same-tags", "other-tags"])
def test_the_fix_makes_the_better_arch_as_new(
    house: WheelhouseFixture, better: str, newest: str, tags: str
) -> None:
    house.add("gentoo/avx512", f"demo-{better}-3-{LINUX}.whl")
    house.publish(house.wheel(f"demo-{newest}-{tags}.whl"), "--to", "gentoo/avx2")
    fix(house, the("label-over-better-arch", findings(house)))
    house.run("restamp")
    assert findings(house) == []
    picked = house.run("pick", f"demo=={newest}", "--layer", "gentoo", "--arch", "avx512", "--python", "3.11")
    assert "/gentoo/avx512/demo-" in picked.out


def test_a_label_that_appending_cannot_reach_is_built_or_withdrawn(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(f"demo-1.0+cpu-{LINUX}.whl"), "--to", "gentoo/avx512")
    house.publish(house.wheel(f"demo-1.0+cuda-{LINUX}.whl"), "--to", "gentoo/avx2")
    (found,) = findings(house)
    start = "publish a build of 1.0+cuda into gentoo/avx512, or withdraw the other: "
    assert found["fix"].startswith(start)
    house.shell(found["fix"].removeprefix(start))
    assert findings(house) == []


@pytest.mark.parametrize(
    ("label", "better", "newest"),
    [
        ("gentoo/avx2", f"demo-1.0-{LINUX}.whl", f"demo-1.1-{LINUX}.whl"),  # the newer one wins, as it should
        ("gentoo/avx2", f"demo-1.0-{LINUX}.whl", f"demo-1.0.post1+site-{LINUX}.whl"),
        ("nix/avx2", f"demo-1.0-{LINUX}.whl", f"demo-1.0+site-{LINUX}.whl"),  # nobody sees both
        ("gentoo/avx2", f"demo-1.0-{LINUX}.whl", "demo-1.0+site-cp312-cp312-linux_x86_64.whl"),
        ("gentoo/avx512", f"demo-1.0-{LINUX}.whl", f"demo-1.0+site-{LINUX}.whl"),
    ],
    ids=["version", "post", "layer", "python", "same-directory"],
)
def test_what_hides_no_better_arch(house: WheelhouseFixture, label: str, better: str, newest: str) -> None:
    house.publish(house.wheel(better), "--to", "gentoo/avx512")
    house.publish(house.wheel(newest), "--to", label)
    assert findings(house) == []


@pytest.mark.slow
@one_of_each_everyday
def test_every_installer_takes_the_labelled_wheel(
    program: Program, house: WheelhouseFixture, tmp_path: Path
) -> None:
    house.publish(house.wheel("demo-1.0-py3-none-any.whl"), "--to", "gentoo/generic")
    house.publish(house.wheel("demo-1.0+site-py3-none-any.whl"))
    found = the("label-over-better-arch", findings(house))
    links = [file_url(f"{house.root}/{label}") for label in ("gentoo/generic", "generic")]
    labelled = {"demo": "demo-1.0+site-py3-none-any.whl"}  # as it was called when it was made
    assert program.install(links, ["demo"], tmp_path / "work") == labelled
    fix(house, found)
    assert program.install(links, ["demo"], tmp_path / "after") == {"demo": "demo-1.0-py3-none-any.whl"}


# -- names and content -------------------------------------------------------------------------------------


def test_one_name_for_different_content_is_warned_of(house: WheelhouseFixture) -> None:
    for label in ("gentoo/avx2", "generic"):
        house.add(label, f"demo-1.0-{LINUX}.whl", files={"demo.py": f"MARK = {label!r}\n"})
    found = the("same-name-other-content", findings(house))
    assert found["severity"] == "warning"
    assert relative(house, found["paths"]) == [
        f"{each}/demo-1.0-{LINUX}.whl" for each in ("gentoo/avx2", "generic")
    ]
    fix(house, found)
    assert findings(house) == []


def test_one_name_for_the_same_content_is_not(house: WheelhouseFixture) -> None:
    for label in ("gentoo/avx2", "generic"):
        house.add(label, f"demo-1.0-{LINUX}.whl")
    assert "same-name-other-content" not in kinds(house)


def differing_builds(house: WheelhouseFixture) -> None:
    """demo 1.0 anywhere; of demo 2.0 the better build is for a Python to come."""
    house.publish(house.wheel("demo-1.0-py3-none-any.whl"))
    house.publish(house.wheel("demo-2.0-py3-none-any.whl", requires_python=">=3.8"))
    better = house.wheel("demo-2.0-1-py3-none-any.whl", requires_python=">=3.99")
    house.publish(better, "--to", "gentoo/generic")


def test_builds_of_one_version_that_differ_in_requires_python(house: WheelhouseFixture) -> None:
    differing_builds(house)
    (found,) = findings(house)
    assert (found["kind"], found["severity"]) == ("builds-differ-in-requires-python", "error")
    assert "gentoo/generic: >=3.99, generic: >=3.8" in found["message"]
    assert len(found["paths"]) == 2
    fix(house, found)
    assert findings(house) == []


@pytest.mark.slow
@one_of_each
def test_no_installer_falls_back_to_the_build_that_fits(
    program: Program, house: WheelhouseFixture, tmp_path: Path
) -> None:
    """They pass over the version, or fail where there is no other."""
    differing_builds(house)
    links = [file_url(f"{house.root}/{label}") for label in ("gentoo/generic", "generic")]
    assert program.install(links, ["demo"], tmp_path / "work") == {"demo": "demo-1.0-py3-none-any.whl"}
    with pytest.raises(Failed):
        program.install(links, ["demo==2.0"], tmp_path / "work")


@pytest.mark.parametrize("stamp", ["", "400000avx2-"])
def test_pure_python_in_an_arch_directory(house: WheelhouseFixture, stamp: str) -> None:
    house.add("gentoo/avx2", f"demo-1.0-{stamp}py3-none-any.whl")
    found = the("pure-python-in-arch-directory", findings(house))
    assert found["severity"] == "warning"
    fix(house, found)
    assert house.wheels() == ["generic/demo-1.0-1000generic-py3-none-any.whl"]
    assert findings(house) == []


def test_pure_python_in_a_generic_directory_is_where_it_belongs(house: WheelhouseFixture) -> None:
    house.publish(house.wheel("demo-1.0-py3-none-any.whl"), "--to", "gentoo/generic")
    assert findings(house) == []


# -- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo.whl", "demo-1.0.whl", "demo-1_0-x-y-z.whl", "-1.0-py3-none-any.whl"])
def test_a_misnamed_file(house: WheelhouseFixture, name: str) -> None:
    (house.root / "generic" / name).write_bytes(b"")
    (found,) = findings(house)
    assert (found["kind"], found["severity"]) == ("misnamed", "warning")
    assert relative(house, found["paths"]) == [f"generic/{name}"]


def test_a_misnamed_file_is_taken_away(house: WheelhouseFixture) -> None:
    (house.root / "generic" / "demo copy.whl").write_bytes(b"")
    fix(house, findings(house)[0])
    assert findings(house) == []
    assert house.wheels("generic") == []
    (house.root / "generic" / "-1.0-py3-none-any.whl").write_bytes(b"")
    fix(house, findings(house)[0])  # its name is not to be taken for an option
    assert findings(house) == []


def test_what_cannot_be_read_is_not_to_be_restamped(house: WheelhouseFixture) -> None:
    a_zero_byte_wheel(house.root / "gentoo/avx2" / f"demo-1.0-{LINUX}.whl")
    house.add("gentoo/avx", f"demo-1.0-{LINUX}.whl")
    found = findings(house)
    assert sorted(each["kind"] for each in found) == ["broken", "unstamped", "wrong-order"]
    withdraw = house.site.command("withdraw", "--to", "gentoo/avx2", f"demo-1.0-{LINUX}.whl")
    for kind in ("broken", "wrong-order"):
        assert the(kind, found)["fix"] == withdraw
    fix(house, the("wrong-order", found))
    assert kinds(house) == ["unstamped"]


def a_zero_byte_wheel(path: Path) -> None:
    path.write_bytes(b"")


def a_truncated_wheel(path: Path) -> None:
    make_wheel(path.parent, path.name)
    path.write_bytes(path.read_bytes()[:200])


def a_wheel_without_metadata(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo.py", "")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere.whl")


def a_directory(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("precious")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (a_zero_byte_wheel, "invalid zip file"),
        (a_truncated_wheel, "invalid zip file"),
        (a_wheel_without_metadata, "has 0 .dist-info directories"),
        (a_dangling_link, "a link to nothing"),
        (a_directory, "a directory"),
    ],
)
def test_a_broken_wheel_is_an_error_and_withdrawn(
    house: WheelhouseFixture, damage: Any, problem: str
) -> None:
    name = f"demo-1.0-400000avx2-{LINUX}.whl"
    sound = house.add("generic", name)  # whatever its name says: withdrawing must not touch it
    damage(house.root / "gentoo" / "avx2" / name)
    found = the("broken", findings(house))
    assert found["severity"] == "error"
    assert problem in found["message"]
    assert relative(house, found["paths"]) == [f"gentoo/avx2/{name}"]
    fix(house, found)
    assert "broken" not in kinds(house)
    assert sound.exists()
    (slot,) = (house.root / "gentoo" / "avx2" / ".trash").iterdir()
    assert os.listdir(slot) == [name]  # nothing is lost


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Name": "other"}, "passed over by pip: its METADATA has the name 'other'"),
        ({"Version": "1.1"}, "passed over by pip: its METADATA has the version '1.1'"),
        ({"Version": "x"}, "pip would choose it and fail: its METADATA has the invalid version 'x'"),
        ({"Requires-Dist": "foo>=1.0.*"}, "passed over by pip: invalid Requires-Dist 'foo>=1.0.*'"),
        (
            {"Requires-Python": "3.6"},
            "invalid Requires-Python '3.6': pip takes it for any Python, uv may pass over the wheel",
        ),
    ],
    ids=str,
)
def test_metadata_that_installers_pass_over(
    house: WheelhouseFixture, headers: dict[str, str | None], message: str
) -> None:
    name = "demo-1.0-1000generic-py3-none-any.whl"
    pack(house.root / "generic" / name, with_metadata(name, **headers))
    found = the("broken", findings(house))
    assert (found["severity"], found["message"]) == ("error", message)
    fix(house, found)
    assert "broken" not in kinds(house)


@pytest.mark.parametrize("beside", [f"demo-1.0-1000generic-{LINUX}.whl", None], ids=["beside", "alone"])
def test_what_restamp_refuses_is_withdrawn(house: WheelhouseFixture, beside: str | None) -> None:
    if beside:
        house.add("generic", beside)
    damaged = house.root / "gentoo" / "avx2" / f"demo-1.0-{LINUX}.whl"
    pack(damaged, with_metadata(damaged.name, Version="1.1"))
    withdraw = house.site.command("withdraw", "--to", "gentoo/avx2", damaged.name)
    found = findings(house)
    assert {each["kind"]: each["fix"] for each in found} == dict.fromkeys(
        ("broken", "unstamped", *(["wrong-order"] if beside else [])), withdraw
    )
    fix(house, found[0])
    assert findings(house) == []


def test_a_broken_wheel_that_is_alone_is_found_too(house: WheelhouseFixture) -> None:
    a_zero_byte_wheel(house.root / "generic" / "demo-1.0-1000generic-py3-none-any.whl")
    assert kinds(house) == ["broken"]


def test_a_wheel_that_others_cannot_read(house: WheelhouseFixture) -> None:
    house.publish(house.wheel("demo-1.0-py3-none-any.whl"))
    (path,) = (house.root / "generic").glob("*.whl")
    path.chmod(0o600)
    (found,) = findings(house)
    assert (found["kind"], found["severity"]) == ("unreadable", "error")
    fix(house, found)
    assert findings(house) == []


@pytest.fixture
def open_house() -> Iterator[Path]:
    """A root that other users may reach, as they may not pytest's directories."""
    with TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield Path(path)


def audit_as_nobody(site: Site) -> list[Finding]:
    """Audit as a user to whom permissions apply, which they don't to root."""
    if os.geteuid() != 0:
        return list(audit(site))
    os.setresuid(65534, 65534, 0)
    try:
        return list(audit(site))
    finally:
        os.setresuid(0, 0, 0)


def test_what_cannot_be_read_at_all(open_house: Path) -> None:
    site = make_tree(
        open_house,
        {
            "generic": ["one-1.0-1000generic-py3-none-any.whl", "two-1.0-1000generic-py3-none-any.whl"],
            "nix/avx": [f"one-1.0-300000avx-{LINUX}.whl"],
        },
    )
    closed = open_house / "generic" / "one-1.0-1000generic-py3-none-any.whl"
    closed.chmod(0)
    (open_house / "nix" / "avx").chmod(0)
    try:
        found = audit_as_nobody(site)
        assert [(each.kind, each.severity) for each in found] == [
            (FindingKind.UNREADABLE, Severity.ERROR)
        ] * 2
        assert [each.paths for each in found] == [(str(open_house / "nix" / "avx"),), (str(closed),)]
        for each in found:
            subprocess.run(shlex.split(each.fix), check=True)
        assert audit_as_nobody(site) == []
    finally:
        (open_house / "nix" / "avx").chmod(0o755)


@pytest.mark.parametrize("place", [".", ".trash"])
def test_a_draft_that_a_killed_publisher_left(house: WheelhouseFixture, place: str) -> None:
    draft = house.root / "generic" / place / ".wheelhouse-draft-node-1-2-3.part"
    draft.parent.mkdir(exist_ok=True)
    draft.write_bytes(b"half a wheel")
    (found,) = findings(house)
    assert (found["kind"], found["severity"]) == ("leftover", "warning")
    fix(house, found)
    assert findings(house) == []
    assert not draft.exists()


def test_what_was_withdrawn_is_no_leftover(house: WheelhouseFixture) -> None:
    house.publish(house.wheel("demo-1.0-py3-none-any.whl"))
    assert house.run("withdraw", "demo-1.0-1000generic-py3-none-any.whl").code == 0
    assert findings(house) == []


@pytest.mark.parametrize("label", ["haswell", "gentoo", "gentoo/haswell", "gentoo/avx2/old", "."])
def test_wheels_in_a_directory_that_no_host_searches(house: WheelhouseFixture, label: str) -> None:
    make_wheel(house.root / label, f"demo-1.0-{LINUX}.whl")
    make_wheel(house.root / label, f"demo-2.0-{LINUX}.whl")
    (found,) = findings(house)
    assert (found["kind"], found["severity"]) == ("outside-the-site", "warning")
    assert found["message"].startswith("2 wheels in a directory that is not one of the site's")
    assert [os.path.normpath(path) for path in found["paths"]] == [os.path.normpath(house.root / label)]


def test_a_layer_in_the_site_file_takes_a_directory_in(house: WheelhouseFixture) -> None:
    house.add("haswell/generic", "demo-1.0-100000generic-py3-none-any.whl")
    assert kinds(house) == ["outside-the-site"]
    assert findings(house, '[[layer]]\nname = "haswell"\ndirectories = ["haswell"]\narchs = []\n') == []


# -- how it reports ---------------------------------------------------------------------------------------


def test_json_has_one_shape_for_all_findings(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", f"demo-1.0-{LINUX}.whl")
    house.add("gentoo/avx", f"demo-1.0-{LINUX}.whl")
    (house.root / "generic" / "odd.whl").write_bytes(b"")
    found = findings(house)
    assert len({each["kind"] for each in found}) == 3
    for each in found:
        assert {key: type(value) for key, value in each.items()} == {
            "kind": str,
            "severity": str,
            "message": str,
            "paths": list,
            "fix": str,
            "project": str,
            "version": str,
            "wanted": str,
            "chosen": dict,
            "hosts": list,
            "pythons": list,
            "ignored": bool,
        }


def test_warnings_alone_are_no_failure(house: WheelhouseFixture) -> None:
    house.add("generic", "demo-1.0-py3-none-any.whl")
    done = house.run("audit")
    assert done.code == 0
    assert done.out.endswith("\n0 errors, 1 warning\n")


def test_a_hostile_name_is_printed_without_its_control_characters(house: WheelhouseFixture) -> None:
    (house.root / "generic" / "de\x1b[31mmo\n.whl").write_bytes(b"")
    text = house.run("audit").out
    assert "\x1b" not in text
    assert "de\\x1b[31mmo\\n.whl" in text


def big_tree(root: Path, projects: int) -> Site:
    """Many projects with two wheels each: two names for one file."""
    site = make_tree(root, {})
    for number in range(projects):
        wheel = make_wheel(root / "nix" / "avx2", f"p{number:05d}-1.0-{LINUX}.whl")
        os.link(wheel, root / "nix" / "avx" / wheel.name)
    return site


@pytest.mark.slow
def test_several_processes_find_the_same_in_the_same_order(tmp_path: Path) -> None:
    site = big_tree(tmp_path, 400)
    (tmp_path / "nix" / "avx2" / f"p00003-1.0-{LINUX}.whl").unlink()
    a_zero_byte_wheel(tmp_path / "nix" / "avx2" / f"p00333-2.0-{LINUX}.whl")
    alone = list(audit(site, jobs=1))
    assert len(alone) == 400 * 3 - 2 + 1  # the broken one is not reported as unstamped, too
    # In a process of its own: forking this one, which may have threads, is not what is tested.
    outputs = [
        run_cli("audit", "--json", "--jobs", jobs, "--root", tmp_path).stdout for jobs in ("1", "2", "3")
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    assert json.loads(outputs[0]) == [each.to_dict() for each in alone]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Pool", "OSError(errno.EAGAIN, 'Resource temporarily unavailable')"),  # ulimit -u
        ("SimpleQueue", "PermissionError(errno.EACCES, 'Permission denied')"),  # /dev/shm is not writable
        ("SimpleQueue", "ImportError('no sem_open')"),
        ("Process", "BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')"),
    ],
    ids=["no-processes", "no-semaphores", "a-system-without-semaphores", "none-more"],
)
def test_where_no_processes_can_be_had_one_does_it(name: str, error: str, tmp_path: Path) -> None:
    site = big_tree(tmp_path, 20)
    code = (
        "import errno, multiprocessing.context as context, sys\n"
        "def fail(*_, **__):\n"
        f"    raise {error}\n"
        f"context.{'ForkContext' if name == 'Process' else 'BaseContext'}.{name} = fail\n"
        "from wheelhouse_resolver.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, "audit", "--json", "--jobs", "2", "--root", str(tmp_path)]
    done = subprocess.run(command, env=clean_environ(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == [each.to_dict() for each in audit(site)]


def test_progress_goes_up_to_all_wheels(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    list(audit(big_tree(tmp_path, 250), progress=lambda done, total: steps.append((done, total))))
    assert steps == sorted(steps)
    assert len(steps) > 2
    assert steps[-1] == (500, 500)


def test_findings_come_while_it_still_reads(tmp_path: Path) -> None:
    site = big_tree(tmp_path, 300)
    stream = audit(site)
    first = next(stream)
    assert first.project == "p00000"
    last = tmp_path / "nix" / "avx2" / f"p00299-1.0-{LINUX}.whl"
    last.unlink()  # nobody has looked at it yet
    a_zero_byte_wheel(last)
    assert [each.paths for each in stream if each.kind is FindingKind.BROKEN] == [(str(last),)]


# VmHWM, as ru_maxrss would begin with the size of the process that this one was forked from.
_PEAK = """
import re, sys
from wheelhouse_resolver.audit.run import audit
from wheelhouse_resolver.site.model import Site
count = sum(1 for _ in audit(Site.default(sys.argv[1])))
print(count, re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""


def peak(root: Path) -> tuple[int, int]:
    """How many findings there are, and the most memory that audit takes (KiB)."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(root)],
        text=True,
        capture_output=True,
        check=True,
        env=clean_environ(),
    )
    count, most = done.stdout.split()
    return int(count), int(most)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_findings(tmp_path: Path) -> None:
    big_tree(tmp_path / "small", 250)
    big_tree(tmp_path / "large", 4000)
    (few, small), (many, large) = peak(tmp_path / "small"), peak(tmp_path / "large")
    assert (few, many) == (250 * 3, 4000 * 3)
    # The names of 7500 more wheels stay, 2 MB; to keep the findings as well would take 10 MB more.
    assert large - small < 5 * 1024


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    big_tree(tmp_path, 1000)  # more than a pipe holds
    for form in ([], ["--json"]):
        command = [sys.executable, "-m", "wheelhouse_resolver", "audit", "--root", str(tmp_path), *form]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environ()
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 1  # that of the answer


@pytest.mark.parametrize("form", ["", "--json"])
def test_without_a_stdout_the_exit_code_is_the_answer(house: WheelhouseFixture, form: str) -> None:
    house.add("gentoo/avx2", f"demo-1.0-{LINUX}.whl")
    house.add("gentoo/avx", f"demo-1.0-{LINUX}.whl")
    command = f'"{sys.executable}" -m wheelhouse_resolver audit --root "{house.root}" {form} >&-'
    done = subprocess.run(["sh", "-c", command], text=True, capture_output=True, env=clean_environ())
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "demo[fast]",
            "demo[fast] ({path}, line 1): a constraint cannot have extras: every pip install fails",
        ),
        (None, "{path} cannot be read (No such file or directory): every pip install fails"),
    ],
    ids=["extras", "missing"],
)
def test_a_constraints_file_that_stops_pip(house: WheelhouseFixture, text: str | None, message: str) -> None:
    limits = house.root.parent / "limits.txt"
    if text is not None:
        limits.write_text(f"{text}\n")
    house.use_config(f'root = "{house.root}"\n[pip]\nconstraint = "{limits}"\n')
    done = house.run("audit", "--json")
    found = the("constraints-file", json.loads(done.out))
    assert (done.code, found["severity"], found["paths"]) == (1, "error", [str(limits)])
    assert found["message"].startswith(message.format(path=limits))
    limits.write_text("demo==1.0\n")
    assert house.run("audit").code == 0


# -- what a umask has closed -------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [".", "gentoo", "gentoo/avx2", "nix/generic"])
@pytest.mark.parametrize("mode", [0o700, 0o750, 0o754], ids=oct)
def test_directories_that_others_cannot_read(house: WheelhouseFixture, closed: str, mode: int) -> None:
    house.publish(house.wheel(f"demo-1.0-{LINUX}.whl"), "--to", "gentoo/avx2")
    (house.root / closed).chmod(mode)
    (house.root / "gentoo/avx512").chmod(0o755 if closed != "gentoo" else mode)
    (found,) = findings(house)
    path = str((house.root / closed).resolve())
    assert (found["kind"], found["message"]) == ("unreadable", "not readable for everybody")
    assert found["paths"] == [path]
    subprocess.run(shlex.split(found["fix"]), check=True)
    assert findings(house) == []


def test_a_site_file_that_others_cannot_read(house: WheelhouseFixture) -> None:
    house.use_config(f'root = "{house.root}"\n')
    file = house.root.parent / "site.toml"
    file.chmod(0o640)
    (found,) = findings(house)
    assert found["paths"] == [str(file)]
    subprocess.run(shlex.split(found["fix"]), check=True)
    assert findings(house) == []
