"""Fetching sources from where the recipe says, as one archive for each, and unpacking them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.builder.process.git import git_environ
from wheelhouse_resolver.builder.process.scratch import remove_tree
from wheelhouse_resolver.builder.recipes.model import (
    Placeholder,
    Recipe,
    VariableError,
    below,
    pinned_version,
    variables_in,
)
from wheelhouse_resolver.builder.records.job import Job, SourceArchive
from wheelhouse_resolver.builder.sources import index
from wheelhouse_resolver.builder.sources.directory import pack_directory
from wheelhouse_resolver.builder.sources.fetched import (
    FetchContext,
    Fetched,
    SourceError,
    hashed_archive,
    log_line,
)
from wheelhouse_resolver.builder.sources.tree import pack_tree, unpack_tree
from wheelhouse_resolver.builder.sources.unpack import unpack
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.toolchain.phase_commands import phase_commands, run_phase
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.utils.process import run
from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.utils.safe_io import sha256_of
from wheelhouse_resolver.utils.toml import parse_toml
from wheelhouse_resolver.wheelfile.metadata import parse_headers
from wheelhouse_resolver.wheelfile.name import WheelName
from wheelhouse_resolver.wheelfile.placeholder import make_placeholder

#: The name of the archive of a directory or checkout.
_TREE = "source.tar"


def fetch(recipe: Recipe, job: Job, context: FetchContext) -> Fetched:
    """Fetch and unpack what *job* requires from where *recipe* says.

    A pure-Python wheel of the index is taken as it is unless the recipe has anything to say about the build
    (`Recipe.takes_wheel`).

    Raises `SourceError`, `ArchiveError`, `ModulesError`, `VariableError`.
    """
    pinned = pinned_version(job.requirement)
    if recipe.placeholder is not None:
        return _placeholder(recipe.placeholder, job, context)
    if phase_commands(recipe, "before-source"):
        context = _run_before_source(recipe, pinned, context)
    if recipe.source.kind == "index":
        archive = index.fetch_from_index(recipe, job, context)
    else:
        archive = _fetch_elsewhere(recipe, job.requirement, pinned, context)
    subdirectory = "" if archive.kind == "wheel" else recipe.source.subdirectory
    archive = replace(archive, subdirectory=subdirectory, origin=without_secrets(archive.origin))
    fetched = unpack_source(archive, os.path.join(context.directory, "source"))
    version_text = archive.version or _stated_version(fetched.path) or pinned
    if not version_text:
        raise SourceError(archive.origin, "does not state its version: ask for NAME==VERSION")
    if not Requirement(job.requirement).specifier.contains(version_text, prereleases=True):
        problem = f"has version {version_text}, which does not satisfy {job.requirement!r}"
        raise SourceError(archive.origin, problem)
    return replace(fetched, archive=replace(archive, version=str(Version(version_text))))


def _run_before_source(recipe: Recipe, pinned: str | None, context: FetchContext) -> FetchContext:
    """Run the commands before the download; returns *context* with what they exported.

    Raises `SourceError` when one fails.
    """
    place = os.path.join(context.directory, "before-source")
    os.mkdir(place)
    environ = {**source_environment(recipe, pinned, context.environ), "WHEELHOUSE_SOURCE_DIR": place}

    def run_one(command: Sequence[str], what: str, environ: Mapping[str, str], cwd: str) -> None:
        log_line(context.log, f"$ {what}")
        done = run_logged(command, log=context.log, environ=environ, cwd=cwd, timeout=index.TIMEOUT)
        if not done.ok:
            raise SourceError(recipe.at("phases.before-source"), f"{what} {done.why}")

    found = run_phase(recipe, "before-source", pinned or "", environ, run_one, place)
    return replace(context, environ=found, prepared=True)


def _placeholder(placeholder: Placeholder, job: Job, context: FetchContext) -> Fetched:
    """The placeholder of the newest version that *job* allows. Raises `SourceError`."""
    specifier = Requirement(job.requirement).specifier
    versions = list(map(Version, placeholder.versions or filter(None, [pinned_version(job.requirement)])))
    fitting = list(specifier.filter(versions, prereleases=True))
    if not fitting:
        hint = f"there are: {', '.join(map(str, sorted(versions)))}" if versions else "ask for NAME==VERSION"
        raise SourceError(job.requirement, "its placeholder has no such version").with_hint(hint)
    imports = placeholder.imports
    if imports is None:
        imports = (job.project.replace("-", "_"),)
    path = make_placeholder(context.directory, job.project, max(fitting), placeholder.message, imports)
    version = str(WheelName.parse(os.path.basename(path)).version)
    archive = hashed_archive("wheel", path, "placeholder", version)
    return unpack_source(archive, context.directory)


def without_secrets(origin: str) -> str:
    """*origin* without secrets; what follows the colon of git's `HOST:PATH` is none."""
    kind = "git+" if origin.startswith("git+") else ""
    url = origin.removeprefix(kind)
    return origin if kind and "://" not in url else kind + redact(url, mark="")


def check_archive(archive: SourceArchive) -> None:
    """Check that the file is the one that was fetched. Raises `SourceError`."""
    try:
        digest = sha256_of(archive.path)
    except OSError as error:
        raise SourceError.from_os(archive.origin, error, f"cannot read {archive.path}") from error
    if digest != archive.sha256:
        problem = f"{archive.path} has the sha256 {digest}, not {archive.sha256} as when it was fetched"
        raise SourceError(archive.origin, problem)


