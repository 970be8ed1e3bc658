"""The probes: what is true of this machine and this environment. They decide nothing."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from wheelhouse_resolver import memo, tree
from wheelhouse_resolver.directories import places
from wheelhouse_resolver.doctor.facts import (
    DirectoryState,
    Facts,
    IndexState,
    LinkState,
    PathState,
    PipFacts,
    SiteFacts,
    Ties,
    UnknownOverride,
    VenvState,
)
from wheelhouse_resolver.doctor.pip_settings import PipSetting, environment_settings, masked
from wheelhouse_resolver.doctor.target import TargetAnswer, ask_target
from wheelhouse_resolver.doctor.ties import unstamped_ties
from wheelhouse_resolver.errors import (
    NoWheelhouseError,
    PythonError,
    SiteFileError,
    UnknownArchError,
    UnknownLayerError,
    UnreadableDirectoryError,
    WheelhouseError,
    reason_of,
)
from wheelhouse_resolver.host import ARCH_VARIABLES, LAYER_VARIABLE, Host, detect_host
from wheelhouse_resolver.host.python import supported_tags
from wheelhouse_resolver.site import Site
from wheelhouse_resolver.text import is_true

if TYPE_CHECKING:
    from packaging.tags import Tag

__all__ = ["Asked", "gather"]

#: What pip asks when nobody names another index.
_PYPI = "https://pypi.org/simple"

#: How long the index may take to accept a connection (s).
_PATIENCE = 3.0

#: How many names of a directory are looked at to find out whether it is a view.
_SOME = 50

#: The variables, besides PIP_*, that a help desk wants to see.
_TELLING = (
    *("WHEELHOUSE_CONFIG", "WHEELHOUSE_ROOT", "WHEELHOUSE_ARCH", "WHEELHOUSE_LAYER", "RSNT_ARCH"),
    *("EPREFIX", "EBROOTGENTOO", "EBVERSIONGENTOO", "EBROOTNIXPKGS", "EBVERSIONNIXPKGS", "EBVERSIONPYTHON"),
    *("NIXUSER_PROFILE", "NIX_PROFILES", "LOADEDMODULES", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "HOME", "TMPDIR", "TEMP", "TMP"),
    *("UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX"),
    *("UV_INDEX_URL", "UV_NO_CONFIG", "UV_NO_INDEX", "UV_OFFLINE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the caller insists on; the names are those of the options of the command."""

    config: str | None = None
    root: str | None = None
    arch: str | None = None
    layer: str | None = None
    python: str | None = None


def gather(asked: Asked | None = None, environ: Mapping[str, str] | None = None) -> Facts:
    """All facts about this environment.

    *environ* stands for `os.environ`. Raises `PythonError`, `UnknownArchError`, `UnknownLayerError` for what
    was *asked* and does not exist; whatever else is wrong is a fact.
    """
    asked = asked or Asked()
    environ = dict(os.environ if environ is None else environ)
    site = _site(asked, environ)
    python = os.path.abspath(asked.python) if asked.python and os.sep in asked.python else asked.python
    venvs = _venvs(python, environ)
    answer, problem = _asked(python, environ)
    broken = answer is not None or any(each.problem and _is_in(python, each.path) for each in venvs)
    host, unknown = _host(asked, python, site.site, environ, broken)
    directories = _directories(site, host)
    pip = _pip(answer, site.site, environ)
    return Facts(
        site=site,
        host=host,
        options=_repeated(asked),
        unknown_overrides=tuple(unknown),
        directories=directories,
        ties=_ties(site, directories, host),
        python=answer.python if answer else None,
        target_problem="" if answer else _not_runnable(host) or problem,
        python_on_path=shutil.which("python3", path=environ.get("PATH")),
        pip=pip,
        venvs=venvs,
        index=_index(pip.in_force, environ) if pip.asked and not pip.problem else None,
        temporary=_temporary(environ),
        home=_home(environ),
        cache=_cache(),
        uv=shutil.which("uv", path=environ.get("PATH")),
        shell=os.path.basename(environ.get("SHELL", "sh")) or "sh",
        environ=MappingProxyType(
            {
                name: masked(value, name)
                for name, value in sorted(environ.items())
                if name in _TELLING or name.startswith("PIP_")
            }
        ),
    )


# -- the site ----------------------------------------------------------------------------------------------


