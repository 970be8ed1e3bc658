"""All probes together: what is true of this machine and this environment. They decide nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from packaging.tags import Tag

from wheelhouse_resolver import errors
from wheelhouse_resolver.doctor import facts
from wheelhouse_resolver.doctor.probes import machine
from wheelhouse_resolver.doctor.probes.environments import virtual_environments
from wheelhouse_resolver.doctor.probes.installed import installed
from wheelhouse_resolver.doctor.probes.pip import starts, with_surroundings
from wheelhouse_resolver.doctor.probes.target import ask_target
from wheelhouse_resolver.doctor.probes.ties import unstamped_ties
from wheelhouse_resolver.doctor.probes.uv import uv_facts
from wheelhouse_resolver.doctor.python_facts import (
    InstalledFacts,
    PythonFacts,
    VenvState,
    minor,
    module_version,
)
from wheelhouse_resolver.host.detect import ARCH_VARIABLES, LAYER_VARIABLE, Host, detect_host
from wheelhouse_resolver.host.layer import layer_evidence
from wheelhouse_resolver.host.program_interpreter import Interpreter, NotElfError, program_interpreter
from wheelhouse_resolver.host.pythons import python_in_use
from wheelhouse_resolver.host.target_pip import newest_pip_of
from wheelhouse_resolver.host.target_python import found_python, is_version, supported_tags, target_python
from wheelhouse_resolver.site.config import find_site_file
from wheelhouse_resolver.site.index_table import index_table
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.index_state import IndexState
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.redact import redact

#: The variables, besides PIP_*, that a help desk wants to see.
_SHOWN = (
    *("WHEELHOUSE_CONFIG", "WHEELHOUSE_ROOT", "WHEELHOUSE_ARCH", "WHEELHOUSE_LAYER", "RSNT_ARCH"),
    *("EPREFIX", "EBROOTGENTOO", "EBVERSIONGENTOO", "EBROOTNIXPKGS", "EBVERSIONNIXPKGS", "EBVERSIONPYTHON"),
    *("NIXUSER_PROFILE", "NIX_PROFILES", "LOADEDMODULES", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_SHLVL"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "HOME", "TMPDIR", "TEMP", "TMP"),
    *("UV_CONFIG_FILE", "UV_CONSTRAINT", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_INDEX", "UV_INDEX_URL", "UV_NO_BINARY", "UV_NO_BINARY_PACKAGE", "UV_NO_CONFIG", "UV_OFFLINE"),
    *("UV_CACHE_DIR", "UV_EXCLUDE_NEWER", "UV_INDEX_STRATEGY", "UV_LINK_MODE", "UV_NO_CACHE"),
    *("UV_REQUIRE_HASHES", "XDG_CACHE_HOME", "XDG_CONFIG_DIRS", "XDG_CONFIG_HOME"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
)


class Overrides(NamedTuple):
    """What the caller insists on; the names are those of the options of the command."""

    config: str | None = None
    root: str | None = None
    arch: str | None = None
    layer: str | None = None
    python: str | None = None


def gather(overrides: Overrides, environ: Mapping[str, str]) -> facts.EnvironmentFacts:
    """All facts about this environment. *environ* is used, save for the cache, instead of `os.environ`.

    Raises `PythonError`, `UnknownArchError`, `UnknownLayerError` for *overrides* that do not exist; whatever
    else is wrong is a fact.
    """
    given, environ = environ, dict(environ)
    site = _site(overrides, environ)
    python = _named(overrides.python, environ)
    overrides = overrides._replace(python=python)
    asked = python_in_use(environ, ask=False).path if python is None else python
    target, pip, problem = _ask(asked, environ)
    python_home = ""
    if target is None and (home := environ.get("PYTHONHOME")):
        # It is a finding of its own; the rest of the report is about what the Python says without it.
        del environ["PYTHONHOME"]
        target, pip, without = _ask(asked, environ)
        python_home = problem if target is not None else ""
        environ |= {"PYTHONHOME": home} if without else {}
    venvs = virtual_environments(asked, target, environ)
    broken = tuple(each.path.rstrip("/") + "/" for each in venvs if each.problem)
    known = target is not None or (python is not None and f"{python}/".startswith(broken))
    host, unknown = _host(overrides, site.site, environ, known)
    directories = _directories(site, host)
    uv = uv_facts(site.site, environ, target)
    pip = with_surroundings(pip, target, uv, site.site, environ)
    pip = replace(pip, available=_newest_pip(site.site, directories, target))
    asks = pip.asked and not pip.problem
    index = machine.index_state(pip.in_force, environ, target.executable) if target and asks else None
    other = _other_python(target, environ)
    found = facts.EnvironmentFacts(
        site=site,
        host=host,
        host_options=_options(arch=overrides.arch, layer=overrides.layer, python=python),
        unknown_overrides=tuple(unknown),
        directories=directories,
        ties=_ties(site.site, directories, host),
        static_index=None if site.root_problem else _static_index(site.site),
        python=target,
        target_problem="" if target else _not_runnable(host) or problem,
        other_python=other,
        other_layer=_layer_of(other, site.site, environ) if other else None,
        pip=pip,
        venvs=venvs,
        index=index,
        temporary=machine.temporary_directory(environ),
        home=machine.home_directory(environ),
        cache=machine.cache_directory_state(),
        uv=uv,
        python_home=python_home,
        pythons=_pythons(_versions(venvs, environ), venvs, environ),
        new_venv=machine.place_for_venv(_present(venvs), environ),
        shell=os.path.basename(environ.get("SHELL", "sh")) or "sh",
        user=os.geteuid(),
        editor=machine.editor(environ),
        environ=_shown(given),
    )
    return replace(
        found, installed=_installed(found, environ), unchangeable=machine.unchangeable(_files(found))
    )


def _other_python(target: PythonFacts | None, environ: Mapping[str, str]) -> str | None:
    on_path = shutil.which("python3", path=environ.get("PATH"))
    return None if target and on_path and starts(on_path, target) else on_path


def _present(venvs: Sequence[VenvState]) -> str | None:
    """The path of the environment that a new one is to replace: one that does not work, else the target."""
    order = sorted(venvs, key=lambda each: (not each.problem, each.gone, not each.is_target))
    return order[0].path if order else None


def _shown(environ: Mapping[str, str]) -> Mapping[str, str]:
    kept = {name: environ[name] for name in sorted(environ) if name in _SHOWN or name.startswith("PIP_")}
    return MappingProxyType({name: redact(value, name) for name, value in kept.items()})


def _installed(found: facts.EnvironmentFacts, environ: Mapping[str, str]) -> InstalledFacts:
    python, pip = found.python, found.pip
    if python is None:
        return InstalledFacts()
    checking: list[str] = []
    if pip.version is not None and not pip.broken:
        checking = [python.executable, "-m", "pip", "check"]
    elif pip.version is None and found.uv is not None:
        checking = [found.uv.path, "pip", "check", "--python", python.executable]
    return installed(python, checking, found.host, None if found.site.problem else found.site.site, environ)


def _newest_pip(site: Site, states: Sequence[facts.DirectoryState], target: PythonFacts | None) -> str:
    """The newest pip for *target* in the directories that are searched, by the names of wheels alone."""
    listable = [each.directory for each in states if each.searched and each.exists and not each.problem]
    if target is None or not listable:
        return ""
    try:
        found = Tree(site).read("pip", listable)
    except errors.WheelhouseError:  # it has just gone
        return ""
    newest = newest_pip_of(target.version)
    releases = [
        each.version
        for each in found
        if isinstance(each, Candidate) and (newest is None or each.version.release[:2] <= newest)
    ]
    return str(max(releases, default=""))


def _versions(venvs: Sequence[VenvState], environ: Mapping[str, str]) -> set[str]:
    """Of which Pythons findings may speak; `3` is any."""
    return {module_version(environ), *(minor(each.version) for each in venvs), "3"} - {""}


def _pythons(
    versions: Iterable[str], venvs: Sequence[VenvState], environ: Mapping[str, str]
) -> Mapping[str, str]:
    """The Pythons of these *versions* on PATH; those of *venvs* that do not work are none."""
    broken = {os.path.join(each.path, "bin") for each in venvs if each.problem}
    search = [
        each for each in environ.get("PATH", "").split(os.pathsep) if os.path.abspath(each) not in broken
    ]
    found = {each: shutil.which(f"python{each}", path=os.pathsep.join(search)) for each in versions}
    return MappingProxyType({version: path for version, path in found.items() if path is not None})


def _files(found: facts.EnvironmentFacts) -> list[str]:
    """The files and directories that a fix may change."""
    python, pip, uv = found.python, found.pip, found.uv
    return [
        *filter(None, [found.site.file, found.site.root, pip.config_file]),
        *(each.directory.path for each in found.directories),
        *(each.path for each in pip.files),
        *(each.path for each in pip.constraints),
        *({each.file for each in uv.settings if each.file} | {uv.problem_file} - {""} if uv else ()),
        *(
            [python.policy_module.path]
            if python and python.policy_module and python.policy_module.path
            else []
        ),
        *([found.static_index.path] if found.static_index and found.static_index.path else []),
        *found.installed.invalid,
        *(each.path for each in found.installed.leftovers),
        *([found.temporary.path] if found.temporary else []),
    ]


def _site(overrides: Overrides, environ: Mapping[str, str]) -> facts.SiteFacts:
    file = find_site_file(overrides.config, environ)
    named = overrides.root or environ.get("WHEELHOUSE_ROOT") or ""
    root_by = "site file" if file.path is not None else "built-in"
    if named:
        root_by = "--root" if overrides.root else "WHEELHOUSE_ROOT"
    root, problem, root_problem, line = named, "", "", None
    try:
        try:
            site = Site.load(overrides.config, root=overrides.root, environ=environ)
            root = site.root
        except errors.NoWheelhouseError as error:  # the site file is looked at all the same
            root_problem = error.problem
            site = Site.load(overrides.config, root="/", environ=environ)
    except errors.SiteFileError as error:
        problem, line = str(error), error.line
        if not root:
            root_problem = "not known without a site file"
        site = Site.default("/" if root_problem else root)
    if not root_problem:
        try:
            listing.check_root(site)
        except errors.NoWheelhouseError as error:
            root_problem = error.problem
    if problem or root_problem:  # commands name what was asked for, not what was taken instead
        asked = {"config": overrides.config, "root": overrides.root}
        paths = {name: path and os.path.abspath(path) for name, path in asked.items()}
        site = site._replace(options=_options(**paths))
    return facts.SiteFacts(
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
        missing_bases=tuple((each.message, each.hint) for each in listing.missing_bases(site)),
    )


def _options(**values: str | None) -> tuple[str, ...]:
    """Those of these options that have a value, as words of a command."""
    return tuple(word for name, value in values.items() if value for word in (f"--{name}", value))


def _directories(site: facts.SiteFacts, host: Host) -> tuple[facts.DirectoryState, ...]:
    if site.root_problem:
        return ()
    searched = list(site.site.search_path(host))
    paths = {each.path for each in searched}
    others = [each for each in site.site.directories() if each.path not in paths]
    return tuple(_state(each, each in searched) for each in [*searched, *others])


def _state(directory: Directory, searched: bool) -> facts.DirectoryState:
    path = directory.path
    exists, problem, wheels = os.path.isdir(path), "", 0
    try:
        if searched:
            wheels = len(listing.wheel_names(directory, lambda name: name.endswith(listing.SUFFIX)))
        elif exists:
            os.scandir(path).close()
    except OSError as error:
        exists, problem = True, errors.reason_of(error)
    return facts.DirectoryState(directory, os.path.realpath(path), searched, exists, problem, wheels)


def _static_index(site: Site) -> facts.StaticIndexState | None:
    try:
        table = index_table(site)
    except errors.SiteFileError as error:
        return facts.StaticIndexState("", exists=False, problem=str(error))
    if table is None:
        return None
    state = IndexState.open(table.directory)
    if state is None:
        return facts.StaticIndexState(table.directory, exists=False)
    stale = [each.label for each in site.directories() if not state.fresh(each)]
    state.close()
    return facts.StaticIndexState(table.directory, stale=tuple(stale))


def _ties(site: Site, states: Sequence[facts.DirectoryState], host: Host) -> tuple[facts.Tie, ...]:
    listable = [each.directory for each in states if each.searched and each.exists and not each.problem]
    if len(listable) < 2:
        return ()
    tags: tuple[Tag, ...] | None
    try:
        tags = supported_tags(host.python)
    except (Exception, SystemExit):  # noqa: BLE001 - packaging imports `_manylinux`, which may raise anything
        tags = None
    try:
        return unstamped_ties(Tree(site).catalogue(listable), site, tags)
    except errors.WheelhouseError:  # it has just gone
        return ()


def _named(spec: str | None, environ: Mapping[str, str]) -> str | None:
    """The path of the Python that *spec* names; *spec* itself for none, and for what is not found."""
    if spec is None:
        return None
    try:
        if is_version(spec):
            python, _ = target_python(spec, environ)
            return spec if python.version is not None else python.evidence[0].value
        return os.path.abspath(found_python(spec, environ.get("PATH")))
    except errors.PythonError:  # said anew by `detect_host`, unless its virtual environment is broken
        return os.path.abspath(spec) if os.sep in spec else spec


def _ask(python: str, environ: Mapping[str, str]) -> tuple[PythonFacts | None, facts.PipFacts, str]:
    """What the target and its pip answer, or why it cannot be asked."""
    if os.sep not in python:
        return None, facts.PipFacts(), f"{python} is a version, not a Python that can be asked"
    try:
        return *ask_target(python, environ), ""
    except errors.PythonError as error:
        return None, facts.PipFacts(), str(error)


def _host(
    overrides: Overrides, site: Site, environ: Mapping[str, str], known: bool
) -> tuple[Host, list[facts.UnknownOverride]]:
    """The host, and the overrides that had to be left out.

    *known*: a target that `detect_host` refuses is no bad input, for it is known what is wrong with it: its
    virtual environment is broken, or its policy module fails. The one in use is then taken instead.
    """
    python = overrides.python
    environ = dict(environ)
    unknown: list[facts.UnknownOverride] = []
    while True:
        try:
            host = detect_host(
                python=python, environ=environ, arch=overrides.arch, layer=overrides.layer, site=site
            )
        except (errors.UnknownArchError, errors.UnknownLayerError) as error:
            variables = ARCH_VARIABLES if isinstance(error, errors.UnknownArchError) else (LAYER_VARIABLE,)
            named = [name for name in variables if environ.get(name) == error.name]
            if not named:
                raise
            unknown.append(facts.UnknownOverride(variable=named[0], name=error.name, problem=str(error)))
            del environ[named[0]]
        except errors.PythonError:
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


def _not_runnable(host: Host) -> str:
    python = host.python
    if python.own or python.version is not None or python.answers is not None:
        return ""
    loader = python.interpreter.program_interpreter if python.interpreter else None
    return f"{python.name} cannot be run here: it needs {loader}, which is not there"
