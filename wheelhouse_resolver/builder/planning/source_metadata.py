"""What a source requires at run time, known before it is built."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace

from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.sources.fetched import Fetched
from wheelhouse_resolver.builder.sources.patch import prepare
from wheelhouse_resolver.errors import WheelhouseError, printable
from wheelhouse_resolver.wheelfile.edit import edited_requirements, requirements_of
from wheelhouse_resolver.wheelfile.metadata import Metadata, parse_headers


class NeedsError(WheelhouseError, RuntimeError):
    """A source whose requirements cannot be told. Attributes: *project*, *problem*, *log* of the attempt."""

    def __init__(self, project: str, problem: str, log: str) -> None:
        super().__init__(project, problem, log)
        self.project = project
        self.problem = problem
        self.log = log

    def __str__(self) -> str:
        return (
            f"{printable(self.project)}: its metadata cannot be prepared: {printable(self.problem)} "
            f"(log: {printable(self.log)})"
        )


def static_requirements(info: Metadata) -> list[str] | None:
    """The requirements that the PKG-INFO of a source distribution promises its wheel to have.

    None when it promises nothing: before metadata 2.2, or where it calls them dynamic (PEP 643).
    """
    try:
        promises = Version(info.get("Metadata-Version") or "1.0") >= Version("2.2")
    except InvalidVersion:
        return None
    dynamic = {each.strip().lower() for each in info.get_all("Dynamic")}
    if not promises or "requires-dist" in dynamic:
        return None
    return [" ".join(each.split()) for each in info.get_all("Requires-Dist")]


def requirements_of_source(
    fetched: Fetched, recipe: Recipe, *, python: str, log: str, environ: Mapping[str, str]
) -> list[str]:
    """What the wheel of *fetched* will require, with the edits of *recipe*.

    Read from its PKG-INFO where that is final; else its build backend is asked, through the pip of our own
    Python working for *python*, of a copy changed as *recipe* says. What the backend needs is fetched.

    Raises `NeedsError`, `RelabelError` for edits that do not fit, and what `prepare` raises.
    """
    own: list[str] | None = None
    if fetched.kind == "wheel":
        own = requirements_of(fetched.path)
    elif not recipe.changes_source:
        try:
            with open(os.path.join(fetched.path, "PKG-INFO"), encoding="utf-8", errors="replace") as file:
                own = static_requirements(parse_headers(file.read()))
        except OSError:
            own = None  # a checkout, say
    if own is None:
        own = _asked(fetched, recipe, python, log, environ)
    return edited_requirements(fetched.path, own, recipe.edits)


def _asked(fetched: Fetched, recipe: Recipe, python: str, log: str, environ: Mapping[str, str]) -> list[str]:
    # A copy: the source serves other archs too, for which the recipe may say something else.
    directory = tempfile.mkdtemp(dir=os.path.dirname(fetched.path.rstrip(os.sep)))
    source, report = os.path.join(directory, "source"), os.path.join(directory, "report.json")
    shutil.copytree(fetched.path, source, symlinks=True)
    prepare(replace(fetched, path=source), recipe, log=log, environ=environ)
    command = [
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--dry-run", "--no-deps",
        "--ignore-installed", "--report", report, source,
    ]  # fmt: skip
    done = run_logged(command, log=log, environ=environ)
    if not done.ok:
        raise NeedsError(recipe.name, f"pip {done.problem}", log)
    try:
        with open(report, encoding="utf-8") as file:
            (found,) = json.load(file)["install"]
        return [str(each) for each in found["metadata"].get("requires_dist", [])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NeedsError(recipe.name, f"pip's report cannot be read ({error})", log) from error
