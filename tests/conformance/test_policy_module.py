"""`policy-module` writes what makes pip and uv refuse manylinux wheels."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.factories import make_wheel, run_cli
from tests.pips import pip_environ
from tests.programs import MACHINE, Failed, Program, glibc_levels, program_of


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    directory = tmp_path / "policy"
    done = run_cli("policy-module", "--output", directory)
    assert done.returncode == 0, done.stderr
    return directory


def links(program: Program, work: Path, platform: str) -> list[str]:
    """A directory in which `both` has two wheels, and `many` none but manylinux ones."""
    prefix = program.tag.removesuffix(f"linux_{MACHINE}")
    for project, version, each in [
        ("both", "2.0", platform),
        ("both", "1.0", "linux"),
        ("many", "1.0", platform),
    ]:
        filename = f"{project}-{version}-{prefix}{each}_{MACHINE}.whl"
        make_wheel(work / "wheels", filename, files={f"{project}.py": f"MARK = '{each} {version}'\n"})
    return [(work / "wheels").as_uri()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "release",
    [
        pytest.param(each, marks=[pytest.mark.network, *more])
        for each, more in [
            ("pip==20.2.4", ()),
            ("pip==20.3.4", ()),
            ("pip==24.0", [pytest.mark.slow]),
            ("pip", ()),
        ]
    ],
)
def test_pip_refuses_manylinux(release: str, pips_directory: Path, policy: Path, tmp_path: Path) -> None:
    program = program_of(release, pips_directory)
    levels = glibc_levels()
    if (2, 17) not in levels:
        pytest.skip("this machine's C library takes no manylinux2014 wheels")
    find_links = links(program, tmp_path, "manylinux2014")
    without = program.install(find_links, ["both", "many"], tmp_path / "work")
    assert without == {"both": "manylinux2014 2.0", "many": "manylinux2014 1.0"}
    environ = {"PYTHONPATH": str(policy)}
    assert program.install(find_links, ["both"], tmp_path / "work", environ=environ) == {"both": "linux 1.0"}
    with pytest.raises(Failed, match="No matching distribution found for many"):
        program.install(find_links, ["many"], tmp_path / "work", environ=environ)


@pytest.mark.network
def test_uv_refuses_manylinux_when_it_is_in_site_packages(
    pips_directory: Path, policy: Path, tmp_path: Path
) -> None:
    uv = program_of("uv", pips_directory)
    levels = glibc_levels()
    if not levels:
        pytest.skip("this machine's C library takes no manylinux wheels")
    major, minor = levels[0]
    find_links = links(uv, tmp_path, f"manylinux_{major}_{minor}")
    venv = tmp_path / "venv"
    subprocess.run([uv.python, "-m", "venv", "--without-pip", str(venv)], check=True, env=pip_environ())
    python = str(venv / "bin" / "python")
    (site_packages,) = venv.glob("lib/python3*/site-packages")
    before = uv.install(find_links, ["both"], tmp_path / "work", python=python)
    assert before == {"both": f"manylinux_{major}_{minor} 2.0"}
    assert run_cli("policy-module", "--output", site_packages).returncode == 0
    assert uv.install(find_links, ["both"], tmp_path / "work", python=python) == {"both": "linux 1.0"}
    with pytest.raises(Failed, match="no wheels with a matching platform tag"):
        uv.install(find_links, ["many"], tmp_path / "work", python=python)
    # Where PYTHONPATH leads, uv does not look.
    (site_packages / "_manylinux.py").unlink()
    environ = {"PYTHONPATH": str(policy)}
    asked = uv.install(find_links, ["both"], tmp_path / "work", python=python, environ=environ)
    assert asked == before


def test_writing_it_again_says_so(policy: Path) -> None:
    before = (policy / "_manylinux.py").stat().st_mtime_ns
    done = run_cli("policy-module", "--output", policy)
    assert done.stdout.split() == ["kept", str(policy / "_manylinux.py")]
    assert (policy / "_manylinux.py").stat().st_mtime_ns == before
