from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import clean_environ, make_tree, make_wheel

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HOST = ("--arch", "generic", "--layer", "gentoo", "--python", "3.11")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "tree"
    make_tree(root, {"generic": ["b-1.0-py3-none-any.whl", "b-2.0-py3-none-any.whl"]})
    make_wheel(root / "gentoo/generic", "a-1.0-py3-none-any.whl", requires_dist=["b"])
    return root


def locked(text: str) -> list[str]:
    return [f"{each['name']} {each['version']}" for each in tomllib.loads(text)["packages"]]


def test_a_pylock_on_standard_output(cli: Cli, root: Path) -> None:
    outcome = cli("lock", "a", "--root", root, *HOST)
    assert (outcome.code, outcome.err) == (0, "")
    assert locked(outcome.out) == ["a 1.0", "b 2.0"]


def test_into_a_file_and_again_the_same(cli: Cli, root: Path) -> None:
    arguments = ("lock", "a", "--root", root, *HOST, "--output", "pylock.gpu.toml")
    assert cli(*arguments) == (0, "2 wheels locked in pylock.gpu.toml\n", "")
    first = Path("pylock.gpu.toml").read_bytes()
    assert cli(*arguments).code == 0
    assert Path("pylock.gpu.toml").read_bytes() == first
    assert locked(first.decode()) == ["a 1.0", "b 2.0"]


def test_a_requirements_file(cli: Cli, root: Path) -> None:
    outcome = cli("lock", "a", "--root", root, *HOST, "--format", "requirements")
    assert (outcome.code, outcome.err) == (0, "")
    names = [line.split(" @ ")[0] for line in outcome.out.splitlines() if not line.startswith("#")]
    assert names == ["a", "b"]
    assert all("--hash=sha256:" in line for line in outcome.out.splitlines() if not line.startswith("#"))


def test_requirements_and_constraints_from_files(cli: Cli, root: Path) -> None:
    Path("wanted.txt").write_text("a\n-c also.txt\n")
    Path("also.txt").write_text("b!=1.5\n")
    Path("limits.txt").write_text("b<2\n")
    outcome = cli("lock", "-r", "wanted.txt", "-c", "limits.txt", "--root", root, *HOST)
    assert locked(outcome.out) == ["a 1.0", "b 1.0"]


