"""Which pip the target Python has, without starting it: its metadata is named after its version."""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache

from wheelhouse_resolver.host.target_python import TargetPython

#: Where a prefix keeps what is installed, `site-packages` or, as Debian calls it, `dist-packages`.
_LIBRARIES = ("lib", "lib64", "local/lib")

_METADATA = re.compile(r"pip-(\d[^-]*)\.dist-info")

#: The last release of pip for Pythons up to that version, oldest first.
_NEWEST = (
    ((3, 5), (20, 3)),
    ((3, 6), (21, 3)),
    ((3, 7), (24, 0)),
    ((3, 8), (25, 0)),
    ((3, 9), (26, 0)),
)


def release_of(version: str) -> tuple[int, ...]:
    """The first two numbers of a *version* of pip, to be compared: (20, 2) of `20.2.4`."""
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def newest_pip_of(python: str) -> tuple[int, int] | None:
    """The newest release of pip that runs on that version of *python*; None: any that is to come."""
    return next((pip for last, pip in _NEWEST if release_of(python) <= last), None)


@lru_cache(maxsize=8)
def pip_version(target: TargetPython) -> str | None:
    """The version of the pip that *target* runs as `python -m pip`; None where that is not known.

    A few directories of its own prefix are listed, and nothing is run.
    """
    answers = target.answers
    if target.version is not None:
        return None  # a version alone; the answers are of another Python, whose machine is meant
    if answers is not None:
        executable, python = answers.executable, answers.version
    elif target.own or target.name == "running":
        executable, python = sys.executable, ".".join(map(str, sys.version_info[:2]))
    else:
        return None  # a Python that cannot be run here
    prefix = os.path.dirname(os.path.dirname(executable))
    short = ".".join(python.split(".")[:2])
    for library in _LIBRARIES:
        for name in (f"python{short}", f"pypy{short}", "python3"):
            for packages in ("site-packages", "dist-packages"):
                found = _in_directory(os.path.join(prefix, library, name, packages))
                if found:
                    return found[0] if len(found) == 1 else None
    return None


def _in_directory(path: str) -> list[str]:
    try:
        names = os.listdir(path)
    except OSError:
        return []
    return [match[1] for match in map(_METADATA.fullmatch, names) if match]
