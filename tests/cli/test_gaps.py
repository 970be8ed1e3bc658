from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.cli.conftest import Cli
from tests.factories import clean_environ, make_tree, make_wheel, run_cli
from tests.host.binaries import copy_of_true
from tests.requires import requires

NATIVE = f"linux_{os.uname().machine}"
HOST = ("--arch", "avx", "--layer", "gentoo", "--python", "3.14")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "house"
    make_tree(
        root,
        {
            "generic": ["pure-1.0-py3-none-any.whl"],
            "gentoo/avx": [
                f"base-1.0-cp311-cp311-{NATIVE}.whl",
                f"base-0.9-cp314-cp314-{NATIVE}.whl",
                f"held-2.0+site-cp311-cp311-{NATIVE}.whl",
            ],
        },
    )
    requires = {"requires_dist": ["base"]}
    make_wheel(root / "gentoo/avx", f"app-1.0-cp310-cp310-{NATIVE}.whl", **requires)
    make_wheel(root / "gentoo/avx", f"app-1.0-cp311-cp311-{NATIVE}.whl", **requires)
    make_wheel(root / "nix/avx", f"barred-1.0-cp311-cp311-{NATIVE}.whl", requires_python="<3.13")
    return root


SUMMARY = "5 projects: 3 missing, 1 older than elsewhere, 1 served by a pure wheel\n"


def test_a_requirements_file_where_standard_output_is_no_terminal(cli: Cli, root: Path) -> None:
    lines = "barred  # 1.0 requires Python <3.13\nbase==1.0  # has 0.9\nheld==2.0\napp==1.0\n"
    assert cli("gaps", "--root", root, *HOST) == (0, lines, SUMMARY)
    names = "barred  # 1.0 requires Python <3.13\nbase  # has 0.9\nheld\napp\n"
    assert cli("gaps", "--unpinned", "--root", root, *HOST).out == names


def test_a_table(cli: Cli, root: Path) -> None:
    outcome = cli("gaps", "--format", "table", "--root", root, *HOST)
    assert outcome.out == (
        "name    version  has  wave  python     arch  layer   needs  note\n"
        "barred  1.0           1     3.11       avx   nix            requires Python <3.13\n"
        "base    1.0      0.9  1     3.11       avx   gentoo\n"
        "held    2.0           1     3.11       avx   gentoo\n"
        "app     1.0           2     3.10,3.11  avx   gentoo  base\n"
    )
    whole = cli("gaps", "--format", "csv", "--columns", "name,state", "--all", "--root", root, *HOST)
    assert whole.out.splitlines()[-2:] == ["app,missing", "pure,pure"]


def test_json(cli: Cli, root: Path) -> None:
    (app,) = json.loads(cli("gaps", "app", "--json", "--root", root, *HOST).out)
    assert app == {
        "name": "app",
        "version": "1.0",
        "requirement": "app==1.0",
        "has": None,
        "wave": 1,
        "pythons": ["3.10", "3.11"],
        "archs": ["avx"],
        "layers": ["gentoo"],
        "barred": "",
        "state": "missing",
        "needs": [],
        "cycle": [],
        "libraries": None,
        "wanted_by": [],
        "unmet": [],
        "path": str(root / f"gentoo/avx/app-1.0-cp310-cp310-{NATIVE}.whl"),
    }


@requires("patchelf")
def test_a_new_layer_is_like_the_old_one_but_for_what_its_loader_does_not_find(
    cli: Cli, tmp_path: Path
) -> None:
    """The loader of the target Python is asked about the wheels of the old layer alone."""
    root, program = tmp_path / "house", copy_of_true(tmp_path / "true")
    tag = f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-{NATIVE}"
    files = {"fine.so": program.read_bytes()}
    subprocess.run(["patchelf", "--add-needed", "libold.so.1", program], check=True)
    make_tree(root, {"gentoo/generic": [f"new-1.0-{tag}.whl"]})
    make_wheel(root / "nix/generic", f"fine-1.0-{tag}.whl", files=files)
    lost = {"files": {"lost.so": program.read_bytes()}, "requires_dist": ["fine"]}
    make_wheel(root / "nix/generic", f"lost-2.0-{tag}.whl", **lost)
    where = ("--root", root, "--layer", "gentoo", "--arch", "generic", "--python", sys.executable)
    outcome = cli("gaps", "--like", "nix", "--json", *where)
    looked, summary = outcome.err.splitlines()
    assert looked.startswith("libraries were looked for by /")
    assert (outcome.code, summary) == (0, "2 projects: 2 missing")
    found = [(row["requirement"], row["wave"], row["libraries"]) for row in json.loads(outcome.out)]
    assert found == [("fine==1.0", 1, []), ("lost==2.0", 2, ["libold.so.1"])]
    lines = "fine==1.0  # its libraries are found\nlost==2.0  # not found: libold.so.1\n"
    assert cli("gaps", "--like", "nix", *where).out == lines


def test_a_version_that_another_gap_requires(cli: Cli, root: Path) -> None:
    make_wheel(root / "nix/avx", f"old-1.0-cp311-cp311-{NATIVE}.whl", requires_dist=["held<2"])
    make_wheel(root / "nix/avx", f"held-1.0-cp311-cp311-{NATIVE}.whl")
    outcome = cli("gaps", "old", "held", "--root", root, *HOST)
    assert outcome.out == "held==2.0\nheld==1.0  # for old\nold==1.0\n"
    assert outcome.err == "3 projects: 2 missing, 1 needed in another version\n"
    assert cli("gaps", "old", "held", "--unpinned", "--root", root, *HOST).out == "held\nold\n"


def test_nothing_matches(cli: Cli, root: Path) -> None:
    outcome = cli("gaps", "zz*", "--root", root, *HOST)
    assert outcome == (1, "", "others have nothing that matches zz*\nno project\n")


@pytest.mark.slow
def test_what_is_missing_is_built(tmp_path: Path) -> None:
    """As in `gaps | build -r -`: in the order of what needs what, and the gaps are gone."""
    root = tmp_path / "house"
    make_tree(root, {"nix/avx": ["base-1.0-py2-none-any.whl"]})
    make_wheel(root / "nix/avx", "app-1.0-py2-none-any.whl", requires_dist=["base"])
    sources = tmp_path / "sources"
    make_package(sources, "base")
    make_package(sources, "app", requires=["base"])
    where = ("--root", root, "--arch", "generic", "--layer", "gentoo", "--python", sys.executable)
    asked = run_cli("gaps", *where)
    assert asked.stdout == "base==1.0\napp==1.0\n"
    how = (
        "--find-links",
        sources,
        "--offline",
        "--output",
        tmp_path / "out",
        "--publish",
        "--recursive",
        "--no-verify",
    )
    built = run_cli(
        "build", "-r", "-", "--no-verify", *how, *where, environ=clean_environ(), stdin=asked.stdout
    )
    assert built.returncode == 0, built.stdout + built.stderr
    again = run_cli("gaps", *where)
    assert (again.stdout, again.stderr) == ("", "2 projects: 2 served by a pure wheel\n")
