"""Keeps `pip download` from running the build backend, and from unpacking hostile archives.

This directory is first on PYTHONPATH while pip downloads with `--no-build-isolation`; Python imports this
module at the start of every process (module `site`). In pip itself, a tar archive then seems to contain only
the few files that pip reads: pip before 24.1 writes through links that lead anywhere. In a process that pip
starts to ask the build backend (PEP 517), a backend is already imported under the name that the source gives:
it returns PKG-INFO, or what the archive's name says without one. This runs on every Python that is built for,
so it is written for old ones (3.7).
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import tarfile
import zipfile
from types import ModuleType
from typing import Any

#: Gives the archive's file name to the processes that pip starts; not set in pip itself.
_ARCHIVE = "WHEELHOUSE_RESOLVER_SDIST"

#: What pip reads of a source distribution, or requires in it.
_READ = ("PKG-INFO", "pyproject.toml", "setup.py")


class _Sdist(tarfile.TarFile):
    """A tar archive that shows only the regular files that pip reads."""

    def __init__(self, name: Any = None, *arguments: Any, **more: Any) -> None:
        super().__init__(name, *arguments, **more)
        self._seen: list[tarfile.TarInfo] | None = None
        _note(name)

    def getmembers(self) -> list[tarfile.TarInfo]:
        # Once: pip cuts the top directory off their names.
        if self._seen is None:
            self._seen = [each for each in super().getmembers() if _is_read(each)]
        return self._seen

    def __iter__(self) -> Any:
        return iter(self.getmembers())


class _Zip(zipfile.ZipFile):
    """A zip file whose name is passed to the processes that pip starts; pip makes no links from it."""

    def __init__(self, file: Any, *arguments: Any, **more: Any) -> None:
        super().__init__(file, *arguments, **more)
        _note(self.filename)


def _note(path: Any) -> None:
    if isinstance(path, str):
        os.environ[_ARCHIVE] = os.path.basename(path)


def _is_read(member: tarfile.TarInfo) -> bool:
    top, _, name = member.name.rpartition("/")
    return member.isreg() and name in _READ and "/" not in top and top not in (os.curdir, os.pardir)


def _first(expression: str, text: str) -> str | None:
    found = re.search(expression, text, re.MULTILINE)
    return found.group(1) if found is not None else None


def _read(name: str) -> str:
    with open(name, encoding="utf-8", errors="replace") as file:
        return file.read()


def _no_requirements(_settings: Any = None) -> list[str]:
    return []


def _metadata(directory: str, _settings: Any = None) -> str:
    stated = _read("PKG-INFO") if os.path.isfile("PKG-INFO") else ""
    name, version = (_first(rf"^{key}:\s*(\S+)", stated) for key in ("Name", "Version"))
    if name is None or version is None:
        name, _, version = re.sub(r"\.(zip|tgz|t[bx]z|tar(\.\w+)?)$", "", os.environ[_ARCHIVE]).rpartition(
            "-"
        )
        stated = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    info = "{}-{}.dist-info".format(re.sub(r"[-_.]+", "_", name), version.replace("-", "_"))
    os.mkdir(os.path.join(directory, info))
    with open(os.path.join(directory, info, "METADATA"), "w", encoding="utf-8") as file:
        file.write(stated)
    return info


def _replace_backend() -> None:
    project = _read("pyproject.toml") if os.path.isfile("pyproject.toml") else ""
    # The default is that of PEP 517.
    named = _first(r"""^\s*build-backend\s*=\s*["']([^"']+)["']""", project)
    name, _, attributes = (named or "setuptools.build_meta:__legacy__").partition(":")
    # pip checks that a backend of the source's own is below `backend-path`.
    above = _first(r"""^\s*backend-path\s*=\s*\[\s*["']([^"']+)["']""", project) or os.curdir
    backend = ModuleType(name.strip())
    vars(backend).update(
        {
            "get_requires_for_build_wheel": _no_requirements,
            "prepare_metadata_for_build_wheel": _metadata,
            "__file__": os.path.join(os.path.abspath(above), "backend.py"),
            # The parts of `module:object.attribute` all lead back here.
            **dict.fromkeys(filter(None, attributes.split(".")), backend),
        }
    )
    sys.modules[backend.__name__] = backend


def _import_next() -> None:
    """Import the `sitecustomize` that this one hides: a site's Python may need it."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each or os.curdir) != here]
    own = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ImportError:
        sys.modules["sitecustomize"] = own


_import_next()
if _ARCHIVE not in os.environ:
    tarfile.open = _Sdist.open
    zipfile.ZipFile = _Zip  # type: ignore[misc]
elif any(map(os.path.isfile, _READ)):
    _replace_backend()