def unpack_source(archive: SourceArchive, into: str) -> Fetched:
    """*archive* unpacked into the new directory *into*. Raises `ArchiveError`, `SourceError`."""
    if archive.kind == "wheel":
        return Fetched(archive=archive, root=archive.path, path=archive.path)
    if archive.kind == "tree":
        unpack_tree(archive.path, into)
        root = into
    else:
        root = unpack(archive.path, into, name=archive.origin)
    root = os.path.realpath(root)
    path = os.path.realpath(os.path.join(root, archive.subdirectory))
    if not os.path.isdir(path) or os.path.commonpath([path, root]) != root:
        raise SourceError(archive.origin, f"has no directory {archive.subdirectory!r}")
    return Fetched(archive=archive, root=root, path=path)


def _fetch_elsewhere(
    recipe: Recipe, requirement: str, pinned: str | None, context: FetchContext
) -> SourceArchive:
    source = recipe.source
    if pinned is None and "version" in variables_in(source.location + source.ref):
        raise SourceError(
            requirement, "its recipe needs the version to find the source: ask for NAME==VERSION"
        )
    environ = dict(context.environ)
    if not context.prepared:
        environ = source_environment(recipe, pinned, environ)
    location = recipe.expanded(source.location, environ, pinned or "", f"source.{source.kind}")
    if source.kind == "url":
        return _fetch_url(location, recipe, context)
    beside = os.path.dirname(recipe.path) if recipe.path is not None else os.curdir
    if source.kind == "git":
        ref = recipe.expanded(source.ref, environ, pinned or "", "source.ref")
        if location.startswith((f"{os.curdir}/", f"{os.pardir}/")):  # a path; git would take it from here
            location = below(beside, location)
        return _fetch_git(location, ref, replace(context, environ=environ))
    directory = below(beside, os.path.expanduser(location))
    if not os.path.isdir(directory):
        raise SourceError(directory, "not a directory")
    archive = os.path.join(context.directory, _TREE)
    pack_directory(directory, archive, replace(context, environ=environ))
    return hashed_archive("tree", archive, Path(os.path.abspath(directory)).as_uri())


def source_environment(recipe: Recipe, pinned: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* with the recipe's modules and variables.

    Variables that need what is not known yet (the version, compiler flags) are left out; if one of them is
    really missing, the build itself reports it.
    """
    found = module_environment(recipe.build_modules, environ)
    for name, text in recipe.env:
        if pinned is not None or "version" not in variables_in(text):
            with suppress(VariableError):
                found[name] = recipe.expanded(text, found, pinned or "", f"env.{name}")
    return found


def _fetch_url(url: str, recipe: Recipe, context: FetchContext) -> SourceArchive:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.parse import unquote, urlsplit
    from urllib.request import urlopen

    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SourceError(redact(url), f"invalid URL: {error}") from error
    if parts.scheme not in ("https", "http", "file"):
        raise SourceError(redact(url), "not an https, http or file URL")
    archive = os.path.join(context.directory, "archive")
    try:
        with urlopen(url, timeout=120) as response, open(archive, "wb") as file:
            shutil.copyfileobj(response, file)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        reason = getattr(error, "reason", error)
        text = reason_of(reason) if isinstance(reason, OSError) else str(reason)
        raise SourceError(redact(url), f"cannot be fetched: {text}") from error
    version = index.version_in_filename(os.path.basename(unquote(parts.path)), recipe.source_name)
    found = hashed_archive("sdist", archive, url, version)
    digest, wanted = f"has the sha256 {found.sha256}", recipe.source.sha256
    if not wanted:
        log_line(context.log, f"{url} {digest}; the recipe can require it (source.sha256)")
    elif found.sha256 != wanted:
        raise SourceError(redact(url), f"{digest}, but the recipe requires {wanted}")
    return found


def _fetch_git(url: str, ref: str, context: FetchContext) -> SourceArchive:
    path = os.path.join(context.directory, "checkout")
    # A name that begins with a dash would be an option.
    for text in (url, ref):
        if text.startswith("-"):
            raise SourceError(redact(url), f"{redact(text)!r} cannot be given to git")
    environ = git_environ(context.environ)
    inside = ["git", "-C", path]
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", ref):
        # Not every server allows to ask for a commit: fetch the whole history.
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
        done = run_logged(command, log=context.log, environ=environ, timeout=index.TIMEOUT)
        if not done.ok:
            where = redact(f"{url}@{ref}" if ref else url)
            raise SourceError(where, f"git {done.problem}: {index.last_error(done.tail)}")
    commit = run([*inside, "rev-parse", "HEAD"], environ=environ).stdout.strip()
    archive = os.path.join(context.directory, _TREE)
    pack_tree(path, archive)
    remove_tree(path)
    return hashed_archive("tree", archive, f"git+{url}@{commit}")


def _stated_version(path: str) -> str:
    """The version that the unpacked source at *path* states: in PKG-INFO, or statically in pyproject.toml."""
    for name, read in (
        ("PKG-INFO", lambda text: parse_headers(text).get("Version") or ""),
        ("pyproject.toml", lambda text: parse_toml(text)["project"]["version"]),
    ):
        with suppress(OSError, ValueError, LookupError, TypeError):  # not there, or not stated
            return str(Version(read(Path(path, name).read_text(encoding="utf-8"))))
    return ""
