"""Sources: fetched from where the recipe says, unpacked safely, and changed as the recipe says.

From the index everything comes through `pip download` of the target Python, so that the site's pip
configuration counts. pip prepares the metadata of every source distribution that it downloads, and nothing
makes it leave that out; so it runs with the recipe's modules, variables and config-settings.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.build.flags import native_word, replace_native
from wheelhouse_resolver.build.modules import module_environment
from wheelhouse_resolver.build.processes import run_logged
from wheelhouse_resolver.build.recipe import (
    Patch,
    Recipe,
    Substitution,
    expanded,
    pinned_version,
)
from wheelhouse_resolver.build.recipe_file import RecipeFile
from wheelhouse_resolver.errors import WheelhouseError, reason_of
from wheelhouse_resolver.metadata import BAD_ZIP, parse_headers
from wheelhouse_resolver.site import GENERIC
from wheelhouse_resolver.text import printable
from wheelhouse_resolver.toml_text import TomlError, parse_toml

__all__ = ["Fetched", "SourceError", "fetch", "prepare", "unpack"]

#: How long one download or checkout may take (s).
_TIMEOUT = 3600

_ZIPS = (".zip",)
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz")

#: So much no source unpacks to (bytes).
_MOST = 16 << 30

_CHUNK = 1 << 20

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class SourceError(WheelhouseError, RuntimeError):
    """A source that cannot be had or changed. Attributes: *source*, *problem*."""

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
    the index is taken as it is unless the recipe changes the source. *wheels_config* is the PIP_CONFIG_FILE
    with which such a wheel is looked for: pip must find none that the site itself has made. What commands
    print goes to the file *log*.

    Raises `SourceError`, `ModulesError`, `VariableError`.
    """
    pinned = pinned_version(requirement)
    if isinstance(recipe, RecipeFile):
        version = Version(pinned) if pinned is not None else None
        recipe = recipe.resolve(version, python_version or _version_of(python), layer, arch)
    source = recipe.source
    if source.kind == "index":
        found = _from_index(recipe, requirement, python, directory, log, environ, wheels_config)
    else:
        if pinned is None and "${version}" in source.location + source.ref:
            raise SourceError(
                requirement, "its recipe names the source by its version: ask for NAME==VERSION"
            )
        location, ref = (expanded(text, environ, pinned or "") for text in (source.location, source.ref))
        if source.kind == "url":
            found = _from_url(location, source.sha256, directory)
        elif source.kind == "git":
            found = _from_git(location, ref, directory, log, environ)
        else:
            found = _from_directory(location, directory)
    if found.kind == "wheel":
        return found
    path = os.path.join(found.path, source.subdirectory) if source.subdirectory else found.path
    if not os.path.isdir(path):
        raise SourceError(found.origin, f"has no directory {source.subdirectory!r}")
    told = found.version or pinned or _stated_version(path)
    if not told:
        raise SourceError(found.origin, "does not tell its version: ask for NAME==VERSION")
    return Fetched(
        kind="source", path=path, version=str(Version(told)), origin=found.origin, sha256=found.sha256
    )


