"""Every bad input is exit code 2, an error that says what and where, maybe a hint; nothing is written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.factories import clean_environ, make_tree, make_wheel
from wheelhouse_resolver.cli.main import COMMANDS as ALL
from wheelhouse_resolver.errors import OutputError

#: A host that every machine is.
HOST = ("--arch", "generic", "--layer", "gentoo")

#: The commands that need a wheelhouse and a host, with what else they need to run.
COMMANDS = [
    pytest.param(("path",), id="path"),
    pytest.param(("pip-conf",), id="pip-conf"),
    pytest.param(("pip-conf", "--output", "out/pip.conf"), id="pip-conf-output"),
    pytest.param(("pip-conf", "--format", "sh", "--output", "out/pip.sh"), id="pip-conf-sh"),
    pytest.param(("pick", "demo"), id="pick"),
    pytest.param(("pick", "--explain", "--json", "demo"), id="pick-explain-json"),
    pytest.param(("why-not", "demo"), id="why-not"),
    pytest.param(("avail",), id="avail"),
    pytest.param(("avail", "demo", "--json"), id="avail-name-json"),
    pytest.param(("lock", "demo"), id="lock"),
    pytest.param(("lock", "demo", "--output", "out/pylock.toml"), id="lock-output"),
]

#: Those that need a site only.
OF_THE_SITE = [*COMMANDS, pytest.param(("pip-conf", "--all", "--output-dir", "out"), id="pip-conf-all")]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A wheelhouse in which everything is right."""
    make_tree(tmp_path / "tree", {"generic": ["demo-1.0-py3-none-any.whl"]})
    return tmp_path / "tree"


def refused(outcome: Outcome, *words: str) -> None:
    for word in words:
        assert word in outcome.error
    assert os.listdir("out") == []


def host_of(command: tuple[str, ...]) -> tuple[str, ...]:
    return () if "--all" in command else HOST


