"""What holds for all builds: what the site or the command line says where a recipe need not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from packaging.requirements import Requirement
from packaging.version import Version

from wheelhouse_resolver.utils.schema import accepted_by, matching
from wheelhouse_resolver.wheelfile.rewrite import labelled

#: What is wrong with a module's name, a requirement, a version of Python (`3.11`), a local label.
MODULE = matching(r"[\w.+/@:=][\w.+/@:=-]*", "module name")
REQUIREMENT = accepted_by(Requirement, "invalid requirement {value!r}: {error}")
PYTHON = matching(r"\d+\.\d+", "version of Python, such as 3.11")
LABEL = accepted_by(partial(labelled, Version("1")), "{error}")

#: The projects whose versions a wheel's own files give evidence of.
NARROWED = ("numpy", "torch")


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSettings:
    """The defaults of a site (`[build]`, `[publish]`), or what the command line says to recipes.

    modules:        to load for each build.
    build_requires: as a recipe's.
    isolation:      as a recipe's; None: not said.
    narrow:         as a recipe's; None: not said.
    local_label:    of each wheel; None: not said.
    """

    modules: tuple[str, ...] = ()
    build_requires: tuple[str, ...] = ()
    isolation: bool | None = None
    narrow: tuple[str, ...] | None = None
    local_label: str | None = None


#: Nothing is said.
NOTHING = BuildSettings()
