"""Source archives among the wheels: what pip and uv take is what `pick` says, and `audit` reports it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conformance.uv import settings_for
from tests.conformance.uv import taken_by as taken_by_uv
from tests.factories import make_archive, make_wheel
from tests.pips import pip_environ
from tests.programs import Failed, Program, one_of_each
from tests.questions import pick, why_not
from tests.wheelhouse import WheelhouseFixture
from wheelhouse_resolver.explain.answer import Verdict
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import target_python
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.selection.reasons import Rule
from wheelhouse_resolver.selection.requirements_file import read_requirements
from wheelhouse_resolver.tree.reader import Tree

HOST = Host(arch="generic", layer=None, python=target_python("3.11")[0])


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


class Case(NamedTuple):
    """Files, what is asked for of them, the site's [pip] table, and what pip takes; uv: where it differs.

    lines: options of the requirements file that asks; empty: the command line does.
    """

    files: str
    taken: str
    asked: str = "zz"
    pip: Mapping[str, Any] = {}
    uv: str = ""
    lines: str = ""


WHEEL = "zz-1.0-py3-none-any.whl"
CASES = {
    "newer": Case(f"{WHEEL} zz-2.0.tar.gz", "zz-2.0.tar.gz"),
    "newer-zip": Case(f"{WHEEL} zz-2.0.zip", "zz-2.0.zip"),
    "same-version": Case(f"{WHEEL} zz-1.0.tar.gz", WHEEL),
    "older": Case(f"{WHEEL} zz-0.5.tar.gz", WHEEL),
    "alone": Case("zz-9999.tar.gz", "zz-9999.tar.gz"),
    "excluded-by-the-requirement": Case(f"{WHEEL} zz-2.0.tar.gz", WHEEL, "zz<2"),
    "pre-release": Case(f"{WHEEL} zz-2.0rc1.tar.gz", WHEEL),
    "final-before-a-pre-release": Case("zz-1.0rc1-py3-none-any.whl zz-0.5.tar.gz", "zz-0.5.tar.gz"),
    "of-another-python": Case(f"{WHEEL} zz-2.0-cp27-none-any.whl zz-2.0.tar.gz", "zz-2.0.tar.gz"),
    "other-project": Case(f"{WHEEL} zz-more-2.0.tar.gz", WHEEL),
    "no-version": Case(f"{WHEEL} zz-dummy.tar.gz", WHEEL),
    "only-binary": Case(f"{WHEEL} zz-2.0.tar.gz", WHEEL, pip={"only-binary": "zz"}),
    "only-binary-all": Case(f"{WHEEL} zz-2.0.tar.gz", WHEEL, pip={"only-binary": ":all:"}),
    "no-binary": Case(f"{WHEEL} zz-0.5.tar.gz", "zz-0.5.tar.gz", pip={"no-binary": "zz"}),
    "prefer-binary": Case(f"{WHEEL} zz-2.0.tar.gz", WHEEL, pip={"prefer-binary": True}, uv="zz-2.0.tar.gz"),
    "prefer-binary-without-a-wheel": Case(
        f"{WHEEL} zz-2.0.tar.gz", "zz-2.0.tar.gz", "zz>1", {"prefer-binary": True}
    ),
    "only-binary-none": Case(f"{WHEEL} zz-2.0.tar.gz", "zz-2.0.tar.gz", pip={"only-binary": "zz,:none:"}),
    "file-prefer-binary": Case(f"{WHEEL} zz-2.0.tar.gz", WHEEL, uv="zz-2.0.tar.gz", lines="--prefer-binary"),
    "file-only-binary": Case(f"{WHEEL} zz-2.0.tar.gz", WHEEL, lines="--only-binary zz"),
    "file-no-binary": Case(f"{WHEEL} zz-0.5.tar.gz", "zz-0.5.tar.gz", lines="--no-binary zz"),
    "file-over-table": Case(
        f"{WHEEL} zz-2.0.tar.gz",
        "zz-2.0.tar.gz",
        pip={"only-binary": ":all:"},
        lines="--only-binary :none:",
        uv=WHEEL,
    ),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def put(house: WheelhouseFixture, files: str, label: str = "generic") -> None:
    for name in files.split():
        (make_wheel if name.endswith(".whl") else make_archive)(house.root / label, name)


def taken_by(program: Program, case: Case, directory: Path, work: Path) -> str:
    """The name of the first file that *program* takes; of uv, which names none, the version."""
    given = {key.upper().replace("-", "_"): str(value) for key, value in case.pip.items()}
    asked = [case.asked]
    if case.lines:
        file = directory / "requirements.txt"
        file.write_text(f"{case.lines}\n{case.asked}\n")
        asked = ["-r", str(file)]
    if program.release == "uv":
        known = ("only-binary", "no-binary")
        options = [f"--{option}={value}" for option, value in case.pip.items() if option in known]
        command = [*program.command, "pip", "install", "--dry-run", "--python", program.python]
        command += ["--target", str(work), "--offline", "--no-cache", *options]
        environ = pip_environ()
    else:
        command = [*program.command, "download", "--dest", str(work)]
        environ = pip_environ(**{f"PIP_{key}": value for key, value in given.items()})
    command += ["--no-index", "--no-deps", "--no-build-isolation", "--find-links", str(directory), *asked]
    done = subprocess.run(command, env=environ, text=True, capture_output=True)
    if program.release == "uv":
        return "".join(re.findall(r"^ \+ zz==(\S+)", done.stderr, re.MULTILINE))
    first = re.search(r"^Processing (?:\S*/)?([^/\s]+)", done.stdout, re.MULTILINE)
    return first[1] if first else done.stderr


@each_case
def test_pick_is_what_pip_takes(house: WheelhouseFixture, case: Case) -> None:
    put(house, case.files)
    file = house.root / "requirements.txt"
    file.write_text(case.lines)
    site = house.site._replace(pip=dict(case.pip))
    found = pick(Tree(site), case.asked, HOST, files=read_requirements(str(file), {}))
    taken = found.best or found.source
    assert taken is not None
    assert taken.filename == case.taken
    assert (found.source is None) == case.taken.endswith(".whl")


@pytest.mark.slow
@one_of_each
@each_case
def test_installers_take_it(house: WheelhouseFixture, case: Case, program: Program, tmp_path: Path) -> None:
    put(house, case.files)
    taken = taken_by(program, case, house.root / "generic", tmp_path / "work")
    if program.release == "uv":
        assert taken == re.split(r"-|\.tar", case.uv or case.taken)[1].removesuffix(".zip")
    else:
        assert taken == case.taken


def test_pick_tells_that_pip_builds(house: WheelhouseFixture) -> None:
    put(house, f"{WHEEL} zz-2.0.tar.gz zz-0.5.zip")
    archive = house.root / "generic/zz-2.0.tar.gz"
    done = house.run("pick", "zz")
    assert (done.code, done.out) == (1, f"{archive}\n")
    reason = "newer than any wheel that fits here"
    assert done.err == f"no wheel for zz: pip builds zz-2.0.tar.gz from source (generic): {reason}\n"
    explained = house.run("pick", "--explain", "zz").out.splitlines()
    assert explained[1:] == [
        f"  source    {archive}",
        f"            pip builds it: {reason}",
        "  rejected  generic/zz-1.0-py3-none-any.whl",
        "            older than generic/zz-2.0.tar.gz, which pip builds from source",
        "  rejected  generic/zz-0.5.zip",
        "            older than generic/zz-2.0.tar.gz, which pip builds from source",
    ]
    found = pick(Tree(house.site), "zz", HOST).to_dict()
    assert (found["best"], found["because"]) == (None, reason)
    assert (found["source"]["kind"], found["source"]["path"]) == ("source", str(archive))


@pytest.mark.parametrize(
    ("pip", "files", "rule", "kind"),
    [
        ({}, f"{WHEEL} zz-1.0.zip", Rule.LOST_SOURCE, ""),
        ({}, f"{WHEEL} zz-0.5.zip", Rule.LOST_VERSION, ""),
        ({"prefer-binary": True}, f"{WHEEL} zz-2.0.zip", Rule.LOST_VERSION, "preferred"),
        ({"only-binary": ["zz"]}, f"{WHEEL} zz-2.0.zip", Rule.ONLY_BINARY, ""),
        ({}, "zz-1.0.tar.gz zz-1.0.zip", Rule.LOST_NAME, "url"),
    ],
)
def test_why_an_archive_is_not_taken(
    house: WheelhouseFixture, pip: dict[str, Any], files: str, rule: Rule, kind: str
) -> None:
    put(house, files)
    (one,) = pick(Tree(house.site._replace(pip=pip)), "zz", HOST).rejected
    assert (one.file.filename, one.rule, one.exclusions[0].kind) == (files.split()[1], rule, kind)


def test_avail_shows_it_as_source(house: WheelhouseFixture) -> None:
    put(house, f"{WHEEL} zz-2.0.tar.gz other-1.0-py3-none-any.whl other-1.0.tar.gz")
    columns = ["--format", "csv", "--columns", "name,version,python,abi"]
    wheel, other = "zz,1.0,py3,none", "other,1.0,py3,none"
    assert house.run("avail", *columns).out.splitlines()[1:] == [other, "zz,2.0,source,"]
    assert house.run("avail", "zz", "--all-versions", *columns).out.splitlines()[1:] == [
        "zz,2.0,source,",
        wheel,
    ]
    assert house.run("avail", "zz<2", *columns).out.splitlines()[1:] == [wheel]
    config = f'root = "{house.root}"\n[pip]\nonly-binary = ["zz"]\n'
    assert house.run("avail", "zz", *columns, config=config).out.splitlines()[1:] == [wheel]


def test_why_not_says_what_gives_a_wheel(house: WheelhouseFixture) -> None:
    put(house, f"{WHEEL} zz-2.0.tar.gz zz-3.0.zip")
    answer = why_not(Tree(house.site), "zz", HOST)
    assert (answer.verdict, answer.positive) == (Verdict.SOURCE, False)
    assert answer.lines()[0].startswith("zz: NO WHEEL: pip builds generic/zz-3.0.zip from source (")
    user, staff = answer.suggestions
    assert user.command == "pip install --only-binary zz zz"
    assert all(each.gives is not None and each.gives.filename == WHEEL for each in (user, staff))
    assert 'add to the [pip] table: only-binary = ["zz"]' in "\n".join(answer.lines())
    assert staff.command is not None
    assert house.shell(staff.command).returncode == 0
    assert pick(Tree(house.site), "zz", HOST).best is not None


def test_why_not_without_any_wheel(house: WheelhouseFixture) -> None:
    put(house, "zz-9999.tar.gz")
    answer = why_not(Tree(house.site), "zz", HOST)
    assert answer.verdict is Verdict.SOURCE
    assert [step.action.value for each in answer.suggestions for step in each.steps] == ["build"]


def test_lock_takes_wheels_and_says_so(house: WheelhouseFixture) -> None:
    put(house, f"{WHEEL} zz-2.0.tar.gz zz-0.5.tar.gz")
    done = house.run("lock", "zz", "--python", "3.11")
    assert done.code == 0
    assert f'name = "{WHEEL}"' in done.out
    reason = "a source archive, which pip would build: a lock has wheels alone"
    assert done.err == f"warning: left out {house.root}/generic/zz-2.0.tar.gz: {reason}\n"
    done = house.run("lock", "zz>1", "--python", "3.11")
    assert (done.code, done.out) == (1, "")
    assert reason in done.err


def test_a_constraint_may_name_an_archive(house: WheelhouseFixture) -> None:
    put(house, f"{WHEEL} zz-2.0.tar.gz")
    line = f"zz @ file://{house.root}/generic/zz-2.0.tar.gz"
    file = house.root / "constraints.txt"
    file.write_text(f"{line}\n")
    asking = house.root / "requirements.txt"
    asking.write_text(f"zz\n-c {file}\n")
    done = house.run("pick", "-r", asking)
    assert (done.code, done.out) == (1, f"{house.root}/generic/zz-2.0.tar.gz\n")
    assert f"from source (generic): a constraint names it: {line} ({file}, line 1)\n" in done.err
    columns = ["--format", "csv", "--columns", "name,version,python"]
    assert house.run("avail", "-r", asking, *columns).out.splitlines()[1:] == ["zz,2.0,source"]
    reason = "a source archive, which pip would build: a lock has wheels alone"
    assert reason in house.run("lock", "-r", asking, "--python", "3.11").err


def test_a_lock_that_only_binary_keeps_from_archives_says_so(house: WheelhouseFixture) -> None:
    put(house, "zz-1.0-cp27-none-any.whl zz-2.0.tar.gz")
    config = f'root = "{house.root}"\n[pip]\nonly-binary = ["zz"]\n'
    done = house.run("lock", "zz", "--python", "3.11", config=config)
    assert (done.code, done.out) == (1, "")
    assert "a source archive, and only-binary is set" in done.err


def findings(house: WheelhouseFixture, config: str | None = None) -> list[tuple[str, str]]:
    lines = house.run("audit", config=config).out.splitlines()
    return [
        (line, lines[number + 1].strip()) for number, line in enumerate(lines) if "source-archive" in line
    ]


def test_audit_reports_what_is_taken_and_withdraw_fixes_it(house: WheelhouseFixture) -> None:
    put(house, f"{WHEEL} zz-2.0.tar.gz")
    ((line, path),) = findings(house)
    assert line == (
        "error: source-archive-taken zz 2.0: pip and uv would build this source archive, "
        f"not take generic/{WHEEL}"
    )
    assert path == f"{house.root}/generic/zz-2.0.tar.gz"
    (fix,) = [each for each in house.run("audit").out.splitlines() if "withdraw" in each]
    command = fix.partition("fix: ")[2]
    assert house.shell(command).returncode == 0
    assert findings(house) == []
    assert house.shell(command.replace("withdraw", "restore", 1)).returncode == 0
    assert findings(house) == [(line, path)]


@pytest.mark.parametrize(
    ("files", "table", "start"),
    [
        (f"{WHEEL} zz-1.0.tar.gz", "", "warning: source-archive zz 1.0: "),
        (f"{WHEEL} zz-2.0rc1.tar.gz", "", "warning: source-archive zz 2.0rc1: "),
        ("zz-9999.tar.gz", "", "warning: source-archive zz 9999: "),
        (f"{WHEEL} zz-2.0.tar.gz", 'only-binary = ["zz"]', "warning: source-archive zz 2.0: "),
        (
            f"{WHEEL} zz-2.0.tar.gz",
            "prefer-binary = true",
            "error: source-archive-taken zz 2.0: uv would build",
        ),
        (
            f"{WHEEL} zz-2.0.tar.gz",
            'only-binary = [":all:"]\n[pip.install]\nno-binary = ["zz"]',
            "error: source-archive-taken zz 2.0: pip and uv would build",
        ),
        (
            f"{WHEEL} zz-2.0.tar.gz",
            'only-binary = ["zz", ":none:"]',
            "error: source-archive-taken zz 2.0: pip and uv would build",
        ),
        (
            "zz-1.0-cp39-none-any.whl zz-2.0-cp311-none-any.whl zz-2.0.tar.gz",
            "",
            "error: source-archive-taken zz 2.0: pip and uv would build this source archive, "
            "not take generic/zz-1.0-cp39",
        ),
    ],
)
def test_audit_tells_what_an_archive_does(
    house: WheelhouseFixture, files: str, table: str, start: str
) -> None:
    put(house, files)
    ((line, _),) = findings(house, f'root = "{house.root}"\n[pip]\n{table}\n')
    assert line.startswith(start)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("above", "below", "built"),
    [
        ("zz-1.0.tar.gz", "WHEEL", True),
        ("zz-1.0.tar.gz zz-1.0-cp27-none-any.whl", "WHEEL", True),
        ("zz-1.0.tar.gz WHEEL", "", False),
        ("WHEEL", "zz-1.0.tar.gz", False),
        ("zz-0.9.tar.gz", "WHEEL", False),
    ],
)
def test_uv_with_flat_indexes_builds_what_is_above_every_wheel_of_the_version(
    above: str, below: str, built: bool, uv: Program, house: WheelhouseFixture, tmp_path: Path
) -> None:
    wheel = "zz-1.0-cp{}{}-none-any.whl".format(*uv.kind.version)
    put(house, above.replace("WHEEL", wheel), "gentoo/avx2")
    put(house, below.replace("WHEEL", wheel))
    config = pip_config(house.site, Host(arch="avx2", layer="gentoo"), offline=True)
    settings = settings_for(config, "uv", tmp_path / "settings")
    said = [line for line, _ in findings(house) if "source-archive-taken" in line]
    if built:
        with pytest.raises(Failed, match=r"build .zz==1\.0"):
            taken_by_uv(uv, ["zz"], settings, tmp_path / "work")
        (line,) = said
        assert "uv with flat indexes would build this source archive, not take generic/" in line
    else:
        assert taken_by_uv(uv, ["zz"], settings, tmp_path / "work")
        assert said == []


def test_audit_names_what_only_old_pips_take_and_answers_leave_it_out(house: WheelhouseFixture) -> None:
    (house.root / "generic/zz-1.0.tar.bz2").write_bytes(b"")
    (house.root / "generic/notes.zip").write_bytes(b"")
    ((line, _),) = findings(house)
    assert line.endswith(": pip older than 24.0 takes it for a source archive, and may build it")
    put(house, "zz-0.9-py3-none-any.whl")
    host = ("--layer", "none", "--arch", "generic", "--python", "3.11")
    assert house.run("pick", "zz", *host).out == f"{house.root}/generic/zz-0.9-py3-none-any.whl\n"
    assert house.run("avail", "zz", "--columns", "version", *host).out.split() == ["version", "0.9"]
    assert "zz-1.0" not in house.run("why-not", "zz", *host).out


def test_a_view_has_the_archives_too(house: WheelhouseFixture, tmp_path: Path) -> None:
    put(house, f"{WHEEL} zz-2.0.tar.gz")
    assert house.run("view", "--output", tmp_path / "view").code == 0
    assert (tmp_path / "view/generic/zz-2.0.tar.gz").resolve() == house.root / "generic/zz-2.0.tar.gz"


def test_restamp_leaves_them_alone(house: WheelhouseFixture) -> None:
    put(house, f"{WHEEL} zz-2.0.tar.gz")
    assert house.run("restamp").code == 0
    assert (house.root / "generic/zz-2.0.tar.gz").is_file()
