"""Fixtures that all tests share."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from tests.factories import clean_environ
from tests.hidden import hide_pythons
from tests.pips import OLDEST, fetch_pip
from tests.programs import PROGRAMS, Program, program_of
from tests.slurm import Cluster, cluster
from wheelhouse_resolver.builder.process.virtualenvs import make_environment

# In a background job of a script SIGINT is ignored, after nohup SIGHUP, and so they are in all that such a
# job starts. People's terminals send them: the programs under test begin as theirs do.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Before any module of tests is imported: some look for Pythons then.
hide_pythons()

# The same examples in every run, so that one tells of a change. `--hypothesis-profile=default` tries others.
settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")

#: The names of all tests that this run has collected, also of those that it leaves out.
COLLECTED = pytest.StashKey[list[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note what was collected, before a mark leaves some of it out."""
    config.stash[COLLECTED] = [item.nodeid for item in items]


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache and configuration, and the machine's layer, out of every test."""
    home: Path = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("WHEELHOUSE_", "RSNT_", "EB", "NIX")) or name == "EPREFIX":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name in (
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "XDG_DATA_HOME",
        "XDG_CONFIG_DIRS",
        "XDG_DATA_DIRS",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def others_may_run_us() -> None:
    """Skip what runs as another user where that one cannot read this checkout and its environment."""
    for place in (Path(__file__).resolve(), Path(sys.prefix).resolve()):
        for above in place.parents:
            if os.geteuid() == 0 and not above.stat().st_mode & stat.S_IXOTH:
                pytest.skip(f"other users may not enter {above}, which holds this checkout")


@pytest.fixture(scope="session")
def pips_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the releases of pip are, for all workers of this session."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "pips"


@pytest.fixture(scope="session")
def oldest_pip(pips_directory: Path) -> list[str]:
    """The command of the oldest pip that knows `--report` and runs on this Python."""
    return fetch_pip(f"pip=={OLDEST}", pips_directory)


@pytest.fixture(scope="session")
def newest_pip(pips_directory: Path) -> list[str]:
    """The command of the newest pip that runs on this Python."""
    return fetch_pip("pip", pips_directory)


@pytest.fixture(
    params=[
        pytest.param("oldest_pip", id="oldest-pip", marks=pytest.mark.network),
        pytest.param("newest_pip", id="newest-pip", marks=pytest.mark.network),
    ]
)
def any_pip(request: pytest.FixtureRequest) -> list[str]:
    """The commands of the oldest and of the newest pip, one after the other."""
    command: list[str] = request.getfixturevalue(request.param)
    return command


@pytest.fixture(params=[pytest.param(each, id=each, marks=pytest.mark.network) for each in PROGRAMS])
def program(request: pytest.FixtureRequest, pips_directory: Path) -> Program:
    """The installers of which everything that we promise must hold, one after the other."""
    return program_of(request.param, pips_directory)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real Slurm of this one node; the environment in which its commands find it."""
    yield from cluster(tmp_path_factory.mktemp("slurm"))


@pytest.fixture(scope="session")
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of the tests' Python, whose pip is compiled."""
    place = tmp_path_factory.mktemp("environment")
    environ = clean_environ()
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    log = str(place / "log.txt")
    python = make_environment(sys.executable, str(place / "made"), log=log, environ=environ)
    for arguments in (["check"], ["install", "--no-index", "nothing"]):
        subprocess.run([python, "-m", "pip", *arguments], env=environ, capture_output=True)
    return place / "made"


@pytest.fixture
def quick_environments(_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let verification copy an environment instead of making one: a third of the time."""

    def copied(python: str, directory: str, *, log: str, environ: Mapping[str, str]) -> str:
        if python != sys.executable:
            return make_environment(python, directory, log=log, environ=environ)
        shutil.copytree(_environment, directory, symlinks=True, copy_function=os.link)
        return os.path.join(directory, "bin", "python")

    monkeypatch.setattr("wheelhouse_resolver.builder.verification.verify.make_environment", copied)
