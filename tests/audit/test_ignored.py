"""What the site file's `[audit]` table has `audit` ignore, and how a long answer is summarised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.wheelhouse import WheelhouseFixture

LINUX = "cp311-cp311-linux_x86_64"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    """Two wheels in the wrong order, both unstamped, and a file with an invalid name."""
    found = WheelhouseFixture(tmp_path, capsys)
    for label in ("gentoo/avx2", "gentoo/avx"):
        found.add(label, f"demo-1.0-{LINUX}.whl")
    (found.root / "generic/odd.whl").touch()
    return found


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("", ["misnamed", "unstamped", "unstamped", "wrong-order"]),
        ('{ kind = "unstamped" }', ["misnamed", "wrong-order"]),
        ('{ path = "generic/odd*" }', ["unstamped", "unstamped", "wrong-order"]),
        ('{ path = "*/avx2/" }', ["misnamed", "unstamped", "wrong-order"]),  # the other wheel is not ignored
        ('{ path = "gentoo" }, { path = "{root}/generic/*" }', []),
        ('{ kind = "unstamped", path = "*/avx" }', ["misnamed", "unstamped", "wrong-order"]),
        ('{ kind = "misnamed", path = "gentoo/*" }', ["misnamed", "unstamped", "unstamped", "wrong-order"]),
    ],
)
def test_what_matches_is_ignored(house: WheelhouseFixture, patterns: str, left: list[str]) -> None:
    ignore = patterns.replace("{root}", str(house.root))
    house.use_config(f'root = "{house.root}"\n[audit]\nignore = [{ignore}]\n')
    done = house.run("audit")
    lines = [line.split() for line in done.out.splitlines()]
    assert sorted(line[1].rstrip(":") for line in lines if line[0] in ("error:", "warning:")) == left
    assert done.code == (1 if "wrong-order" in left else 0)
    said = f", {4 - len(left)} ignored, as the site file says\n"
    assert done.out.endswith(said) == (len(left) < 4)
    found = json.loads(house.run("audit", "--json").out)
    assert len(found) == 4
    assert sorted(each["kind"] for each in found if not each["ignored"]) == left


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        ('ignor = [{ kind = "broken" }]', ["[audit]: unknown key 'ignor'", "did you mean 'ignore'?"]),
        ('ignore = [{ kind = "unstampd" }]', ["[audit] ignore[1] kind", "did you mean 'unstamped'?"]),
        (
            'ignore = [{ path = "" }, { paths = "x" }]',
            ["ignore[1] path: must not be", "did you mean 'path'?"],
        ),
        ("ignore = [{}]", ["[audit] ignore[1]: needs `kind`, `path` or both"]),
        ('ignore = "unstamped"', ["[audit] ignore: must be an array of tables, not a string"]),
    ],
)
def test_a_table_that_cannot_be_meant_is_bad_input(
    house: WheelhouseFixture, table: str, problems: list[str]
) -> None:
    house.use_config(f'root = "{house.root}"\n[audit]\n{table}\n')
    done = house.run("audit")
    assert (done.code, done.out) == (2, "")
    assert all(each in done.err for each in [str(house.root.parent / "site.toml"), *problems]), done.err


def test_few_findings_are_shown_at_once_the_errors_first(house: WheelhouseFixture) -> None:
    shown = [line.partition(" ")[0] for line in house.run("audit").out.splitlines() if line[0] != " "]
    assert shown == ["error:", "warning:", "warning:", "warning:", "1"]


def test_many_findings_are_summarised(house: WheelhouseFixture) -> None:
    for number in range(4):
        for label in ("nix/avx2", "nix/avx"):
            house.add(label, f"more-{number}-{LINUX}.whl")
    command = house.site.command("audit", "--kind", "wrong-order")
    done = house.run("audit")
    assert (done.code, done.out.splitlines()) == (
        1,
        [
            f"15 of 16 findings are fixed by: {house.site.command('restamp')}",
            "       5 errors: wrong-order",
            "      10 warnings: unstamped",
            "       1 warning: misnamed",
            f"details: `{command}`, or -v for all",
            "5 errors, 11 warnings",
        ],
    )
    every = house.run("audit", "-v").out
    assert every.count("    fix: ") == 16
    assert every.rindex("error: wrong-order") < every.index("warning: ")
    some = house.shell(command)
    assert (some.returncode, some.stdout.count("    fix: ")) == (1, 5)
    assert some.stdout.endswith("\n5 errors, 0 warnings\n")
    assert house.run("audit", "--kind", "misnamed", "--kind", "unstamped").code == 0
    assert len(json.loads(house.run("audit", "--json").out)) == 16
    assert len(json.loads(house.run("audit", "--json", "--kind", "misnamed").out)) == 1
