"""What is asked for: names, requirements and patterns of names, with versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse_resolver.errors import InvalidRequirementError
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement

#: What begins like this is a pattern: no requirement has one of these in its name (PEP 508), where brackets
#: can only follow it, for extras.
_PATTERN = re.compile(r"\[|[^<>=!~;@(\s]*([*?]|\][\w.-])")

#: A pattern, with the versions behind it: a `!` within brackets is of the pattern.
_WITH_VERSIONS = re.compile(r"((?:\[[^\]]*\]|[^<>=!~;@(\s])+)\s*([<>=!~].*)?")


class Pattern(NamedTuple):
    """Projects by their names.

    text: as it was given. glob: of normalised names. specifier: the versions of them that will do.
    """

    text: str
    glob: str
    specifier: SpecifierSet = SpecifierSet()

    def among(self, names: Iterable[NormalizedName]) -> list[NormalizedName]:
        """Those of *names* that match."""
        return [name for name in names if fnmatchcase(name, self.glob)]


class Wanted(NamedTuple):
    """What is asked for: nothing in particular means everything.

    files: requirements, constraints and `--pre`.
    """

    patterns: tuple[Pattern, ...] = ()
    files: RequirementsFile = RequirementsFile()


def wanted_of(texts: Iterable[str], files: RequirementsFile, versions: str = "") -> Wanted:
    """What the *texts* ask for, patterns and requirements, together with *files*.

    A text with a `*`, `?` or `[...]` in its name is a pattern (behind it, brackets are for extras).
    *versions*: of all *texts* those that will do, as `1.21.*` or `>=2`. Raises `InvalidRequirementError`.
    """
    patterns = []
    requirements = []
    given = _versions(versions if versions[:1] in "<>=!~" else f"=={versions}", versions)
    behind = f" (of {versions})" if versions else ""
    for text in texts:
        if not _PATTERN.match(text):
            asked = parse_requirement(text)
            specifier, text = asked.specifier & given, f"{asked}{behind}"
            requirements.append(asked._replace(text=text, specifier=specifier))
        elif parts := _WITH_VERSIONS.fullmatch(text.strip()):
            specifier = _versions(parts[2] or "", text) & given
            patterns.append(Pattern(f"{text}{behind}", canonicalize_name(parts[1]), specifier))
        else:
            raise InvalidRequirementError(text, "a pattern has a name and versions, and nothing else")
    return Wanted(tuple(patterns), RequirementsFile(requirements=tuple(requirements)).merge(files))


def _versions(text: str, where: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise InvalidRequirementError(where, str(error).lower()) from error
