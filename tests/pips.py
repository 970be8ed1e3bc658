"""Releases of pip other than the one installed, fetched once a session and run without being installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.factories import clean_environ
from tests.hidden import REAL_PATH

__all__ = ["OLDEST", "fetch", "fetch_pip", "pip_environ", "real_environ"]

#: The oldest pip that knows `--report` and runs on this Python: 3.12 has lost what older ones import.
OLDEST = "22.2" if sys.version_info < (3, 12) else "23.1.2"

#: The environment before any test changes it: it says how an index can be reached.
_REAL_ENVIRON = {**os.environ, "PATH": REAL_PATH}


def fetch_pip(release: str, into: Path) -> list[str]:
    """The command that runs *release* of pip (`pip`, `pip==22.2`), unpacked below *into*."""
    return [sys.executable, str(fetch(release, into) / "pip")]


def fetch(release: str, into: Path) -> Path:
    """Where the wheel of *release* (`uv`, `pip==22.2`) is unpacked below *into*.

    Workers of one session share the directory: each fetches into one of its own and whoever is first
    gives it the final name.
    """
    final = into / release
    if not final.exists():
        mine = into / f"{release}.{os.getpid()}"
        mine.mkdir(parents=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run(
            [*download, "--no-deps", "--only-binary", ":all:", "--dest", str(mine), release],
            env=_REAL_ENVIRON,
            check=True,
        )
        (wheel,) = mine.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(mine)
        wheel.unlink()
        try:
            mine.rename(final)
        except OSError:  # another worker was first
            shutil.rmtree(mine)
    return final


def real_environ() -> dict[str, str]:
    """The environment before any test changed it."""
    return dict(_REAL_ENVIRON)


def pip_environ(**more: str) -> dict[str, str]:
    """`clean_environ`, but byte code is kept: a pip that must be compiled anew takes a second longer."""
    environ = clean_environ(**more)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ
