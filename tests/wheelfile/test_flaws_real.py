"""What pip and uv do with flawed wheels, asked of them: so publish refuses nothing without a reason."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.factories import clean_environ, make_wheel
from tests.programs import Program, program_of
from tests.wheelfile.flaws import FLAWS, Flaw, flawed

pytestmark = [pytest.mark.network, pytest.mark.slow]

#: What each installer writes for itself.
_OWN = re.compile(r"INSTALLER|REQUESTED|RECORD|direct_url.json|uv_cache.json|\.lock|\.gitignore|CACHEDIR.TAG")


def installed(program: Program, links: Path, into: Path) -> set[str] | None:
    """The files that *program* installs of demo 1.0; None if it fails, or takes the older version."""
    more = ["--python", program.python] if program.release == "uv" else ["--no-compile", "--ignore-installed"]
    command = [*program.command, *(["pip"] if program.release == "uv" else []), "install", *more]
    done = subprocess.run(
        [*command, "--no-index", "--find-links", links, "--prefix", into, "demo"],
        env=clean_environ(UV_NO_CACHE="1"),
        capture_output=True,
    )
    files = {re.sub(r".*site-packages/", "", str(path)) for path in into.rglob("*") if path.is_file()}
    if done.returncode != 0 or "demo-1.0.dist-info/METADATA" not in files:
        return None
    return {re.sub(rf".*{into.name}/", "", each) for each in files if not _OWN.search(each)}


@pytest.mark.parametrize("flaw", FLAWS.values(), ids=FLAWS)
def test_what_pip_and_uv_make_of_each_flaw(tmp_path: Path, pips_directory: Path, flaw: Flaw) -> None:
    links = tmp_path / "links"
    make_wheel(links, "demo-0.1-py3-none-any.whl")
    flawed(links, flaw)
    found = {}
    for release in ("pip", "uv"):
        found[release] = installed(program_of(release, pips_directory), links, tmp_path / release)
    assert {release for release, files in found.items() if files is None} == flaw.refused
    if not flaw.refused:
        assert (found["pip"] != found["uv"]) == flaw.differs
