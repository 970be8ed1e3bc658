"""Sources, fetched from where the recipe says; `archives` unpacks them, `changes` changes them.

From the index everything comes through `pip download` of the target Python, so that the site's pip
configuration counts. pip asks the build backend for the metadata of every source distribution that it
downloads, and nothing makes it leave that out. A backend that has no hook for it (meson-python: numpy, scipy)
then builds the whole project. So pip gets PKG-INFO instead, by way of `sdist_only`; only where that fails may
it ask the backend, with the recipe's modules and variables.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.build.archives import unpack
from wheelhouse_resolver.build.changes import prepare, tell
from wheelhouse_resolver.build.modules import module_environment
from wheelhouse_resolver.build.processes import run_logged
from wheelhouse_resolver.build.recipe import Recipe, below, pinned_version, variables_in
from wheelhouse_resolver.build.recipe_file import RecipeFile
from wheelhouse_resolver.errors import WheelhouseError, reason_of
from wheelhouse_resolver.metadata import parse_headers
from wheelhouse_resolver.site import GENERIC
from wheelhouse_resolver.text import printable
from wheelhouse_resolver.toml_text import TomlError, parse_toml

__all__ = ["Fetched", "SourceError", "fetch", "prepare"]

#: How long one download or checkout may take (s).
_TIMEOUT = 3600

#: How long a server may say nothing (s).
_SILENCE = 120

#: What keeps pip from asking build backends; see there.
_SDIST_ONLY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sdist_only")

_CHUNK = 1 << 20

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class SourceError(WheelhouseError, RuntimeError):
    """A source that cannot be had. Attributes: *source*, *problem*."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(source, problem)
        self.source = source
        self.problem = problem

    def __str__(self) -> str:
        return f"{printable(self.source)}: {printable(self.problem)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What there is to build from.

    kind:    `source`, or `wheel` for a pure-Python wheel that is taken as it is.
    path:    of the unpacked project, or of the wheel.
    version: PEP 440, normalised.
    origin:  where it is from, for the record.
    sha256:  of the archive or wheel (hex); empty for a directory, and for git, whose commit *origin* names.
    """

    kind: str
    path: str
    version: str
    origin: str
    sha256: str = ""


def fetch(
    recipe: RecipeFile | Recipe,
    requirement: str,
    *,
    python: str,
    directory: str,
    log: str,
    environ: Mapping[str, str],
    python_version: str = "",
    layer: str | None = None,
    arch: str = GENERIC,
    wheels_config: str = "",
) -> Fetched:
    """Fetch what *requirement* needs into *directory* (empty) and unpack it there.

    A recipe file is resolved for the version that *requirement* pins, if it pins one. A pure-Python wheel of
    the index is taken as it is unless the recipe says anything of a build (`Recipe.takes_wheel`).
    *wheels_config* is the PIP_CONFIG_FILE with which such a wheel is looked for: pip must find none that the
    site itself has made. What commands print goes to the file *log*.

    Raises `SourceError`, `ArchiveError`, `ModulesError`, `VariableError`.
    """
    pinned = pinned_version(requirement)
    if isinstance(recipe, RecipeFile):
        version = Version(pinned) if pinned is not None else None
        recipe = recipe.resolve(version, python_version or _version_of(python), layer, arch)
    source = recipe.source
    if source.kind == "index":
        found = _from_index(recipe, requirement, python, directory, log, environ, wheels_config)
        if found.kind == "wheel":
            return found
    else:
        found = _from_elsewhere(recipe, requirement, pinned, directory, log, environ)
    path = os.path.realpath(os.path.join(found.path, source.subdirectory))
    whole = os.path.realpath(found.path)
    if not os.path.isdir(path) or os.path.commonpath([path, whole]) != whole:
        raise SourceError(found.origin, f"has no directory {source.subdirectory!r}")
    told = found.version or pinned or _stated_version(path)
    if not told:
        raise SourceError(found.origin, "does not tell its version: ask for NAME==VERSION")
    return replace(found, path=path, version=str(Version(told)))


def _from_elsewhere(
    recipe: Recipe, requirement: str, pinned: str | None, directory: str, log: str, environ: Mapping[str, str]
) -> Fetched:
    source = recipe.source
    if pinned is None and "version" in variables_in(source.location + source.ref):
        raise SourceError(requirement, "its recipe names the source by the version: ask for NAME==VERSION")
    environ = module_environment(recipe.build_modules, environ)
    location = recipe.expanded(source.location, environ, pinned or "", f"source.{source.kind}")
    if source.kind == "url":
        return _from_url(location, source.sha256, directory, log)
    if source.kind == "git":
        ref = recipe.expanded(source.ref, environ, pinned or "", "source.ref")
        return _from_git(location, ref, directory, log, environ)
    beside = os.path.dirname(recipe.path) if recipe.path is not None else os.curdir
    return _from_directory(below(beside, os.path.expanduser(location)), directory)


# -- from the index -----------------------------------------------------------------------------------------


def _from_index(
    recipe: Recipe,
    requirement: str,
    python: str,
    directory: str,
    log: str,
    environ: Mapping[str, str],
    wheels_config: str,
) -> Fetched:
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if recipe.takes_wheel:
        looking = {**environ, "PIP_CONFIG_FILE": wheels_config} if wheels_config else environ
        wheel = _pure_wheel(requirement, pip, directory, log, looking)
        if wheel is not None:
            return wheel
    into = os.path.join(directory, "sdist")
    name = canonicalize_name(Requirement(requirement).name)
    # pip's cache of built wheels must not take part (pip 23.1 and newer read it for --no-binary, too).
    command = [*pip, "download", "--no-deps", "--no-cache-dir", "--no-binary", name, "--dest", into]
    done = run_logged(
        [*command, "--use-pep517", "--no-build-isolation", requirement],
        log=log,
        environ=_without_backend(environ),
        cwd=directory,
        timeout=_TIMEOUT,
    )
    if not done.ok:
        tell(log, "once more, with the metadata that the build backend makes")
        loaded = module_environment(recipe.build_modules, environ)
        loaded = recipe.environment(loaded, pinned_version(requirement) or "")
        done = run_logged([*command, requirement], log=log, environ=loaded, cwd=directory, timeout=_TIMEOUT)
    if not done.ok:
        raise SourceError(requirement, f"pip download {done.problem}: {_last_error(done.tail)}")
    archive = _only_file(into, requirement)
    unpacked = unpack(archive, os.path.join(directory, "source"))
    return Fetched(
        kind="source",
        path=unpacked,
        version=_version_in(os.path.basename(archive)),
        origin=os.path.basename(archive),
        sha256=_sha256(archive),
    )


def _without_backend(environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* for a pip that asks no build backend for the metadata of a source distribution."""
    path = os.pathsep.join(filter(None, [_SDIST_ONLY, environ.get("PYTHONPATH")]))
    return {**environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _pure_wheel(
    requirement: str, pip: Sequence[str], directory: str, log: str, environ: Mapping[str, str]
) -> Fetched | None:
    """The pure-Python wheel that pip would take for *requirement*, if it would take one.

    Where it would rather take a compiled one, the pure one is a makeshift, and the project is built.
    """
    report = os.path.join(directory, "report.json")
    options = ["--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:"]
    done = run_logged(
        [*pip, "install", *options, "--report", report, requirement],
        log=log,
        environ=environ,
        cwd=directory,
        timeout=_TIMEOUT,
    )
    if not done.ok:
        return None  # there is no wheel at all, or pip is older than its reports
    with open(report, encoding="utf-8") as file:
        (item,) = json.load(file)["install"]
    url = str(item["download_info"]["url"])
    if not url.endswith("-none-any.whl"):
        return None
    version = str(item["metadata"]["version"])
    if pinned_version(requirement) is None and _newer_source(
        requirement, version, pip, directory, log, environ
    ):
        return None
    into = os.path.join(directory, "wheel")
    command = [*pip, "download", "--no-deps", "--only-binary", ":all:", "--dest", into]
    exact = f"{item['metadata']['name']}=={version}"
    done = run_logged([*command, exact], log=log, environ=environ, cwd=directory, timeout=_TIMEOUT)
    if not done.ok:
        raise SourceError(requirement, f"pip download {done.problem}: {_last_error(done.tail)}")
    wheel = _only_file(into, requirement)
    _, told, _, _ = parse_wheel_filename(os.path.basename(wheel))
    return Fetched(kind="wheel", path=wheel, version=str(told), origin=url, sha256=_sha256(wheel))


def _newer_source(
    requirement: str, version: str, pip: Sequence[str], directory: str, log: str, environ: Mapping[str, str]
) -> bool:
    """Whether there is a newer version than that of the wheel, without a wheel (pip >= 21.2 can tell)."""
    asked = Requirement(requirement)
    listing = os.path.join(directory, "versions.txt")
    done = run_logged(
        [*pip, "index", "versions", asked.name], log=listing, environ=environ, cwd=directory, timeout=_TIMEOUT
    )
    with open(listing, encoding="utf-8", errors="replace") as file:
        found = re.search(r"^Available versions: (.*)$", file.read(), re.MULTILINE)
    if not done.ok or found is None:
        return False
    newest = next(iter(asked.specifier.filter(each.strip() for each in found[1].split(","))), version)
    tell(log, f"the newest version that matches {requirement} is {newest}, the newest wheel's {version}")
    return Version(newest) > Version(version)


def _only_file(directory: str, what: str) -> str:
    names = sorted(os.listdir(directory))
    if len(names) != 1:
        raise SourceError(what, f"pip download left {len(names)} files, not one: {', '.join(names)}")
    return os.path.join(directory, names[0])


def _last_error(tail: str) -> str:
    """What pip said last of the error, on one line."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1]


# -- from elsewhere -----------------------------------------------------------------------------------------


def _from_url(url: str, sha256: str, directory: str, log: str) -> Fetched:
    from http.client import HTTPException
    from urllib.parse import unquote, urlsplit
    from urllib.request import urlopen

    parts = urlsplit(url)
    if parts.scheme not in ("https", "http", "file"):
        raise SourceError(url, "is no https, http or file URL")
    name = os.path.basename(unquote(parts.path))
    archive = os.path.join(directory, "archive")
    try:
        with urlopen(url, timeout=_SILENCE) as response, open(archive, "wb") as file:
            shutil.copyfileobj(response, file, _CHUNK)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        told = reason_of(reason) if isinstance(reason, OSError) else str(reason)
        raise SourceError(url, f"cannot be fetched: {told}") from error
    digest = _sha256(archive)
    if not sha256:
        tell(log, f"{url} has the sha256 {digest}; the recipe could hold it to that")
    elif digest != sha256:
        raise SourceError(url, f"its sha256 is {digest}, the recipe says {sha256}")
    path = unpack(archive, os.path.join(directory, "source"))
    return Fetched(kind="source", path=path, version=_version_in(name), origin=url, sha256=digest)


def _from_git(url: str, ref: str, directory: str, log: str, environ: Mapping[str, str]) -> Fetched:
    path = os.path.join(directory, "source")
    # A name that begins with a dash would be an option.
    for text in (url, ref):
        if text.startswith("-"):
            raise SourceError(url, f"{text!r} cannot be given to git")
    quiet = {**environ, "GIT_TERMINAL_PROMPT": "0"}
    commit = bool(_COMMIT.fullmatch(ref))
    # A tag is all that is needed of the history; a commit alone cannot be asked for everywhere.
    depth = [] if commit else ["--depth", "1", "--shallow-submodules"]
    branch = ["--branch", ref] if ref and not commit else []
    clone = ["git", "clone", "--quiet", "--recurse-submodules", *depth, *branch, "--", url, path]
    commands = [clone]
    if commit:
        commands.append(["git", "-C", path, "checkout", "--quiet", "--recurse-submodules", ref])
    for command in commands:
        done = run_logged(command, log=log, environ=quiet, timeout=_TIMEOUT)
        if not done.ok:
            last = done.tail.splitlines()[-1] if done.tail else ""
            raise SourceError(f"{url}@{ref}" if ref else url, f"git {done.problem}: {last}")
    found = subprocess.run(
        ["git", "-C", path, "rev-parse", "HEAD"], env=quiet, capture_output=True, text=True, check=False
    )
    return Fetched(kind="source", path=path, version="", origin=f"git+{url}@{found.stdout.strip()}")


def _from_directory(location: str, directory: str) -> Fetched:
    path = os.path.join(directory, "source")
    if not os.path.isdir(location):
        raise SourceError(location, "is no directory")
    within = os.path.realpath(location)
    if os.path.commonpath([within, os.path.realpath(directory)]) == within:
        raise SourceError(location, f"holds the directory to build in, {directory}: build elsewhere")
    try:
        # Links stay what they are: nothing that they lead to is copied, or changed later.
        shutil.copytree(location, path, symlinks=True)
    except shutil.Error as error:
        raise SourceError(location, f"cannot be copied: {error.args[0][0][-1]}") from error
    return Fetched(kind="source", path=path, version="", origin=f"file://{os.path.abspath(location)}")


def _version_in(name: str) -> str:
    """The version in the file *name* of a source distribution; empty when it is none."""
    try:
        return str(parse_sdist_filename(name)[1])
    except InvalidSdistFilename:
        return ""


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _stated_version(path: str) -> str:
    """The version that the unpacked source at *path* states: in PKG-INFO, or statically in pyproject.toml."""
    for name, read in (("PKG-INFO", _of_pkg_info), ("pyproject.toml", _of_pyproject)):
        try:
            with open(os.path.join(path, name), encoding="utf-8") as file:
                found = read(file.read())
            return str(Version(found))
        except (OSError, UnicodeDecodeError, InvalidVersion, TomlError):
            continue
    return ""


def _of_pkg_info(text: str) -> str:
    return parse_headers(text).get("Version") or ""


def _of_pyproject(text: str) -> str:
    project = parse_toml(text).get("project")
    return str(project.get("version", "")) if isinstance(project, dict) else ""


def _version_of(python: str) -> str:
    """`3.11`, of the Python at that path."""
    from wheelhouse_resolver.host.python import python_version, target_python

    target, _ = target_python(python)
    version = python_version(target)
    return f"{version.major}.{version.minor}"
