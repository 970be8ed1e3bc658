"""`build` as users run it: in processes of its own, with pip, environments and setuptools."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.builder.sources import make_repository, make_sdist, pack_source, sdist_files
from tests.builder.workshop import seeds
from tests.factories import clean_environ, make_tree, make_wheel, run_cli
from wheelhouse_resolver.builder.process.network import NetworkError, check_network_can_be_left
from wheelhouse_resolver.builder.records.record import record_of

pytestmark = pytest.mark.slow


def test_every_path_may_be_relative(tmp_path: Path) -> None:
    """That of the site file, of the program's own Python and where that finds its modules among them."""
    make_tree(tmp_path / "house", {})
    make_package(tmp_path / "sources", "base")
    make_repository(tmp_path / "checkout", sdist_files("demo", requires=["base"]))
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/demo.toml").write_text('source.git = "../checkout"\n')
    (tmp_path / "site.toml").write_text(f'root = "{tmp_path}/house"\n[build]\nrecipes = ["recipes"]\n')
    (tmp_path / "packages.txt").write_text("demo==1.0\n-c limits.txt\n")
    (tmp_path / "limits.txt").write_text("base==1.0\n")
    python = os.path.relpath(sys.executable, tmp_path)
    environ = clean_environ(
        WHEELHOUSE_CONFIG="site.toml",
        PATH=os.pathsep.join([os.path.dirname(python), os.environ["PATH"]]),
        PYTHONPATH=os.path.relpath(Path(__file__).parents[2], tmp_path),
    )
    how = ["--find-links", "sources", "--offline", "--arch", "generic", "--python", python]
    done = run_cli(
        "build", "-r", "packages.txt", "--recursive", *how, "--output", "out", environ=environ, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    record = record_of(str(tmp_path / "out/generic/demo-1.0-py3-none-any.whl"))
    assert record is not None
    assert (record.result, record.recipe) == ("built", str(tmp_path / "recipes/demo.toml"))
    assert record.source.startswith(f"git+{tmp_path}/checkout@")
    again = run_cli(
        "build", "demo==1.0", "--config", "site.toml", *how, "--output", "out", cwd=tmp_path
    )  # with no variables
    assert (again.returncode, "present" in again.stdout) == (0, True), again.stdout + again.stderr


#: Recipes without which their projects tell no requirements, as their builds would fail.
RECIPES = {
    "against": 'build-isolation = false\nbuild-requires = ["setuptools", "torchlike"]\n',
    "configured": 'config-settings = { blas = "flexi" }\n',
    "limited": 'build-requires = ["helper<2"]\n',
    "made": '[phases]\nafter-source = ["touch made-before"]\nbefore-build = ["touch made-now"]\n',
}

#: What their backends do first.
ASKED = {
    "configured": "assert config_settings == {'blas': 'flexi'}, config_settings",
    "limited": "import helper; assert helper.VERSION == '1.0', helper.VERSION",
    "made": "assert os.path.exists('made-before') and os.path.exists('made-now')",
    "hopeless": "print('looking for blas', flush=True); raise SystemExit('no blas found')",
}


def test_what_a_wheel_will_require_is_asked_as_the_build_will_ask(tmp_path: Path) -> None:
    """By the recipe's isolation, requirements, settings and commands; and why it fails is said."""
    house, sources = make_tree(tmp_path / "house", {}), tmp_path / "sources"
    make_wheel(
        tmp_path / "house/generic", "torchlike-2.1-py3-none-any.whl", files={"torchlike.py": "V = '2.1'\n"}
    )
    for version in ("1.0", "2.0"):
        files = {"helper.py": f"VERSION = {version!r}\n"}
        make_wheel(tmp_path / "house/generic", f"helper-{version}-py3-none-any.whl", files=files)
    setup = "import torchlike\nfrom setuptools import setup\n"
    setup += "setup(name='against', version='1.0', install_requires=['torchlike==' + torchlike.V, 'base'])\n"
    info = "Metadata-Version: 2.1\nName: against\nVersion: 1.0\n"
    pack_source(sources / "against-1.0.tar.gz", {"setup.py": setup, "PKG-INFO": info}, top="against-1.0")
    for name, code in ASKED.items():
        needs = ["helper"] if name == "limited" else []
        make_sdist(sources, name, prepare=code, requires=["base"], build_requires=needs)
    make_package(sources, "base")
    (tmp_path / "recipes").mkdir()
    for name, text in RECIPES.items():
        (tmp_path / f"recipes/{name}.toml").write_text(text)
    (tmp_path / "site.toml").write_text(f'root = "{house.root}"\n[build]\nrecipes = ["recipes"]\n')
    links = [part for each in (sources, *seeds()) for part in ("--find-links", str(each))]
    how = ["--recursive", "--offline", "--arch", "generic", "--config", "site.toml", "--dry-run", "--json"]
    done = run_cli("build", *RECIPES, "hopeless", *how, *links, cwd=tmp_path)
    plan = json.loads(done.stdout)
    problems = {each["project"]: each["problem"] for wave in plan["waves"] for each in wave}
    why = problems.pop("hopeless").partition(" (hint: see the log ")[0]
    assert why == "metadata: hopeless: cannot prepare its metadata: pip exited with 1: no blas found"
    assert problems == dict.fromkeys(["base", *RECIPES], ""), done.stderr
    assert [each["requirement"] for each in plan["satisfied"]] == ["torchlike"]


#: A backend that needs `tool`, which its pyproject.toml says, and `late`, which only itself says.
AHEAD = """
import backend
from backend import prepare_metadata_for_build_wheel

def get_requires_for_build_wheel(settings=None):
    import tool
    assert settings == {"a": ["1", "2"]}, settings
    return ["late>=1"]

def build_wheel(*given):
    import late, os, tool
    print("interfaces:", *os.listdir("/proc/sys/net/ipv4/conf"))
    return backend.build_wheel(*given)
"""


def test_what_a_build_requires_is_built_before_it_and_nothing_reaches_a_network(tmp_path: Path) -> None:
    try:
        check_network_can_be_left()
    except NetworkError as error:
        pytest.skip(str(error))
    house, sources = make_tree(tmp_path / "house", {}), tmp_path / "sources"
    system = "[build-system]\nrequires = ['tool']\nbuild-backend = 'ahead'\nbackend-path = ['.']\n"
    make_sdist(sources, "app", files={"ahead.py": AHEAD, "pyproject.toml": system})
    for name in ("tool", "late"):
        make_package(sources, name)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/app.toml").write_text('config-settings = { a = ["1", "2"] }\n')
    site = f'root = "{house.root}"\n[build]\nrecipes = ["recipes"]\nnetwork = false\n'
    (tmp_path / "site.toml").write_text(site)
    how = ["--find-links", "sources", "--offline", "--arch", "generic", "--config", "site.toml"]
    how += ["--recursive", "--build-requires", "--output", "out", "--no-verify"]
    done = run_cli("build", "app", *how, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["tool", "late", "app"]
    record = record_of(str(tmp_path / "out/generic/app-1.0-py3-none-any.whl"))
    assert record is not None
    log = Path(record.log).read_text()
    assert sorted(log.partition("interfaces: ")[2].partition("\n")[0].split()) == ["all", "default", "lo"]
