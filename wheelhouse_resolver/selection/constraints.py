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
from wheelhouse_resolver.site.pip_table import constraint_files
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.utils.filesystem import open_regular
from wheelhouse_resolver.utils.urls import local_path

if TYPE_CHECKING:
    from wheelhouse_resolver.selection.requirements import RequirementsFile
    from wheelhouse_resolver.site.model import Site

#: A line that is an option, with what may be the file that it includes; or a variable in any line.
_ELSEWHERE = re.compile(rb"^[ \t]*(-[^\s=]*)[ \t=]*([^\s#]*)|(\$\{)", re.MULTILINE)

#: As much of a file is looked at, in bytes: a longer one is refused anyway.
_MOST = 16 << 20

_INCLUDES = (b"-c", b"--constraint", b"-r", b"--requirement")


class Trouble(enum.Enum):
    """What a constraints file brings about; the value is its name in JSON."""

    INVALID = "invalid"
    REFUSED = "refused"
    HASHES = "hashes"
    REQUIREMENTS = "requirements"
    LINK = "link"
    BUILD = "build"


_TEXTS = {
    Trouble.INVALID: "{what}: every pip install fails",
    Trouble.REFUSED: "{what}: every pip install fails (pip 20.3 and later)",
    Trouble.HASHES: "{what} in a constraints file: pip installs nothing without == and --hash",
    Trouble.REQUIREMENTS: "{what} is required by a constraints file: pip installs it with everything",
    Trouble.LINK: "the constraint {what} names a file: every install with pip 20.3 to 21.0 fails",
    Trouble.BUILD: "the build-constraint {what}: every pip install fails (pip 25.3 and later)",
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
        if self.trouble is Trouble.BUILD:
            return tuple(pip) >= (25, 3)
        return self.trouble is not Trouble.REFUSED or tuple(pip) >= (20, 3)


def problems_in(stated: RequirementsFile) -> Iterator[ConstraintProblem]:
    """The problems of constraints files that were read; not those that only an old pip has."""
    for each in stated.constraints:
        if why := each.refused_as_constraint:
            yield ConstraintProblem(Trouble.REFUSED, f"{each.stated}: {why}")
    for each in (*stated.requirements, *stated.direct):
        yield ConstraintProblem(Trouble.REQUIREMENTS, each.stated)
    said = {each.option for each in stated.settings}
    hashed = [
        f"the hash of {each.stated}" for each in (*stated.constraints, *stated.requirements) if each.hashes
    ]
    hashed += ["--require-hashes"] if "require-hashes" in said else []
    if hashed and "no-require-hashes" not in said:
        yield ConstraintProblem(Trouble.HASHES, hashed[0])


def problems_of(path: str, environ: Mapping[str, str]) -> list[ConstraintProblem]:
    """The problems of the constraints file at *path*; none for a file that is not on a filesystem."""
    path = local_path(path)
    if ":/" in path:
        return []
    files: dict[str, list[int]] | None
    try:
        files = _identities(os.path.abspath(path))
    except OSError as error:
        if error.filename == os.path.abspath(path):
            return [ConstraintProblem(Trouble.INVALID, f"{path} cannot be read ({reason_of(error)})")]
        files = None

    def look() -> list[list[str]]:
        return [[each.trouble.value, each.what] for each in _read(path, environ)]

    found = cache.get("constraints", [path, files], look) if files is not None else look()
    return [ConstraintProblem(Trouble(trouble), what) for trouble, what in found]


def _identities(path: str) -> dict[str, list[int]] | None:
    """What tells the file at *path*, and each one that it includes, from its next version.

    None when more than these files decides what it means. Raises `OSError`.
    """
    found: dict[str, list[int]] = {}
    waiting = [path]  # no recursion: chains may be long
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        with open_regular(path) as file:
            status, content = os.fstat(file.fileno()), file.read(_MOST)
        found[path] = cache.key_of(status)
        for option, name, variable in _ELSEWHERE.findall(content):
            if b"\0" in content or variable or option not in _INCLUDES or b":" in name:
                return None
            waiting.append(os.path.abspath(os.path.join(os.path.dirname(path), os.fsdecode(name))))
    return found


def build_problems(site: Site) -> list[tuple[str, ConstraintProblem]]:
    """The `build-constraint` files of *site* that cannot be read: pip opens them for every install.

    What is in them counts only where pip builds (measured with pip 25.3 and 26.3).
    """
    found = []
    for path in map(local_path, constraint_files(site.pip, "build-constraint")):
        try:
            if ":/" not in path:
                open_regular(path).close()
        except OSError as error:
            problem = ConstraintProblem(Trouble.BUILD, f"{path} cannot be read ({reason_of(error)})")
            found.append((path, problem))
    return found


def site_problems(site: Site, environ: Mapping[str, str]) -> list[tuple[str, ConstraintProblem]]:
    """The problems that any newer pip has with the constraints files of *site*, each with the file."""
    found = [
        (path, problem)
        for path in constraint_files(site.pip)
        for problem in problems_of(path, environ)
        if problem.trouble is not Trouble.LINK
    ]
    return [*found, *build_problems(site)]


def _read(path: str, environ: Mapping[str, str]) -> list[ConstraintProblem]:
    from wheelhouse_resolver.selection.requirements_file import read_requirements

    try:
        stated = read_requirements(path, environ, constraints=True)
    except (RequirementsFileError, InvalidRequirementError) as error:
        return [ConstraintProblem(Trouble.INVALID, str(error))]
    linked = [each for each in stated.constraints if each.url and each.name]
    return [*problems_in(stated), *(ConstraintProblem(Trouble.LINK, each.stated) for each in linked[:1])]