def test_the_dependencies_of_a_pyproject(cli: Cli, root: Path) -> None:
    Path("pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["a", "b<2"]\n')
    outcome = cli("lock", "-r", "pyproject.toml", "--root", root, *HOST)
    assert locked(outcome.out) == ["a 1.0", "b 1.0"]


def test_no_solution_is_a_negative_answer_with_the_reason(cli: Cli, root: Path) -> None:
    Path("limits.txt").write_text("b>2\n")
    outcome = cli("lock", "a", "-c", "limits.txt", "--root", root, *HOST, "--output", "pylock.toml")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines() == [
        "no solution:",
        "  a 1.0 needs b (a was asked for)",
        "  a constraint allows only b>2 (limits.txt, line 1)",
        "  there are b 1.0, 2.0",
    ]
    assert not Path("pylock.toml").exists()


def test_what_why_not_knows_more_about(cli: Cli, root: Path) -> None:
    make_tree(root, {"nix/generic": ["c-2.0-cp312-cp312-any.whl"], "generic": ["d-1.0-cp312-cp312-any.whl"]})
    host = "--arch generic --layer gentoo --python 3.11"
    why_not = f"hint: wheelhouse-resolver why-not --root {root}"
    outcome = cli("lock", "c>=2", "--root", root, *HOST)
    assert outcome.err.splitlines()[-1] == f"{why_not} 'c>=2' {host}"
    outcome = cli("lock", "d", "--root", root, *HOST)
    assert outcome.err.splitlines()[-2:] == [
        "  d 1.0 cannot be used: its wheels are not for Python 3.11 here",
        f"{why_not} d {host}",
    ]
    assert cli("why-not", "d", "--root", root, *HOST).out.startswith("d: no wheel in the wheelhouse")


def test_as_json(cli: Cli, root: Path) -> None:
    outcome = cli("lock", "a", "--json", "--root", root, *HOST)
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert [(each["name"], each["dependencies"]) for each in found["packages"]] == [("a", ["b"]), ("b", [])]
    assert found["packages"][1]["path"] == f"{root}/generic/b-2.0-py3-none-any.whl"
    assert found["conflict"] is None


def test_json_of_a_conflict(cli: Cli, root: Path) -> None:
    outcome = cli("lock", "a", "b>2", "--json", "--root", root, *HOST)
    assert (outcome.code, outcome.err) == (1, "")
    found = json.loads(outcome.out)
    assert found["packages"] == []
    assert [each["requirement"] for each in found["conflict"]["demands"]] == ["b>2"]


def test_json_beside_a_file(cli: Cli, root: Path) -> None:
    outcome = cli("lock", "a", "--json", "--output", "pylock.toml", "--root", root, *HOST)
    assert len(json.loads(outcome.out)["packages"]) == 2
    assert locked(Path("pylock.toml").read_text()) == ["a 1.0", "b 2.0"]


def test_warnings_are_told(cli: Cli, root: Path) -> None:
    (root / "generic/b-3.0-py3-none-any.whl").write_bytes(b"junk")
    outcome = cli("lock", "a[x]", "c; python_version < '3'", "--root", root, *HOST)
    assert locked(outcome.out) == ["a 1.0", "b 2.0"]
    first, second, third = outcome.err.splitlines()
    assert first.startswith("warning: ignored c; ")
    assert second.startswith(f"warning: left out {root}/generic/b-3.0-py3-none-any.whl: ")
    assert third == "warning: a-1.0-py3-none-any.whl does not provide the extra 'x'"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a", "--json", "--output", "o.json"), ["o.json", "--output names the lock file", "--json >FILE"]),
        (("a", "--output", "lock.toml"), ["lock.toml", "PEP 751", "--format requirements"]),
        (
            ("a", "--output", "pylock.toml", "--format", "requirements"),
            ["PEP 751", "name a requirements file otherwise"],
        ),
        (("a", "--output", "gone/pylock.toml"), ["cannot write gone/pylock.toml", "No such file"]),
        (("a>",), ["invalid requirement 'a>'"]),
        (("a", "-c", "gone.txt"), ["gone.txt: cannot be read"]),
        ((), ["no requirement"]),
        (("a", "--python", "/nowhere"), ["/nowhere", "does not exist"]),
    ],
    ids=str,
)
def test_bad_input(arguments: tuple[str, ...], words: list[str], cli: Cli, root: Path) -> None:
    host = HOST[:4] if "--python" in arguments else HOST
    outcome = cli("lock", *arguments, "--root", root, *host)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(("error: ", '{"error": '))
    assert all(word in outcome.err for word in words)


def test_on_a_terminal_a_long_search_shows_that_it_works(tmp_path: Path) -> None:
    """On stderr alone; and it ends with what conflicts."""
    make_tree(tmp_path, {})
    for bird in range(7):
        for hole in range(1, 7):
            needs = [f"hole{hole}=={bird}.0"]
            make_wheel(tmp_path / "generic", f"bird{bird}-{hole}.0-py3-none-any.whl", requires_dist=needs)
            make_wheel(tmp_path / "generic", f"hole{hole}-{bird}.0-py3-none-any.whl")
    asked = [f"bird{bird}" for bird in range(7)]
    code = (
        "import sys\nfrom wheelhouse_resolver.cli.main import main\n"
        "from wheelhouse_resolver.resolution import resolver\nresolver._ROUNDS = 400\nsys.exit(main())"
    )
    command = [sys.executable, "-c", code, "lock", *asked, "--root", str(tmp_path), *HOST]
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, env=clean_environ()) as process:
            os.close(end)
            shown = b""
            with contextlib.suppress(OSError):  # what a terminal says whose other end is closed
                while part := os.read(terminal, 4096):
                    shown += part
            assert process.stdout is not None
            assert process.stdout.read() == b""
    finally:
        os.close(terminal)
    assert process.returncode == 2
    assert re.search(rb"reading: .*\b[1-9]00 rounds", shown)
    assert b"error: gave up after 400 rounds" in shown
    assert b"conflicted most often: hole" in shown
    quiet = subprocess.run(command, capture_output=True, env=clean_environ())
    assert b"rounds," not in quiet.stderr
    assert quiet.stderr.startswith(b"error: gave up")
