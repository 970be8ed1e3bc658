"""The scientific Python stack, as the index has it, locked and really installed offline."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import make_tree, run_pip
from tests.pips import pip_environ, real_environ
from tests.resolution import lock
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.resolution.lockfile import lock_text
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url

pytestmark = [pytest.mark.network, pytest.mark.slow]

HOST = Host(arch="avx2", layer="gentoo")

STACK = ("numpy", "scipy", "pandas", "matplotlib", "ipython", "sympy", "pytest")

#: Older ones with what they need, so that there is a choice; all have wheels for Python 3.10 to 3.13.
OLDER = (
    "numpy<2.3",
    "scipy<1.16",
    "pandas<2.3",
    "matplotlib<3.10",
    "ipython<8.30",
    "sympy<1.13.2",
    "pytest<8",
)

ASKED = [
    pytest.param(STACK, id="all"),
    pytest.param(("pandas<2.3", "scipy"), id="older-pandas"),
    pytest.param(("scipy<1.16", "matplotlib"), id="older-scipy"),
    pytest.param(("numpy<2.3", "pandas", "matplotlib"), id="older-numpy"),
    pytest.param(("ipython[matplotlib]<8.30", "sympy<1.13.2"), id="an-extra"),
    pytest.param(("pytest<8", "matplotlib<3.10", "ipython"), id="older-tools"),
    pytest.param(("pandas>=2.2,<2.3", "numpy<1"), id="no-solution"),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A wheelhouse with all of it in `generic` and the older ones in `gentoo/avx2`."""
    root = tmp_path_factory.mktemp("stack") / "wheelhouse"
    site = make_tree(root, {})
    for label, wanted in (("generic", STACK), ("gentoo/avx2", OLDER)):
        options = ["--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--dest", root / label]
        download = [sys.executable, "-m", "pip", "download", *map(str, options), *wanted]
        subprocess.run(download, env=real_environ(), check=True)
    # What both have is one file, so that no tag or stamp plays a part here.
    for wheel in (root / "gentoo/avx2").iterdir():
        if (root / "generic" / wheel.name).exists():
            wheel.unlink()
    return site


@pytest.fixture
def configuration(stack: Site, tmp_path: Path) -> Path:
    path = tmp_path / "pip.conf"
    path.write_text(pip_config(stack, HOST, offline=True).render("ini"))
    return path


@pytest.mark.parametrize("asked", ASKED)
def test_what_pip_would_install(
    asked: tuple[str, ...], stack: Site, configuration: Path, newest_pip: list[str]
) -> None:
    done = run_pip(
        *("install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-", *asked),
        environ=pip_environ(PIP_CONFIG_FILE=str(configuration)),
        pip=newest_pip,
    )
    found = lock(asked, stack, HOST)
    assert (found.conflict is None) == (done.returncode == 0), done.stderr
    if found.conflict is None:
        theirs = {item["download_info"]["url"] for item in json.loads(done.stdout)["install"]}
        assert {file_url(each.candidate.path) for each in found.packages} == theirs
    else:
        assert any("numpy<1 was asked for" in line for line in found.conflict.lines())


@pytest.mark.parametrize(("form", "name"), [("pylock", "pylock.toml"), ("requirements", "locked.txt")])
def test_installed_offline_into_a_fresh_environment(
    form: str, name: str, stack: Site, newest_pip: list[str], tmp_path: Path
) -> None:
    found = lock(STACK, stack, HOST, constraints=["numpy<2.3"])
    (tmp_path / name).write_text(lock_text(found, HOST, form))
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin/python"
    report = tmp_path / "report.json"
    done = run_pip(
        *("--python", python, "install", "--quiet", "--no-index", "--no-compile"),
        *("--report", report, "-r", tmp_path / name),
        environ=pip_environ(),
        pip=newest_pip,
    )
    assert done.returncode == 0, done.stderr
    urls = {file_url(each.candidate.path) for each in found.packages}
    assert {item["download_info"]["url"] for item in json.loads(report.read_text())["install"]} == urls

    environ = {**pip_environ(), "MPLBACKEND": "Agg", "MPLCONFIGDIR": str(tmp_path), "HOME": str(tmp_path)}
    code = (
        "import numpy, scipy.linalg, pandas, matplotlib.pyplot, IPython, sympy, pytest\n"
        "from importlib.metadata import distributions\n"
        "print(numpy.__version__, scipy.linalg.det(numpy.eye(2)), len(list(distributions())))"
    )
    ran = subprocess.run([python, "-c", code], env=environ, text=True, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    version, det, count = ran.stdout.split()
    assert version.startswith("2.2.")
    assert (det, count) == ("1.0", str(len(found.packages)))
    shutil.rmtree(venv)
