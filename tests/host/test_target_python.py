from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from packaging import tags
from packaging.markers import default_environment
from packaging.version import Version

from tests import programs
from tests.factories import clean_environ, make_tree, run_cli
from tests.host.binaries import copy_of_true, hand_made_elf, script
from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host import python_probe
from wheelhouse_resolver.host.python_probe import Answers
from wheelhouse_resolver.host.target_python import (
    TargetPython,
    found_python,
    marker_environment,
    other_version,
    python_version,
    supported_tags,
    target_python,
)


def pythons() -> list[str]:
    """Every Python of this machine that is a binary, by path (a shim may belong to none)."""
    binaries: dict[str, str] = {}
    for path in sorted(programs.pythons()):
        real = os.path.realpath(path)
        with open(real, "rb") as file:
            if file.read(4) == b"\x7fELF":
                binaries.setdefault(real, path)
    return sorted(binaries.values())


def pip_tags(python: str, *arguments: str, **environ: str) -> list[str]:
    """The wheel tags that the pip of *python* accepts, best first."""
    done = subprocess.run(
        [python, "-m", "pip", "debug", "--verbose", *arguments],
        env=clean_environ(**environ),
        text=True,
        capture_output=True,
    )
    version = re.search(r"^pip version: pip (\S+)", done.stdout, re.MULTILINE)
    if version is None:
        pytest.skip(f"{python} has no pip that tells its tags")
    if Version(version[1]) < Version("20.3"):
        pytest.skip(f"pip {version[1]} does not know all tags of today")
    listed = re.search(r"Compatible tags: \d+.*\n((?:  .*\n?)*)", done.stdout)
    assert listed is not None
    return listed[1].split()


def same_tags(ours: Sequence[tags.Tag], theirs: Sequence[str]) -> None:
    """Assert the same tags in the same order.

    Releases of packaging, and so of pip, differ in one thing: whether `linux_*` stands before or after
    `manylinux*`.
    """
    own = [str(tag) for tag in ours]
    assert set(own) == set(theirs)
    for plain in (True, False):
        here, there = ([tag for tag in each if ("-linux_" in tag) is plain] for each in (own, list(theirs)))
        assert here == there


# -- a path: that Python is asked ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("path", pythons())
def test_a_python_accepts_the_tags_that_its_own_pip_says(path: str) -> None:
    target, warnings = target_python(path)
    same_tags(supported_tags(target), pip_tags(path))
    assert warnings == []


@pytest.mark.parametrize("path", pythons())
def test_a_python_tells_its_version(path: str) -> None:
    code = "import sys, platform; print(platform.python_version())"
    version = subprocess.run([path, "-c", code], text=True, capture_output=True).stdout.strip()
    target, _ = target_python(path)
    assert marker_environment(target)["python_full_version"] == version
    assert python_version(target) == Version(version.rstrip("+"))


@pytest.mark.parametrize(
    "path",
    [path for path in pythons() if "/2.7" in path]
    or [pytest.param("", marks=pytest.mark.skip(reason="no Python 2.7 is on this machine"))],
)
def test_a_python_2_accepts_wheels_for_all_of_unicode(path: str) -> None:
    found = [str(tag) for tag in supported_tags(target_python(path)[0])]
    assert found[0].startswith("cp27-cp27mu-")
    assert "py2-none-any" in found
    assert f"cp27-cp27mu-manylinux2014_{platform.machine()}" in found


def test_the_running_python_needs_no_asking() -> None:
    asked, running = target_python(sys.executable)[0], target_python()[0]
    assert running.answers is None
    assert supported_tags(running) == tuple(tags.sys_tags())
    same_tags(supported_tags(asked), [str(tag) for tag in supported_tags(running)])
    assert marker_environment(asked) == marker_environment(running) == dict(default_environment().items())
    assert python_version(asked) == python_version(running)
    assert asked.interpreter == running.interpreter


