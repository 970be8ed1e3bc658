"""Spares `pip download` the build backend: a source distribution states its metadata itself, in PKG-INFO.

The directory of this file stands first on PYTHONPATH while pip downloads with `--no-build-isolation`. Python
imports it at the start of every process (module `site`). In one whose working directory is a source, as
PEP 517 demands of those that ask a build backend, the backend that the source names is there already: it
hands out PKG-INFO. This runs on every Python that is built for, so it is written for old ones (3.7).
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
from types import ModuleType
from typing import Any

__all__: list[str] = []


def _first(expression: str, text: str) -> str | None:
    found = re.search(expression, text, re.MULTILINE)
    return found.group(1) if found is not None else None


def _read(name: str) -> str:
    with open(name, encoding="utf-8", errors="replace") as file:
        return file.read()


def _no_requirements(_settings: Any = None) -> list[str]:
    return []


def _metadata(directory: str, _settings: Any = None) -> str:
    stated = _read("PKG-INFO")
    name, version = (_first(rf"^{key}:\s*(\S+)", stated) for key in ("Name", "Version"))
    if name is None or version is None:
        raise ValueError("PKG-INFO does not tell the name and the version")
    info = "{}-{}.dist-info".format(re.sub(r"[-_.]+", "_", name), version.replace("-", "_"))
    os.mkdir(os.path.join(directory, info))
    shutil.copyfile("PKG-INFO", os.path.join(directory, info, "METADATA"))
    return info


def _replace_backend() -> None:
    project = _read("pyproject.toml") if os.path.isfile("pyproject.toml") else ""
    # What PEP 517 says stands where nothing is named.
    named = _first(r"""^\s*build-backend\s*=\s*["']([^"']+)["']""", project)
    name, _, attributes = (named or "setuptools.build_meta:__legacy__").partition(":")
    # One of the source's own has to be below the first directory of `backend-path`.
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
    """Import the `sitecustomize` that this one stands before: a site's Python may need it."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each or os.curdir) != here]
    own = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ImportError:
        sys.modules["sitecustomize"] = own


_import_next()
if os.path.isfile("PKG-INFO"):
    _replace_backend()
