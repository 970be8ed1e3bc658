from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builder.sources import make_repository, sdist_files
from tests.builder.test_commands import is_alive
from tests.builder.workshop import Workshop
from tests.factories import clean_environ, make_wheel, pack, wheel_files
from tests.faults.test_disk import mounted
from tests.requires import compiles, need, requires
from tests.whole import assert_whole
from wheelhouse_resolver.builder.pipeline import build_wheel
from wheelhouse_resolver.builder.records.record import BuildRecord, record_of
from wheelhouse_resolver.builder.toolchain import provenance
from wheelhouse_resolver.site.layout import Arch, Layer
from wheelhouse_resolver.utils.safe_io import sha256_of
from wheelhouse_resolver.wheelfile.edit import requirements_of
from wheelhouse_resolver.wheelfile.validate import check_wheel

WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A workshop that builds in the environment of the tests, to save the time of making one."""
    monkeypatch.setattr(build_wheel, "make_environment", lambda *_, **__: sys.executable)
    return Workshop(tmp_path, unpacked=True)


# -- a build with all that a recipe has ------------------------------------------------------------------

#: Says what its environment is.
TELL = """\
import helper, os
print("told helper", helper.VERSION)
print("told steps", open("steps").read().split())
print("told settings", config_settings)
names = "PYTHONPATH PIP_TARGET PIP_FIND_LINKS CFLAGS PYTHONHASHSEED SOURCE_DATE_EPOCH MAKEFLAGS SITE TMPDIR"
for name in names.split():
    print(f"told {name}={os.environ.get(name)}")
