"""What in a constraints file makes pip refuse, or install more than it was asked for.

pip takes such a file for what it says (measured with pip 19.3 to 26.3): extras in it stop every install, a
hash in it wants a hash for everything, what `-r` includes is installed, too. `pip-conf` asks this at every
module load: what a file came to is remembered, and a parser is imported only to read it anew.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wheelhouse_resolver.errors import InvalidRequirementError, RequirementsFileError, reason_of
from wheelhouse_resolver.utils import cache

if TYPE_CHECKING:
    from wheelhouse_resolver.selection.requirements import RequirementsFile

#: What makes the meaning of a file depend on more than the file: other files, variables.
_NOT_ALONE = re.compile(rb"^[ \t]*[-./]|\$\{", re.MULTILINE)


class Trouble(enum.Enum):
    """What a constraints file brings about; the value is its name in JSON."""

    INVALID = "invalid"
    EXTRAS = "extras"
    HASHES = "hashes"
    REQUIREMENTS = "requirements"
    LINK = "link"


_TEXTS = {
    Trouble.INVALID: "{what}: every pip install fails",
    Trouble.EXTRAS: "the constraint {what} has extras: every pip install fails (pip 20.3 and later)",
    Trouble.HASHES: "{what} is a constraint with a hash: pip installs nothing without one (== and --hash)",
    Trouble.REQUIREMENTS: "{what} is required by a constraints file: pip installs it with everything",
    Trouble.LINK: "the constraint {what} names a file: every install with pip 20.3 to 21.0 fails",
}


class ConstraintProblem(NamedTuple):
    """A *trouble* that a constraints file makes, and *what* in it, with its place."""

    trouble: Trouble
    what: str

    def __str__(self) -> str:
        return _TEXTS[self.trouble].format(what=self.what)

    def concerns(self, pip: Sequence[int]) -> bool:
        """Whether a *pip* of that release (its first two numbers) has this trouble."""
        if self.trouble is Trouble.LINK:
            return (20, 3) <= tuple(pip) < (21, 1)
        return self.trouble is not Trouble.EXTRAS or tuple(pip) >= (20, 3)


def problems_in(stated: RequirementsFile) -> Iterator[ConstraintProblem]:
    """The problems of constraints files that were read; not those that only an old pip has."""
    for each in stated.constraints:
        if each.extras:
            yield ConstraintProblem(Trouble.EXTRAS, each.stated)
    for each in stated.requirements:
        yield ConstraintProblem(Trouble.REQUIREMENTS, each.stated)
    hashes = [each for each in stated.ignored if each.option in ("--hash", "--require-hashes")]
    for option, path, line in hashes[:1]:
        yield ConstraintProblem(Trouble.HASHES, f"{option} ({path}, line {line})")


def problems_of(path: str, environ: Mapping[str, str]) -> list[ConstraintProblem]:
    """The problems of the constraints file at *path*; none for a file that is not on a filesystem."""
    if ":/" in path and not path.startswith("file:"):
        return []
    alone = False
    if not path.startswith("file:"):
        try:
            with open(path, "rb") as file:
                alone = _NOT_ALONE.search(file.read()) is None
        except OSError as error:
            return [ConstraintProblem(Trouble.INVALID, f"{path} cannot be read ({reason_of(error)})")]

    def look() -> list[list[str]]:
        return [[each.trouble.value, each.what] for each in _read(path, environ)]

    found = cache.get_for_file("constraints", os.path.abspath(path), look) if alone else look()
    return [ConstraintProblem(Trouble(trouble), what) for trouble, what in found]


def _read(path: str, environ: Mapping[str, str]) -> list[ConstraintProblem]:
    from wheelhouse_resolver.selection.requirements import read_requirements

    try:
        stated = read_requirements(path, environ, constraints=True)
    except (RequirementsFileError, InvalidRequirementError) as error:
        return [ConstraintProblem(Trouble.INVALID, str(error))]
    linked = [each for each in stated.constraints if each.url]
    return [*problems_in(stated), *(ConstraintProblem(Trouble.LINK, each.stated) for each in linked[:1])]