def _repeated(asked: Asked) -> tuple[str, ...]:
    pairs = (("--config", asked.config), ("--root", asked.root))
    return tuple(word for option, value in pairs if value for word in (option, os.path.abspath(value)))


def _site(asked: Asked, environ: Mapping[str, str]) -> SiteFacts:
    if asked.config:
        file, file_by = asked.config, "--config"
    elif environ.get("WHEELHOUSE_CONFIG"):
        file, file_by = environ["WHEELHOUSE_CONFIG"], "WHEELHOUSE_CONFIG"
    else:
        file = next((path for path in places().site_files if os.path.isfile(path)), "")
        file_by = "directories" if file else "built-in"
    root_by = "site file" if file else "built-in"
    if asked.root:
        root_by = "--root"
    elif environ.get("WHEELHOUSE_ROOT"):
        root_by = "WHEELHOUSE_ROOT"
    root = asked.root or environ.get("WHEELHOUSE_ROOT") or ""
    problem = root_problem = ""
    line = None
    try:
        try:
            site = Site.load(asked.config, root=asked.root, environ=environ)
            root = site.root
        except NoWheelhouseError as error:  # the site file is judged all the same
            root_problem = error.problem
            site = Site.load(asked.config, root="/", environ=environ)
    except SiteFileError as error:
        problem, line = str(error), error.line
        if not root:
            root_problem = "not known without a site file"
        site = Site.default("/" if root_problem else root)
    if not root_problem:
        try:
            tree.check_root(site)
        except NoWheelhouseError as error:
            root_problem = error.problem.partition(";")[0]
    return SiteFacts(
        site=site,
        problem=problem,
        file=file,
        file_missing=bool(file) and not os.path.lexists(file),
        line=line,
        file_by=file_by,
        root=root,
        root_by=root_by,
        root_problem=root_problem,
    )


def _directories(site: SiteFacts, host: Host) -> tuple[DirectoryState, ...]:
    if site.root_problem:
        return ()
    searched = list(site.site.search_path(host))
    others = [each for each in site.site.directories() if each not in searched]
    found = []
    for directory in [*searched, *others]:
        exists, problem, wheels = os.path.isdir(directory.path), "", 0
        try:
            if directory in searched:
                wheels = len(tree.wheel_names(directory, lambda name: name.endswith(tree.SUFFIX)))
            elif exists:
                os.scandir(directory.path).close()
        except UnreadableDirectoryError as error:
            exists, problem = True, error.problem
        except OSError as error:
            problem = reason_of(error)
        found.append(
            DirectoryState(
                directory=directory,
                real=os.path.realpath(directory.path),
                searched=directory in searched,
                exists=exists,
                problem=problem,
                wheels=wheels,
            )
        )
    return tuple(found)


def _ties(site: SiteFacts, directories: Sequence[DirectoryState], host: Host) -> Ties:
    from wheelhouse_resolver.wheelhouse import Wheelhouse

    listable = [each.directory for each in directories if each.searched and each.exists and not each.problem]
    if len(listable) < 2:
        return Ties()
    tags: tuple[Tag, ...] | None
    try:
        tags = supported_tags(host.python)
    except (Exception, SystemExit):  # noqa: BLE001 - packaging imports `_manylinux`, which may raise anything
        tags = None
    try:
        return unstamped_ties(Wheelhouse(site.site).catalogue(listable), site.site, tags)
    except WheelhouseError:  # it has just gone
        return Ties()


# -- the host and its Python -------------------------------------------------------------------------------


def _asked(python: str | None, environ: Mapping[str, str]) -> tuple[TargetAnswer | None, str]:
    """What the target says, or why it cannot be asked."""
    if python is None:
        path: str | None = sys.executable
    else:
        path = python if os.sep in python else shutil.which(python, path=environ.get("PATH"))
    if path is None:
        return None, f"{python} is a version, not a Python that can be asked"
    try:
        return ask_target(path, environ), ""
    except PythonError as error:
        return None, str(error)