"""

RECIPE = """\
build-requires = ["helper<2"]
config-settings = { blas = "${SITE}/blas" }
[env]
SITE = "/site/${version}"
CFLAGS = "${CFLAGS} -DSITE"
[phases]
after-source = ["test -e backend.py; echo after-source >> steps"]
before-build = ["echo before-build >> steps", "command -v python | grep /environment/bin/python"]
after-build = ["ls $WHEELHOUSE_WHEEL_DIR"]
"""

#: What a user may have set, and what none of a build may see.
USERS = {
    "PIP_TARGET": "/nowhere",
    "PIP_FIND_LINKS": "/nowhere",
    "PYTHONPATH": "/nowhere",
    "CFLAGS": "--no-such-flag",
    "MAKEFLAGS": "--jobserver-auth=3,4",
}


class Whole:
    """One build with a recipe, of a user with an environment full of surprises."""

    def __init__(self, directory: Path) -> None:
        self.workshop = Workshop(directory)
        for version in ("1.0", "2.0"):
            helper(self.workshop.sources, version)
        self.source = self.workshop.package(build=TELL, build_requires=["helper"])
        self.recipe = self.workshop.recipe("demo", RECIPE)
        config = directory / "users-pip.conf"
        config.write_text("[global]\nconstraint = /nowhere/constraints.txt\n")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**USERS, "PIP_CONFIG_FILE": str(config)}.items():
                patch.setenv(name, value)
            self.record = self.workshop.build("demo==1.0")
        self.log = self.workshop.log(self.record)


def helper(directory: Path, version: str) -> None:
    """A package that builds need, of that version."""
    files = {"helper.py": f"VERSION = {version!r}\n"}
    make_wheel(directory, f"helper-{version}-py3-none-any.whl", files=files)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole"))


def test_a_package_is_built_and_placed(whole: Whole) -> None:
    record = whole.record
    assert (record.result, record.problem, record.tail) == ("built", "", "")
    assert whole.workshop.placed() == [WHEEL, f"{WHEEL}.build.json"]
    assert_whole(whole.workshop.output / WHEEL)
    assert whole.workshop.left() == []


def test_the_record_says_what_was_built_and_from_what(whole: Whole) -> None:
    record = whole.record
    assert (record.project, record.version, record.requirement) == ("demo", "1.0", "demo==1.0")
    assert (record.arch, record.layer, record.directory) == ("generic", None, "generic")
    assert record.source.endswith(whole.source.name)
    assert record.source_sha256 == sha256_of(str(whole.source))
    assert (record.recipe, record.recipe_sha256) == (str(whole.recipe), sha256_of(str(whole.recipe)))
    assert record.environ["SITE"] == "/site/1.0"
    assert record.host["node"] == os.uname().nodename
    assert {"python", "pip", "wheelhouse-resolver"} <= record.tools.keys()


def test_the_record_stands_beside_the_wheel_and_beside_the_log(whole: Whole) -> None:
    log = Path(whole.record.log)
    assert BuildRecord.from_dict(json.loads(log.with_suffix(".json").read_bytes())) == whole.record
    assert record_of(str(whole.workshop.output / WHEEL)) == whole.record


def test_every_phase_is_timed_and_logged(whole: Whole) -> None:
    names = [each.name for each in whole.record.phases]
    assert names == ["host", "source", "prepare", "environment", "build", "edit", "finish"]
    assert all(each.ok and each.seconds >= 0 for each in whole.record.phases)
    assert [line[4:] for line in whole.log.splitlines() if line.startswith("=== ")] == names


def test_what_the_user_has_set_does_not_reach_a_build(whole: Whole) -> None:
    assert "told PIP_TARGET=None\n" in whole.log
    assert "/nowhere" not in whole.log
    assert "--no-such-flag" not in whole.log
    assert "told PYTHONHASHSEED=0\n" in whole.log
    assert "told SOURCE_DATE_EPOCH=1600000000\n" in whole.log
    assert "told MAKEFLAGS=-j1\n" in whole.log
    assert f"told TMPDIR={whole.workshop.work}/build-" in whole.log


def test_variables_and_settings_of_the_recipe_reach_the_build(whole: Whole) -> None:
    assert "told SITE=/site/1.0\n" in whole.log
    assert "told settings {'blas': '/site/1.0/blas'}\n" in whole.log
    (flags,) = [line for line in whole.log.splitlines() if "told CFLAGS=" in line]
    assert flags.endswith(" -DSITE")
    assert "-O" in flags


def test_the_commands_of_the_recipe_run_in_order_in_the_source(whole: Whole) -> None:
    assert "told steps ['after-source', 'before-build']\n" in whole.log
    assert f"\n{WHEEL}\n" in whole.log.partition("ls $WHEELHOUSE_WHEEL_DIR")[2]


def test_what_the_recipe_requires_is_a_constraint_on_what_the_source_requires(whole: Whole) -> None:
    assert "told helper 1.0\n" in whole.log


# -- what is installed to build --------------------------------------------------------------------------

HELPED = "import helper; print('told helper', helper.VERSION)"


@pytest.mark.slow
def test_without_isolation_exactly_what_the_recipe_requires_is_installed(workshop: Workshop) -> None:
    for each in ("1.0", "2.0"):
        helper(workshop.sources, each)
    workshop.package(build=HELPED, build_requires=["helper"])
    workshop.recipe("demo", 'build-isolation = false\nbuild-requires = ["helper<2"]')
    record = workshop.build()
    assert record.ok, record.problem
    assert "told helper 1.0\n" in workshop.log(record)
    assert record.tools["helper"] == "1.0"


@pytest.mark.slow
@pytest.mark.parametrize("where", ["house/generic", "output"])
def test_what_is_installed_comes_from_the_wheelhouse_and_the_output(quick: Workshop, where: str) -> None:
    helper(quick.directory / where, "1.0")
    quick.package(build=HELPED, build_requires=["helper"])
    record = quick.build()
    assert record.ok, record.problem
    assert "told helper 1.0\n" in quick.log(record)


@pytest.mark.slow
def test_a_pip_that_is_too_old_is_upgraded(quick: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "installed", lambda *_: {"pip": "22.0"})
    quick.package()
    record = quick.build()
    assert record.ok, record.problem
    assert "-m pip install --upgrade 'pip>=23.1'\n" in quick.log(record)


# -- compiled packages -----------------------------------------------------------------------------------


def library_of(wheel: Path) -> tuple[bytes, str]:
    """The one library in *wheel*, and what readelf says of its notes."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".so")]
        library = Path(archive.extract(name, wheel.parent / "unpacked"))
    need("readelf")
    notes = subprocess.run(["readelf", "-n", library], capture_output=True, text=True, check=True).stdout
    return library.read_bytes(), notes


