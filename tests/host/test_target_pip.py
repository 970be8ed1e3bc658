from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from wheelhouse_resolver.host.target_pip import pip_version, release_of
from wheelhouse_resolver.host.target_python import target_python


def test_it_is_the_version_that_pip_itself_prints() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "--version"], text=True, capture_output=True)
    printed = re.match(r"pip (\S+) ", done.stdout)
    assert printed is not None
    assert pip_version(target_python(sys.executable)[0]) == printed[1]


@pytest.mark.parametrize(
    "left", [(), ("pip-20.2.4.dist-info", "pip-26.3.dist-info"), ("pipx-1.0.dist-info",)]
)
def test_none_or_several_are_not_known(left: tuple[str, ...], tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    for name in left:
        (packages / name).mkdir()
    assert pip_version(target_python(str(tmp_path / "env"))[0]) is None


def test_a_version_alone_has_no_pip() -> None:
    assert pip_version(target_python("3.1")[0]) is None


def test_releases_are_compared_as_numbers() -> None:
    assert release_of("9.0.3") < release_of("20.2.4") < (20, 3) < release_of("21.0.1")
