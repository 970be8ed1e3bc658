"""The environment that builds run in.

A wheel must depend on what is built and for what, not on who builds it. So everything that configures Python,
pip or the compilers is dropped from the caller's environment, except how an index is reached; pip gets a
configuration of the build's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelhouse_resolver.builder.process.git import ANOTHER_REPOSITORY, git_environ
from wheelhouse_resolver.builder.process.orphans import DIRECTORY
from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.toolchain.flags import COMPILER_FLAGS, compiler_environment
from wheelhouse_resolver.builder.toolchain.linker_mark import level_of, makes_mark, mark_flag
from wheelhouse_resolver.builder.toolchain.provenance import optimisation_of, output_of
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import Setting, pip_config
from wheelhouse_resolver.installers.static_files import is_static_root
from wheelhouse_resolver.site.layout import GENERIC, Arch
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.process import run
from wheelhouse_resolver.utils.redact import is_secret, redact
from wheelhouse_resolver.utils.urls import file_url

#: The variables with flags for compilers and linkers.
FLAGS = (*COMPILER_FLAGS, "LDFLAGS")

#: pip's variables that say how an index is reached, which differs from node to node.
_REACHING = (
    "PIP_CERT", "PIP_CLIENT_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER", "PIP_PROXY", "PIP_RETRIES", "PIP_TIMEOUT", "PIP_TRUSTED_HOST",
)  # fmt: skip

#: Variables of one path, and of several, that builds go by.
_PATHS = (
    "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "PIP_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)  # fmt: skip
_SEARCHED = (
    "CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "MODULEPATH", "PATH",
    "PKG_CONFIG_PATH", "PYTHONPATH",
)  # fmt: skip

#: What would make a wheel depend on who builds it, besides all of PYTHON* and pip's variables.
_DROPPED = (*FLAGS, "CPPFLAGS", "VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "SOURCE_DATE_EPOCH")

#: What affects a build and is recorded.
_RECORDED = (
    "AR", "CC", "CMAKE_BUILD_PARALLEL_LEVEL", "CMAKE_PREFIX_PATH", "CPATH", "CPLUS_INCLUDE_PATH",
    "CPPFLAGS", "CXX", "C_INCLUDE_PATH", "F77", "FC", "LC_ALL", "LD", "LD_LIBRARY_PATH",
    "LD_RUN_PATH", "LIBRARY_PATH", "LOADEDMODULES", "MAKEFLAGS", "MODULEPATH", "PATH",
    "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PKG_CONFIG_PATH", "PYTHONHASHSEED", "PYTHONNOUSERSITE",
    "PYTHONPATH", "SOURCE_DATE_EPOCH", "TZ",
)  # fmt: skip

#: Options of a site's [pip] that say how users install; so do its tables for single commands.
_FOR_USERS = (
    "prefix", "report", "require-hashes", "require-virtualenv", "requirement", "root", "target", "user",
)  # fmt: skip


class SourceTree(Protocol):
    """A source, as far as its build depends on it."""

    @property
    def path(self) -> str:
        """The directory."""

    @property
    def version(self) -> str:
        """The version."""


def absolute_paths(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of *environ* with relative paths, as they must be for what runs in another directory."""
    here = os.getcwd()
    found = {name: os.path.join(here, environ[name]) for name in _PATHS if environ.get(name)}
    for name in _SEARCHED:
        parts = environ.get(name, "").split(os.pathsep)
        found[name] = os.pathsep.join(os.path.join(here, each) if each else "" for each in parts)
    return {name: value for name, value in found.items() if value != environ.get(name, "")}