@compiles
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the built-in ladder is that of x86-64")
@pytest.mark.parametrize("arch", ["generic", "avx2"])
def test_a_c_extension_is_compiled_for_its_arch_and_comes_out_the_same_again(
    workshop: Workshop, arch: str
) -> None:
    workshop.c_extension()
    job = workshop.job("fast", arch=arch, layer="gentoo")
    record = workshop.build(job)
    assert record.ok, record.problem
    assert record.directory == f"gentoo/{arch}"
    assert f" {record.flags['CFLAGS']} " in workshop.log(record)  # as the compiler was run
    assert "-O" in record.flags["CFLAGS"]
    assert {"cc", "ld"} <= record.tools.keys()
    wheel = workshop.output / record.wheel
    assert_whole(wheel)
    library, notes = library_of(wheel)
    assert ("x86-64-v3" in notes) is (arch == "avx2")
    assert (b"baseline" in library) is (arch == "generic")
    if arch == "avx2":
        again = workshop.build(job)
        assert (again.result, again.wheel_sha256) == ("present", record.wheel_sha256)


# -- what is done to a finished wheel --------------------------------------------------------------------

FINISHED = """\
[wheel]
add-requires = ["added>=1"]
remove-requires = ["dropped"]
replace-requires = ["kept>=2"]
local-label = "site"
[phases]
before-test = ["echo told $PWD; echo told path $PATH"]
[test]
imports = ["demo"]
statements = ["import demo; assert demo.VALUE == 1"]
"""


def finished(workshop: Workshop, value: int) -> BuildRecord:
    """The record of a build that edits its wheel and verifies it."""
    requires = ("dropped", "kept>=1")
    workshop.package(files={"demo.py": f"VALUE = {value}\n"}, requires=requires)
    for name in ("added-1.0", "kept-2.0"):
        make_wheel(workshop.directory / "house/generic", f"{name}-py3-none-any.whl")
    workshop.recipe("demo", FINISHED)
    return workshop.build(verify=True)


@pytest.mark.slow
def test_a_wheel_is_edited_and_verified_with_what_the_wheelhouse_has(quick: Workshop) -> None:
    record = finished(quick, 1)
    assert record.ok, record.problem
    assert [each.name for each in record.phases][-3:] == ["edit", "verify", "finish"]
    wheel = quick.output / "demo-1.0+site-py3-none-any.whl"
    assert record.wheel == wheel.name
    assert_whole(wheel)
    assert requirements_of(str(wheel)) == ["kept>=2", "added>=1"]
    assert f"told {quick.work}/build-" in quick.log(record)
    assert sys.prefix not in quick.log(record).partition("told path ")[2].partition("\n")[0]


@pytest.mark.slow
def test_a_wheel_that_fails_its_test_is_not_placed(quick: Workshop) -> None:
    record = finished(quick, 2)
    assert_failed(
        record, quick, "verify", "statement: 'import demo; assert demo.VALUE == 1': exited with 1: "
    )
    assert "AssertionError" in record.tail


@pytest.mark.slow
def test_a_pure_wheel_of_the_index_is_taken_as_it_is_and_what_the_site_made_of_it_is_not(
    quick: Workshop,
) -> None:
    upstream = make_wheel(quick.sources, WHEEL, requires_dist=("added>=1",))
    quick.recipe("demo", '[wheel]\nlocal-label = "site"')
    first = quick.build()
    assert first.ok, first.problem
    assert [each.name for each in first.phases] == ["host", "source", "edit", "finish"]
    assert (first.source_sha256, first.wheel) == (sha256_of(str(upstream)), "demo-1.0+site-py3-none-any.whl")
    shutil.copy(
        quick.output / first.wheel, quick.directory / "house/generic/demo-1.0+site-1000x-py3-none-any.whl"
    )
    again = quick.build()
    assert (again.result, again.wheel, again.wheel_sha256) == ("present", first.wheel, first.wheel_sha256)


@compiles
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="a flag of x86-64")
@pytest.mark.parametrize("repository", [False, True], ids=["plain", "git"])
def test_a_directory_is_compiled_anew_whatever_a_build_has_left_in_it(
    workshop: Workshop, repository: bool
) -> None:
    checkout = workshop.sources / "fast"
    with tarfile.open(workshop.c_extension()) as sdist:
        sdist.extractall(workshop.sources)
    (workshop.sources / "fast-1.0").rename(checkout)
    (checkout / "setup.cfg").write_text("[options.package_data]\n* = *.so\n")
    if repository:
        make_repository(checkout, {".gitignore": "*.egg-info\n"})
    for in_place in ([], ["--inplace"]):  # what a developer does
        command = [sys.executable, "setup.py", "--quiet", "build_ext", *in_place]
        subprocess.run(command, check=True, cwd=checkout, env=clean_environ(CFLAGS="-mavx512f"))
    assert len(list(checkout.glob("build/*/*.*o"))) == 2
    workshop.recipe("fast", "")
    record = workshop.build(workshop.job("fast==1.0", arch="avx2", layer="gentoo"))
    assert record.ok, record.problem
    library, _ = library_of(workshop.output / record.wheel)
    assert b"LEVEL IS avx2." in library
    assert b"LEVEL IS avx512." not in library


