"""What is let into a wheelhouse: `publish` refuses, `audit` finds, and `relabel` may help."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_wheel
from tests.wheelfile.flaws import FLAWS, NAME, flawed
from tests.wheelfile.test_checks import AARCH64, X86_64, elf
from tests.wheelhouse import WheelhouseFixture
from wheelhouse_resolver.audit.findings import FindingKind, Severity
from wheelhouse_resolver.audit.run import audit
from wheelhouse_resolver.cli.main import main
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelfile.edit import Edits, relabel
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel

#: A site with CPUs of two families.
TWO_FAMILIES = """\
root = "{root}"

[[arch]]
name = "avx2"

[[arch]]
name = "arm64"
features = ["asimd"]

[[layer]]
name = "el9"
default = true
"""


#: The name of a wheel for some machine.
WHEEL = "demo-1.0-cp311-cp311-linux_{}.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def audited(house: WheelhouseFixture, config: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(house.run("audit", "--json", "--jobs", "1", config=config).out)
    return found


# -- flaws -------------------------------------------------------------------------------------------------


def test_publish_refuses_all_that_is_wrong_and_places_nothing(house: WheelhouseFixture) -> None:
    wheel = flawed(house.inbox, FLAWS["unknown-scheme"])
    done = house.run("publish", wheel, house.wheel("other-1.0-py3-none-any.whl"))
    assert done.code == 1
    assert f"refused {wheel}: {FLAWS['unknown-scheme'].finding}\n" in done.err
    assert house.wheels() == []


#: METADATA is read by those who ask for a project; where it is invalid, that is a finding of its own.
IN_AUDIT = [
    name for name, flaw in FLAWS.items() if not flaw.finding.startswith(("METADATA", "'demo.py' has"))
]


def test_audit_finds_every_flaw(house: WheelhouseFixture) -> None:
    for name in IN_AUDIT:
        flawed(house.root / "generic", FLAWS[name])
        (finding,) = [each for each in audit(house.site) if each.kind is not FindingKind.UNSTAMPED]
        assert (finding.kind, finding.severity) == (FindingKind.INVALID, Severity.ERROR)
        assert finding.message == FLAWS[name].finding


def test_one_finding_has_all_that_is_wrong_with_a_wheel(house: WheelhouseFixture) -> None:
    text = "[console_scripts]\n" + "".join(f"x{number} = demo\n" for number in range(12))
    house.add("generic", NAME, files={"demo.py": "", "demo-1.0.dist-info/entry_points.txt": text})
    (finding,) = [each for each in audited(house) if each["kind"] == "invalid-wheel"]
    assert finding["message"].count("'demo' is not `module:function`") == 10
    assert finding["message"].endswith("; and 2 more")


def test_the_fix_of_a_flawed_wheel_withdraws_it(house: WheelhouseFixture) -> None:
    flawed(house.root / "generic", FLAWS["no-callable"])
    (finding,) = [each for each in audited(house) if each["kind"] == "invalid-wheel"]
    assert house.shell(finding["fix"]).returncode == 0
    assert house.wheels() == []


def test_a_flawed_wheel_that_is_there_does_not_keep_a_new_one_out(house: WheelhouseFixture) -> None:
    flawed(house.root / "generic", FLAWS["record-blank-line"])  # unstamped: it must be stamped first
    house.publish("--to", "gentoo/avx2", house.wheel(WHEEL.format("x86_64")))
    assert house.wheels("gentoo/avx2") == ["demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"]
    assert house.wheels("generic") == ["demo-1.0-1000generic-py3-none-any.whl"]


@pytest.mark.parametrize("name", ["record-blank-line", "record-padded", "record-signature", "bzip2"])
def test_relabel_writes_what_every_installer_takes(house: WheelhouseFixture, name: str) -> None:
    wheel = flawed(house.inbox, FLAWS[name])
    check_wheel(relabel(str(wheel), Edits(local_label="site"), str(house.inbox / "new")).path)


def test_relabel_removes_a_requirement_that_is_invalid(house: WheelhouseFixture) -> None:
    wheel = house.wheel(NAME, requires_dist=["pytz (>dev)", "numpy"])
    assert house.run("publish", wheel).code == 1
    relabel(str(wheel), Edits(replace=("pytz",)), None)
    house.publish(wheel)


def test_relabel_makes_nothing_that_publish_refuses(house: WheelhouseFixture) -> None:
    wheel = flawed(house.inbox, FLAWS["no-callable"])
    with pytest.raises(InvalidWheelError) as refused:
        relabel(str(wheel), Edits(local_label="site"), str(house.inbox / "new"))
    assert list(refused.value.findings) == [FLAWS["no-callable"].finding]
    assert not list((house.inbox / "new").glob("*.whl"))


# -- machines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "machine", "problem"),
    [
        ("el9/arm64", "x86_64", "its tags are for x86_64 CPUs, el9/arm64 is for aarch64"),
        ("el9/avx2", "aarch64", "its tags are for aarch64 CPUs, el9/avx2 is for x86_64"),
        ("el9/avx2", "ppc64le", "its tags are for ppc64le CPUs, el9/avx2 is for x86_64"),
        ("el9/arm64", "aarch64", ""),
        ("el9/avx2", "x86_64", ""),
        (
            "el9/avx2",
            "i686",
            "its tags are for x86 CPUs, el9/avx2 is for x86_64",
        ),  # only a 32-bit Python takes it
        ("el9/avx2", "aarch64.linux_x86_64", ""),
        ("el9/generic", "aarch64", ""),
        ("generic", "ppc64le", ""),
    ],
)
def test_an_arch_takes_wheels_of_its_family_only(
    house: WheelhouseFixture, to: str, machine: str, problem: str
) -> None:
    house.use_config(TWO_FAMILIES.format(root=house.root))
    wheel = house.wheel(WHEEL.format(machine))
    done = house.run("publish", "--to", to, wheel)
    refusal = f"refused {wheel}: {problem}\nerror: 1 wheel refused, nothing placed\n"
    assert (done.code, done.err) == ((1, refusal) if problem else (0, ""))
    assert len(house.wheels()) == (0 if problem else 1)


def test_pure_python_is_for_every_family(house: WheelhouseFixture) -> None:
    house.use_config(TWO_FAMILIES.format(root=house.root))
    house.publish("--to", "el9/arm64", house.wheel(NAME))


def test_a_library_that_does_not_fit_its_tags_is_refused_everywhere(house: WheelhouseFixture) -> None:
    wheel = house.wheel(WHEEL.format("x86_64"), files={"demo/x.so": elf(AARCH64)})
    done = house.run("publish", "--to", "generic", wheel)
    assert f"refused {wheel}: 'demo/x.so' is for aarch64 CPUs, the file name for x86_64\n" in done.err


def test_audit_finds_wheels_for_another_machine(house: WheelhouseFixture) -> None:
    house.use_config(TWO_FAMILIES.format(root=house.root))
    house.add("el9/arm64", "demo-1.0-500000arm64-cp311-cp311-linux_x86_64.whl")
    found = audited(house)
    (finding,) = [each for each in found if each["kind"] == "wrong-machine"]
    assert finding["severity"] == "warning"  # no installer there looks at it
    assert finding["message"].startswith("its tags are for x86_64 CPUs, and el9/arm64 is for aarch64")


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        pytest.param("cp311-cp311-win_amd64", ", which are for Windows", id="windows"),
        pytest.param("cp311-cp311-macosx_11_0_arm64", ", which are for macOS", id="macos"),
        pytest.param("zz3-none-any", "", id="no-python"),
    ],
)
def test_audit_has_what_no_python_on_linux_can_use_withdrawn(
    house: WheelhouseFixture, tags: str, what: str
) -> None:
    """restamp would refuse it, as publish does."""
    house.add("generic", f"demo-1.0-{tags}.whl")
    found = [each for each in audited(house) if each["kind"] in ("wrong-machine", "unstamped")]
    message = f"no Python on Linux can use its tags ({tags}){what}"
    assert [each["message"] for each in found] == [message]
    with pytest.raises(InvalidWheelError, match=re.escape(message)):
        check_wheel(str(house.root / f"generic/demo-1.0-{tags}.whl"))
    assert main(shlex.split(found[0]["fix"])[1:]) == 0
    assert audited(house) == []


@pytest.mark.parametrize(("machine", "invalid"), [(AARCH64, True), (X86_64, False)])
def test_audit_looks_into_libraries(house: WheelhouseFixture, machine: int, invalid: bool) -> None:
    name = "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
    house.add("gentoo/avx2", name, files={"demo/x.so.1": elf(machine), "demo/x.soap": b""})
    assert [each["kind"] for each in audited(house)] == ["invalid-wheel"] * invalid


# -- variants ----------------------------------------------------------------------------------------------

VARIANT = "demo-2.0-py3-none-any-x8664v3.whl"
IGNORED = "a wheel variant (PEP 825): pip ignores it, uv takes it with its preview wheel-variants only"


def test_a_wheel_variant_is_called_so_everywhere(house: WheelhouseFixture) -> None:
    house.add("generic", "demo-1.0-1000generic-py3-none-any.whl")
    make_wheel(house.root / "generic", "demo-2.0-py3-none-any.whl").rename(house.root / "generic" / VARIANT)
    (finding,) = audited(house)
    assert (finding["kind"], finding["severity"]) == ("wheel-variant", "warning")
    assert finding["message"] == IGNORED
    (pick,) = json.loads(house.run("pick", "--json", "demo").out)
    assert pick["best"]["version"] == "1.0"
    assert [(each["rule"], each["reason"]) for each in pick["rejected"]] == [("wheel-variant", IGNORED)]
    assert VARIANT not in house.run("avail", "demo").out
    done = house.run("why-not", "demo==2.0")
    assert done.code == 1
    assert IGNORED in done.out
    assert "skipped" not in house.run("pick", "--explain", "nothing").out


@pytest.mark.parametrize("taken", ["beside its JSON", "for several platforms"])
def test_audit_says_who_takes_a_wheel_variant(house: WheelhouseFixture, taken: str) -> None:
    """What uv and old pips take: `tests/conformance/test_variants.py`."""
    best = "demo-2.0-400000avx2-cp311-cp311-linux_x86_64.whl"
    house.add("gentoo/avx2", best)
    house.add("nix/avx2", best)
    tags = "py3-none-any" if taken.startswith("beside") else "py3-none-linux_x86_64.manylinux_2_17_x86_64"
    wheel = make_wheel(house.root / "gentoo/generic", f"demo-2.0-{tags}.whl")
    wheel = wheel.rename(wheel.with_name(f"demo-2.0-{tags}-null.whl"))
    if taken.startswith("beside"):
        (wheel.parent / "demo-2.0-variants.json").write_text("{}")
    (finding,) = audited(house)
    assert (finding["kind"], finding["severity"]) == ("wheel-variant-taken", "error")
    assert (finding["project"], finding["version"]) == ("demo", "2.0")
    if taken.startswith("beside"):
        assert finding["message"] == f"{IGNORED}, and then before gentoo/avx2/{best}"
        assert finding["wanted"] == str(house.root / "gentoo/avx2" / best)
    else:
        assert "pip before 22.3 takes it for a plain wheel" in finding["message"]
    assert main(shlex.split(finding["fix"])[1:]) == 0
    assert audited(house) == []


def test_publish_says_what_a_wheel_variant_is(house: WheelhouseFixture) -> None:
    wheel = house.wheel("demo-2.0-py3-none-any.whl")
    index = house.inbox / "demo-2.0-variants.json"
    index.touch()
    done = house.run("publish", wheel.rename(house.inbox / VARIANT), index)
    assert f"refused {house.inbox / VARIANT}: {IGNORED}\n" in done.err
    assert f"refused {index}: says what wheel variants are for (PEP 825), and is not a wheel\n" in done.err


def test_no_page_of_the_index_lists_a_wheel_variant(house: WheelhouseFixture, tmp_path: Path) -> None:
    make_wheel(house.root / "generic", "demo-2.0-py3-none-any.whl").rename(house.root / "generic" / VARIANT)
    (house.root / "generic/demo-2.0-variants.json").write_text("{}")
    house.add("generic", "demo-1.0-1000generic-py3-none-any.whl")
    done = house.run("index", "--output", tmp_path / "index")
    assert f"{VARIANT}: {IGNORED}" in done.err
    pages = [path.read_text() for path in (tmp_path / "index").rglob("*.html")]
    assert any("demo-1.0-1000generic" in page for page in pages)
    assert not any("demo-2.0" in page for page in pages)


def test_the_family_of_a_directory(house: WheelhouseFixture) -> None:
    site = Site.parse(TWO_FAMILIES.format(root="/sw"), "site.toml")
    families = {each.label: site.family_of(each) for each in site.directories()}
    assert families == {"generic": None, "el9/generic": None, "el9/avx2": "x86_64", "el9/arm64": "aarch64"}