def base_environ(environ: Mapping[str, str], scratch: str) -> dict[str, str]:
    """The environment of everything that a build in the directory *scratch* runs, made from *environ*.

    Its `pip.conf` is the only one that pip reads besides the machine's; temporary files are
    made in its `tmp`.
    """
    dropped = {*_DROPPED, *ANOTHER_REPOSITORY, *(name for name in environ if name.startswith("PYTHON"))}
    return {
        **without_pip({name: environ[name] for name in environ if name not in dropped}, scratch),
        "TMPDIR": os.path.join(scratch, "tmp"),
        DIRECTORY: scratch,
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def command_environment(
    recipe: Recipe, source: SourceTree, job: Job, site: Site, *, environ: Mapping[str, str], scratch: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The environment of what builds *source* as *recipe* and *job* say, or asks its backend for metadata.

    And the flags in it that we set, which the recipe may have changed; with the linker's mark, if the linker
    makes it with what the recipe sets. environ: that of the build (`base_environ`). scratch: its directory,
    with its `pip.conf`.

    Raises `ModulesError`, `VariableError`, and what `compiler_environment` raises.
    """
    loaded = without_pip(module_environment(recipe.build_modules, environ), scratch)
    # Each comes after what it may have to overrule.
    flags = joined_flags(own_flags(optimisation_of(job.python, loaded)), loaded)
    if recipe.march:
        arch = site.arch(job.arch, site.layer(job.layer))
        flags = joined_flags(flags, compiler_environment(arch, site, environ=loaded))
    loaded |= joined_flags(flags, path_flags(loaded, scratch))
    loaded |= build_variables(source.path, recipe.resources.cores)
    loaded.setdefault("LDFLAGS", "")  # recipes add to it, whether there is a mark or not
    found = recipe.environment(loaded, source.version)
    level = level_of(site.arch(job.arch, site.layer(job.layer))) if recipe.march else None
    if level is not None and makes_mark(level, found):
        mark = {"LDFLAGS": mark_flag(level)}
        flags = joined_flags(flags, mark)
        found = recipe.environment({**loaded, **joined_flags(loaded, mark)}, source.version)
    return found, flags


def build_variables(source: str, cores: int) -> dict[str, str]:
    """The time, and the number of *cores* to use, for a build from the directory *source*.

    SOURCE_DATE_EPOCH is the time of the newest file, or of the commit (reproducible-builds.org): the result
    does not depend on when it is built.
    """
    return {
        "SOURCE_DATE_EPOCH": str(max(_newest(source), 315532800)),  # a zip file holds none before 1980
        "MAKEFLAGS": f"-j{cores}",
        "CMAKE_BUILD_PARALLEL_LEVEL": str(cores),
    }


def _newest(source: str) -> int:
    if os.path.exists(os.path.join(source, ".git")):
        done = run(["git", "-C", source, "log", "-1", "--format=%ct"], environ=git_environ(os.environ))
        if done.stdout.strip().isdecimal():
            return int(done.stdout)
    paths = (os.path.join(above, name) for above, _, names in os.walk(source) for name in names)
    return max((int(os.lstat(path).st_mtime) for path in paths), default=0)


def without_pip(environ: Mapping[str, str], scratch: str) -> dict[str, str]:
    """*environ* with pip configured by the `pip.conf` in *scratch*, and by no user and no module.

    A file that PIP_CONFIG_FILE names keeps pip from reading the user's own (all versions of pip). What the
    wheelhouse's modules put into XDG_CONFIG_DIRS is for users: with `no-index`, nothing could be fetched.
    """
    kept = {name: environ[name] for name in environ if not name.startswith("PIP_") or name in _REACHING}
    shared = kept.pop("XDG_CONFIG_DIRS", "").split(os.pathsep)
    if rest := os.pathsep.join(each for each in shared if not is_static_root(each)):
        kept["XDG_CONFIG_DIRS"] = rest
    return {
        **kept,
        "PIP_CONFIG_FILE": os.path.join(scratch, "pip.conf"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }


def usable_archs(site: Site, arch: Arch | None, runnable: Sequence[str]) -> tuple[str, ...]:
    """The archs whose wheels a build for *arch* may use on a host that runs *runnable*, low to high."""
    return tuple(each for each in (site.archs_up_to(arch) if arch is not None else ()) if each in runnable)


def pip_text(
    job: Job,
    options: BuildOptions,
    runnable: Sequence[str],
    *,
    constraints: Sequence[str] = (),
    upstream: bool = False,
) -> str:
    """The text of the `pip.conf` of a build: the site's [pip], and where wheels and sources are looked for.

    The output directory and those given come first, then the directories of the wheelhouse that the job's
    arch may use, except those above what this host can run (*runnable*): what is installed to build, runs
    here.

    Options of the site's [pip] for how users install are left out, and so are its constraints, which would
    forbid building what users do not have yet. *constraints*, paths of files, limit what is installed to
    build. They and the site's `build-constraint` are written under both names, since before pip 25.3 only
    `constraint` reached into isolated environments. *upstream*: without the wheelhouse and the output.

    Raises what `pip_config` raises.
    """
    site = options.site
    arch = site.arch(job.arch, site.layer(job.layer))
    able = usable_archs(site, arch, runnable)
    host = Host(arch=able[-1] if able else GENERIC, layer=job.layer, archs=able)
    config = pip_config(site, host, offline=options.offline, index="")
    output = file_url(os.path.abspath(options.output))
    given = (file_url(os.path.abspath(path)) for path in options.find_links)
    made = {output, *(file_url(directory.path) for directory in site.directories())} if upstream else ()
    links = [link for link in dict.fromkeys([output, *given, *config.find_links]) if link not in made]
    limits = [value for each in config.settings if each.option == "build-constraint" for value in each.values]
    limits += map(file_url, constraints)
    own = [Setting("find-links", tuple(links))] if links else []
    own += [Setting(name, tuple(limits)) for name in ("constraint", "build-constraint") if limits]
    replaced = ("find-links", "constraint", "build-constraint", *_FOR_USERS)
    others = (each for each in config.settings if each.option not in replaced)
    return config._replace(settings=(*own, *others), commands=()).render("ini")


def constraint_lines(requirements: Iterable[str], project: str) -> list[str]:
    """*requirements* as constraints, which have no extras; without those on *project*, which is being built.

    Raises `ValueError` for an invalid one.
    """
    found = []
    for text in requirements:
        requirement = Requirement(text)
        requirement.extras = set()
        if canonicalize_name(requirement.name) != project and (requirement.specifier or requirement.url):
            found.append(str(requirement))
    return found


def with_path(environ: Mapping[str, str], python: str) -> dict[str, str]:
    """*environ* as if the environment of the Python at the path *python* were activated."""
    scripts = os.path.dirname(python)
    found = {**environ, "VIRTUAL_ENV": os.path.dirname(scripts)}
    found["PATH"] = os.pathsep.join(filter(None, [scripts, environ.get("PATH", os.defpath)]))
    return found


def joined_flags(first: Mapping[str, str], then: Mapping[str, str]) -> dict[str, str]:
    """The flags of both, those of *then* last: of two that contradict, compilers take the last."""
    return {
        name: " ".join(filter(None, [first.get(name), then.get(name)]))
        for name in FLAGS
        if name in first or name in then
    }


def own_flags(optimisation: str) -> dict[str, str]:
    """The flags of a Python whose extension modules are compiled with *optimisation* (its `OPT`).

    setuptools takes CFLAGS instead of Python's own flags: without these nothing would be optimised. Fortran
    shares the level only.
    """
    level = ([each for each in optimisation.split() if each.startswith("-O")] or ["-O2"])[-1]
    c = optimisation if level in optimisation.split() else f"{optimisation} {level}".strip()
    return {"CFLAGS": c, "CXXFLAGS": c, "FFLAGS": level, "FCFLAGS": level}


def path_flags(environ: Mapping[str, str], scratch: str) -> dict[str, str]:
    """Flags that keep the path of *scratch* out of debugging information, where the C compiler has them.

    Every build has another such path (`-ffile-prefix-map`: gcc 8, clang 10).
    """
    flag = f"-ffile-prefix-map={scratch}=/build"
    command = [*environ.get("CC", "cc").split(), flag, "-Werror", "-fsyntax-only", "-x", "c", os.devnull]
    return {} if output_of(command, environ) is None else dict.fromkeys(COMPILER_FLAGS, flag)


def recorded_variables(environ: Mapping[str, str], names: Iterable[str] = ()) -> dict[str, str]:
    """The variables that a record has: what affects a build, where modules are, and *names*.

    Without secrets, by their names, and passwords in URLs; flags are recorded apart.
    """
    wanted = {*_RECORDED, *names, *(name for name in environ if name.startswith(("EBROOT", "EBVERSION")))}
    return {
        name: redact(environ[name], mark="")
        for name in sorted(wanted - {*FLAGS})
        if name in environ and not is_secret(name)
    }