@compiles
@requires("readelf")
def test_the_rpath_of_the_recipe_stands_in_the_libraries(quick: Workshop) -> None:
    quick.package(extension=True)
    quick.recipe("demo", 'env.SITE = "/site"\n[wheel]\nrpath = ["${SITE}/lib"]')
    record = quick.build()
    assert record.ok, record.problem
    assert record.tools["patchelf"]
    with zipfile.ZipFile(quick.output / record.wheel) as archive:
        library = archive.extract(next(n for n in archive.namelist() if n.endswith(".so")), quick.directory)
    told = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    assert "/site/lib" in next(line for line in told.splitlines() if "PATH" in line)


# -- failures --------------------------------------------------------------------------------------------


def assert_failed(record: BuildRecord, workshop: Workshop, phase: str, problem: str) -> None:
    """Assert that the build failed in *phase* for that *problem*, says so everywhere, and left nothing."""
    assert record.result == "failed"
    assert record.problem.startswith(f"{phase}: {problem}"), record.problem
    assert record.problem.isprintable()
    assert [each.ok for each in record.phases] == [True] * (len(record.phases) - 1) + [False]
    assert record.phases[-1].name == phase
    assert f"=== {phase} failed: " in workshop.log(record)
    written = json.loads(Path(record.log).with_suffix(".json").read_bytes())
    assert (written["problem"], written["tail"]) == (record.problem, record.tail)
    assert not [name for name in workshop.placed() if name != WHEEL]
    assert workshop.left() == []


COMMAND = "command 'echo oh no >&2; false' exited with 1"


@pytest.mark.parametrize(
    ("phase", "recipe", "body", "problem", "tail"),
    [
        ("prepare", 'phases.after-source = ["echo oh no >&2; false"]', "", f"after-source {COMMAND}", "oh"),
        ("prepare", 'env.A = "${UNSET_X}"', "", "RECIPE: env.A: '${UNSET_X}' uses UNSET_X", ""),
        (
            "prepare",
            "[[substitute]]\nfiles='*'\npattern='nowhere'\nreplacement=''",
            "",
            "RECIPE: substitute[1]: 'nowhere' matches nothing in *",
            "",
        ),
        ("environment", 'build-isolation = false\nbuild-requires = ["missing"]', "", "pip install", "miss"),
        ("build", "", "raise SystemExit('oh no')", "pip wheel exited with 1: oh no", "oh no"),
        ("build", 'phases.before-build = ["echo oh no >&2; false"]', "", f"before-build {COMMAND}", "oh no"),
        ("build", 'phases.before-build = ["echo $UNSET_X"]', "", "before-build command", "UNSET_X"),
        ("build", 'phases.after-build = ["false | true"]', "", "after-build command 'false | true'", ""),
    ],
    ids=["after-source", "variable", "change", "needs", "wheel", "before-build", "unset", "after-build"],
)  # fmt: skip
def test_a_build_that_fails_says_where_and_why(
    quick: Workshop, phase: str, recipe: str, body: str, problem: str, tail: str
) -> None:
    quick.package(build=body)
    path = quick.recipe("demo", recipe)
    record = quick.build()
    assert_failed(record, quick, phase, problem.replace("RECIPE", str(path)))
    assert tail in record.tail


def test_why_a_backend_failed_is_told_and_comes_last(quick: Workshop) -> None:
    quick.package(build="raise RuntimeError('no blas found')")
    record = quick.build()
    assert_failed(record, quick, "build", "pip wheel exited with 1: RuntimeError: no blas found")
    assert record.problem.endswith(": RuntimeError: no blas found")
    assert record.tail.splitlines()[-1] == "  RuntimeError: no blas found"