@pytest.mark.parametrize("command", OF_THE_SITE)
class TestRoot:
    def test_missing(self, command: tuple[str, ...], cli: Cli) -> None:
        refused(cli(*command, *host_of(command), "--root", "/nowhere"), "/nowhere", "does not exist")

    def test_a_file(self, command: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        refused(cli(*command, *host_of(command), "--root", "file"), f"{tmp_path}/file", "not a directory")

    def test_a_dangling_link(self, command: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("gone")
        refused(cli(*command, *host_of(command), "--root", "link"), f"{tmp_path}/link")

    @pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\tb", "a\x7fb"], ids=ascii)
    def test_control_characters(self, name: str, command: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
        make_tree(tmp_path / name, {})
        refused(cli(*command, *host_of(command), "--root", name), "newline" if "\n" in name else "control")

    def test_no_root_at_all(
        self, command: tuple[str, ...], cli: Cli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wheelhouse_resolver.site.config.ORIGIN", "/nowhere/at/all")
        refused(cli(*command, *host_of(command)), "no wheelhouse found", "/nowhere/at/all")

    def test_a_root_that_others_may_not_enter(
        self,
        command: tuple[str, ...],
        cli: Cli,
        open_directory: Path,
        as_nobody: Callable[[Callable[[], Outcome]], Outcome],
    ) -> None:
        root = open_directory / "closed/tree"
        make_tree(root, {})
        arguments = (*command, *host_of(command), "--root", root)
        cli(*arguments)  # imports all that is needed while that is surely readable
        for path in Path("out").iterdir():
            path.unlink()
        root.parent.chmod(0)
        try:
            refused(as_nobody(lambda: cli(*arguments)), str(root), "Permission denied")
        finally:
            root.parent.chmod(0o755)


@pytest.mark.parametrize("closed", ["gentoo/generic", "gentoo"])
@pytest.mark.parametrize("command", OF_THE_SITE)
def test_an_unreadable_directory(
    command: tuple[str, ...],
    closed: str,
    cli: Cli,
    open_directory: Path,
    as_nobody: Callable[[Callable[[], Outcome]], Outcome],
) -> None:
    make_tree(open_directory / "tree", {"generic": ["demo-1.0-py3-none-any.whl"]})
    arguments = (*command, *host_of(command), "--root", open_directory / "tree")
    assert cli(*arguments).code == 0
    for path in Path("out").iterdir():
        path.unlink()
    directory = open_directory / "tree" / closed
    directory.chmod(0)
    try:
        refused(as_nobody(lambda: cli(*arguments)), f"cannot list {directory}", "Permission denied")
    finally:
        directory.chmod(0o755)


@pytest.mark.parametrize("command", [*COMMANDS, pytest.param(("detect",), id="detect")])
class TestHost:
    def test_an_unknown_arch(self, command: tuple[str, ...], cli: Cli, root: Path) -> None:
        outcome = cli(*command, "--root", root, "--layer", "none", "--arch", "mmx")
        refused(outcome, "'mmx'", "generic, sse3, avx, avx2, avx512")

    def test_an_unknown_layer(self, command: tuple[str, ...], cli: Cli, root: Path) -> None:
        outcome = cli(*command, "--root", root, "--arch", "generic", "--layer", "guix")
        refused(outcome, "'guix'", "nix, gentoo, none")

    @pytest.mark.parametrize("name", ["WHEELHOUSE_ARCH", "RSNT_ARCH"])
    def test_an_unknown_arch_in_the_environment(
        self, name: str, command: tuple[str, ...], cli: Cli, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, "mmx")
        refused(cli(*command, "--root", root), "'mmx'", "sse3, avx, avx2, avx512")

    def test_an_unknown_layer_in_the_environment(
        self, command: tuple[str, ...], cli: Cli, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WHEELHOUSE_LAYER", "guix")
        refused(cli(*command, "--root", root), "'guix'", "nix, gentoo, none")

    @pytest.mark.parametrize(
        ("python", "words"),
        [
            ("/nowhere/python", "does not exist"),
            ("no-such-python-anywhere", "not found on PATH"),
            ("/", "not an executable file"),
            ("/bin/true", "is not a Python"),
            ("/bin/false", "is not a Python"),
            ("/etc/passwd", "not an executable file"),
            ("3.x", "not found on PATH"),
            ("", ""),
        ],
    )
    def test_a_python_that_is_none(
        self, python: str, words: str, command: tuple[str, ...], cli: Cli, root: Path
    ) -> None:
        outcome = cli(*command, "--root", root, *HOST, "--python", python)
        refused(outcome, python, words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cpuinfo"),
        (b"\n\n", "cpuinfo"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "cpuinfo"),
        (bytes(range(256)), "cpuinfo"),
        (b"hello world\n", "cpuinfo"),
        (None, "cpuinfo"),
    ],
    ids=["empty", "blank", "elf", "binary", "text", "missing"],
)
def test_a_cpuinfo_that_is_none(
    content: bytes | None, words: str, cli: Cli, root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "captured-cpuinfo"
    if content is not None:
        path.write_bytes(content)
    refused(cli("detect", "--root", root, "--cpuinfo", path), str(path), words)


SITE_FILES = {
    "syntax": ('root = "/sw"\n[[arch]\n', ["line 2", "TOML"]),
    "no UTF-8": ('root = "/sw/caf\udce9"\n', ["UTF-8"]),
    "unknown key": ('root = "/sw"\nlayers = []\n', ["'layers'", "did you mean 'layer'"]),
    "unknown key of an arch": ('root = "/sw"\n[[arch]]\nname = "avx"\nranks = 3\n', ["'ranks'", "'rank'"]),
    "two archs of one name": (
        'root = "/sw"\n[[arch]]\nname = "avx"\n[[arch]]\nname = "avx"\n',
        ["'avx'", "twice"],
    ),
    "ranks against the ladder": (
        'root = "/sw"\n[[arch]]\nname = "avx"\nrank = 500\n[[arch]]\nname = "avx2"\nrank = 400\n',
        ["rank", "'avx2'", "400", "500"],
    ),
    "a newline in the root": ('root = "/sw\\nhere"\n', ["root", "newline"]),
    "a control character in a layer": (
        'root = "/sw"\n[[layer]]\nname = "a"\ndirectories = ["\\u001b"]\n',
        ["directories", "control character"],
    ),
    "no root": ("[pip]\n", ["root"]),
    "pip of the wrong kind": ('root = "/sw"\npip = 3\n', ["pip", "table"]),
    "a float for pip": ('root = "/sw"\n[pip]\ntimeout = 1.5\n', ["[pip] timeout"]),
}


@pytest.mark.parametrize("name", SITE_FILES)
@pytest.mark.parametrize(
    "command", [*OF_THE_SITE, pytest.param(("detect",), id="detect"), pytest.param(("init",), id="init")]
)
def test_a_bad_site_file(name: str, command: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
    text, words = SITE_FILES[name]
    path = tmp_path / "site.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    host = () if command == ("init",) else host_of(command)
    refused(cli(*command, *host, "--config", path), str(path), *words)
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("command", OF_THE_SITE)
@pytest.mark.parametrize("kind", ["missing", "directory"])
def test_a_site_file_that_cannot_be_read(
    kind: str, command: tuple[str, ...], cli: Cli, tmp_path: Path
) -> None:
    path = tmp_path / ("gone.toml" if kind == "missing" else "out")
    refused(cli(*command, *host_of(command), "--config", path), str(path), "cannot be read")


@pytest.mark.parametrize("command", ["pick", "why-not"])
class TestPick:
    @pytest.mark.parametrize(
        ("requirement", "words"),
        [
            ("", "invalid requirement"),
            ("demo>=", "'demo>='"),
            ("de mo", "'de mo'"),
            ("demo\nother", "invalid requirement"),
            ("demo @ https://example.org/demo-1.0-py3-none-any.whl", "URL or path names its file itself"),
            ("https://example.org/demo-1.0-py3-none-any.whl", "URL or path"),
            ("./demo-1.0-py3-none-any.whl", "URL or path"),
        ],
    )
    def test_an_invalid_requirement(
        self, requirement: str, words: str, command: str, cli: Cli, root: Path
    ) -> None:
        refused(cli(command, "demo", requirement, "--root", root, *HOST), words)

    def test_no_requirement(self, command: str, cli: Cli, root: Path) -> None:
        refused(cli(command, "--root", root, *HOST), "no requirement")

    @pytest.mark.parametrize("content", ["", "\n", "# nothing\n", "--no-index\n", "-r other.txt\n"])
    def test_an_empty_file(self, content: str, command: str, cli: Cli, root: Path, tmp_path: Path) -> None:
        (tmp_path / "other.txt").touch()
        (tmp_path / "r.txt").write_text(content)
        refused(cli(command, "-r", "r.txt", "--root", root, *HOST), "no requirement", "r.txt")

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"demo>=\n", "line 1"),
            (b"demo\n--bogus\n", "--bogus"),
            (b"demo @ file:///x.whl ; odd\n", "line 1"),
            (b"\x80\x81", "UTF-8"),
            (b"-r r.txt\n", "includes itself"),
            (b"-r gone.txt\n", "gone.txt"),
            (None, "cannot be read"),
        ],
    )
    def test_a_bad_file(
        self, content: bytes | None, words: str, command: str, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        if content is not None:
            (tmp_path / "r.txt").write_bytes(content)
        refused(cli(command, "-r", "r.txt", "--root", root, *HOST), words, "r.txt" if content else "")

    def test_a_constraint_file_of_the_site_that_is_not_there(
        self, command: str, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "site.toml").write_text(f'root = "{root}"\n[pip]\nconstraint = "/nowhere/c.txt"\n')
        refused(cli(command, "demo", "--config", "site.toml", *HOST), "/nowhere/c.txt")


class TestAvail:
    @pytest.mark.parametrize(
        ("wanted", "words"),
        [
            ("", "invalid requirement"),
            ("demo>=", "'demo>='"),
            ("de mo", "'de mo'"),
            ("demo\nother", "invalid requirement"),
            ("./demo-1.0-py3-none-any.whl", "URL or path"),
            ("d*>=", "invalid specifier"),
        ],
    )
    def test_what_is_neither_pattern_nor_requirement(
        self, wanted: str, words: str, cli: Cli, root: Path
    ) -> None:
        refused(cli("avail", "demo", wanted, "--root", root, *HOST), words)

    @pytest.mark.parametrize("columns", ["bogus", "name,", "", "name\n"])
    def test_an_unknown_column(self, columns: str, cli: Cli, root: Path) -> None:
        outcome = cli("avail", "--columns", columns, "--root", root, *HOST)
        if columns == "name\n":  # blanks around a name do no harm
            assert outcome == (0, "name\ndemo\n", "")
        else:
            refused(outcome, "unknown column", "name, version, local, build, python, abi, platform")

    def test_two_formats_at_once(self, cli: Cli, root: Path) -> None:
        outcome = cli("avail", "--json", "--format", "csv", "--root", root, *HOST)
        refused(outcome, "--format", "not allowed with argument --json")

    def test_an_unknown_format(self, cli: Cli, root: Path) -> None:
        refused(cli("avail", "--format", "xml", "--root", root, *HOST), "'xml'", "markdown")

    @pytest.mark.parametrize("content", ["", "# nothing\n", "--no-index\n"])
    def test_an_empty_file_is_not_everything(
        self, content: str, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "r.txt").write_text(content)
        refused(cli("avail", "-r", "r.txt", "--root", root, *HOST), "no requirement", "r.txt")

    @pytest.mark.parametrize("command", ["avail", "pick"])
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("[project]\ndynamic = ['dependencies']\n", "dynamic"),
            ("[build-system]\n", "[project]"),
            ("[project\n", "line 1"),
            ("[project]\ndependencies = ['demo>=']\n", "'demo>='"),
        ],
    )
    def test_a_pyproject_that_does_not_say_it(
        self, content: str, words: str, command: str, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "pyproject.toml").write_text(content)
        refused(cli(command, "-r", "pyproject.toml", "--root", root, *HOST), words, "pyproject.toml")

    def test_a_constraint_file_of_the_site_that_is_not_there(
        self, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "site.toml").write_text(f'root = "{root}"\n[pip]\nconstraint = "/nowhere/c.txt"\n')
        refused(cli("avail", "--config", "site.toml", *HOST), "/nowhere/c.txt")


class TestPipConf:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--all",), "--output-dir"),
            (("--output-dir", "out"), "--all"),
            (("--all", "--output-dir", "out", "--output", "out/x"), "--output"),
            (("--all", "--output-dir", "out", "--format", "sh"), "--format"),
            (("--format", "yaml"), "yaml"),
            (("--bogus",), "--bogus"),
        ],
    )
    def test_options_that_do_not_go_together(
        self, arguments: tuple[str, ...], words: str, cli: Cli, root: Path
    ) -> None:
        refused(cli("pip-conf", "--root", root, *arguments), words)

    @pytest.mark.parametrize("output", ["missing/pip.conf", "out", "file/pip.conf"])
    def test_an_output_that_cannot_be_written(
        self, output: str, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        refused(cli("pip-conf", "--root", root, *HOST, "--output", output), "cannot write")

    @pytest.mark.parametrize("output", ["file", "file/below"])
    def test_an_output_directory_that_cannot_be_made(
        self, output: str, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        refused(cli("pip-conf", "--root", root, "--all", "--output-dir", output), "cannot write", "file")

    @pytest.mark.parametrize("value", ['"a\\nb"', '"exämple"', '" x"'])
    def test_a_value_that_cannot_be_written(self, value: str, cli: Cli, root: Path, tmp_path: Path) -> None:
        (tmp_path / "site.toml").write_text(f'root = "{root}"\n[pip]\nproxy = {value}\n', encoding="utf-8")
        for more in (("--output", "out/x", *HOST), ("--all", "--output-dir", "out")):
            refused(cli("pip-conf", "--config", "site.toml", *more), "[pip] proxy")

    def test_an_existing_file_survives_a_failure(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "pip.conf").write_text("before")
        assert cli("pip-conf", "--root", "/nowhere", "--output", "pip.conf").code == 2
        assert (tmp_path / "pip.conf").read_text() == "before"


class TestInit:
    def test_a_root_below_a_file(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        refused(cli("init", "--root", "file/tree"), "cannot write", "file/tree")
        assert (tmp_path / "file").read_text() == ""

    def test_a_root_that_is_a_file(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        refused(cli("init", "--root", "file"), "cannot write")

    def test_a_newline_in_the_root(self, cli: Cli, tmp_path: Path) -> None:
        refused(cli("init", "--root", "a\nb"), "newline")
        assert sorted(os.listdir(tmp_path)) == ["out"]


class TestJson:
    """With `--json` an error is one line of JSON on stderr, also where the command line cannot be read."""

    @pytest.mark.parametrize(
        ("arguments", "found"),
        [
            (
                ("pick", "demo", "--bogus"),
                {
                    "error": "UsageError",
                    "message": "unrecognized arguments: --bogus",
                    "hint": "see wheelhouse-resolver pick --help",
                },
            ),
            (
                ("pick",),
                {
                    "error": "UsageError",
                    "message": "no requirement",
                    "hint": "give one, such as numpy>=1.26",
                },
            ),
        ],
        ids=["command-line", "no-requirement"],
    )
    def test_an_error(self, arguments: tuple[str, ...], found: dict[str, str], cli: Cli, root: Path) -> None:
        outcome = cli(*arguments, "--json", "--root", root, *HOST)
        assert (outcome.code, outcome.out) == (2, "")
        assert json.loads(outcome.err) == {"hint": "", **found}

    def test_after_warnings_it_is_the_last_line(self, cli: Cli, root: Path) -> None:
        Path("r.txt").write_text("--require-hashes\ndemo\n")
        outcome = cli("pick", "--json", "-r", "r.txt", "--root", root, "--arch", "mmx")
        *warnings, last = outcome.err.splitlines()
        assert [line.partition(":")[0] for line in warnings] == ["warning"]
        assert json.loads(last)["error"] == "UnknownArchError"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bogus",),
        ("--bogus",),
        ("path", "--bogus"),
        ("path", "--root"),
        ("path", "extra"),
        ("pick", "-r"),
    ],
    ids=str,
)
def test_a_command_line_that_is_none(arguments: tuple[str, ...], cli: Cli) -> None:
    refused(cli(*arguments), "--help")


def test_an_unknown_command_names_the_nearest_one_and_not_all(cli: Cli) -> None:
    refused(
        cli("avial"), "unknown command 'avial': did you mean 'avail'? hint: see wheelhouse-resolver --help"
    )
    outcome = cli("zzz")
    refused(outcome, "unknown command 'zzz' hint: see")
    assert "avail" not in outcome.err


def test_an_internal_error_is_one_line_too(cli: Cli, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("wheelhouse_resolver.tree.listing.check_root", fail)
    problem = "internal error (set WHEELHOUSE_DEBUG=1 for a traceback): RuntimeError: two\\nlines"
    refused(cli("path", "--root", root, *HOST), f"error: {problem}")
    outcome = cli("pick", "demo", "--root", root, *HOST, "--json")
    assert json.loads(outcome.err) == {"error": "RuntimeError", "message": problem, "hint": ""}


@pytest.mark.parametrize(
    ("error", "internal"),
    [
        (RuntimeError("bogus"), True),
        (SyntaxError("bogus", ("module.py", 1, 1, "text")), True),
        (OSError(errno.EIO, "bogus"), True),
        (OSError(errno.EBADF, "bogus", 3), True),
        (OSError(errno.EACCES, "bogus", "/a/file"), False),
        (OutputError("/a/file", "bogus"), False),
    ],
    ids=repr,
)
def test_with_debugging_every_internal_error_has_its_traceback(
    error: Exception, internal: bool, cli: Cli, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("wheelhouse_resolver.tree.listing.check_root", fail)
    monkeypatch.setenv("WHEELHOUSE_DEBUG", "1")
    outcome = cli("path", "--root", root, *HOST)
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback (most recent call last):\n") is internal
    assert ("check_root(site)" in outcome.err) is internal
    assert "\nerror: " in f"\n{outcome.err}"


FULL = "/dev/full"


class TestStdout:
    """A reader that has seen enough is no error; a full disk is one."""

    COMMAND = (sys.executable, "-m", "wheelhouse_resolver")

    @pytest.fixture
    def arguments(self, root: Path) -> list[str]:
        for number in range(300):
            make_wheel(root / "generic", f"demo-0.{number}-py3-none-any.whl")
        return ["pick", "--explain", "demo", "--root", str(root), *HOST]

    @pytest.fixture(params=[{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
    def environ(self, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
        """An environment of nothing else: no variable of whoever runs the tests takes part."""
        return {"HOME": str(tmp_path), "PATH": os.defpath, **request.param}

    def run(
        self,
        environ: dict[str, str],
        *arguments: str,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.COMMAND, *arguments], env=environ, stdout=stdout, stderr=stderr, text=True
        )

    def test_head(self, arguments: list[str], environ: dict[str, str]) -> None:
        done = subprocess.run(
            ["sh", "-c", '{ "$@"; echo "$?" >&2; } | head -n 1', "-", *self.COMMAND, *arguments],
            env=environ,
            capture_output=True,
            text=True,
        )
        assert (done.stdout, done.stderr) == ("demo\n", "0\n")

    @pytest.mark.parametrize(
        ("command", "code"),
        [
            (("--help",), 0),
            (("--version",), 0),
            (("pick", "--help"), 0),
            (("pick", "--explain", "demo"), 0),
            (("pick", "missing", "--json"), 1),
        ],
        ids=["help", "version", "help-of-a-command", "answer", "negative-answer"],
    )
    def test_a_pipe_that_nobody_reads(
        self, command: tuple[str, ...], code: int, arguments: list[str], environ: dict[str, str]
    ) -> None:
        """The exit code is that of the answer."""
        reader, writer = os.pipe()
        os.close(reader)
        where = arguments[3:] if code or "demo" in command else []
        done = self.run(environ, *command, *where, stdout=writer)
        assert done.returncode == code
        assert done.stderr == ""
        assert self.run(environ, *command, *where, stdout=writer, stderr=writer).returncode == code
        os.close(writer)

    @pytest.mark.parametrize(
        "command", [("path",), ("pip-conf",), ("pick", "demo"), ("avail",), ("detect", "--json")]
    )
    def test_one_that_is_closed(self, command: tuple[str, ...], root: Path) -> None:
        done = subprocess.run(
            ["sh", "-c", '"$@" >&-', "-", *self.COMMAND, *command, "--root", str(root), *HOST],
            env=clean_environ(),
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.mark.skipif(not os.path.exists(FULL), reason=f"this system has no {FULL}")
    @pytest.mark.parametrize(
        "command",
        [
            ("--help",),
            ("--version",),
            ("pick", "--help"),
            ("path",),
            ("pip-conf",),
            ("pick", "demo", "--json"),
            ("pick", "--explain", "demo"),
            ("avail",),
            ("lock", "demo"),
        ],
        ids=" ".join,
    )
    def test_a_full_disk(
        self, command: tuple[str, ...], arguments: list[str], environ: dict[str, str]
    ) -> None:
        where = [] if command[-1] in ("--help", "--version") else arguments[3:]
        with open(FULL, "w") as full:
            done = self.run(environ, *command, *where, stdout=full.fileno())
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "cannot write standard output: No space left on device" in line
        assert line.startswith("{" if "--json" in command else "error: ")

    @pytest.mark.skipif(not os.path.exists(FULL), reason=f"this system has no {FULL}")
    def test_standard_error_on_a_full_disk(self, arguments: list[str], environ: dict[str, str]) -> None:
        """Nothing can be said there; the answer and its exit code are the same."""
        with open(FULL, "w") as full:
            bad = self.run(environ, "pick", stderr=full.fileno())
            none = self.run(environ, "pick", "missing", *arguments[3:], stderr=full.fileno())
            good = self.run(environ, "pick", "demo", *arguments[3:], stderr=full.fileno())
            both = self.run(environ, "--version", stdout=full.fileno(), stderr=full.fileno())
        assert (bad.returncode, none.returncode, good.returncode, both.returncode) == (2, 1, 0, 2)
        assert (bad.stdout, none.stdout) == ("", "")
        assert good.stdout.endswith(".whl\n")


@pytest.mark.parametrize("command", ALL)
def test_an_error_says_what_it_is_about(command: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one of the operating system that names no file, such as that of a read(2) or a fork(2)."""

    def fail(error: OSError) -> Callable[..., int]:
        def run(_: object) -> int:
            raise error

        return run

    module = import_module(f"wheelhouse_resolver.cli.commands.{command.replace('-', '_')}")
    monkeypatch.setattr(module, "add_arguments", lambda _: None)
    monkeypatch.setattr(module, "run", fail(PermissionError(errno.EACCES, "Permission denied")))
    problem = f"error: cannot finish {command}: Permission denied"
    assert cli(command).error == f"{problem} hint: set WHEELHOUSE_DEBUG=1 for a traceback"
    monkeypatch.setattr(module, "run", fail(PermissionError(errno.EACCES, "Permission denied", "/a\nb")))
    assert cli(command) == (2, "", "error: /a\\nb: Permission denied\n")
    monkeypatch.setattr(module, "run", fail(OSError("no number")))
    assert cli(command).err.startswith(f"error: cannot finish {command}: no number")


class TestRecipes:
    def site(self, root: Path, text: str) -> tuple[str, ...]:
        Path("site.toml").write_text(f'root = "{root}"\n[build]\n{text}\n')
        return ("--config", "site.toml")

    @pytest.mark.parametrize(
        ("words", "problem"),
        [
            ((), "ACTION"),
            (("chekc", "x"), "chekc"),
            (("check",), "FILE"),
            (("show",), "NAME"),
            (("list", "demo"), "demo"),
        ],
    )
    def test_words_that_make_no_sense(self, words: tuple[str, ...], problem: str, cli: Cli) -> None:
        refused(cli("recipe", *words), problem)

    def test_a_version_that_is_none(self, root: Path, cli: Cli) -> None:
        refused(
            cli("recipe", "show", "demo", "--version", "new", "--root", root, *HOST), "'new'", "--version"
        )

    @pytest.mark.parametrize("action", [("list",), ("show", "demo", *HOST)])
    def test_directories_that_are_none(self, action: tuple[str, ...], root: Path, cli: Cli) -> None:
        options = self.site(root, 'recipes = "recipes"')
        refused(cli("recipe", *action, *options), "site.toml: [build] recipes: must be an array")

    def test_a_recipe_that_is_not_valid(self, root: Path, cli: Cli) -> None:
        Path("demo.toml").write_text('env.A = 1\n"\\u001b[31m" = 2\n')
        options = self.site(root, 'recipes = ["."]')
        refused(
            cli("recipe", "show", "demo", *HOST, *options),
            "demo.toml: env.A: must be a string, not 1; unknown key",
        )


@pytest.mark.parametrize(
    ("line", "argument"),
    [
        ("index --output", "--output"),
        ("view --output", "--output"),
        ("path --root", "--root"),
        ("pick demo -r", "-r/--requirement"),
        ("avail --python 3.11 --python", "-p/--python"),
        ("publish", "WHEEL"),
        ("verify a.whl", "WHEEL"),
        ("detect --cpuinfo", "--cpuinfo"),
    ],
)
def test_an_empty_path_is_an_error(line: str, argument: str, cli: Cli) -> None:
    command = line.split()
    assert cli(*command, "").error == (
        f"error: argument {argument}: an empty path hint: see wheelhouse-resolver {command[0]} --help"
    )