def prepare(fetched: Fetched, recipe: Recipe, *, log: str, environ: Mapping[str, str]) -> None:
    """Change the source as *recipe* says: patches, substitutions, and flags for the building node's CPU.

    *environ* is that of the build: what stands in its CFLAGS takes the place of `-march=native`. What was
    changed is told in *log*. Raises `SourceError` for what does not apply: the recipe is not for this source.
    """
    for patch in recipe.patches:
        _apply(patch, fetched.path, log, environ)
    for substitution in recipe.substitutions:
        count = _substitute(substitution, fetched, environ)
        _tell(log, f"substituted {substitution.pattern!r} {count} times in {substitution.files}")
    if recipe.march:
        word = native_word(environ.get("CFLAGS", ""))
        for path in replace_native(fetched.path, word):
            _tell(log, f"flags for the building node's own CPU became {word!r} in {path}")


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
    loaded = module_environment(recipe.build_modules, environ)
    pinned = pinned_version(requirement) or ""
    settings: list[str] = []
    try:
        for name, text in recipe.env:
            loaded[name] = expanded(text, loaded, pinned)
        for key, value in recipe.config_settings:
            settings.append(f"--config-settings={key}={expanded(value, loaded, pinned)}")
    except WheelhouseError:
        settings = []  # what needs more than is known yet is told when the build itself needs it
    name = canonicalize_name(Requirement(requirement).name)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    if not recipe.changes_source:
        looking = {**loaded, "PIP_CONFIG_FILE": wheels_config} if wheels_config else loaded
        wheel = _pure_wheel(requirement, pip, directory, log, looking)
        if wheel is not None:
            return wheel
    into = os.path.join(directory, "sdist")
    command = [*pip, "download", "--no-deps", "--no-cache-dir", "--no-binary", name, "--dest", into]
    done = run_logged(
        [*command, *settings, requirement], log=log, environ=loaded, cwd=directory, timeout=_TIMEOUT
    )
    if not done.ok:
        raise SourceError(requirement, f"pip download {done.problem}: {_last_error(done.tail)}")
    archive = _only_file(into, requirement)
    try:
        _, version = parse_sdist_filename(os.path.basename(archive))
        told = str(version)
    except InvalidSdistFilename:
        told = ""
    unpacked = unpack(archive, os.path.join(directory, "source"))
    return Fetched(
        kind="source",
        path=unpacked,
        version=told or _stated_version(unpacked),
        origin=os.path.basename(archive),
        sha256=_sha256(archive),
    )


def _pure_wheel(
    requirement: str, pip: Sequence[str], directory: str, log: str, environ: Mapping[str, str]
) -> Fetched | None:
    """The pure-Python wheel that pip would take for *requirement*, if it would take one."""
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
    if _newer_source(requirement, version, pip, directory, log, environ):
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
    _tell(log, f"the newest version that matches {requirement} is {newest}, the newest wheel's {version}")
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


def _from_url(url: str, sha256: str, directory: str) -> Fetched:
    from urllib.error import URLError
    from urllib.parse import unquote, urlsplit
    from urllib.request import urlopen

    parts = urlsplit(url)
    if parts.scheme not in ("https", "http", "file"):
        raise SourceError(url, "is no https, http or file URL")
    name = os.path.basename(unquote(parts.path))
    if not name.endswith((*_TARS, *_ZIPS)):
        raise SourceError(url, f"is no archive: its name ends in none of {', '.join((*_TARS, *_ZIPS))}")
    archive = os.path.join(directory, name)
    try:
        with urlopen(url, timeout=_TIMEOUT) as response, open(archive, "wb") as file:
            shutil.copyfileobj(response, file, _CHUNK)
    except (URLError, ValueError) as error:
        reason = getattr(error, "reason", error)
        told = reason_of(reason) if isinstance(reason, OSError) else str(reason)
        raise SourceError(url, f"cannot be fetched: {told}") from error
    digest = _sha256(archive)
    if sha256 and digest != sha256:
        raise SourceError(url, f"its sha256 is {digest}, the recipe says {sha256}")
    try:
        _, version = parse_sdist_filename(name)
        told = str(version)
    except InvalidSdistFilename:
        told = ""
    path = unpack(archive, os.path.join(directory, "source"))
    return Fetched(kind="source", path=path, version=told, origin=url, sha256=digest)


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
    try:
        shutil.copytree(location, path, symlinks=True)
    except shutil.Error as error:
        raise SourceError(location, f"cannot be copied: {error.args[0][0][-1]}") from error
    return Fetched(kind="source", path=path, version="", origin=f"file://{os.path.abspath(location)}")


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


# -- unpacking ----------------------------------------------------------------------------------------------