def test_a_disk_that_fills_while_a_backend_runs(quick: Workshop, small_disk: Path) -> None:
    quick.work = small_disk / "work"
    quick.package(build="open('big', 'wb').write(bytes(4 << 20))")
    record = quick.build()
    assert record.result == "failed"
    assert record.problem.startswith("build: pip wheel exited with 1: ")
    assert record.problem.endswith("No space left on device")


def test_an_edit_that_cannot_be_made(quick: Workshop) -> None:
    quick.package()
    quick.recipe("demo", '[wheel]\nremove-requires = ["missing"]')
    record = quick.build()
    assert_failed(record, quick, "edit", "")
    assert "no requirement on 'missing' to remove" in record.problem


def test_a_source_that_is_gone_or_has_changed_since_it_was_planned(quick: Workshop) -> None:
    job = quick.lost()
    assert job.source is not None
    problem = f"lost.tar.gz: cannot read {job.source.path}: No such file or directory"
    assert_failed(quick.build(job), quick, "source", problem)
    Path(job.source.path).write_text("another")
    problem = f"lost.tar.gz: {job.source.path} has the sha256 {sha256_of(job.source.path)}, not 00 as when"
    assert_failed(quick.build(job), quick, "source", problem)


@pytest.mark.slow
def test_what_is_built_is_what_was_planned(workshop: Workshop) -> None:
    """Wherever the source was from: it is needed no more, and what is there by then does not count."""
    sdist = workshop.package(build="print('told one')")
    job = workshop.plan()
    sdist.unlink()
    workshop.package(version="2.0", build="print('told two')")
    record = workshop.build(job)
    assert (record.ok, record.version) == (True, "1.0"), record.problem
    assert "told one\n" in workshop.log(record)


@pytest.mark.slow
def test_a_directory_is_built_as_it_was_when_it_was_planned(quick: Workshop) -> None:
    source = quick.package(build="print('told one')")
    job, again = quick.plan(), quick.plan()
    assert job.source is not None
    assert again.source is not None
    assert job.source.sha256 == again.source.sha256
    quick.package(build="print('told two')")
    other = quick.plan()
    assert other.source is not None
    assert other.source.sha256 != job.source.sha256
    shutil.rmtree(source)
    record = quick.build(job)
    assert record.ok, record.problem
    assert record.source_sha256 == job.source.sha256
    assert "told one\n" in quick.log(record)


@pytest.mark.slow
def test_a_git_source_is_built_from_the_commit_that_was_planned(quick: Workshop) -> None:
    repository = quick.directory / "repository"
    commit = make_repository(repository, sdist_files(build="print('told one')"), "v1.0")
    (quick.recipes / "demo.toml").write_text(
        f'source = {{ git = "{repository.as_uri()}" }}\n'
        'phases.before-build = ["echo told $(git describe --tags --dirty)"]'
    )
    job = quick.plan("demo==1.0")
    shutil.rmtree(repository)
    record = quick.build(job)
    assert record.ok, record.problem
    assert (record.source, record.source_sha256) == (f"git+{repository.as_uri()}@{commit}", "")
    assert "told one\n" in quick.log(record)
    assert "told v1.0\n" in quick.log(record)  # which setuptools-scm and the like ask for


def test_a_python_that_is_not_there(workshop: Workshop) -> None:
    record = workshop.build(replace(workshop.lost(), python="/missing/python"))
    assert_failed(record, workshop, "host", "target Python /missing/python: does not exist")


def test_a_wheel_that_cannot_run_here_cannot_be_verified_here(workshop: Workshop) -> None:
    site = workshop.site._replace(
        ladder=(Arch(name="other", rank=200, features=("neither-here-nor-there",)),),
        layers=(Layer(name="layer", directories=("layer",), archs=("other",)),),
    )
    job = workshop.lost(workshop.job(arch="other", layer="layer"))
    record = workshop.build(job, site=site, verify=True)
    reason = "the CPU lacks neither-here-nor-there"
    assert_failed(
        record, workshop, "host", f"{os.uname().nodename} cannot run other ({reason}), so it cannot"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("filename", "change", "problem"),
    [
        ("demo-2.0-py3-none-any.whl", {}, "the wheel is demo 2.0, not demo 1.0: demo-2.0-py3-none-any"),
        ("other-1.0-py3-none-any.whl", {}, "the wheel is other 1.0, not demo 1.0: other-1.0"),
        (WHEEL, {"demo-1.0.dist-info/WHEEL": b"not what it is"}, ""),
    ],
    ids=["another-version", "another-name", "unsound"],
)
def test_a_wheel_that_is_not_what_was_asked_for(
    quick: Workshop, filename: str, change: Mapping[str, bytes], problem: str
) -> None:
    quick.package()
    made = pack(quick.directory / filename, {**wheel_files(filename), **change})
    quick.recipe(
        "demo", f'[phases]\nafter-build = ["rm $WHEELHOUSE_WHEEL_DIR/*; cp {made} $WHEELHOUSE_WHEEL_DIR"]'
    )
    assert_failed(quick.build(), quick, "build", problem)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "made"),
    [("cp * another.whl", f"2 wheels, not one: another.whl, {WHEEL}"), ("rm *", "0 wheels, not one")],
    ids=["two", "none"],
)
def test_a_build_that_makes_not_one_wheel(quick: Workshop, command: str, made: str) -> None:
    quick.package()
    quick.recipe("demo", f'[phases]\nafter-build = ["cd $WHEELHOUSE_WHEEL_DIR; {command}"]')
    assert_failed(quick.build(), quick, "build", f"the after-build commands left {made}")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["added", "same", "truncated", "renamed", "twice", "without-record"])
def test_a_wheel_that_after_build_commands_change(quick: Workshop, way: str) -> None:
    change = {
        "added": "z = zipfile.ZipFile(w, 'a'); z.writestr('extra.py', 'x = 1'); z.close()",
        "same": "pass",
        "truncated": "os.truncate(w, 200)",
        "renamed": "os.rename(w, w.replace('demo-1.0', 'other-1.0'))",
        "twice": "z = zipfile.ZipFile(w, 'a'); z.writestr('demo.py', 'x = 1'); z.close()",
        "without-record": "z = zipfile.ZipFile(w, 'w'); z.writestr('demo-1.0.dist-info/A', ''); z.close()",
    }[way]
    script = quick.directory / "change.py"
    head = "import os, shutil, sys, warnings, zipfile; warnings.simplefilter('ignore'); w = sys.argv[1]"
    script.write_text(f"{head}\nshutil.copy(w, {str(quick.directory / 'plain')!r})\n{change}\n")
    quick.package()
    quick.recipe("demo", f'[phases]\nafter-build = ["python {script} $WHEELHOUSE_WHEEL_DIR/{WHEEL}"]')
    record = quick.build()
    if way not in ("added", "same"):
        assert record.result == "failed"
        assert {"truncated": "invalid zip", "twice": "duplicate", "renamed": "other"}.get(way, "RECORD") in (
            record.problem
        )
        return
    assert (record.result, record.problem) == ("built", "")
    assert any("RECORD was written anew" in each for each in record.notes) == (way == "added")
    made = quick.output / WHEEL
    assert ("extra.py" in check_wheel(str(made)).digests) == (way == "added")
    with zipfile.ZipFile(made) as archive:  # the source's time, not that of the build
        (when,) = {each.date_time for each in archive.infolist()}
    assert when[:1] < time.gmtime()[:1]


def test_another_wheel_of_that_name_is_in_the_way(quick: Workshop) -> None:
    quick.package()
    standing = make_wheel(quick.output, WHEEL, files={"demo.py": "other"}).read_bytes()
    problem = f"{quick.output / WHEEL}: already exists with different content"
    assert_failed(quick.build(), quick, "finish", problem)
    assert (quick.output / WHEEL).read_bytes() == standing


@pytest.mark.slow
def test_a_command_that_hangs_is_stopped(quick: Workshop) -> None:
    quick.package(build="import time; print('waiting', flush=True); time.sleep(600)")
    start = time.monotonic()
    record = quick.build(timeout=6.0)
    assert_failed(record, quick, "build", "pip wheel stopped: it took longer than 6 s")
    assert "waiting" in record.tail
    assert time.monotonic() - start < 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "limit", "problem"),
    [
        ("import time; time.sleep(60)", {"time": "0:06"}, "stopped: the build took longer than 6 s"),
        (
            "import time; kept = b'x' * (400 << 20); time.sleep(60)",
            {"memory": "300M"},
            "stopped: it used more than 300 MB of memory",
        ),
    ],
    ids=["time", "memory"],
)
def test_a_build_that_exceeds_its_resources_is_stopped(
    quick: Workshop, code: str, limit: Mapping[str, str], problem: str
) -> None:
    quick.package(build=code)
    assert_failed(quick.build(**limit), quick, "build", f"pip wheel {problem}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    for disk in mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs"):
        yield disk.path


