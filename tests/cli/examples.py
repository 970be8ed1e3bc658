"""The examples that help texts show, and what has to be there for each to run.

A new command's examples are found by themselves. What they name has to be prepared here: a file or directory
in `FILES`; a state of the wheelhouse, another exit code than 0 or a mark in `NEEDS`.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.factories import make_tree, make_wheel
from wheelhouse_resolver.cli.main import COMMANDS, build_parser, main
from wheelhouse_resolver.cli.parser import Parser

__all__ = ["FILES", "NEEDS", "Needs", "Place", "examples", "needs_of", "parser_of"]

_LINUX = f"linux_{platform.machine()}"

#: A wheel as its builder leaves it, and as it stands in the wheelhouse.
_BUILT = "numpy-1.26.4-cp311-cp311-linux_x86_64.whl"
_STAMPED = "numpy-1.26.4-400000avx2-cp311-cp311-linux_x86_64.whl"


def parser_of(command: str) -> Parser:
    """The parser of one command."""
    (commands,) = [each.choices for each in build_parser(command).arguments if isinstance(each.choices, dict)]
    found: Parser = commands[command]
    return found


def examples() -> list[tuple[str, str]]:
    """(command, line) of every example that a help text shows."""
    found = []
    for command in COMMANDS:
        lines = (parser_of(command).epilog or "").splitlines()
        found += [(command, line.strip()) for line in lines if line.startswith("  wheelhouse-resolver ")]
    return found


class Place(NamedTuple):
    """Where an example runs. *top* stands for `/`, *home* for `~`; *work* is the working directory."""

    top: Path
    home: Path
    work: Path

    @property
    def root(self) -> Path:
        """The wheelhouse of the site."""
        return self.top / "sw/wheelhouse"

    def path(self, word: str) -> Path:
        """The path that *word* of a command line means."""
        if word.startswith("/"):
            return Path(f"{self.top}{word}")
        return self.home / word.removeprefix("~/") if word.startswith("~/") else self.work / word

    def words(self, line: str) -> list[str]:
        """The arguments of a command *line*, its absolute paths moved below *top*."""
        _, *words = shlex.split(line)
        return [str(self.path(word)) if word.startswith(("/", "~/")) else word for word in words]

    def prepare(self, command: str, line: str) -> list[str]:
        """Make the wheelhouse, and what *line* names or needs; returns the words that are its arguments."""
        _wheelhouse(self.root)
        for word in shlex.split(line):
            if word in FILES:
                path = self.path(word)
                path.parent.mkdir(parents=True, exist_ok=True)
                FILES[word](path)
        prepare = needs_of(command, line).prepare
        if prepare is not None:
            prepare(self)
        return self.words(line)

    def missing(self, line: str) -> list[str]:
        """The words of *line* that look like the name of a file or directory, and are none."""
        endings = (".whl", ".txt", ".toml", ".json", ".conf")
        return [
            word
            for word in shlex.split(line)
            if (word.startswith(("/", "~/")) or word.endswith(endings)) and not self.path(word).exists()
        ]


def _wheelhouse(root: Path) -> None:
    """A small wheelhouse of the built-in layout, with what scientists ask for."""
    here = f"cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-{_LINUX}"
    make_tree(root, {"gentoo/avx512": [_STAMPED.replace("400000avx2", "500000avx512")]})
    make_wheel(root / "gentoo/avx2", _STAMPED)
    for label, build in (("gentoo/avx2", "400000avx2"), ("gentoo/generic", "100000generic")):
        make_wheel(root / label, f"numpy-1.26.4-{build}-{here}.whl")
        make_wheel(root / label, f"scipy-1.11.4-{build}-{here}.whl", requires_dist=["numpy>=1.21"])
    make_wheel(root / "generic", "python_dateutil-2.9.0-1000generic-py3-none-any.whl", requires_dist=["six"])
    make_wheel(root / "generic", "six-1.16.0-1000generic-py2.py3-none-any.whl")
    make_wheel(root / "generic", "h5netcdf-1.3.0-1000generic-py3-none-any.whl")
    needs = ["numpy>=1.22", "python-dateutil>=2.8"]
    make_wheel(root / "generic", "pandas-2.1.0-1000generic-py3-none-any.whl", requires_dist=needs)


def _environment(python: Path) -> None:
    """A virtual environment with that *python*."""
    subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)


#: A node with AVX.
_CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
flags\t\t: fpu sse sse2 ssse3 pni sse4_1 sse4_2 cx16 popcnt avx
"""

_PROJECT = """\
[project]
name = "mine"
version = "1.0"
dependencies = ["numpy", "scipy"]
"""

