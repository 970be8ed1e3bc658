"""Which libraries of a wheel the loader of another layer's Python does not find, without installing it."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from wheelhouse_resolver.builder.verification.libraries import Loader, library_path_of, library_problems
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, CHUNK
from wheelhouse_resolver.wheelfile.bounds import open_wheel
from wheelhouse_resolver.wheelfile.elf import elf_files

#: What is unpacked and asked about at once.
_AT_ONCE = 8

#: Where a wheel keeps what ends up beside its other files.
_BESIDE = ("platlib", "purelib")


def libraries_missing(
    wheels: Iterable[str], python: TargetPython, environ: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """path -> what the loader of *python* does not find for the wheel at that path; () where it finds all.

    The files are unpacked where the loader can read them, and none of their code runs. A library that another
    wheel loads first is among what is not found. Nothing is known for a static Python, or without any.
    """
    interpreter = python.interpreter
    if interpreter is None or not interpreter.program_interpreter or not interpreter.executable:
        return {}
    with tempfile.TemporaryDirectory(prefix="wheelhouse-libraries-") as work:
        empty = os.path.join(work, "empty")
        os.mkdir(empty)
        loader = Loader(
            program=interpreter.program_interpreter,
            executable=interpreter.executable,
            directory=empty,
            library_path=library_path_of(environ),
        )
        paths = list(dict.fromkeys(wheels))
        places = [os.path.join(work, str(number)) for number in range(len(paths))]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(_missing, paths, places, [loader] * len(paths))
            return dict(zip(paths, found, strict=True))


def _missing(wheel: str, place: str, loader: Loader) -> tuple[str, ...]:
    try:
        files = [each for each in elf_files(wheel) if not each.problem]
        installed = []
        with open_wheel(wheel) as file, zipfile.ZipFile(file) as archive:
            for each in files:
                path = os.path.normpath(os.path.join(place, _beside(each.path)))
                if not path.startswith(place + os.sep):
                    continue
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with archive.open(each.path) as source, open(path, "wb") as target:
                    shutil.copyfileobj(source, target, CHUNK)
                installed.append(replace(each, path=path))
        problems = library_problems(installed, loader)
    except (OSError, *BAD_ZIP) as error:
        return (f"cannot be read: {error}",)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return tuple(sorted({each.library or each.problem for each in problems}))


def _beside(path: str) -> str:
    """Where the file *path* of a wheel is installed, below the directory of the others."""
    first, _, rest = path.partition("/")
    scheme, _, below = rest.partition("/")
    return below if first.endswith(".data") and scheme in _BESIDE else path