def test_a_name_is_looked_up_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "mypython", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    target, _ = target_python("mypython")
    assert python_version(target) == Version(".".join(map(str, sys.version_info[:3])))
    assert target.interpreter is not None
    assert target.interpreter.executable == os.path.realpath(sys.executable)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sitecustomize.py", "print('Welcome!')"),
        ("sitecustomize.py", "import sys; sys.stderr.write('Beware!')"),
        ("usercustomize.py", "print('{')"),
    ],
    ids=["on-stdout", "on-stderr", "from-the-user"],
)
def test_a_python_may_say_more_than_it_is_asked(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert supported_tags(target_python(sys.executable)[0])


def test_the_working_directory_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("json", "platform", "_manylinux"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert supported_tags(target_python(sys.executable)[0])


# -- a policy that hides manylinux -----------------------------------------------------------------------

POLICIES = {
    "none-at-all": "def manylinux_compatible(*_): return False",
    "none-newer-than-2.17": "def manylinux_compatible(major, minor, _): return minor <= 17",
    "no-opinion": "def manylinux_compatible(*_): return None",
    "of-old": "manylinux1_compatible = manylinux2010_compatible = manylinux2014_compatible = False",
    "no-word": "",
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("safe_path", ["", "1"], ids=["", "safe-path"])
def test_the_policy_that_the_targets_pip_would_import_is_obeyed(
    policy: str, safe_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "_manylinux.py").write_text(policy)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSAFEPATH", safe_path)
    ours = supported_tags(target_python(sys.executable)[0])
    code = "from packaging.tags import sys_tags; print(*sys_tags())"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    same_tags(ours, done.stdout.split())
    assert (POLICIES["none-at-all"] == policy) == (not any("manylinux" in str(tag) for tag in ours))


def test_pip_itself_obeys_the_policy_likewise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_manylinux.py").write_text(POLICIES["none-newer-than-2.17"])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ours = supported_tags(target_python(sys.executable)[0])
    same_tags(ours, pip_tags(sys.executable, PYTHONPATH=str(tmp_path)))


@pytest.mark.skipif(not platform.libc_ver()[0], reason="without glibc there is no manylinux")
@pytest.mark.parametrize("target", [None, "{0}.{1}", sys.executable], ids=["running", "version", "path"])
def test_pick_obeys_the_policy(target: str | None, tmp_path: Path) -> None:
    wheels = [f"demo-2.0-py3-none-manylinux_2_17_{platform.machine()}.whl", "demo-1.0-py3-none-any.whl"]
    make_tree(tmp_path / "w", {"generic": wheels})
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "_manylinux.py").write_text(POLICIES["none-at-all"])
    option = [] if target is None else ["--python", target.format(*sys.version_info)]
    picked = [
        run_cli("pick", "demo", "--root", tmp_path / "w", *option, environ=environ).stdout.strip()
        for environ in (clean_environ(), clean_environ(PYTHONPATH=str(tmp_path / "policy")))
    ]
    assert picked == [f"{tmp_path}/w/generic/{wheel}" for wheel in wheels]


# -- a version: nothing is run ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9", "3.14"])
def test_a_version_accepts_the_tags_that_pip_says(version: str) -> None:
    theirs = pip_tags(sys.executable, "--python-version", version)
    same_tags(supported_tags(target_python(version)[0]), theirs)


def test_a_free_threaded_version_accepts_no_limited_abi() -> None:
    found = supported_tags(target_python("3.13t")[0])
    abis = {tag.abi for tag in found}
    assert abis >= {"cp313t", "none"}
    assert abis.isdisjoint({"cp313", "abi3"})


@pytest.mark.parametrize(
    ("spec", "version", "full"),
    [("3.9", "3.9", "3.9.0"), ("3.9.18", "3.9", "3.9.18"), ("3.13t", "3.13", "3.13.0")],
)
def test_a_version_is_that_of_cpython_on_this_machine(spec: str, version: str, full: str) -> None:
    target, warnings = target_python(spec)
    environment = marker_environment(target)
    assert (environment["python_version"], environment["python_full_version"]) == (version, full)
    assert environment["platform_python_implementation"] == "CPython"
    assert environment["platform_machine"] == platform.machine()
    assert python_version(target) == Version(full)
    assert warnings == []


def test_a_version_shares_the_layer_of_the_running_python() -> None:
    assert target_python("3.9")[0].interpreter == target_python()[0].interpreter


# -- Pythons of other kinds, by what they would say ------------------------------------------------------


def answers(**said: object) -> TargetPython:
    common = {
        "version": "3.11.2",
        "implementation": "cpython",
        "soabi": "cpython-311-x86_64-linux-gnu",
        "platform": "linux-x86_64",
        "libc": "glibc 2.28",
        "manylinux": ("2.28", "2.17"),
        "markers": (("python_full_version", "3.11.2+"),),
    }
    return TargetPython("/some/python", None, answers=Answers(**{**common, **said}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "accepted", "refused"),
    [
        pytest.param(
            answers(),
            ["cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux2014_x86_64"],
            ["cp311-cp311-manylinux_2_27_x86_64", "cp311-cp311-manylinux_2_34_x86_64"],
            id="the-target's-own-glibc-counts",
        ),
        pytest.param(
            answers(soabi="cpython-311d-x86_64-linux-gnu"),
            ["cp311-cp311d-linux_x86_64", "cp311-cp311-linux_x86_64"],
            [],
            id="a-debug-build-takes-normal-wheels-too",
        ),
        pytest.param(
            answers(version="3.13.0", soabi="cpython-313t-x86_64-linux-gnu"),
            ["cp313-cp313t-linux_x86_64", "py3-none-any"],
            ["cp313-cp313-linux_x86_64", "cp38-abi3-linux_x86_64"],
            id="free-threaded",
        ),
        pytest.param(
            answers(version="3.10.14", implementation="pypy", soabi="pypy310-pp73"),
            ["pp310-pypy310_pp73-linux_x86_64", "pp310-none-any", "py3-none-any"],
            ["cp310-cp310-linux_x86_64", "cp38-abi3-linux_x86_64"],
            id="pypy",
        ),
        pytest.param(
            answers(platform="linux-aarch64"),
            ["cp311-cp311-linux_aarch64", "cp311-cp311-manylinux_2_17_aarch64"],
            ["cp311-cp311-linux_x86_64"],
            id="another-machine",
        ),
        pytest.param(
            answers(libc="", manylinux=()),
            ["cp311-cp311-linux_x86_64"],
            ["cp311-cp311-manylinux_2_17_x86_64"],
            id="musl",
        ),
        pytest.param(
            other_version(answers(platform="linux-aarch64", manylinux=("2.17",)), "3.12"),
            ["cp312-cp312-linux_aarch64", "cp312-cp312-manylinux2014_aarch64", "cp38-abi3-linux_aarch64"],
            ["cp311-cp311-linux_aarch64", "cp312-cp312-manylinux_2_28_aarch64", "cp312-cp312-linux_x86_64"],
            id="another-version-on-the-same-machine",
        ),
    ],
)
def test_what_a_python_says_decides_its_tags(
    target: TargetPython, accepted: list[str], refused: list[str]
) -> None:
    found = {str(tag) for tag in supported_tags(target)}
    assert found.issuperset(accepted)
    assert found.isdisjoint(refused)


def test_another_version_has_its_own_markers_and_the_machines() -> None:
    said = answers(markers=(("platform_machine", "aarch64"), ("python_full_version", "3.11.2")))
    other = other_version(said, "3.13t")
    assert python_version(other) == Version("3.13.0")
    markers = marker_environment(other)
    assert (markers["platform_machine"], markers["python_version"]) == ("aarch64", "3.13")
    here = other_version(target_python()[0], "3.9")
    assert supported_tags(here) == supported_tags(target_python("3.9")[0])


def test_a_development_build_has_the_version_that_it_becomes() -> None:
    assert python_version(answers()) == Version("3.11.2")


@pytest.mark.parametrize("spec", ["{}/my env", "{}/my env/", "my env"])
def test_the_directory_of_an_environment_means_its_python(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my env/bin").mkdir(parents=True)
    python = tmp_path / "my env/bin/python"
    python.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    target, _ = target_python(spec.format(tmp_path))
    assert target.answers == target_python(str(python))[0].answers is not None
    assert os.path.samefile(found_python(spec.format(tmp_path)), python)
    python.unlink()
    python.symlink_to("/nowhere/python")
    with pytest.raises(PythonError, match="does not exist"):
        target_python(spec.format(tmp_path))


def test_a_name_on_the_path_comes_before_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "programs/env", "#!/bin/sh\n")
    script(tmp_path / "env/bin/python", "#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)
    assert found_python("env", str(tmp_path / "programs")) == str(tmp_path / "programs/env")
    assert found_python("env", "/nowhere") == "env/bin/python"


# -- what is not a Python -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(lambda _: None, "does not exist", id="missing"),
        pytest.param(lambda path: path.mkdir(), "is not an executable file", id="directory"),
        pytest.param(lambda path: path.write_text("hello\n"), "is not an executable file", id="text"),
        pytest.param(lambda path: path.symlink_to(path), "does not exist", id="link-to-itself"),
        pytest.param(lambda path: script(path, "hello\n"), "", id="executable-text"),
        pytest.param(lambda path: script(path, ""), "", id="executable-nothing"),
        pytest.param(copy_of_true, "is not a Python (it exited with 0)", id="true"),
        pytest.param(
            lambda path: path.symlink_to(str(shutil.which("ls"))), "is not a Python (it exited with ", id="ls"
        ),
        pytest.param(
            lambda path: script(path, "#!/bin/sh\nexit 3\n"), "is not a Python (it exited with 3)", id="fails"
        ),
        pytest.param(
            lambda path: script(path, "#!/bin/sh\necho first >&2\necho '  last' >&2\nexit 3\n"),
            "is not a Python (it exited with 3: last)",
            id="fails-and-says-why",
        ),
        pytest.param(
            lambda path: script(path, "#!/bin/sh\necho shim: not found >&2\necho advice >&2\nexit 127\n"),
            "is not a Python (it exited with 127: shim: not found)",
            id="shim",
        ),
        pytest.param(
            lambda path: script(path, "#!/bin/sh\nkill -SEGV $$\n"),
            "is not a Python (it exited with -11)",
            id="crashes",
        ),
        pytest.param(
            lambda path: script(path, "#!/bin/sh\necho '[1, {}]'\n"), "is not a Python", id="says-other-json"
        ),
        pytest.param(
            lambda path: script(path, '#!/bin/sh\necho \'{"soabi": ""}\'\nexit 1\n'),
            "is not a Python (it exited with 1)",
            id="answers-and-fails",
        ),
        pytest.param(
            lambda path: script(path, "#!/bin/sh\nprintf '\\377\\n'\n"), "is not a Python", id="says-bytes"
        ),
        pytest.param(
            lambda path: script(path, "#!/nonexistent/python\n"),
            "cannot be run: No such file or directory",
            id="script-of-nothing",
        ),
        pytest.param(
            lambda path: script(path, hand_made_elf()[:40].decode("latin-1")),
            "cannot be run: Exec format error",
            id="broken-binary",
        ),
    ],
)
def test_what_is_no_python_is_an_error_of_one_line(
    make: Callable[[Path], object], problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "python"
    make(path)
    with pytest.raises(PythonError) as caught:
        target_python(str(path))
    assert str(caught.value).startswith(f"target Python {path}: {problem}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("spec", ["nonexistent-python", "3", "python", "", "3.x", "a\nb"])
def test_a_name_that_is_not_on_the_path_is_an_error(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PythonError, match=r"not found on PATH$") as caught:
        target_python(spec)
    assert len(str(caught.value).splitlines()) == 1


def test_a_python_that_hangs_is_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_probe, "_TIMEOUT", 0.2)
    path = script(tmp_path / "python", "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(PythonError, match="did not answer within"):
        target_python(str(path))


def test_a_python_of_another_machine_is_judged_by_its_header(tmp_path: Path) -> None:
    path = copy_of_true(tmp_path / "python", "/nonexistent/nix/store/x-glibc/lib/ld.so")
    target, warnings = target_python(str(path))
    assert target.interpreter is not None
    assert target.interpreter.program_interpreter == "/nonexistent/nix/store/x-glibc/lib/ld.so"
    assert warnings == [
        f"{path} cannot be run here (it needs /nonexistent/nix/store/x-glibc/lib/ld.so): "
        "only its ELF header was looked at"
    ]


@pytest.mark.parametrize("question", [supported_tags, python_version, marker_environment])
def test_what_such_a_python_would_have_to_say_is_unknown(
    question: Callable[[TargetPython], object], tmp_path: Path
) -> None:
    path = copy_of_true(tmp_path / "python", "/nonexistent/ld.so")
    target, _ = target_python(str(path))
    with pytest.raises(PythonError) as caught:
        question(target)
    assert str(caught.value) == (f"target Python {path}: cannot be run here, so its wheel tags are unknown")