def unpack(archive: str, into: str) -> str:
    """Unpack *archive* into the new directory *into*; returns the single top directory in it, or *into*.

    What would leave *into*, by its name or through a link, and what is no file, directory or link, is an
    error: nothing outside is ever touched. Raises `SourceError`.
    """
    os.mkdir(into)
    try:
        if archive.endswith(_ZIPS):
            with zipfile.ZipFile(archive) as packed:
                _unpack_zip(packed, into, archive)
        else:
            with tarfile.open(archive) as packed_tar:
                _unpack_tar(packed_tar, into, archive)
    except (*BAD_ZIP, tarfile.TarError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(archive, f"cannot be unpacked: {str(error) or type(error).__name__}") from error
    names = os.listdir(into)
    top = os.path.join(into, names[0]) if len(names) == 1 else into
    return top if os.path.isdir(top) and not os.path.islink(top) else into


def _unpack_zip(packed: zipfile.ZipFile, into: str, archive: str) -> None:
    if sum(info.file_size for info in packed.infolist()) > _MOST:
        raise SourceError(archive, f"claims to unpack to more than {_MOST >> 30} GiB")
    for info in packed.infolist():
        _inside(info.filename, archive)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise SourceError(archive, f"entry {info.filename!r} is no regular file")
        path = packed.extract(info, into)
        if info.external_attr >> 16 & 0o111 and not info.is_dir():
            os.chmod(path, 0o755)


def _unpack_tar(packed: tarfile.TarFile, into: str, archive: str) -> None:
    size = 0
    links: set[str] = set()
    for info in packed:
        name = info.name.rstrip("/")
        _inside(name, archive)
        parents = {os.path.normpath(str(parent)) for parent in Path(name).parents}
        if links & parents:
            raise SourceError(archive, f"entry {info.name!r} is below a link")
        size += info.size
        if size > _MOST:
            raise SourceError(archive, f"unpacks to more than {_MOST >> 30} GiB")
        if info.issym() or info.islnk():
            start = os.path.dirname(name) if info.issym() else ""
            _inside(os.path.normpath(os.path.join(start, info.linkname)), archive, info.name)
            if info.issym():
                links.add(os.path.normpath(name))
        elif not (info.isreg() or info.isdir()):
            raise SourceError(archive, f"entry {info.name!r} is no file, directory or link")
        # Whose it was there means nothing here; what runs as root must make no file of others, or setuid.
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mode = 0o755 if info.isdir() or info.mode & 0o111 else 0o644
        if hasattr(tarfile, "tar_filter"):  # Python 3.12, 3.11.4, 3.10.12: its own look at hostile archives
            packed.extract(info, into, set_attrs=not info.issym(), filter="tar")
        else:
            packed.extract(info, into, set_attrs=not info.issym())


def _inside(name: str, archive: str, entry: str | None = None) -> None:
    """Raise `SourceError` when *name*, in an archive, is none below it."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or not name:
        raise SourceError(archive, f"entry {entry or name!r} would leave the archive")


# -- changes ------------------------------------------------------------------------------------------------


def _apply(patch: Patch, path: str, log: str, environ: Mapping[str, str]) -> None:
    options = [f"--strip={patch.strip}", "--forward", "--batch", "--no-backup-if-mismatch"]
    command = ["patch", *options, f"--directory={path}", f"--input={patch.path}"]
    done = run_logged(command, log=log, environ=environ, timeout=_TIMEOUT)
    if done.ok:
        return
    if done.code == 127:
        raise SourceError(patch.path, "the program `patch` is not installed")
    raise SourceError(patch.path, f"does not apply: {'; '.join(done.tail.splitlines())}")


def _substitute(substitution: Substitution, fetched: Fetched, environ: Mapping[str, str]) -> int:
    """Carry out *substitution*; returns how many times. Raises `SourceError` when it changes nothing."""
    replacement = expanded(substitution.replacement, environ, fetched.version)
    total = 0
    for path in _matching(fetched.path, substitution.files):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        try:
            new, count = re.subn(substitution.pattern, replacement, text, flags=re.MULTILINE)
        except (re.error, IndexError) as error:
            raise SourceError(
                f"substitution of {substitution.pattern!r}", f"replacement {replacement!r}: {error}"
            ) from error
        if new != text:
            path.write_bytes(new.encode("utf-8", "surrogateescape"))
        total += count
    if not total:
        raise SourceError(
            f"substitution of {substitution.pattern!r}",
            f"matches nothing in {substitution.files} of {fetched.version}: it is for another version",
        )
    return total


def _matching(root: str, pattern: str) -> Iterator[Path]:
    for path in sorted(Path(root).glob(pattern)):
        if path.is_file() and not path.is_symlink():
            yield path


def _tell(log: str, line: str) -> None:
    with open(log, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{printable(line)}\n")
