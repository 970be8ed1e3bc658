"""Runs pip with temporary directories that have the same names in every build: `numbered_pip.py wheel ...`.

pip installs what an isolated build requires into a new directory with a random name. The paths of headers in
it get into debugging information and assertions, so that no two builds would be the same: a compiler can map
the beginning of a path only (`-ffile-prefix-map`). This runs on every Python that is built for, so it is
written for old ones (3.7); it imports nothing of ours.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
from itertools import count

_numbers = count(1)


def numbered(suffix: str | None = None, prefix: str | None = None, dir: str | None = None) -> str:  # noqa: A002
    """As `tempfile.mkdtemp`: a new directory, for its owner alone; its name ends in the next free number."""
    place = os.path.abspath(dir or tempfile.gettempdir())
    while True:
        path = os.path.join(place, f"{prefix or 'tmp'}{next(_numbers)}{suffix or ''}")
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        return path


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if each != here]
    tempfile.mkdtemp = numbered  # type: ignore[assignment]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
