"""What a source says that must be installed to build it (PEP 517 and 518)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wheelhouse_resolver.utils.toml import parse_toml

#: What pip takes where a source says nothing (PEP 517).
_LEGACY = ("setuptools>=40.8.0",)
_LEGACY_BACKEND = "setuptools.build_meta:__legacy__"

#: Asks a backend, in an environment with its requirements, what it needs besides to build a wheel.
_HOOK = """
import functools, importlib, json, sys
path, backend, settings, report = json.loads(sys.argv[1])
sys.path[:1] = path
module, _, name = backend.partition(":")
found = functools.reduce(getattr, filter(None, name.split(".")), importlib.import_module(module))
hook = getattr(found, "get_requires_for_build_wheel", lambda _: [])
needed = list(hook(settings or None))
with open(report, "w") as file:
    json.dump(needed, file)
"""


class BuildSystem(NamedTuple):
    """The `[build-system]` of a pyproject.toml. *path*: absolute directories that the *backend* is in."""

    requires: tuple[str, ...] = _LEGACY
    backend: str = _LEGACY_BACKEND
    path: tuple[str, ...] = ()


def read_build_system(source: str) -> BuildSystem:
    """Of the project in the directory *source*. Raises `ValueError`, `TypeError` for an invalid one."""
    file = Path(source, "pyproject.toml")
    stated = parse_toml(file.read_text(encoding="utf-8")).get("build-system") if file.exists() else None
    if stated is None:
        return BuildSystem()
    if not isinstance(stated, dict) or not isinstance(stated.get("requires"), list):
        raise ValueError("pyproject.toml: build-system.requires is missing")
    return BuildSystem(
        tuple(map(str, stated["requires"])),
        str(stated.get("build-backend", _LEGACY_BACKEND)),
        tuple(os.path.join(source, each) for each in stated.get("backend-path", ())),
    )


def hook_command(python: str, system: BuildSystem, settings: Sequence[str], report: str) -> list[str]:
    """What writes the further requirements of the backend, a list, to the file *report*.

    settings: pip's options for the config-settings.
    """
    said: dict[str, str | list[str]] = {}
    for key, _, value in (each.partition("=")[2].partition("=") for each in settings):
        if key in said:
            before = said[key]
            said[key] = [*(before if isinstance(before, list) else [before]), value]
        else:
            said[key] = value
    return [python, "-c", _HOOK, json.dumps([system.path, system.backend, said, report])]