#: As much of numpy as its recipe tries out.
_NUMPY = {
    "numpy/__init__.py": """\
from numpy import linalg


def eye(size):
    return size


def allclose(one, other):
    return True
""",
    "numpy/linalg.py": """\
class inv:
    def __init__(self, matrix):
        pass

    def __matmul__(self, other):
        return other
""",
    "numpy/fft.py": "",
    "numpy/random.py": "",
}

#: What an example may name, as it is written there, and what makes it.
FILES: Mapping[str, Callable[[Path], object]] = {
    _BUILT: lambda path: make_wheel(path.parent, path.name, files=_NUMPY),
    "demo-1.0-py3-none-any.whl": lambda path: make_wheel(path.parent, path.name),
    "h5py-3.11.0-cp311-cp311-linux_x86_64.whl": lambda path: make_wheel(
        path.parent, path.name, requires_dist=["numpy>=1.17.3"]
    ),
    "node17.txt": lambda path: path.write_text(_CPUINFO),
    "node17-os.txt": lambda path: path.write_text("ID=rocky\nVERSION_ID=9.4\n"),
    "requirements.txt": lambda path: path.write_text("numpy\nscipy<2\n"),
    "packages.txt": lambda path: path.write_text("attrs\n"),
    "pyproject.toml": lambda path: path.write_text(_PROJECT),
    "recipes/demo.toml": lambda path: path.write_text('[test]\nimports = ["demo"]\n'),
    "site.toml": lambda path: path.write_text(f'root = "{os.environ["WHEELHOUSE_ROOT"]}"\n'),
    "/cvmfs/soft.example.org/wheelhouse": _wheelhouse,
    "/sw/etc/pip": lambda path: main(["pip-conf", "--all", "--form", "xdg", "--output-dir", str(path)]),
    "~/env/bin/python": _environment,
}


class Needs(NamedTuple):
    """What the examples of a command need besides the files that they name.

    prepare: brings the wheelhouse into the state that they take for granted.
    codes:   the exit codes that are an answer; 1 for a question that may have a negative one.
    marks:   such as `network`, or `slow` for what builds.
    """

    prepare: Callable[[Place], object] | None = None
    codes: tuple[int, ...] = (0,)
    marks: tuple[pytest.MarkDecorator, ...] = ()


def _unless(there: object, reason: str) -> pytest.MarkDecorator:
    """The mark of an example that needs something of the machine."""
    return pytest.mark.skipif(not there, reason=reason)


def _make_gaps(place: Place) -> None:
    here = f"cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-{_LINUX}"
    make_wheel(place.root / "generic", f"zarr_py-1.0-cp313-cp313-{_LINUX}.whl")
    make_wheel(place.root / "nix/generic", f"zarr_nix-1.0-{here}.whl")


def _withdraw(place: Place) -> None:
    main(["withdraw", "--root", str(place.root), "--to", "gentoo/avx2", _STAMPED])


#: By command, or by a whole line where one example differs from the others of its command.
NEEDS: Mapping[str, Needs] = {
    "avail": Needs(codes=(0, 1)),
    "why-not": Needs(codes=(0, 1)),
    "audit": Needs(codes=(0, 1)),
    "doctor": Needs(codes=(0, 1)),
    "provenance": Needs(codes=(0, 1)),
    "gaps": Needs(prepare=_make_gaps),
    "outdated": Needs(codes=(0, 1), marks=(pytest.mark.network,)),
    "publish": Needs(prepare=lambda place: (place.root / "gentoo/avx2" / _STAMPED).unlink()),
    f"wheelhouse-resolver publish --to gentoo/avx2 --rebuild {_BUILT}": Needs(),
    f"wheelhouse-resolver verify {_BUILT}": Needs(
        marks=(_unless(shutil.which("python3.11") and _LINUX == "linux_x86_64", "tried out in its Python"),)
    ),
    "verify": Needs(marks=(_unless(shutil.which("qemu-x86_64"), "emulates another node"),)),
    "restore": Needs(prepare=_withdraw),
    "restamp": Needs(
        prepare=lambda place: make_wheel(place.root / "gentoo/avx2", "six-1.16.0-py2.py3-none-any.whl")
    ),
    "modulefile": Needs(prepare=lambda place: (place.work / "wheelhouse").mkdir()),
    "build": Needs(marks=(pytest.mark.network, pytest.mark.slow)),
    "fetch": Needs(marks=(pytest.mark.network, pytest.mark.slow)),
}


def needs_of(command: str, line: str) -> Needs:
    """What the example *line* of *command* needs."""
    return NEEDS.get(line) or NEEDS.get(command) or Needs()
