"""Sources and wheels from the index, through pip of the target Python, so that the site's settings apply.

pip asks the build backend for the metadata of every source distribution that it downloads, and has no option
to skip that. A backend without a hook for it (meson-python: numpy, scipy) then builds the whole project. So
`pip_shim` gives PKG-INFO to pip instead, and makes it unpack nothing that could do harm. No code of the
project runs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import Version

from wheelhouse_resolver.builder.process.commands import Finished, run_logged
from wheelhouse_resolver.builder.recipes.model import Recipe, pinned_version
from wheelhouse_resolver.builder.records.job import Job, SourceArchive
from wheelhouse_resolver.builder.sources.fetched import FetchContext, SourceError, hashed_archive, log_line

#: How long one download or checkout may take (s).
TIMEOUT = 3600

#: How pip (20.3 to 26.3) logs from where it takes an archive.
_ADDED = re.compile(r" Added .+? from (https?://[^\s#]+).* to (?:build|requirement) tracker ")

_SHIMS = os.path.dirname(os.path.abspath(__file__))


#: What pip says of a file that its index has withdrawn. (In its report it says so from 23.3 on only.)
_YANKED = re.compile(r"^Reason for being yanked: (.*)$", re.MULTILINE)


class FoundWheel(NamedTuple):
    """A wheel that pip would install: its *url*, and what that is of."""

    url: str
    name: str
    version: str


def fetch_from_index(recipe: Recipe, job: Job, context: FetchContext) -> SourceArchive:
    """The source distribution of *job*, or the pure-Python wheel that will do. Raises `SourceError`."""
    requirement = f"{recipe.source_name}{Requirement(job.requirement).specifier}"
    pip = _Pip(replace(job, requirement=requirement, project=recipe.source_name), context)
    wheel = pip.fetch_pure_wheel() if recipe.takes_wheel else None
    if wheel is None and recipe.only_binary:
        raise SourceError(
            requirement, "the recipe says only-binary, and pip takes no pure-Python wheel of it"
        )
    return wheel if wheel is not None else pip.fetch_sdist()


def find_wheel(job: Job, context: FetchContext) -> FoundWheel:
    """The wheel of others that pip of the Python of *job* would install for it. Raises `SourceError`."""
    return _Pip(job, context, "manylinux_shim").find_wheel()


def fetch_wheel(found: FoundWheel, job: Job, context: FetchContext) -> SourceArchive:
    """What was *found* for *job*. Raises `SourceError`."""
    return _Pip(job, context, "manylinux_shim").fetch_wheel(found)


class _Pip:
    """pip of the target Python, fetching what a job requires."""

    def __init__(self, job: Job, context: FetchContext, shim: str = "") -> None:
        self._requirement = job.requirement
        self._project = job.project
        self._pip = [job.python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        self._context = context
        self._environ = _with_shim(context.environ, shim) if shim else dict(context.environ)
        if context.wheels_config:
            self._environ["PIP_CONFIG_FILE"] = context.wheels_config

    def fetch_sdist(self) -> SourceArchive:
        """The source distribution."""
        said = self._file("said.txt")
        # pip's cache of built wheels must not be used (pip 23.1 and newer read it for --no-binary, too).
        options = ["--no-cache-dir", "--no-binary", self._project, "--use-pep517", "--no-build-isolation"]
        archive, yanked = self._download(
            [*options, "--log", said],
            self._requirement,
            _with_shim(self._context.environ, "pip_shim"),
        )
        filename = os.path.basename(archive)
        version = version_in_filename(filename, self._project)
        origin = url_of(filename, said)
        with suppress(OSError):
            os.unlink(said)  # it may name secrets
        return hashed_archive("sdist", archive, origin, version, yanked)

    def fetch_pure_wheel(self) -> SourceArchive | None:
        """The pure-Python wheel that pip would install, if it would install one.

        If pip prefers a compiled wheel, the pure one is only a fallback, and the project is built.
        """
        found = self._found(self._file("report.txt"))
        if found is None:
            # There is no wheel at all, or pip is too old for reports.
            log_line(self._context.log, f"no wheel found for {self._requirement}; looking for its source")
            return None
        if not found.url.endswith("-none-any.whl") or self._has_newer_source(found.version):
            return None
        return self.fetch_wheel(found)

    def find_wheel(self) -> FoundWheel:
        """The wheel that pip would install."""
        found = self._found(self._context.log)
        if found is not None:
            return found
        with open(self._context.log, encoding="utf-8", errors="replace") as file:
            tail = file.read()[-10000:]
        for said, problem, hint in (
            ("no such option", "its pip is too old", "pip install 'pip>=22.2'"),
            ("No module named pip", "it has no pip", "ensurepip"),
        ):
            if said in tail:
                raise SourceError(self._pip[0], problem).with_hint(f"`{self._pip[0]} -m {hint}`")
        error = SourceError(self._requirement, f"no wheel found: {last_error(tail)}")
        sources = self._versions("only", ":none:") if "No matching distribution" in tail else []
        if sources:
            known = f"its index has only sources of it (version {', '.join(sources[:3])})"
            error = SourceError(self._requirement, known).with_hint("build it: `build` instead of `fetch`")
        raise error

    def fetch_wheel(self, found: FoundWheel) -> SourceArchive:
        """What was *found*."""
        exact = f"{found.name}=={found.version}"
        wheel, yanked = self._download(["--only-binary", ":all:"], exact, self._environ)
        return hashed_archive("wheel", wheel, found.url, found.version, yanked)

    def _found(self, log: str) -> FoundWheel | None:
        """The wheel that pip would install; None if it fails, which *log* says more about."""
        report = self._file("report.json")
        options = ["--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:"]
        command = ["install", *options, "--report", report, self._requirement]
        if not self._run(command, self._environ, log).ok:
            return None
        with open(report, encoding="utf-8") as file:
            (item,) = json.load(file)["install"]
        url, stated = str(item["download_info"]["url"]), item["metadata"]
        return FoundWheel(url, str(stated["name"]), str(stated["version"]))

    def _has_newer_source(self, version: str) -> bool:
        """Whether a newer version than *version*, the newest wheel's, matches (needs pip >= 21.2)."""
        if pinned_version(self._requirement) is not None:
            return False
        newest = next(iter(self._versions("only", ":none:")), version)
        log_line(self._context.log, f"{self._requirement}: newest version: {newest}; newest wheel: {version}")
        return Version(newest) > Version(version)

    def _check_for_sources(self, tail: str) -> None:
        """Raise `SourceError` if there are wheels of what is required, and no sources; *tail*: what pip said.

        With constraints, pip 26.3 says something else of it; `pip index` of pip 23.2 ignores --no-binary.
        """
        wheels = self._versions("only", ":all:")
        if wheels and ("No matching distribution found" in tail or not self._versions("no", ":all:")):
            problem = f"there is no source of it, only wheels (version {', '.join(wheels[:3])})"
            hint = "publish the wheel itself, or name a source in a recipe (source.git, source.url)"
            raise SourceError(self._requirement, problem).with_hint(hint)

    def _versions(self, option: str, value: str) -> list[str]:
        """The versions that match, newest first, with pip's `--only-binary` or `--no-binary` (21.2)."""
        listing = self._file("versions.txt")
        with suppress(FileNotFoundError):
            os.unlink(listing)
        command = ["index", "versions", self._project, f"--{option}-binary", value]
        done = self._run(command, self._environ, listing)
        with open(listing, encoding="utf-8", errors="replace") as file:
            found = re.search(r"^Available versions: (.*)$", file.read(), re.MULTILINE)
        if not done.ok or found is None:
            return []
        versions = (each.strip() for each in found[1].split(","))
        return list(Requirement(self._requirement).specifier.filter(versions))

    def _download(self, options: list[str], requirement: str, environ: Mapping[str, str]) -> tuple[str, str]:
        """The path of the one file that pip downloads, and why it is yanked; empty if it is not."""
        into = self._file("download")
        command = ["download", "--no-deps", *options, "--dest", into, requirement]
        done = self._run(command, environ, self._context.log)
        if not done.ok:
            problem = f"pip download {done.problem}: {last_error(done.tail)}"
            if "--no-binary" in options:
                self._check_for_sources(done.tail)
            raise SourceError(self._requirement, problem)
        names = sorted(os.listdir(into))
        if len(names) != 1:
            problem = f"pip download left {len(names)} files, not one: {', '.join(names)}"
            raise SourceError(self._requirement, problem)
        yanked = _YANKED.search(done.tail)
        return os.path.join(into, names[0]), yanked[1] if yanked is not None else ""

    def _run(self, command: list[str], environ: Mapping[str, str], log: str) -> Finished:
        directory = self._context.directory
        return run_logged([*self._pip, *command], log=log, environ=environ, cwd=directory, timeout=TIMEOUT)

    def _file(self, name: str) -> str:
        return os.path.join(self._context.directory, name)


def _with_shim(environ: Mapping[str, str], shim: str) -> dict[str, str]:
    """*environ* with the directory *shim* beside this module first on PYTHONPATH."""
    path = os.pathsep.join(filter(None, [os.path.join(_SHIMS, shim), environ.get("PYTHONPATH")]))
    return {**environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def url_of(filename: str, said: str) -> str:
    """Where pip has the archive *filename* from, by its log *said*; else its name.

    A directory of the machine is no address.
    """
    with suppress(OSError), open(said, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = _ADDED.search(line)
            if found and os.path.basename(unquote(urlsplit(found[1]).path)) == filename:
                return found[1]
    return filename


def last_error(tail: str) -> str:
    """The last error in the end of a log, on one line."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no output"])[-1]


def version_in_filename(filename: str, project: str) -> str:
    """The version in the *filename* of a source distribution of *project*; empty if it is not one."""
    try:
        name, version = parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return ""
    return str(version) if name == project else ""
