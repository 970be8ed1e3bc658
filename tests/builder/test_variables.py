from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_tree
from tests.requires import requires
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.builder.toolchain.variables import (
    base_environ,
    build_variables,
    constraint_lines,
    joined_flags,
    own_flags,
    path_flags,
    pip_text,
    recorded_variables,
    with_path,
    without_pip,
)
from wheelhouse_resolver.installers.pip_config import static_configs
from wheelhouse_resolver.installers.static_files import write_static_configs
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url

JOB = Job(
    requirement="demo", project="demo", python="/py", python_version="3.11", arch="avx2", layer="gentoo"
)


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "VIRTUAL_ENV", "CFLAGS", "LDFLAGS",
        "CPPFLAGS", "MAKEFLAGS", "SOURCE_DATE_EPOCH", "PIP_FIND_LINKS", "PIP_CONSTRAINT", "PIP_TARGET",
        "PIP_USER", "PIP_NO_BINARY", "PIP_REQUIRE_VIRTUALENV", "GIT_DIR", "GIT_INDEX_FILE",
    ],
)  # fmt: skip
def test_what_would_make_a_wheel_depend_on_who_builds_it_is_dropped(name: str) -> None:
    assert name not in base_environ({name: "x"}, "/scratch")


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "CC", "LD_LIBRARY_PATH", "PIP_CERT", "PIP_INDEX_URL", "LOADEDMODULES"]
)
def test_what_says_where_things_are_is_kept(name: str) -> None:
    assert base_environ({name: "x"}, "/scratch")[name] == "x"


