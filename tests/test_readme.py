"""The README's quick start works as it is printed, with `/sw` replaced by a directory of the test's."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import textwrap
from pathlib import Path

import pytest

from tests.factories import clean_environ, make_wheel

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return clean_environ(
        HOME=str(tmp_path), PATH=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    )


def test_the_quick_start(tmp_path: Path, environ: dict[str, str]) -> None:
    steps = section("Quick start for a site").partition("\nUsers go on typing")[0]
    make, *rest = blocks(steps, "sh")
    (site_file,) = blocks(steps, "toml")
    here = str(tmp_path / "sw")
    (tmp_path / "sw").mkdir()
    make_wheel(tmp_path, "numpy-1.26.4-cp311-cp311-linux_x86_64.whl")
    write = f"cat >/sw/wheelhouse/site.toml <<'END'\n{site_file}END\n"
    script = "\n".join(["set -e", make, write, *rest]).replace("/sw/", f"{here}/")
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
    house = tmp_path / "sw/wheelhouse"
    assert (house / "gentoo2023/x86-64-v3/numpy-1.26.4-400000avx2-cp311-cp311-linux_x86_64.whl").is_file()
    etc = tmp_path / "sw/etc/wheelhouse"
    classes = {"generic", "generic-gentoo2023", "x86-64-v3-gentoo2023", "x86-64-v4-gentoo2023"}
    assert {path.name for path in etc.iterdir()} == classes
    module = (tmp_path / "sw/modules/wheelhouse/gentoo2023.lua").read_text()
    assert str(etc) in module
    assert 'prepend_path("XDG_CONFIG_DIRS"' in module


def test_every_command_is_in_the_table() -> None:
    from wheelhouse_resolver.cli.main import COMMANDS

    rows = re.findall(r"^\| (`.*?) \|", section("The commands"), re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`([a-z-]+)`", row)] != []
    assert {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)} == set(COMMANDS)
