"""The probes: what is true of this machine and this environment. They decide nothing."""

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
    Facts,
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
from wheelhouse_resolver.doctor.probes.pip import pip_facts, starts
from wheelhouse_resolver.doctor.probes.target import TargetAnswer, ask_target
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
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.appdirs import places
from wheelhouse_resolver.utils.redact import masked

if TYPE_CHECKING:
    from packaging.tags import Tag

__all__ = ["Asked", "gather"]

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

    *environ* stands for `os.environ`, save for the memo and for what `detect_host` asks the target. Raises
    `PythonError`, `UnknownArchError`, `UnknownLayerError` for what was *asked* and does not exist; whatever
    else is wrong is a fact.
    """
    asked = asked or Asked()
    environ = dict(os.environ if environ is None else environ)
    site = _site(asked, environ)
    python = _named(asked.python, environ)
    venvs = _venvs(python, environ)
    answer, problem = _asked(python, environ)
    broken = answer is not None or any(each.problem and _is_in(python, each.path) for each in venvs)
    host, unknown = _host(asked, python, site.site, environ, broken)
    directories = _directories(site, host)
    pip = pip_facts(answer, site.site, environ)
    target = answer.python if answer else None
    on_path = shutil.which("python3", path=environ.get("PATH"))
    other = None if target and on_path and starts(on_path, target) else on_path
    return Facts(
        site=site,
        host=host,
        options=_repeated(asked),
        unknown_overrides=tuple(unknown),
        directories=directories,
        ties=_ties(site, directories, host),
        python=target,
        target_problem="" if answer else _not_runnable(host) or problem,
        other_python=other,
        other_layer=_layer_of(other, site.site, environ) if other else None,
        pip=pip,
        venvs=tuple(_with_target(each, target) for each in venvs),
        index=(
            index_state(pip.in_force, environ, target.executable)
            if target and pip.asked and not pip.problem
            else None
        ),
        temporary=temporary_directory(environ),
        home=home_directory(environ),
        cache=cache_directory_state(),
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
            listing.check_root(site)
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
        real_root=os.path.realpath(root) if root else "",
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


def _asked(python: str | None, environ: Mapping[str, str]) -> tuple[TargetAnswer | None, str]:
    """What the target says, or why it cannot be asked."""
    if python is not None and os.sep not in python:
        return None, f"{python} is a version, not a Python that can be asked"
    try:
        return ask_target(python or sys.executable, environ), ""
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
    active = os.path.abspath(environ["VIRTUAL_ENV"]) if environ.get("VIRTUAL_ENV") else None
    return tuple(
        replace(_venv(path), active=path == active) for path in dict.fromkeys(map(os.path.abspath, paths))
    )


def _with_target(venv: VenvState, target: PythonFacts | None) -> VenvState:
    same = target is not None and os.path.realpath(venv.path) == os.path.realpath(target.prefix)
    return replace(venv, is_target=same)


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
