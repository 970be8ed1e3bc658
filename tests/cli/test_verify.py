from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.builder.extensions import compiled, extension_wheel
from tests.cli.conftest import Cli
from tests.factories import make_tree, make_wheel, pack, wheel_files
from tests.requires import compiles
from wheelhouse_resolver.builder.verification.verify import Verification

HOST = ("--arch", "generic", "--layer", "none")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(tmp_path / "tree", {"generic": ["needed-1.0-1000generic-py3-none-any.whl"]})
    return tmp_path / "tree"


@pytest.fixture(autouse=True)
def _quick(quick_environments: None) -> None:
    """In all tests of this module."""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    path = tmp_path / "scratch"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def test_a_wheel_that_works_and_what_it_requires_is_from_the_wheelhouse(
    cli: Cli, root: Path, tmp_path: Path, scratch: Path
) -> None:
    wheel = make_wheel(
        tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": "import needed"}, requires_dist=["needed"]
    )
    outcome = cli("verify", "--offline", wheel, "--root", root, *HOST)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{wheel}: works (demo; ")
    assert os.listdir(scratch) == []


@pytest.mark.slow
def test_one_that_fails_keeps_its_log_and_the_others_are_tried(
    cli: Cli, root: Path, tmp_path: Path, scratch: Path
) -> None:
    bad = make_wheel(tmp_path, "bad-1.0-py3-none-any.whl", files={"bad.py": "raise SystemExit('no')"})
    good = make_wheel(tmp_path, "good-1.0-py3-none-any.whl")
    outcome = cli("verify", "--offline", bad, good, "--root", root, *HOST)
    assert outcome.code == 1
    first, finding, log, last, totals = outcome.out.splitlines()
    assert first == f"{bad}: fails"
    assert finding == "    import bad: exited with 1: no"
    assert last.startswith(f"{good}: works")
    assert totals == "1 of 2 wheels works"
    path = Path(log.removeprefix("    log: "))
    assert "no\n" in path.read_text()
    assert [each for each in scratch.rglob("*") if each.is_file()] == [path]


def test_a_note_is_no_failure(
    cli: Cli, root: Path, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    noted = Verification(
        wheel=str(wheel), findings=(), imported=("demo",), seconds=1.0, log="log", notes=("as it is",)
    )
    monkeypatch.setattr("wheelhouse_resolver.cli.commands.verify.verify", lambda *_, **__: iter([noted]))
    outcome = cli("verify", wheel, "--root", root, *HOST)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"{wheel}: works (demo; 1 s)\n    note: as it is\n"


@compiles
def test_for_programs_and_a_crash(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    wheel = extension_wheel(tmp_path, body="abort();")
    outcome = cli("verify", "--offline", "--json", "--keep", wheel, "--root", root, *HOST)
    (told,) = json.loads(outcome.out)
    assert (outcome.code, told["ok"]) == (1, False)
    assert told["findings"][0]["check"] == "import fast"
    assert told["findings"][0]["problem"].startswith("ended by SIGABRT")
    (kept,) = scratch.iterdir()
    assert outcome.err == f"kept: {kept}\n"
    assert (kept / "1/verification/bin/python").exists()


@pytest.mark.slow
def test_a_recipe_says_what_to_try(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": "", "broken.py": "1/0"})
    recipe = tmp_path / "demo.toml"
    recipe.write_text('[test]\nimports = ["demo"]\nstatements = ["import demo; print(demo.x)"]\n')
    given = ("verify", "--offline", wheel, "--root", root, *HOST)
    assert "AttributeError" in cli(*given, "--recipe", recipe).out
    recipe.write_text('[test]\nimports = ["demo"]\n')
    assert cli(*given, "--recipe", recipe).code == 0
    assert "ZeroDivisionError" in cli(*given, "--recipe", "none").out


@pytest.mark.slow
def test_a_time_limit(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    wheel = make_wheel(
        tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": "import time; time.sleep(60)"}
    )
    outcome = cli("verify", "--offline", "--timeout", "2", wheel, "--root", root, *HOST)
    assert "import demo: stopped: it took longer than 2 s" in outcome.out


#: An import that fills the memory, by itself or by what it starts, until somebody stops it.
EATING = {
    "itself": "held = []\nwhile True:\n    held.append(bytearray(b'x' * (10 << 20)))\n",
    "child": "import subprocess, sys\nx = 'held = b\"x\" * (1 << 30); input()'\n"
    "subprocess.run([sys.executable, '-c', x], stdin=subprocess.PIPE)\nimport time\ntime.sleep(60)\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", EATING)
def test_a_memory_limit(how: str, cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": EATING[how]})
    outcome = cli("verify", "--offline", "--memory", "300M", wheel, "--root", root, *HOST)
    assert outcome.code == 1
    assert "import demo: stopped: it used more than 300 MB of memory" in outcome.out


def test_what_publish_refuses_is_not_installed(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    """A hostile RECORD or hostile tags take pip gigabytes, or for ever."""
    files = wheel_files("demo-1.0-py3-none-any.whl")
    tags = ".".join(f"a{number}" for number in range(2000))
    files["demo-1.0.dist-info/WHEEL"] += f"Tag: {tags}-{tags}-{tags}\n".encode()
    wheel = pack(tmp_path / "demo-1.0-py3-none-any.whl", files)
    started = time.monotonic()
    outcome = cli("verify", "--offline", wheel, "--root", root, *HOST)
    assert outcome.code == 1
    assert "wheel: " in outcome.out
    assert "import demo" not in outcome.out
    assert "works" not in outcome.out
    assert time.monotonic() - started < 5


@pytest.mark.slow
def test_pip_check_is_limited_too(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    """Nothing but pip looks at what the wheel requires."""
    files = wheel_files("evil-1.0-py3-none-any.whl")
    tags = ".".join(f"a{number}" for number in range(2000))
    files["evil-1.0.dist-info/WHEEL"] += f"Tag: {tags}-{tags}-{tags}\n".encode()
    pack(root / "generic/evil-1.0-py3-none-any.whl", files)
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", requires_dist=["evil"])
    outcome = cli("verify", "--offline", "--memory", "300M", wheel, "--root", root, *HOST)
    assert "requirements: stopped: it used more than 300 MB of memory" in outcome.out


@pytest.mark.parametrize(
    ("name", "more", "word"),
    [
        ("missing-1.0-py3-none-any.whl", (), "does not exist"),
        ("demo.whl", (), "invalid wheel file name: "),
        ("junk-1.0-py3-none-linux_x86_64.whl", (), "invalid zip file"),
        ("demo-1.0-cp26-none-any.whl", (), "python2.6, which is not on PATH"),
        ("demo-1.0-py3-none-any.whl", ("--python", "/nowhere"), "does not exist"),
        ("demo-1.0-py3-none-any.whl", ("--python", "3.98"), "no python3.98 on PATH runs"),
        ("demo-1.0-py3-none-any.whl", ("--recipe", "/nowhere.toml"), "cannot be read"),
        ("demo-1.0-py3-none-any.whl", ("--find-links", "nodir"), "nodir: --find-links: no such directory"),
        ("demo-1.0-py3-none-any.whl", ("--timeout", "-1"), "not a number of seconds above 0"),
        ("demo-1.0-py3-none-any.whl", ("--timeout", "nan"), "not a number of seconds above 0"),
        ("demo-1.0-py3-none-any.whl", ("--memory", "much"), "not a size of memory above 0, such as 8G"),
        ("demo-1.0-py3-none-any.whl", ("--emulate", "qemu '"), "not a command line: No closing quotation"),
        (
            "demo-1.0-py3-none-any.whl",
            ("--emulate", "no-such-emulator -cpu x"),
            "no program no-such-emulator on PATH",
        ),
    ],
)
def test_bad_input(
    name: str, more: tuple[str, ...], word: str, cli: Cli, root: Path, tmp_path: Path, scratch: Path
) -> None:
    if name.endswith("any.whl") and not name.startswith("missing"):
        make_wheel(tmp_path, name)
    elif not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"junk")
    outcome = cli("verify", "--offline", tmp_path / name, *more, "--root", root, *HOST)
    assert (outcome.code, outcome.out) == (2, "")
    error, *hint = outcome.err.splitlines()
    assert error.startswith("error: ")
    assert word in error
    assert [line.partition(": ")[0] for line in hint] == ["hint"] * len(hint)
    assert len(hint) <= 1
    assert os.listdir(scratch) == []


@pytest.mark.slow
def test_it_is_called_as_it_was_given(
    cli: Cli, root: Path, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(tmp_path, "good-1.0-py3-none-any.whl", files={"good.py": ""})
    monkeypatch.chdir(tmp_path)
    given = ("verify", "--offline", "good-1.0-py3-none-any.whl", "--root", root, *HOST)
    assert cli(*given).out.startswith("good-1.0-py3-none-any.whl: works (good; ")
    (told,) = json.loads(cli(*given, "--json").out)
    assert told["wheel"] == "good-1.0-py3-none-any.whl"


def test_the_target_python(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    code = f"import sys; assert sys.base_prefix == {sys.base_prefix!r}"
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": code})
    assert cli("verify", "--offline", wheel, "--python", sys.executable, "--root", root, *HOST).code == 0


@pytest.mark.slow
def test_for_programs_there_is_a_log_of_what_fails_only(
    cli: Cli, root: Path, tmp_path: Path, scratch: Path
) -> None:
    bad = make_wheel(tmp_path, "bad-1.0-py3-none-any.whl", files={"bad.py": "bad"})
    good = make_wheel(tmp_path, "good-1.0-py3-none-any.whl", files={"good.py": ""})
    (failed, worked) = json.loads(cli("verify", "--offline", "--json", bad, good, "--root", root, *HOST).out)
    assert failed["findings"] == [
        {"check": "import bad", "problem": "exited with 1: NameError: name 'bad' is not defined"}
    ]
    assert "NameError" in Path(failed["log"]).read_text()
    assert (worked["ok"], worked["log"]) == (True, None)


def test_what_is_no_file_is_not_waited_for(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    os.mkfifo(tmp_path / "pipe-1.0-py3-none-any.whl")
    pipe = tmp_path / "pipe-1.0-py3-none-any.whl"
    outcome = cli("verify", "--offline", pipe, "--root", root, *HOST)
    assert (outcome.code, outcome.err) == (2, f"error: {pipe}: not a regular file\n")


def test_bad_input_shows_before_anything_is_run(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    good = make_wheel(tmp_path, "good-1.0-py3-none-any.whl", files={"good.py": ""})
    outcome = cli("verify", "--offline", good, tmp_path / "gone-1.0-py3-none-any.whl", "--root", root, *HOST)
    assert (outcome.code, outcome.out) == (2, "")


@pytest.mark.slow
def test_an_emulator_runs_the_imports(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    wheel = make_wheel(
        tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": "import os; os.environ['LOWER']"}
    )
    given = ("verify", "--offline", wheel, "--root", root, *HOST)
    assert "KeyError: 'LOWER'" in cli(*given).out
    assert cli(*given, "--emulate", "env LOWER=1").code == 0


@compiles
def test_directories_of_libraries(cli: Cli, root: Path, tmp_path: Path, scratch: Path) -> None:
    library = compiled(
        tmp_path / "layer/libhelp.so", "int help(void) { return 1; }", "-Wl,-soname,libhelp.so"
    )
    wheel = extension_wheel(tmp_path, before="extern int help(void);", body="help();", flags=[str(library)])
    recipe = tmp_path / "fast.toml"
    recipe.write_text('[test]\nimports = ["sys"]\n')
    given = ("verify", "--offline", wheel, "--recipe", recipe, "--root", root, *HOST)
    assert "needs libhelp.so, which is not found" in cli(*given).out
    assert cli(*given, "--library-dir", library.parent).code == 0
