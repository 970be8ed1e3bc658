"""Sources, fetched from where the recipe says; `archives` unpacks them, `changes` changes them.

From the index everything comes through `pip download` of the target Python, so that the site's pip
configuration counts. pip asks the build backend for the metadata of every source distribution that it
downloads, and nothing makes it leave that out. A backend that has no hook for it (meson-python: numpy, scipy)
then builds the whole project. So pip gets PKG-INFO instead, by way of `sdist_only`, which also lets it unpack
nothing that could do harm. Nothing of the project runs here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.builder.recipes.loader import RecipeFile
from wheelhouse_resolver.builder.recipes.model import (
    Recipe,
    VariableError,
    below,
    pinned_version,
    variables_in,
)
from wheelhouse_resolver.builder.sources.fetched import Fetched, SourceError
from wheelhouse_resolver.builder.sources.patch import tell
from wheelhouse_resolver.builder.sources.unpack import unpack
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.utils.safe_io import sha256_of
from wheelhouse_resolver.utils.toml import TomlError, parse_toml
from wheelhouse_resolver.wheelfile.metadata import parse_headers

#: How long one download or checkout may take (s).
_TIMEOUT = 3600


#: How long a server may say nothing (s).
_SILENCE = 120


#: What keeps pip from asking build backends; see there.
_SDIST_ONLY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip_shim")


_CHUNK = 1 << 20


_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


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
    told = found.version or _stated_version(path) or pinned
    if not told:
        raise SourceError(found.origin, "does not tell its version: ask for NAME==VERSION")
    if not Requirement(requirement).specifier.contains(told, prereleases=True):
        raise SourceError(found.origin, f"is of version {told}, which is not what {requirement!r} asks for")
    return replace(found, path=path, version=str(Version(told)))


def _from_elsewhere(
    recipe: Recipe, requirement: str, pinned: str | None, directory: str, log: str, environ: Mapping[str, str]
) -> Fetched:
    source = recipe.source
    if pinned is None and "version" in variables_in(source.location + source.ref):
        raise SourceError(requirement, "its recipe names the source by the version: ask for NAME==VERSION")
    environ = _early(recipe, pinned, environ)
    location = recipe.expanded(source.location, environ, pinned or "", f"source.{source.kind}")
    if source.kind == "url":
        return _from_url(location, source.sha256, recipe.name, directory, log)
    if source.kind == "git":
        ref = recipe.expanded(source.ref, environ, pinned or "", "source.ref")
        return _from_git(location, ref, directory, log, environ)
    beside = os.path.dirname(recipe.path) if recipe.path is not None else os.curdir
    return _from_directory(below(beside, os.path.expanduser(location)), directory)


def _early(recipe: Recipe, pinned: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* with the recipe's modules and variables.

    A variable that needs what is not known yet (the version, the flags of the build) is left out: it is told
    when the build itself needs it.
    """
    found = module_environment(recipe.build_modules, environ)
    for name, text in recipe.env:
        if pinned is not None or "version" not in variables_in(text):
            with suppress(VariableError):
                found[name] = recipe.expanded(text, found, pinned or "", f"env.{name}")
    return found


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
        raise SourceError(requirement, f"pip download {done.problem}: {_last_error(done.tail)}")
    archive = _only_file(into, requirement)
    unpacked = unpack(archive, os.path.join(directory, "source"), called=os.path.basename(archive))
    return Fetched(
        kind="source",
        path=unpacked,
        version=_version_in(os.path.basename(archive), name),
        origin=os.path.basename(archive),
        sha256=sha256_of(archive),
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
    report, said = (os.path.join(directory, name) for name in ("report.json", "report.txt"))
    options = ["--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:"]
    done = run_logged(
        [*pip, "install", *options, "--report", report, requirement],
        log=said,
        environ=environ,
        cwd=directory,
        timeout=_TIMEOUT,
    )
    if not done.ok:  # there is no wheel at all, or pip is older than its reports
        tell(log, f"no wheel is found that {requirement} could be; looking for its source")
        return None
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
    return Fetched(kind="wheel", path=wheel, version=str(told), origin=url, sha256=sha256_of(wheel))


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


def _from_url(url: str, sha256: str, project: str, directory: str, log: str) -> Fetched:
    from http.client import HTTPException
    from urllib.parse import unquote, urlsplit
    from urllib.request import urlopen

    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SourceError(url, f"is no URL: {error}") from error
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
    digest = sha256_of(archive)
    if not sha256:
        tell(log, f"{url} has the sha256 {digest}; the recipe could hold it to that")
    elif digest != sha256:
        raise SourceError(url, f"its sha256 is {digest}, the recipe says {sha256}")
    path = unpack(archive, os.path.join(directory, "source"), called=url)
    return Fetched(kind="source", path=path, version=_version_in(name, project), origin=url, sha256=digest)


def _from_git(url: str, ref: str, directory: str, log: str, environ: Mapping[str, str]) -> Fetched:
    path = os.path.join(directory, "source")
    # A name that begins with a dash would be an option.
    for text in (url, ref):
        if text.startswith("-"):
            raise SourceError(url, f"{text!r} cannot be given to git")
    quiet = {**environ, "GIT_TERMINAL_PROMPT": "0"}
    if _COMMIT.fullmatch(ref):  # which cannot be asked for everywhere, unlike a tag: so all of the history
        inside = ["git", "-C", path]
        commands = [
            ["git", "clone", "--quiet", "--no-checkout", "--", url, path],
            [*inside, "checkout", "--quiet", "--detach", ref],
            [*inside, "submodule", "--quiet", "update", "--init", "--recursive"],
        ]
    else:
        options = ["--depth", "1", "--recurse-submodules", "--shallow-submodules"]
        branch = ["--branch", ref] if ref else []
        commands = [["git", "clone", "--quiet", *options, *branch, "--", url, path]]
    for command in commands:
        done = run_logged(command, log=log, environ=quiet, timeout=_TIMEOUT)
        if not done.ok:
            raise SourceError(f"{url}@{ref}" if ref else url, f"git {done.problem}: {_last_error(done.tail)}")
    found = subprocess.run(
        ["git", "-C", path, "rev-parse", "HEAD"], env=quiet, capture_output=True, text=True, check=False
    )
    return Fetched(kind="source", path=path, version="", origin=f"git+{url}@{found.stdout.strip()}")


def _from_directory(location: str, directory: str) -> Fetched:
    path = os.path.join(directory, "source")
    if not os.path.isdir(location):
        raise SourceError(location, "is no directory")
    ours = os.path.realpath(directory)

    def left_out(above: str, names: list[str]) -> list[str]:
        """Where it is copied to may be below it."""
        return [name for name in names if os.path.realpath(os.path.join(above, name)) == ours]

    try:
        # Links stay what they are: nothing that they lead to is copied, or changed later.
        shutil.copytree(location, path, symlinks=True, ignore=left_out)
        _make_writable(path)
    except shutil.Error as error:
        raise SourceError(location, f"cannot be copied: {error.args[0][0][-1]}") from error
    except OSError as error:
        raise SourceError(location, f"cannot be copied: {reason_of(error)}") from error
    return Fetched(kind="source", path=path, version="", origin=Path(os.path.abspath(location)).as_uri())


def _make_writable(root: str) -> None:
    """Let us write what is below *root*: a copy of what is read-only is so too, and builds write into it."""
    for directory, _, names in os.walk(root):
        for path in (directory, *(os.path.join(directory, name) for name in names)):
            if not os.path.islink(path):
                os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | stat.S_IWUSR)


def _version_in(filename: str, project: str) -> str:
    """The version in the *filename* of a source distribution of *project*; empty when it is none."""
    with suppress(InvalidSdistFilename):
        name, version = parse_sdist_filename(filename)
        if name == project:
            return str(version)
    return ""


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
    from wheelhouse_resolver.host.target_python import python_version, target_python

    target, _ = target_python(python)
    version = python_version(target)
    return f"{version.major}.{version.minor}"
