"""Which Python is meant: the one in use, and one of a version."""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.host.binaries import copy_of_true, script
from tests.host.fakes import BASE, fake_python, make_environment
from wheelhouse_resolver import detect_host
from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host import python_probe, pythons
from wheelhouse_resolver.host.interpreters import target_of
from wheelhouse_resolver.host.pythons import environment_of, is_own, python_in_use
from wheelhouse_resolver.host.target_python import (
    marker_environment,
    python_version,
    running_python,
    supported_tags,
    target_python,
)
from wheelhouse_resolver.site.model import Site

OWN_BIN = os.path.dirname(sys.executable)
OWN = "{}.{}".format(*sys.version_info[:2])


def chosen(environ: Mapping[str, str]) -> str:
    """The path of the Python in use, and no warning about it."""
    found = python_in_use(environ)
    assert found.passed == ()
    assert found.path == found.evidence[0].value
    return found.path


class TestTheOneInUse:
    @pytest.fixture
    def environ(self, tmp_path: Path) -> dict[str, str]:
        """Every sign of a Python at once."""
        for name, path in {
            "VIRTUAL_ENV": "env/bin/python",
            "CONDA_PREFIX": "conda/bin/python",
            "EBROOTPYTHON": "module/bin/python3",
            "PATH": "path/python3",
            "python": "path/python",
        }.items():
            fake_python(tmp_path / path, f"3.9.{len(name)}")
        return {
            "VIRTUAL_ENV": f"{tmp_path}/env",
            "CONDA_PREFIX": f"{tmp_path}/conda",
            "EBROOTPYTHON": f"{tmp_path}/module",
            "PATH": f"{OWN_BIN}:/nowhere:{tmp_path}/path:{tmp_path}/later",
        }

    @pytest.mark.parametrize(
        ("without", "path"),
        [
            ((), "env/bin/python"),
            (("VIRTUAL_ENV",), "conda/bin/python"),
            (("VIRTUAL_ENV", "CONDA_PREFIX"), "module/bin/python3"),
            (("VIRTUAL_ENV", "CONDA_PREFIX", "EBROOTPYTHON"), "path/python3"),
        ],
        ids=["virtual-environment", "conda", "module", "path"],
    )
    def test_the_strongest_sign_decides(
        self, without: tuple[str, ...], path: str, environ: dict[str, str], tmp_path: Path
    ) -> None:
        fake_python(tmp_path / "later/python3")
        for name in without:
            del environ[name]
        assert chosen(environ) == f"{tmp_path}/{path}"
        # Each that is there is listed, and last the program's own; one behind the first on PATH has no say.
        sources = [each.source for each in python_in_use(environ).evidence]
        assert sources == [*environ, "own"]

    def test_without_any_it_is_the_programs_own(self) -> None:
        for environ in ({}, {"PATH": ""}, {"PATH": OWN_BIN, "VIRTUAL_ENV": ""}, {"PATH": "/nowhere:"}):
            target, warnings = target_python(None, environ)
            assert (target.name, target.own, warnings) == ("running", True, [])
            assert target.interpreter == running_python().interpreter
            assert target.full_version == ".".join(map(str, sys.version_info[:3]))
            (evidence,) = target.evidence
            assert (evidence.source, evidence.value) == ("own", sys.executable)

    def test_the_programs_own_counts_if_its_environment_is_active(self, environ: dict[str, str]) -> None:
        target, _ = target_python(None, {**environ, "VIRTUAL_ENV": sys.prefix})
        assert (target.name, target.own, target.evidence[0].source) == ("running", True, "VIRTUAL_ENV")

    def test_what_is_called_python_only_counts_where_there_is_no_python3(self, tmp_path: Path) -> None:
        only = fake_python(tmp_path / "old/python", "2.7.18")
        environ = {"PATH": f"{tmp_path}/old:{tmp_path}/new"}
        assert chosen(environ) == str(only)
        assert chosen(environ | {"PATH": f"{environ['PATH']}:{OWN_BIN}"}) == str(only)
        newer = fake_python(tmp_path / "new/python3")
        assert chosen(environ) == str(newer)

    def test_a_module_may_have_no_python3(self, tmp_path: Path) -> None:
        python = fake_python(tmp_path / "bin/python", "2.7.18")
        assert chosen({"EBROOTPYTHON": str(tmp_path)}) == str(python)

    @pytest.mark.parametrize("others", [["python"], ["python3"]], ids=str)
    def test_an_environment_may_have_one_name_only(self, others: list[str], tmp_path: Path) -> None:
        make_environment(tmp_path / "env", *others)
        assert chosen({"VIRTUAL_ENV": f"{tmp_path}/env"}) == f"{tmp_path}/env/bin/{others[0]}"

    def test_a_conda_environment_need_not_have_a_python(self, tmp_path: Path) -> None:
        path = fake_python(tmp_path / "path/python3")
        (tmp_path / "conda").mkdir()
        environ = {"CONDA_PREFIX": f"{tmp_path}/conda", "PATH": str(path.parent)}
        assert chosen(environ) == str(path)

    def test_the_evidence_of_one_python_agrees(self, tmp_path: Path) -> None:
        make_environment(tmp_path / "env")
        environ = {"VIRTUAL_ENV": f"{tmp_path}/env", "PATH": f"{tmp_path}/env/bin"}
        detected = detect_host(environ=environ, site=Site.default("/w")).to_dict()
        assert detected["python"]["name"] == f"{tmp_path}/env/bin/python"
        assert detected["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
        evidence = detected["evidence"]["python"]
        assert evidence["decided"]["source"] == "VIRTUAL_ENV"
        assert [each["source"] for each in evidence["agreeing"]] == ["PATH"]
        assert [each["source"] for each in evidence["overruled"]] == ["own"]

    def test_the_given_environment_decides_and_not_that_of_the_process(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        python, other = fake_python(tmp_path / "a/python3"), fake_python(tmp_path / "b/python3", "3.8.1")
        monkeypatch.delenv("VIRTUAL_ENV")
        monkeypatch.setenv("PATH", str(other.parent))
        site = Site.default("/w")
        for environ, version in (({"PATH": str(python.parent)}, "3.9.18"), (None, "3.8.1")):
            host = detect_host(environ=environ, site=site)
            assert str(python_version(host.python)) == version
            assert host.warnings == ()
        assert detect_host(environ={}, site=site).python.own
        named = detect_host("python3", environ={"PATH": str(python.parent)}, site=site)
        assert str(python_version(named.python)) == "3.9.18"

    def test_it_is_asked_in_the_given_environment(self, tmp_path: Path) -> None:
        make_environment(tmp_path / "env")
        (tmp_path / "policy").mkdir()
        (tmp_path / "policy/_manylinux.py").write_text("def manylinux_compatible(*_): return False\n")
        environ = {"VIRTUAL_ENV": f"{tmp_path}/env", "PYTHONPATH": f"{tmp_path}/policy"}
        tags = supported_tags(target_python(None, environ)[0])
        assert not any("manylinux" in tag.platform for tag in tags)


class TestTheProgramsOwn:
    """It is passed over on PATH, by whatever way PATH leads to it."""

    @pytest.fixture
    def other(self, tmp_path: Path) -> Path:
        return fake_python(tmp_path / "other/python3")

    @pytest.mark.parametrize("way", ["bin", "link-to-bin", "link-to-python", "link-to-link"])
    def test_links_lead_to_it(self, way: str, tmp_path: Path, other: Path) -> None:
        first = tmp_path / "first"
        if way == "bin":
            first = Path(OWN_BIN)
        elif way == "link-to-bin":
            first.symlink_to(OWN_BIN)
        else:
            first.mkdir()
            (first / "python").symlink_to(sys.executable)
            (first / "python3").symlink_to(sys.executable if way == "link-to-python" else "python")
        assert chosen({"PATH": f"{first}:{other.parent}"}) == str(other)
        assert chosen({"PATH": str(first)}) == sys.executable

    def test_an_environment_of_the_same_python_is_another(self, tmp_path: Path, other: Path) -> None:
        python3 = make_environment(tmp_path / "env").with_name("python3")
        assert chosen({"PATH": f"{python3.parent}:{other.parent}"}) == str(python3)
        assert environment_of(str(python3)) == str(tmp_path / "env")
        assert not is_own(str(python3))

    @pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="not in a virtual environment")
    def test_the_python_below_its_environment_is_another(self, tmp_path: Path) -> None:
        assert environment_of(sys.executable) == os.path.realpath(sys.prefix)
        assert environment_of(BASE) == BASE
        (tmp_path / "python3").symlink_to(BASE)
        assert chosen({"PATH": f"{OWN_BIN}:{tmp_path}"}) == f"{tmp_path}/python3"

    def test_of_no_environment_it_is_the_binary(
        self, tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A system's Python, which is in more than one directory of PATH (`/bin`, `/usr/bin`)."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/python3").symlink_to(BASE)
        monkeypatch.setattr(sys, "executable", BASE)
        assert chosen({"PATH": f"{tmp_path}/bin:{other.parent}"}) == str(other)

    def test_the_working_directory_may_be_on_path(self, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty entry names it, as to a shell."""
        monkeypatch.chdir(other.parent)
        assert chosen({"PATH": f"{OWN_BIN}:"}) == str(other)

    def test_links_that_lead_nowhere(self, tmp_path: Path) -> None:
        (tmp_path / "python3").symlink_to("python3")
        assert environment_of(f"{tmp_path}/python3") == f"{tmp_path}/python3"
        assert chosen({"PATH": str(tmp_path)}) == sys.executable


class TestWhatDoesNotRun:
    """It is passed over with a warning, and the next sign decides."""

    @pytest.mark.parametrize(
        ("make", "problem"),
        [
            pytest.param(lambda _: None, "does not exist", id="missing"),
            pytest.param(lambda path: path.symlink_to("/nowhere/python"), "does not exist", id="link"),
            pytest.param(lambda path: path.mkdir(), "cannot be run: Permission denied", id="directory"),
            pytest.param(lambda path: path.write_text(""), "cannot be run: Permission denied", id="text"),
            pytest.param(
                lambda path: script(path, "#!/bin/sh\necho no such version >&2\nexit 127\n"),
                "is not a Python (it exited with 127: no such version)",
                id="shim",
            ),
            pytest.param(
                lambda path: script(path, "#!/nowhere/python\n"),
                "cannot be run: No such file or directory",
                id="script-of-nothing",
            ),
            pytest.param(copy_of_true, "is not a Python (it exited with 0)", id="true"),
            pytest.param(
                lambda path: copy_of_true(path, "/nowhere/ld.so"),
                "cannot be run here (it needs /nowhere/ld.so)",
                id="another-machines",
            ),
        ],
    )
    @pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "EBROOTPYTHON"])
    def test_of_an_environment_or_module(
        self, variable: str, make: Callable[[Path], object], problem: str, tmp_path: Path
    ) -> None:
        name = {"VIRTUAL_ENV": "python", "EBROOTPYTHON": "python3"}[variable]
        broken, other = tmp_path / "env/bin" / name, fake_python(tmp_path / "path/python3")
        broken.parent.mkdir(parents=True)
        make(broken)
        environ = {variable: f"{tmp_path}/env", "PATH": str(other.parent)}
        target, warnings = target_python(None, environ)
        assert str(python_version(target)) == "3.9.18"
        assert warnings == [
            f"passed over {broken} ({variable}={tmp_path}/env): {problem}; the target Python is {other}"
        ]
        assert detect_host(environ=environ, site=Site.default("/w")).warnings == tuple(warnings)

    def test_a_conda_environment_that_is_gone(self) -> None:
        target, (warning,) = target_python(None, {"CONDA_PREFIX": "/nowhere"})
        assert target.own
        passed = "passed over /nowhere/bin/python (CONDA_PREFIX=/nowhere): does not exist"
        assert warning == f"{passed}; the target Python is {sys.executable}"

    def test_on_path_the_next_one_counts(self, tmp_path: Path) -> None:
        shim = script(tmp_path / "shims/python3", "#!/bin/sh\nexit 127\n")
        script(tmp_path / "shims/python", "#!/bin/sh\nexit 127\n")
        other = fake_python(tmp_path / "path/python3")
        search = f"{shim.parent}:{shim.parent}/:{other.parent}"
        target, warnings = target_python(None, {"PATH": search})
        assert target.name == str(other)
        assert [each.partition(" (")[0] for each in warnings] == [f"passed over {shim}"]
        target, warnings = target_python(None, {"PATH": str(shim.parent)})
        assert target.own
        assert len(warnings) == 1

    def test_one_that_hangs_is_ended_with_all_that_it_started(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pythons, "_PATIENCE", 0.5)
        script(tmp_path / "python3", f"#!/bin/sh\nsh -c 'echo $$ >{tmp_path}/pid; sleep 60'\n")
        begun = time.monotonic()
        _, (warning,) = target_python(None, {"PATH": f"{tmp_path}:/usr/bin:/bin"})
        assert time.monotonic() - begun < 20
        assert "did not answer within 0.5 s" in warning
        assert not _runs(int((tmp_path / "pid").read_text()))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class TestOfAVersion:
    def test_the_first_of_that_name_on_path_with_its_patch_level(self, tmp_path: Path) -> None:
        script(tmp_path / "shims/python3.9", "#!/bin/sh\nexit 127\n")
        fake_python(tmp_path / "lies/python3.9", "3.8.1")
        fake_python(tmp_path / "pypy/python3.9", "3.9.19", implementation="pypy")
        python = fake_python(tmp_path / "first/python3.9")
        fake_python(tmp_path / "second/python3.9", "3.9.20")
        search = ":".join(f"{tmp_path}/{each}" for each in ("shims", "lies", "pypy", "first", "second"))
        target, warnings = target_python("3.9", {"PATH": search})
        assert (target.name, target.version, target.full_version) == ("3.9", None, "3.9.18")
        assert warnings == []
        assert marker_environment(target)["python_full_version"] == "3.9.18"
        # Its own C library counts, and its layer: by where it is from.
        tags = {str(tag) for tag in supported_tags(target)}
        machine = os.uname().machine
        assert f"cp39-cp39-manylinux_2_17_{machine}" in tags
        assert f"cp39-cp39-manylinux_2_18_{machine}" not in tags
        assert target.interpreter is not None
        assert target.interpreter.executable == str(python)
        assert [(each.source, each.value) for each in target.evidence] == [
            ("option", str(python)),
            ("PATH", str(python)),
        ]

    @pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX", "EBROOTPYTHON"])
    def test_else_that_of_the_environment_or_module(self, variable: str, tmp_path: Path) -> None:
        python = fake_python(tmp_path / "bin/python3", "3.9.5")
        target, _ = target_python("3.9", {variable: str(tmp_path), "PATH": "/nowhere"})
        assert (target.full_version, target.evidence[1].source) == ("3.9.5", variable)
        assert target.evidence[0].value == str(python)

    def test_else_the_programs_own(self) -> None:
        target, warnings = target_python(OWN, {"PATH": OWN_BIN})
        assert (target.name, target.own, target.version, warnings) == (OWN, True, None, [])
        assert supported_tags(target) == supported_tags(running_python())
        assert python_version(target) == python_version(running_python())

    def test_one_on_path_comes_before_the_programs_own(self, tmp_path: Path) -> None:
        python = fake_python(tmp_path / f"python{OWN}", f"{OWN}.99")
        environ = {"PATH": f"{OWN_BIN}:{tmp_path}"}
        assert target_python(OWN, environ)[0].full_version == f"{OWN}.99"
        python.unlink()
        assert target_python(OWN, environ)[0].own

    def test_else_what_one_would_be_on_the_machine_of_the_one_in_use(self, tmp_path: Path) -> None:
        in_use = fake_python(tmp_path / "python3", "3.8.1")
        target, warnings = target_python("3.9", {"PATH": str(tmp_path)})
        assert (target.name, target.version, target.full_version) == ("3.9", "3.9", "3.9.0")
        assert warnings == []
        assert target.interpreter is not None
        assert target.interpreter.executable == str(in_use)
        platforms = {tag.platform for tag in supported_tags(target)}
        assert f"manylinux_2_17_{os.uname().machine}" in platforms
        assert f"manylinux_2_18_{os.uname().machine}" not in platforms
        (evidence,) = target.evidence
        assert evidence.detail == "given as 3.9, of which none is here"

    @pytest.mark.parametrize(
        ("spec", "version", "here"),
        [
            ("3.9.18", "3.9.18", True),
            ("3.9.1", "3.9.18", False),
            ("3.9.18", "3.9.1", False),
            ("3.9.0", "3.9.0rc1", True),
            ("3.1", "3.10.2", False),
        ],
    )
    def test_a_patch_level_must_be_that_one(
        self, spec: str, version: str, here: bool, tmp_path: Path
    ) -> None:
        fake_python(tmp_path / f"python{'.'.join(spec.split('.')[:2])}", version)
        target, _ = target_python(spec, {"PATH": str(tmp_path)})
        assert (target.version is None) is here
        assert target.full_version == (version if here else spec if spec.count(".") == 2 else f"{spec}.0")

    @pytest.mark.parametrize(("spec", "abi", "here"), [("3.99t", "t", True), ("3.99", "t", False)])
    def test_a_free_threaded_one_is_named_so(self, spec: str, abi: str, here: bool, tmp_path: Path) -> None:
        fake_python(tmp_path / f"python{spec}", "3.99.1", abi=abi)
        target, _ = target_python(spec, {"PATH": str(tmp_path)})
        assert (target.version is None) is here
        if here:
            assert any(tag.abi == "cp399t" for tag in supported_tags(target))

    def test_a_build_finds_the_same_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        python = fake_python(tmp_path / "python3.9")
        monkeypatch.setenv("PATH", str(tmp_path))
        target = target_of("3.9")
        assert (target.path, target.version) == (str(python), "3.9")
        assert target.python.answers == target_python("3.9")[0].answers
        with pytest.raises(PythonError, match=r"^target Python 3\.98: no python3\.98 on PATH runs$"):
            target_of("3.98")


class TestWhatIsRemembered:
    """A binary's answer, as long as nothing changes that it depends on."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The paths that were started."""
        paths: list[str] = []
        ask = python_probe._ask

        def noted(path: str, *more: Any) -> dict[str, Any]:
            paths.append(path)
            return ask(path, *more)

        monkeypatch.setattr(python_probe, "_ask", noted)
        return paths

    @pytest.fixture
    def python(self, tmp_path: Path) -> Path:
        return make_environment(tmp_path / "env")

    @staticmethod
    def manylinux(python: Path, environ: Mapping[str, str]) -> bool:
        """Whether the Python accepts manylinux wheels."""
        return bool(python_probe.ask_python(str(python), environ).manylinux)

    def test_it_is_asked_once(self, python: Path, asked: list[str]) -> None:
        first, second = (python_probe.ask_python(str(python), {"LANG": lang}) for lang in ("C", "de"))
        assert first == second
        assert first.executable == str(python)
        assert asked == [str(python)]

    def test_another_environment_is_another(self, python: Path, asked: list[str], tmp_path: Path) -> None:
        other = make_environment(tmp_path / "other")
        assert [python_probe.ask_python(str(each), {}).executable for each in (python, other, python)] == [
            *map(str, (python, other, python))
        ]
        assert len(asked) == 2

    @pytest.mark.parametrize(
        "name", ["PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE", "LD_LIBRARY_PATH", "HOME"]
    )
    def test_a_variable_that_counts(self, name: str, python: Path, asked: list[str]) -> None:
        value = sys.base_prefix if name == "PYTHONHOME" else "/nowhere"
        for environ in ({}, {name: value}, {name: value}, {}):
            python_probe.ask_python(str(python), environ)
        assert len(asked) == 2

    def test_the_configuration_of_the_environment(
        self, python: Path, asked: list[str], tmp_path: Path
    ) -> None:
        python_probe.ask_python(str(python), {})
        with (tmp_path / "env/pyvenv.cfg").open("a") as file:
            file.write("include-system-site-packages = true\n")
        python_probe.ask_python(str(python), {})
        assert len(asked) == 2

    @pytest.mark.skipif(not os.confstr("CS_GNU_LIBC_VERSION"), reason="without glibc there is no manylinux")
    def test_a_policy_that_comes_changes_and_goes(
        self, python: Path, asked: list[str], tmp_path: Path
    ) -> None:
        policy = tmp_path / f"env/lib/python{OWN}/site-packages/_manylinux.py"
        assert self.manylinux(python, {})
        for verdict in ("False", "True", "False"):
            policy.write_text(f"def manylinux_compatible(*_): return {verdict}\n")
            os.utime(policy, ns=(0, len(asked)))  # in one tick of the clock
            assert [self.manylinux(python, {}) for _ in range(2)] == [verdict == "True"] * 2
        policy.unlink()
        assert self.manylinux(python, {})
        assert len(asked) == 5

    @pytest.mark.skipif(not os.confstr("CS_GNU_LIBC_VERSION"), reason="without glibc there is no manylinux")
    def test_not_with_a_policy_that_looks_at_the_environment(self, python: Path, tmp_path: Path) -> None:
        policy = "import os\ndef manylinux_compatible(*_): return 'ALLOW' in os.environ\n"
        (tmp_path / f"env/lib/python{OWN}/site-packages/_manylinux.py").write_text(policy)
        assert [self.manylinux(python, each) for each in ({}, {"ALLOW": ""}, {})] == [False, True, False]

    def test_not_of_a_script(self, python: Path, asked: list[str], tmp_path: Path) -> None:
        """What a version manager's shim starts depends on the working directory, among others."""
        shim = script(tmp_path / "python3", f'#!/bin/sh\nexec {python} "$@"\n')
        for _ in range(2):
            assert python_probe.ask_python(str(shim), {}).executable == str(python)
        assert asked == [str(shim)] * 2

    def test_not_of_a_program_that_starts_another(
        self, python: Path, asked: list[str], tmp_path: Path
    ) -> None:
        """As Gentoo's python-exec does, a binary that goes by a file and a variable of its own."""
        (tmp_path / "sitecustomize.py").write_text("import sys; sys.executable = '/usr/lib/python-exec/3'\n")
        for _ in range(2):
            answer = python_probe.ask_python(str(python), {"PYTHONPATH": str(tmp_path)})
            assert answer.executable == "/usr/lib/python-exec/3"
        assert asked == [str(python)] * 2

    def test_a_relative_path_of_modules_depends_on_the_directory(
        self, python: Path, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for directory in (tmp_path, python.parent, tmp_path):
            monkeypatch.chdir(directory)
            python_probe.ask_python(str(python), {"PYTHONPATH": "/nowhere:"})
        assert len(asked) == 2

    def test_what_failed_is_asked_again(self, tmp_path: Path, asked: list[str]) -> None:
        path = copy_of_true(tmp_path / "python")
        for _ in range(2):
            with pytest.raises(PythonError):
                python_probe.ask_python(str(path), {})
        assert len(asked) == 2

    def test_in_a_directory_that_is_gone(
        self, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        assert python_probe.ask_python(str(python), {}).executable == str(python)
        assert chosen({"PATH": f":{python.parent}"}) == str(python.with_name("python3"))
        with suppress(PythonError):  # from 3.11 on, a Python that must look there does not start
            assert python_probe.ask_python(str(python), {"PYTHONPATH": ":"}).executable == str(python)


def test_the_tests_see_no_python_of_this_machine() -> None:
    """Their answers are the same on each: see `tests.hidden`."""
    assert python_in_use(os.environ).own
    assert sysconfig.get_path("scripts") == os.path.dirname(sys.executable)
    names = {
        name for each in os.environ["PATH"].split(":") if os.path.isdir(each) for name in os.listdir(each)
    }
    assert names.isdisjoint({"python", "python3", f"python{OWN}", "python3.9"})
    assert {"sh", "ls"} <= names
