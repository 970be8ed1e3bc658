"""The Pythons of this machine, hidden: which of them are on PATH may decide no test.

What the program takes for the Python in use is the active environment's: that of the tests.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

__all__ = ["REAL_PATH", "hide_pythons"]

#: The variable in which the workers of a session find the PATH that it began with.
_REAL = "TESTS_REAL_PATH"

#: PATH before anything was hidden.
REAL_PATH = os.environ.get(_REAL, os.environ.get("PATH", os.defpath))

_PYTHON = re.compile(r"(python|pypy)[\d.]*t?")


def hide_pythons() -> None:
    """Let this process, and all that it starts, find on PATH whatever is there except Pythons."""
    if _REAL not in os.environ:
        place = mkdtemp(prefix="wheelhouse-tests-")
        os.chmod(place, 0o755)  # some tests run as another user
        # A test may leave a fork of this process by its ordinary end.
        atexit.register(_remove, place, os.getpid())
        os.environ[_REAL] = REAL_PATH
        os.environ["PATH"] = without_pythons(REAL_PATH, Path(place))
    for name in ("CONDA_PREFIX", "EBROOTPYTHON"):
        os.environ.pop(name, None)
    os.environ["VIRTUAL_ENV"] = sys.prefix


def _remove(place: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(place)


def without_pythons(search: str, place: Path) -> str:
    """*search*, with links below *place* to all other programs for each directory that has a Python."""
    found = []
    for number, directory in enumerate(dict.fromkeys(map(os.path.realpath, search.split(os.pathsep)))):
        names = os.listdir(directory) if os.path.isdir(directory) else []
        if any(map(_PYTHON.fullmatch, names)):
            links = place / str(number)
            links.mkdir()
            for name in names:
                if not _PYTHON.fullmatch(name):
                    (links / name).symlink_to(os.path.join(directory, name))
            directory = str(links)
        found.append(directory)
    return os.pathsep.join(found)