@pytest.mark.slow
def test_a_full_disk_fails_a_build_in_one_line(workshop: Workshop, small_disk: Path) -> None:
    workshop.work = small_disk / "work"
    workshop.package()
    record = workshop.build()  # an environment needs more
    assert (record.result, record.phases[-1].name) == ("failed", "environment")
    assert record.problem.startswith("environment: ")
    assert "No space left on device" in record.problem
    assert record.problem.isprintable()
    assert workshop.left() == []
    assert workshop.placed() == []
    # The disk has room again, now that the build directory is gone.
    assert json.loads(Path(record.log).with_suffix(".json").read_bytes())["problem"] == record.problem


def test_a_disk_that_is_full_of_other_things(workshop: Workshop, small_disk: Path) -> None:
    workshop.work = small_disk / "work"
    workshop.work.mkdir()
    with contextlib.suppress(OSError):
        (small_disk / "filler").write_bytes(bytes(2 << 20))
    record = workshop.build(workshop.lost())
    assert record.result == "failed"
    assert "No space left on device" in record.problem + record.tail
    assert workshop.placed() == []
    assert workshop.left() == []


def test_an_output_that_is_full_gets_no_part_of_a_wheel(quick: Workshop, small_disk: Path) -> None:
    quick.output = small_disk / "output"
    quick.package(build="open('big.py', 'w').write('#' * (2 << 20))")
    problem = f"cannot write {quick.output / WHEEL}: No space left on device"
    assert_failed(quick.build(), quick, "finish", problem)
    assert os.listdir(quick.output) == []


def test_a_fault_of_ours_is_a_failed_build(quick: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: Any) -> None:
        raise KeyError("oh")

    monkeypatch.setattr(provenance, "tool_versions", faulty)
    quick.package()
    assert_failed(quick.build(), quick, "environment", "internal error: KeyError: 'oh'")


def test_a_work_directory_that_cannot_be_written(workshop: Workshop) -> None:
    workshop.work.write_text("a file")
    record = workshop.build(workshop.lost())
    assert (record.result, record.log) == ("failed", "")
    assert record.problem == f"cannot write {workshop.work}/logs: Not a directory"
    record = workshop.build(workshop.lost(), logs=str(workshop.directory / "logs"))
    assert record.problem == f"cannot write {workshop.work}: File exists"
    assert json.loads(Path(record.log).with_suffix(".json").read_bytes())["problem"] == record.problem


# -- keeping, interrupting, and more than one at once ----------------------------------------------------


def test_the_build_directory_is_kept_when_that_is_asked_for(quick: Workshop) -> None:
    quick.package(build="open('made', 'w').close()")
    record = quick.build(keep=True, logs=str(quick.directory / "elsewhere"))
    assert record.ok, record.problem
    (kept,) = quick.left()
    assert list((quick.work / kept).rglob("made"))
    assert os.path.dirname(record.log) == str(quick.directory / "elsewhere")
    assert not (quick.work / "logs").exists()


@pytest.mark.slow
def test_an_interrupted_build_says_so_and_leaves_nothing(quick: Workshop) -> None:
    pid = quick.directory / "pid"
    body = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    quick.package(build=body)

    def interrupt() -> None:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt) as caught:
        quick.build()
    assert isinstance(caught.value, build_wheel.BuildInterrupted)
    assert_failed(caught.value.record, quick, "build", "interrupted")
    assert not is_alive(int(pid.read_text()))


@pytest.mark.slow
def test_two_builds_of_one_package_at_once(workshop: Workshop) -> None:
    workshop.package(build="import time; time.sleep(1)")
    records: list[BuildRecord] = []
    threads = [threading.Thread(target=lambda: records.append(workshop.build())) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.result for each in records) == ["built", "present"]
    assert len({each.log for each in records}) == 2
    assert workshop.placed() == [WHEEL, f"{WHEEL}.build.json"]
    assert_whole(workshop.output / WHEEL)
    assert record_of(str(workshop.output / WHEEL)) in records
    assert workshop.left() == []
