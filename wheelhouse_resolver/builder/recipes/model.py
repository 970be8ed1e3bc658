"""Recipes: what the build of a project needs besides its source. Data only; `loader` reads recipe files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.builder.resources import Resources
from wheelhouse_resolver.errors import WheelhouseError, printable
from wheelhouse_resolver.wheelfile.edit import Edits

_NO_EDITS = Edits()

#: When a recipe can run shell commands during a build, in order.
PHASES = ("before-source", "after-source", "before-build", "after-build", "taken-wheel", "before-test")

#: `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign; a dollar sign before anything else is literal.
_VARIABLE = re.compile(r"\$(?:\$|\{([^}]*?)(:-[^}]*)?\})")


class RecipeError(WheelhouseError, ValueError):
    """An invalid recipe. *findings*: everything that is wrong, as (key, problem) pairs."""

    path: str
    findings: Sequence[tuple[str, str]]

    @property
    def message(self) -> str:
        """What is wrong, where."""
        problems = [f"{key}: {problem}" if key else problem for key, problem in self.findings]
        return f"{printable(self.path)}: {printable('; '.join(problems))}"


class UnreadableRecipeError(RecipeError, OSError):
    """A recipe that cannot be read."""


class VariableError(WheelhouseError, LookupError):
    """A variable that a recipe uses is not set. *text*: uses it, at *where* (the file and the key)."""

    _message = "{where}: {text!r} uses {name}, which is not set"
    _hint = "load the module that sets it (`modules`), or set it in `env`"
    text: str
    name: str
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where the source is from.

    kind:         `index`, `url` (of an archive), `git` or `directory`.
    location:     the URL or path; empty for the index. ref: the git tag, branch or commit.
    subdirectory: of the source, where the project is.
    sha256:       that the archive must have (hex); empty: any.
    project:      what the source, and the index, call the project, as stated; empty: as the recipe does.
    """

    kind: str = "index"
    location: str = ""
    ref: str = ""
    subdirectory: str = ""
    sha256: str = ""
    project: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placeholder:
    """A wheel in place of what a module has: to import it says so.

    message:  what it says: how to get the real one.
    imports:  the modules that say it; None: the one that is called as the project.
    versions: that there are of it; empty: the one that is asked for.
    """

    message: str
    imports: tuple[str, ...] | None = None
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Patch:
    """A patch. *path*: absolute. *strip*: how many directories its paths begin with (`patch -p`)."""

    path: str
    strip: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Substitution:
    """A change of the source: *pattern* (a regular expression of Python's) becomes *replacement*.

    files: a glob pattern below the source, `**` for any directories.
    """

    files: str
    pattern: str
    replacement: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Test:
    """How the wheel is tested.

    imports:    modules to import; empty: those in the wheel.
    statements: Python code, each run in a process of its own.
    command:    a shell command.
    requires:   requirements of the test alone.
    timeout:    of each step (s).
    memory:     of each step, with all that it starts: a size in Slurm's words.
    """

    __test__ = False  # for pytest

    imports: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    command: str = ""
    requires: tuple[str, ...] = ()
    timeout: float = 600.0
    memory: str = "8G"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A recipe for one version, Python, layer and arch. Variables in it are not expanded yet.

    name:            the project.
    path, digest:    its file and the sha256 of that; None and empty for no recipe. Where the site or the user
                     say something of all builds, the digest is also of that.
    build_modules, run_modules: to load for building and for using the package.
    build_requires:  with isolation: constraints on the project's own build requirements.
    extra_requires:  added to what the project itself asks for.
    isolation:       whether pip makes the build environment (PEP 517); else it has *build_requires* alone.
    not_own:         those of *build_modules* and *build_requires* that are the site's or the user's.
    source:          where the source is from.
    placeholder:     what is made instead of a build.
    no_binary:       whether it is built although the index has a pure-Python wheel.
    only_binary:     whether that wheel is taken whatever else this says of a build.
    env:             variables of the build; a later one may use an earlier one.
    config_settings: for the build backend; a key may occur several times.
    patches, substitutions: changes of the source, in this order.
    test:            how the wheel is tested.
    edits, rpath:    changes of the finished wheel.
    narrow:          projects on which it requires the versions that it was built against.
    phases:          shell commands by phase (`PHASES`).
    march:           whether the arch's compiler flags are set, and `-march=native` replaced by them.
    resources:       for the scheduler.
    """

    name: NormalizedName
    path: str | None = None
    digest: str = ""
    build_modules: tuple[str, ...] = ()
    run_modules: tuple[str, ...] = ()
    build_requires: tuple[str, ...] = ()
    extra_requires: tuple[str, ...] = ()
    isolation: bool = True
    not_own: tuple[str, ...] = ()
    source: Source = Source()
    placeholder: Placeholder | None = None
    no_binary: bool = False
    only_binary: bool = False
    env: tuple[tuple[str, str], ...] = ()
    config_settings: tuple[tuple[str, str], ...] = ()
    patches: tuple[Patch, ...] = ()
    substitutions: tuple[Substitution, ...] = ()
    test: Test = Test()
    edits: Edits = _NO_EDITS
    rpath: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()
    phases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    march: bool = True
    resources: Resources = Resources()

    @property
    def source_name(self) -> NormalizedName:
        """What the source and the index call the project."""
        return canonicalize_name(self.source.project) if self.source.project else self.name

    @property
    def changes_source(self) -> bool:
        """Whether something else is built than what the index has."""
        other = self.source.kind != "index"
        early = self._runs("after-source", "before-build", "after-build")
        return bool(other or self.patches or self.substitutions or early)

    @property
    def leaves_environment(self) -> bool:
        """Whether nothing that a build does by itself changes the environment that pip runs in."""
        return self.isolation and not self.phases and not self.build_modules

    @property
    def takes_wheel(self) -> bool:
        """Whether a pure-Python wheel of the index can be taken as it is: nothing affects a build."""
        if self.only_binary:
            return True
        own = {*self.build_modules, *self.build_requires, *self.extra_requires}.difference(self.not_own)
        how = own or self.env or self.config_settings or not self.isolation or self._runs("before-source")
        return not (how or self.no_binary or self.changes_source)

    def _runs(self, *phases: str) -> bool:
        return any(commands for phase, commands in self.phases if phase in phases)

    def at(self, key: str) -> str:
        """Where *key* of this recipe is, for errors: the file and the key."""
        return f"{self.path or f'recipe of {self.name}'}: {key}"

    def expanded(self, text: str, environ: Mapping[str, str], version: str, key: str) -> str:
        """*text*, the value at *key*, with `${NAME}` replaced by that variable, `${version}` by *version*.

        `${NAME:-default}` is the default where that variable is not set, or empty. `$$` is a dollar sign; one
        before anything else is literal. Raises `VariableError` for a variable that is not set.
        """

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return "$"
            if name == "version":
                return version
            if default := match[2]:
                return environ.get(name) or default[2:]
            if name not in environ:
                raise VariableError(text, name, self.at(key))
            return environ[name]

        return _VARIABLE.sub(value, text)

    def facts(self, version: str) -> dict[str, str]:
        """What its commands, test and `env` can read of what is built. *version*: empty if not known."""
        facts = {"WHEELHOUSE_PROJECT": self.name, "WHEELHOUSE_VERSION": version}
        beside = {"WHEELHOUSE_RECIPE_DIR": os.path.dirname(self.path)} if self.path else {}
        return {**facts, **beside}

    def environment(self, environ: Mapping[str, str], version: str) -> dict[str, str]:
        """*environ* (modules are loaded) with the recipe's variables; each may use those before it.

        Raises `VariableError`.
        """
        found = dict(environ)
        for name, text in self.env:
            found[name] = self.expanded(text, self.facts(version) | found, version, f"env.{name}")
        return found

    def settings(self, environ: Mapping[str, str], version: str) -> list[str]:
        """pip's options for the config-settings. Raises `VariableError`."""
        return [
            f"--config-settings={key}={self.expanded(text, environ, version, f'config-settings.{key}')}"
            for key, text in self.config_settings
        ]


def no_recipe(project: str) -> Recipe:
    """The recipe of a project without one, for a site without defaults."""
    return Recipe(name=canonicalize_name(project))


def variables_in(text: str) -> list[str]:
    """The names in `${...}` in *text*."""
    return [match[1] for match in _VARIABLE.finditer(text) if match[1] is not None]


def pinned_version(requirement: str) -> str | None:
    """The version that *requirement* pins with `==` or `===`, normalised; None if it pins none."""
    for specifier in Requirement(requirement).specifier:
        if specifier.operator in ("==", "==="):
            with suppress(InvalidVersion):  # `==1.*`, or what only `===` takes
                return str(Version(specifier.version))
    return None


def below(root: str, path: str) -> str:
    """*path* relative to *root*; itself if it is absolute."""
    return os.path.normpath(os.path.join(root, path))