def test_a_build_has_its_own_pip_configuration_and_temporary_directory() -> None:
    found = base_environ(
        {"PIP_CONFIG_FILE": "/users/own.conf", "TMPDIR": "/tmp", "LC_ALL": "de_DE"}, "/scratch"
    )
    assert found == {
        "PIP_CONFIG_FILE": "/scratch/pip.conf",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "TMPDIR": "/scratch/tmp",
        "WHEELHOUSE_BUILD_DIRECTORY": "/scratch",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def test_what_a_module_sets_stays_but_for_pip() -> None:
    loaded = {
        "PYTHONPATH": "/module",
        "CFLAGS": "-O1",
        "PIP_CONFIG_FILE": "/module/pip.conf",
        "PIP_FIND_LINKS": "/x",
    }
    found = without_pip(loaded, "/scratch")
    assert (found["PYTHONPATH"], found["CFLAGS"]) == ("/module", "-O1")
    assert found["PIP_CONFIG_FILE"] == "/scratch/pip.conf"
    assert "PIP_FIND_LINKS" not in found


def test_a_wheelhouses_own_configuration_for_users_is_not_that_of_builds(tmp_path: Path) -> None:
    site = make_tree(tmp_path / "house", {})
    assert [*write_static_configs(static_configs(site, offline=True), str(tmp_path / "etc"), "xdg")]
    ours = str(tmp_path / "etc/avx2-gentoo")
    for rest in ("/etc/xdg", "/mine:/etc/xdg"):
        for before in (rest, f"{ours}:{rest}", f"/theirs:{ours}:{rest}"):
            found = base_environ({"XDG_CONFIG_DIRS": before}, "/scratch")
            assert found["XDG_CONFIG_DIRS"] == before.replace(f"{ours}:", "")
    assert "XDG_CONFIG_DIRS" not in base_environ({"XDG_CONFIG_DIRS": ours}, "/scratch")


# -- pip.conf --------------------------------------------------------------------------------------------


def written(
    site: Site, tmp_path: Path, runnable: tuple[str, ...], job: Job = JOB, **more: Any
) -> Mapping[str, str]:
    how = {key: more.pop(key) for key in ("constraints", "upstream") if key in more}
    options = BuildOptions(site=site, work="/work", logs="/logs", output=str(tmp_path / "out"), **more)
    parser = configparser.RawConfigParser()
    parser.read_string(pip_text(job, options, runnable, **how))
    assert parser.sections() == ["global"]
    return dict(parser["global"])


def links(site: Site, *labels: str) -> list[str]:
    return [file_url(os.path.join(site.root, label)) for label in labels]


def test_pip_looks_into_the_output_then_the_given_directories_then_the_wheelhouse(tmp_path: Path) -> None:
    site = make_tree(tmp_path / "house", {})
    found = written(site, tmp_path, ("sse3", "avx", "avx2", "avx512"), find_links=("/more",))
    house = links(site, "gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic")
    assert found["find-links"].split() == [file_url(str(tmp_path / "out")), "file:///more", *house]


def test_what_is_built_anew_is_not_looked_for_in_what_the_site_has_made(tmp_path: Path) -> None:
    site = make_tree(tmp_path / "house", {})._replace(pip={"find-links": ("/mirror",)})
    given = ("/more", site.root + "/generic", str(tmp_path / "out"))
    found = written(site, tmp_path, ("avx2",), find_links=given, upstream=True)
    assert found["find-links"].split() == ["file:///more", "/mirror"]


@pytest.mark.parametrize(
    ("runnable", "labels"),
    [
        (("sse3", "avx"), ["gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic"]),
        ((), ["gentoo/generic", "generic"]),
    ],
    ids=["lower", "none"],
)
def test_what_this_host_cannot_run_is_not_installed_to_build(
    runnable: tuple[str, ...], labels: list[str], tmp_path: Path
) -> None:
    site = make_tree(tmp_path / "house", {})
    assert written(site, tmp_path, runnable)["find-links"].split()[1:] == links(site, *labels)


def test_a_job_without_a_layer_uses_the_top_level(tmp_path: Path) -> None:
    site = make_tree(tmp_path / "house", {})
    job = Job(requirement="demo", project="demo", python="/py", python_version="3.11")
    assert written(site, tmp_path, ("sse3",), job)["find-links"].split()[1:] == links(site, "generic")


def test_of_the_sites_settings_those_count_that_say_where_things_are(tmp_path: Path) -> None:
    pip = {
        "index-url": "https://mirror.example.org/simple",
        "only-binary": ("numpy",),
        "constraint": ("/site/constraints.txt",),
        "require-hashes": True,
        "user": True,
        "install": {"only-binary": (":all:",)},
    }
    site = make_tree(tmp_path / "house", {})._replace(pip=pip)
    found = written(site, tmp_path, ())
    assert {key: value for key, value in found.items() if key != "find-links"} == {
        "index-url": "https://mirror.example.org/simple",
        "only-binary": "numpy",
    }


def test_constraints_on_what_builds_stand_under_the_names_of_all_pips(tmp_path: Path) -> None:
    site = make_tree(tmp_path / "house", {})._replace(pip={"build-constraint": ("/site/b.txt",)})
    found = written(site, tmp_path, (), constraints=("/scratch/c.txt",))
    assert found["build-constraint"].split() == ["/site/b.txt", "file:///scratch/c.txt"]
    assert found["constraint"] == found["build-constraint"]


def test_offline_means_no_index(tmp_path: Path) -> None:
    assert written(make_tree(tmp_path / "house", {}), tmp_path, (), offline=True)["no-index"] == "true"


def test_pip_reads_what_is_written(tmp_path: Path) -> None:
    site = make_tree(tmp_path / "a house", {})
    options = BuildOptions(site=site, work="/work", output=str(tmp_path / "out put"), logs="/logs")
    (tmp_path / "pip.conf").write_text(pip_text(JOB, options, ("avx2",)))
    environ = base_environ(os.environ, str(tmp_path))
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("global.find-links=")]
    assert ast.literal_eval(line.partition("=")[2]).split() == [
        file_url(str(tmp_path / "out put")),
        *links(site, "gentoo/avx2", "gentoo/generic", "generic"),
    ]


def test_requirements_as_constraints() -> None:
    lines = constraint_lines(["numpy[x]>=2.0", "cython", "Demo==1", "c<4; python_version < '4'"], "demo")
    assert lines == ["numpy>=2.0", 'c<4; python_version < "4"']


def test_what_is_no_requirement_is_no_constraint() -> None:
    with pytest.raises(ValueError, match="a b"):
        constraint_lines(["a b"], "demo")


