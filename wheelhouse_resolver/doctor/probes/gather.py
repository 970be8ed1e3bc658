"""All probes together: what is true of this machine and this environment. They decide nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor.facts import (
    DirectoryState,
    EnvironmentFacts,
    PipFacts,
    PythonFacts,
    SiteFacts,
    Ties,
    UnknownOverride,
    VenvState,
)
from wheelhouse_resolver.doctor.probes.machine import (
    cache_directory_state,
    home_directory,
    index_state,
    temporary_directory,
)
from wheelhouse_resolver.doctor.probes.pip import starts, with_surroundings
from wheelhouse_resolver.doctor.probes.target import ask_target
from wheelhouse_resolver.doctor.probes.ties import unstamped_ties
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
from wheelhouse_resolver.host.detect import ARCH_VARIABLES, LAYER_VARIABLE, Host, detect_host
from wheelhouse_resolver.host.layer import layer_evidence
from wheelhouse_resolver.host.program_interpreter import NotElfError, program_interpreter
from wheelhouse_resolver.host.target_python import Interpreter, found_python, supported_tags
from wheelhouse_resolver.site.config import find_site_file
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.redact import redact

if TYPE_CHECKING:
    from packaging.tags import Tag

__all__ = ["Overrides", "gather"]

#: The variables, besides PIP_*, that a help desk wants to see.
_SHOWN = (
    *("WHEELHOUSE_CONFIG", "WHEELHOUSE_ROOT", "WHEELHOUSE_ARCH", "WHEELHOUSE_LAYER", "RSNT_ARCH"),
    *("EPREFIX", "EBROOTGENTOO", "EBVERSIONGENTOO", "EBROOTNIXPKGS", "EBVERSIONNIXPKGS", "EBVERSIONPYTHON"),
    *("NIXUSER_PROFILE", "NIX_PROFILES", "LOADEDMODULES", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "HOME", "TMPDIR", "TEMP", "TMP"),
    *("UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX"),
    *("UV_INDEX_URL", "UV_NO_CONFIG", "UV_NO_INDEX", "UV_OFFLINE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Overrides:
    """What the caller insists on; the names are those of the options of the command."""

    config: str | None = None
    root: str | None = None
    arch: str | None = None
    layer: str | None = None
    python: str | None = None

    def as_options(self, *names: str) -> tuple[str, ...]:
        """Those of these *names* that are given, as options of a command."""
        values = ((name, getattr(self, name)) for name in names)
        return tuple(word for name, value in values if value for word in (f"--{name}", value))


def gather(overrides: Overrides, environ: Mapping[str, str]) -> EnvironmentFacts:
    """All facts about this environment. *environ* is used, save for the cache, instead of `os.environ`.

    Raises `PythonError`, `UnknownArchError`, `UnknownLayerError` for *overrides* that do not exist; whatever
    else is wrong is a fact.
    """
    environ = dict(environ)
    site = _site(overrides, environ)
    python = _named(overrides.python, environ)
    overrides = replace(overrides, python=python)
    target, pip, problem = _ask(python, environ)
    venvs = _venvs(python, target, environ)
    known = target is not None or any(each.problem and _is_in(python, each.path) for each in venvs)
    host, unknown = _host(overrides, site.site, environ, known)
    directories = _directories(site, host)
    pip = with_surroundings(pip, target, site.site, environ)
    index = None
    if target and pip.asked and not pip.problem:
        index = index_state(pip.in_force, environ, target.executable)
    on_path = shutil.which("python3", path=environ.get("PATH"))
    other = None if target and on_path and starts(on_path, target) else on_path
    shown = {k: v for k, v in sorted(environ.items()) if k in _SHOWN or k.startswith("PIP_")}
    return EnvironmentFacts(
        site=site,
        host=host,
        host_options=overrides.as_options("arch", "layer", "python"),
        unknown_overrides=tuple(unknown),
        directories=directories,
        ties=_ties(site, directories, host),
        python=target,
        target_problem="" if target else _not_runnable(host) or problem,
        other_python=other,
        other_layer=_layer_of(other, site.site, environ) if other else None,
        pip=pip,
        venvs=venvs,
        index=index,
        temporary=temporary_directory(environ),
        home=home_directory(environ),
        cache=cache_directory_state(),
        uv=shutil.which("uv", path=environ.get("PATH")),
        shell=os.path.basename(environ.get("SHELL", "sh")) or "sh",
        environ=MappingProxyType({name: redact(value, name) for name, value in shown.items()}),
    )


# -- the site ----------------------------------------------------------------------------------------------


def _site(overrides: Overrides, environ: Mapping[str, str]) -> SiteFacts:
    file = find_site_file(overrides.config, environ)
    named = overrides.root or environ.get("WHEELHOUSE_ROOT") or ""
    if named:
        root_by = "--root" if overrides.root else "WHEELHOUSE_ROOT"
    else:
        root_by = "site file" if file.path is not None else "built-in"
    root, problem, root_problem, line = named, "", "", None
    try:
        try:
            site = Site.load(overrides.config, root=overrides.root, environ=environ)
            root = site.root
        except NoWheelhouseError as error:  # the site file is looked at all the same
            root_problem = error.problem
            site = Site.load(overrides.config, root="/", environ=environ)
    except SiteFileError as error:
        problem, line = str(error), error.line
        if not root:
            root_problem = "not known without a site file"
        site = Site.default("/" if root_problem else root)
    if not root_problem:
        try:
            listing.check_root(site)
        except NoWheelhouseError as error:
            root_problem = error.problem
    if problem or root_problem:  # commands name what was asked for, not what was taken instead
        site = site._replace(options=_absolute(overrides).as_options("config", "root"))
    return SiteFacts(
        site=site,
        problem=problem,
        file=file.path or "",
        file_missing=file.path is not None and not os.path.lexists(file.path),
        line=line,
        file_by=file.by,
        root=root,
        real_root=os.path.realpath(root) if root else "",
        root_by=root_by,
        root_problem=root_problem,
    )


def _absolute(overrides: Overrides) -> Overrides:
    config, root = (path and os.path.abspath(path) for path in (overrides.config, overrides.root))
    return replace(overrides, config=config, root=root)


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
                wheels = len(listing.wheel_names(directory, lambda name: name.endswith(listing.SUFFIX)))
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
    from wheelhouse_resolver.tree.reader import Tree

    listable = [each.directory for each in directories if each.searched and each.exists and not each.problem]
    if len(listable) < 2:
        return Ties()
    tags: tuple[Tag, ...] | None
    try:
        tags = supported_tags(host.python)
    except (Exception, SystemExit):  # noqa: BLE001 - packaging imports `_manylinux`, which may raise anything
        tags = None
    try:
        return unstamped_ties(Tree(site.site).catalogue(listable), site.site, tags)
    except WheelhouseError:  # it has just gone
        return Ties()


# -- the host and its Python -------------------------------------------------------------------------------


def _named(spec: str | None, environ: Mapping[str, str]) -> str | None:
    """The path of the Python that *spec* names; *spec* itself for none, a version, and what is not found."""
    try:
        return os.path.abspath(found_python(spec, environ.get("PATH"))) if spec else spec
    except PythonError:  # said anew by `detect_host`, unless its virtual environment is broken
        return os.path.abspath(spec) if spec and os.sep in spec else spec


def _ask(python: str | None, environ: Mapping[str, str]) -> tuple[PythonFacts | None, PipFacts, str]:
    """What the target and its pip answer, or why it cannot be asked."""
    if python is not None and os.sep not in python:
        return None, PipFacts(), f"{python} is a version, not a Python that can be asked"
    try:
        return *ask_target(python or sys.executable, environ), ""
    except PythonError as error:
        return None, PipFacts(), str(error)


def _host(
    overrides: Overrides, site: Site, environ: Mapping[str, str], known: bool
) -> tuple[Host, list[UnknownOverride]]:
    """The host, and the overrides that had to be left out.

    *known*: a target that `detect_host` refuses is no bad input, for it is known what is wrong with it: its
    virtual environment is broken, or its policy module fails. The running Python is then taken instead.
    """
    python = overrides.python
    environ = dict(environ)
    unknown: list[UnknownOverride] = []
    while True:
        try:
            host = detect_host(
                python=python, environ=environ, arch=overrides.arch, layer=overrides.layer, site=site
            )
        except (UnknownArchError, UnknownLayerError) as error:
            variables = ARCH_VARIABLES if isinstance(error, UnknownArchError) else (LAYER_VARIABLE,)
            named = [name for name in variables if environ.get(name) == error.name]
            if not named:
                raise
            unknown.append(UnknownOverride(variable=named[0], name=error.name, problem=str(error)))
            del environ[named[0]]
        except PythonError:
            if python is None or not known:
                raise
            python = None
        else:
            return host, unknown


def _layer_of(python: str, site: Site, environ: Mapping[str, str]) -> str | None:
    """The layer that the Python at the path *python* is of, by its binary alone; nothing is run."""
    real = os.path.realpath(python)
    try:
        loader = program_interpreter(real)
    except (NotElfError, OSError):  # a wrapper, a shim: the Python that it starts is not known
        return None
    seen = layer_evidence(site.layers, Interpreter(real, loader, None), environ, {})
    return next((each.value for each in seen if each.source in ("interpreter", "prefix")), None)


def _is_in(path: str | None, directory: str) -> bool:
    return path is not None and path.startswith(directory.rstrip("/") + "/")


def _not_runnable(host: Host) -> str:
    python = host.python
    if python.name == "running" or python.version is not None or python.answers is not None:
        return ""
    loader = python.interpreter.program_interpreter if python.interpreter else None
    return f"{python.name} cannot be run here: it needs {loader}, which is not there"


def _venvs(
    python: str | None, target: PythonFacts | None, environ: Mapping[str, str]
) -> tuple[VenvState, ...]:
    """The virtual environments that are active, or that *python* is in; *target*: what it answered."""
    active = os.path.abspath(environ["VIRTUAL_ENV"]) if environ.get("VIRTUAL_ENV") else None
    paths = [active] if active else []
    interpreter = sys.executable if python is None else python
    above = os.path.abspath(os.path.dirname(os.path.dirname(interpreter)))
    if os.sep in interpreter and os.path.isfile(os.path.join(above, "pyvenv.cfg")):
        paths.append(above)
    prefix = os.path.realpath(target.prefix) if target is not None else None
    return tuple(
        replace(_venv(path), active=path == active, is_target=os.path.realpath(path) == prefix)
        for path in dict.fromkeys(paths)
    )


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
        problem = f"the Python that made it is gone: {home} does not exist"
    elif not os.path.exists(python):
        problem = f"{python} does not exist, or points to nothing"
    version = values.get("version") or values.get("version_info", "")
    return VenvState(path=path, home=home, version=version, problem=problem)