def _host(
    asked: Asked, python: str | None, site: Site, environ: Mapping[str, str], broken: bool
) -> tuple[Host, list[UnknownOverride]]:
    """The host, and the overrides that had to be left out.

    *broken*: a target that cannot be judged is no bad input, for it is known what ails it: its virtual
    environment is broken, or its policy module fails. The running Python then stands for it.
    """
    environ = dict(environ)
    unknown: list[UnknownOverride] = []
    while True:
        try:
            host = detect_host(python=python, environ=environ, arch=asked.arch, layer=asked.layer, site=site)
        except (UnknownArchError, UnknownLayerError) as error:
            variables = ARCH_VARIABLES if isinstance(error, UnknownArchError) else (LAYER_VARIABLE,)
            named = [name for name in variables if environ.get(name) == error.name]
            if not named:
                raise
            unknown.append(UnknownOverride(variable=named[0], name=error.name, problem=str(error)))
            del environ[named[0]]
        except PythonError:
            if python is None or not broken:
                raise
            python = None
        else:
            return host, unknown


def _is_in(path: str | None, directory: str) -> bool:
    return path is not None and path.startswith(directory.rstrip("/") + "/")


def _not_runnable(host: Host) -> str:
    python = host.python
    if python.name == "running" or python.version is not None or python.answers is not None:
        return ""
    loader = python.interpreter.program_interpreter if python.interpreter else None
    return f"{python.name} cannot be run here: it needs {loader}, which is not there"


def _venvs(python: str | None, environ: Mapping[str, str]) -> tuple[VenvState, ...]:
    """The virtual environments that are active, or that the target *python* is in."""
    paths = []
    if environ.get("VIRTUAL_ENV"):
        paths.append(environ["VIRTUAL_ENV"])
    for each in [python, sys.executable if python is None else None]:
        if each and os.sep in each:
            above = os.path.dirname(os.path.dirname(each))
            if os.path.isfile(os.path.join(above, "pyvenv.cfg")):
                paths.append(above)
    return tuple(_venv(path) for path in dict.fromkeys(map(os.path.abspath, paths)))