# -- variables -------------------------------------------------------------------------------------------


def test_an_environment_is_activated() -> None:
    assert with_path({"PATH": "/bin"}, "/env/bin/python") == {"PATH": "/env/bin:/bin", "VIRTUAL_ENV": "/env"}


def test_flags_are_joined() -> None:
    first = {"CFLAGS": "-O1 -march=native", "CC": "gcc"}
    assert joined_flags(first, {"CFLAGS": "-march=x86-64-v3", "LDFLAGS": "-Wl,x"}) == {
        "CFLAGS": "-O1 -march=native -march=x86-64-v3",
        "LDFLAGS": "-Wl,x",
    }


@pytest.mark.parametrize(
    ("optimisation", "c", "fortran"),
    [
        ("-DNDEBUG -g -fwrapv -O3 -Wall", "-DNDEBUG -g -fwrapv -O3 -Wall", "-O3"),
        ("-DNDEBUG", "-DNDEBUG -O2", "-O2"),
        ("", "-O2", "-O2"),
    ],
)
def test_what_python_compiles_with_is_kept(optimisation: str, c: str, fortran: str) -> None:
    found = own_flags(optimisation)
    assert found == {"CFLAGS": c, "CXXFLAGS": c, "FFLAGS": fortran, "FCFLAGS": fortran}


def test_time_is_that_of_the_newest_file(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b/c", "d")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (1_600_000_000 - number, 1_600_000_000 - number))
    assert build_variables(str(tmp_path), 4) == {
        "SOURCE_DATE_EPOCH": "1600000000",
        "MAKEFLAGS": "-j4",
        "CMAKE_BUILD_PARALLEL_LEVEL": "4",
    }


def test_time_is_one_that_a_zip_file_can_hold(tmp_path: Path) -> None:
    assert build_variables(str(tmp_path), 1)["SOURCE_DATE_EPOCH"] == "315532800"


@requires("git")
def test_of_a_checkout_time_is_that_of_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    environ = {
        **os.environ,
        "GIT_AUTHOR_DATE": "@1500000000 +0000",
        "GIT_COMMITTER_DATE": "@1500000000 +0000",
    }
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "m"]):
        subprocess.run([*git, *command], check=True, env=environ)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert build_variables(str(tmp_path), 1)["SOURCE_DATE_EPOCH"] == "1500000000"


@requires("cc")
def test_the_path_of_the_build_is_kept_out_of_what_is_compiled(tmp_path: Path) -> None:
    source = tmp_path / "demo.c"
    source.write_text("const char *where(void) { return __FILE__; }\n")
    flags = path_flags(os.environ, str(tmp_path))
    assert set(flags) == {"CFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS"}
    output = tmp_path / "demo.o"
    subprocess.run(["cc", "-g", flags["CFLAGS"], "-c", source, "-o", output], check=True, cwd=tmp_path)
    content = output.read_bytes()
    assert str(tmp_path).encode() not in content
    assert b"/build/demo.c" in content


@pytest.mark.parametrize("compiler", ["/missing", "false", "sh -c 'echo warning >&2'"])
def test_a_compiler_that_does_not_know_how_is_not_told(compiler: str) -> None:
    assert path_flags({**os.environ, "CC": compiler}, "/scratch") == {}


# -- what is recorded_variables
# ------------------------------------------------------------------------------------


def test_what_bears_on_a_build_is_recorded() -> None:
    environ = {
        "PATH": "/bin",
        "CC": "gcc",
        "EBROOTHDF5": "/easybuild/hdf5",
        "CFLAGS": "-O2",
        "SHELL": "zsh",
        "HDF5_DIR": "/hdf5",
        "INDEX": "https://me:secret@example.org/simple",
        "GITHUB_TOKEN": "secret",
    }
    assert recorded_variables(environ, ["HDF5_DIR", "INDEX", "GITHUB_TOKEN", "UNSET"]) == {
        "CC": "gcc",
        "EBROOTHDF5": "/easybuild/hdf5",
        "HDF5_DIR": "/hdf5",
        "INDEX": "https://example.org/simple",
        "PATH": "/bin",
    }
