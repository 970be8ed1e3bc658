"""What a wheel will require, read before it is built."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.sources.fetched import Fetched
from wheelhouse_resolver.builder.sources.patch import prepare
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.wheelfile.edit import edited_requirements, requirements_of
from wheelhouse_resolver.wheelfile.metadata import Metadata, parse_headers


class SourceMetadataError(WheelhouseError, RuntimeError):
    """A source whose requirements cannot be determined. *log*: of the attempt."""

    _message = "{project}: cannot prepare its metadata: {problem}"
    _hint = "see the log {log}"
    project: str
    problem: str
    log: str


def static_requirements(info: Metadata) -> list[str] | None:
    """The requirements in the PKG-INFO of a source distribution, if every wheel has the same (PEP 643).

    None if they may differ: before metadata 2.2, or if it says that they are dynamic.
    """
    try:
        is_final = Version(info.get("Metadata-Version") or "1.0") >= Version("2.2")
    except InvalidVersion:
        return None
    dynamic = {each.strip().lower() for each in info.get_all("Dynamic")}
    if not is_final or "requires-dist" in dynamic:
        return None
    return [" ".join(each.split()) for each in info.get_all("Requires-Dist")]


def get_requires_dist(
    fetched: Fetched, recipe: Recipe, *, python: str, log: str, environ: Mapping[str, str]
) -> list[str]:
    """What the wheel of *fetched* will require, with the edits of *recipe*.

    Read from its PKG-INFO where that is final; else its build backend is asked, through this program's own
    pip working for *python*, with a copy changed as *recipe* says. What the backend needs is downloaded.

    Raises `SourceMetadataError`, `RelabelError` for edits that do not apply, and what `prepare` raises.
    """
    own: list[str] | None = None
    if fetched.archive.kind == "wheel":
        own = requirements_of(fetched.path)
    elif not recipe.changes_source:
        with suppress(OSError):  # not a source distribution
            own = static_requirements(
                parse_headers(Path(fetched.path, "PKG-INFO").read_text("utf-8", "replace"))
            )
    if own is None:
        own = _ask_backend(fetched, recipe, python, log, environ)
    return edited_requirements(fetched.path, own, recipe.edits)


def _ask_backend(
    fetched: Fetched, recipe: Recipe, python: str, log: str, environ: Mapping[str, str]
) -> list[str]:
    # A copy: the source is also for other archs, for which the recipe may make other changes.
    directory = tempfile.mkdtemp(dir=os.path.dirname(fetched.root))
    root, report = os.path.join(directory, "source"), os.path.join(directory, "report.json")
    shutil.copytree(fetched.root, root, symlinks=True)
    source = os.path.join(root, os.path.relpath(fetched.path, fetched.root))
    prepare(replace(fetched, root=root, path=source), recipe, log=log, environ=environ)
    command = [
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--dry-run", "--no-deps",
        "--ignore-installed", "--report", report, source,
    ]  # fmt: skip
    done = run_logged(command, log=log, environ=environ)
    if not done.ok:
        raise SourceMetadataError(recipe.name, f"pip {done.problem}", log)
    try:
        with open(report, encoding="utf-8") as file:
            (found,) = json.load(file)["install"]
        return [str(each) for each in found["metadata"].get("requires_dist", [])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceMetadataError(recipe.name, f"cannot read pip's report: {error}", log) from error