def _venv(path: str) -> VenvState:
    values: dict[str, str] = {}
    try:
        with open(os.path.join(path, "pyvenv.cfg"), encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                key, equals, value = line.partition("=")
                if equals:
                    values[key.strip()] = value.strip()
    except OSError as error:
        return VenvState(path=path, problem=f"pyvenv.cfg: {reason_of(error)}")
    home = values.get("home", "")
    python = os.path.join(path, "bin", "python")
    problem = ""
    if home and not os.path.isdir(home):
        problem = f"the Python that it was made by is gone: {home} does not exist"
    elif not os.path.exists(python):
        problem = f"{python} does not exist, or points to nothing"
    version = values.get("version") or values.get("version_info", "")
    return VenvState(path=path, home=home, version=version, problem=problem)


# -- pip ---------------------------------------------------------------------------------------------------


def _pip(answer: TargetAnswer | None, site: Site, environ: Mapping[str, str]) -> PipFacts:
    settings = (*(answer.settings if answer else ()), *environment_settings(environ))
    config_file = environ.get("PIP_CONFIG_FILE")
    command = shutil.which("pip", path=environ.get("PATH"))
    return PipFacts(
        version=answer.pip_version if answer else None,
        problem=answer.pip_problem if answer else "",
        asked=answer.asked if answer else "",
        files=answer.files if answer else (),
        settings=settings,
        links=_links(settings, site),
        config_file=config_file,
        config_file_problem=_unreadable(config_file) if config_file else "",
        ignored=_ignored(config_file, environ),
        command=command,
        command_python=_interpreter_of(command) if command else None,
    )


def _unreadable(path: str) -> str:
    """Why pip reads nothing from the file at *path*: it says so of none of these."""
    if path == os.devnull:
        return "it is the null device: pip then reads no file at all"
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        return reason_of(error)
    return ""


def _ignored(config_file: str | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The user's own files, where PIP_CONFIG_FILE names one that exists: pip does not read them then."""
    if not config_file or not os.path.exists(config_file):
        return ()
    home = environ.get("HOME", "")
    above = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    paths = [os.path.join(home, ".pip", "pip.conf"), os.path.join(above, "pip", "pip.conf")]
    real = os.path.realpath(config_file)
    return tuple(each for each in paths if os.path.isfile(each) and os.path.realpath(each) != real)


def _interpreter_of(script: str) -> str | None:
    """The Python that a `pip` script starts; None for what is no such script."""
    try:
        with open(script, "rb") as file:
            lines = os.fsdecode(file.read(4096)).splitlines()
    except OSError:
        return None
    if lines and lines[0].startswith("#!"):
        words = lines[0][2:].split()
        if words and os.path.basename(words[0]).startswith(("python", "pypy")):
            return words[0]
        # The form for paths that are too long for `#!`: `'''exec' /path/to/python "$0" "$@"`.
        if words[:1] == ["/bin/sh"] and len(lines) > 1 and lines[1].startswith("'''exec' "):
            return lines[1].removeprefix("'''exec' ").removesuffix(' "$0" "$@"').strip('"')
    return None


def _links(settings: Sequence[PipSetting], site: Site) -> tuple[LinkState, ...]:
    values = [value for each in settings if each.option == "find-links" for value in each.values]
    return tuple(_link(value, site) for value in dict.fromkeys(values))


def _link(value: str, site: Site) -> LinkState:
    try:
        parts = urlsplit(value)
    except ValueError:  # `http://[`: pip cannot read it either
        return LinkState(value=value, real=None, exists=False)
    if parts.scheme == "file":
        path = unquote(parts.path, errors="surrogateescape")
    elif parts.scheme:
        return LinkState(value=value, real=None, exists=True)
    else:
        path = os.path.abspath(os.path.expanduser(value))
    return LinkState(
        value=value, real=os.path.realpath(path), exists=os.path.exists(path), view=_is_view(path, site)
    )


def _is_view(path: str, site: Site) -> bool:
    """Whether the directory holds symbolic links into the wheelhouse, as those that `view` makes do."""
    root = site.root.rstrip("/") + "/"
    try:
        with os.scandir(path) as entries:
            some = [entry for entry, _ in zip(entries, range(_SOME), strict=False)]
            return any(each.is_symlink() and os.readlink(each.path).startswith(root) for each in some)
    except OSError:
        return False


# -- the machine -------------------------------------------------------------------------------------------


def _index(settings: Mapping[str, PipSetting], environ: Mapping[str, str]) -> IndexState | None:
    offline = settings.get("no-index")
    if offline is not None and is_true(offline.value):
        return None
    setting = settings.get("index-url")
    url = setting.value if setting is not None else _PYPI
    return IndexState(url=url, problem=_cannot_connect(url, settings, environ))


def _cannot_connect(url: str, settings: Mapping[str, PipSetting], environ: Mapping[str, str]) -> str:
    """Why nothing listens where *url* is, or the proxy on the way there; empty when something does."""
    try:
        parts = urlsplit(url)
        proxy = settings.get("proxy")
        via = (
            proxy.value
            if proxy
            else environ.get(f"{parts.scheme}_proxy") or environ.get(f"{parts.scheme.upper()}_PROXY")
        )
        if via and not _bypassed(parts.hostname or "", environ):
            parts = urlsplit(via if "://" in via else f"http://{via}")
        address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    except ValueError as error:
        return f"no URL: {error}"
    if parts.scheme == "file" or not address[0]:
        return ""
    # Resolving a name has no time limit of its own.
    answers: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=_PATIENCE).close()
            answers.append("")
        except OSError as error:
            answers.append(reason_of(error))

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return answers[0] if answers else f"no answer within {_PATIENCE:g} s"


def _bypassed(host: str, environ: Mapping[str, str]) -> bool:
    names = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")
    stripped = [each.strip().lstrip(".") for each in names if each.strip()]
    return any(each == "*" or host == each or host.endswith(f".{each}") for each in stripped)


def _temporary(environ: Mapping[str, str]) -> PathState:
    """Where temporary files go: the variables that Python's tempfile looks at, else /tmp."""
    variable = next((name for name in ("TMPDIR", "TEMP", "TMP") if environ.get(name)), "")
    path = environ[variable] if variable else "/tmp"
    problem = _cannot_write(path)
    noexec = False
    if not problem:
        noexec = bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
    missing = not os.path.lexists(path)
    return PathState(path=path, variable=variable, problem=problem, missing=missing, noexec=noexec)


def _home(environ: Mapping[str, str]) -> PathState | None:
    path = environ.get("HOME")
    return PathState(path=path, variable="HOME", problem=_cannot_write(path)) if path else None


def _cache() -> PathState | None:
    path = memo.cache_directory()
    if path is None:
        return None
    there = path
    while not os.path.lexists(there) and there != "/":
        there = os.path.dirname(there)
    return PathState(path=path, problem=_cannot_write(there))


def _cannot_write(path: str) -> str:
    """Why no file of some size can be made in the directory *path*; empty when one can, and is gone again."""
    try:
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"\0" * (64 << 10))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return reason_of(error)
    return ""
