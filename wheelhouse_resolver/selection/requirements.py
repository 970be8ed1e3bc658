"""Requirements as users give them: on the command line, in `-r` and constraint files, in pyproject.toml.

What one requirement means is packaging's business (PEP 508). The format of the files is pip's ("Requirements
File Format" in its documentation); packaging does not read them, so the few rules of it that matter are here.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse_resolver.errors import InvalidRequirementError, RequirementsFileError, printable

if TYPE_CHECKING:
    from packaging.markers import Marker  # packaging's parser takes 10 ms to import

#: A requirement that is a project's name and nothing else (PEP 508, `identifier`).
_BARE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

_PATH_OR_URL = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*:/|[^\s<>=!~;@]*/)")

#: What ends like this is a file to pip, whether or not it exists (pip: ARCHIVE_EXTENSIONS).
_ARCHIVE = re.compile(r"\.(whl|zip|tar(\.(gz|bz2|xz|lz))?|tgz|tbz|txz|tlz)\s*$", re.IGNORECASE)

#: Options that name another file; of constraints.
_CONSTRAINTS = frozenset({"-c", "--constraint"})
_INCLUDES = _CONSTRAINTS | {"-r", "--requirement"}

#: All options for the whole file, as getopt has them. Most choose indexes or transport, which picking from
#: files has no use for, or other files: those that could make pip take something else are reported.
_SHORT = "r:c:e:i:f:"
_LONG = (
    "requirement= constraint= editable= index-url= pypi-url= extra-index-url= find-links= no-binary= "
    "only-binary= trusted-host= use-feature= pre no-index prefer-binary require-hashes"
)
_REPORTED = "-i --index-url --pypi-url --extra-index-url -f --find-links --no-binary --require-hashes"

#: The greatest size of a file that is read, in bytes: a hundred times that of the longest ones.
_MOST = 16 << 20


class Requirement(NamedTuple):
    """What is asked for.

    text:      as packaging writes it.
    name:      the project, normalised.
    specifier: the versions that will do.
    extras:    the extras asked for.
    marker:    when it concerns a host at all; None: always.
    where:     of a constraint: the file and line that state it.
    url:       of a constraint: the file that it names, as a URL or path; empty: the versions count.
    """

    text: str
    name: NormalizedName
    specifier: SpecifierSet = SpecifierSet()
    extras: frozenset[str] = frozenset()
    marker: Marker | None = None
    where: str | None = None
    url: str = ""

    def __str__(self) -> str:
        return self.text

    @property
    def stated(self) -> str:
        """The requirement, and the file and line that state it, if they are known."""
        return f"{self} ({self.where})" if self.where else str(self)

    @property
    def file(self) -> str:
        """The path of the file that `url` names; empty where that is not on this machine."""
        if not self.url or (":/" in self.url and not self.url.startswith("file:")):
            return ""
        return os.path.abspath(_local(self.url, self.url))


class IgnoredOption(NamedTuple):
    """An option of a requirements file that is ignored: its name, and where it is first."""

    option: str
    path: str
    line: int


class RequirementsFile(NamedTuple):
    """What requirements files say, with all files that they include.

    requirements, constraints: in the order of the files. prereleases: whether one says `--pre`.
    ignored:                  the options that could make pip take something else.
    """

    requirements: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    prereleases: bool = False
    ignored: tuple[IgnoredOption, ...] = ()

    def merge(self, *others: RequirementsFile) -> RequirementsFile:
        """What all say. What is there twice, word for word, is there once."""
        all_of_them = (self, *others)
        return RequirementsFile(
            requirements=_once(each.requirements for each in all_of_them),
            constraints=_once(each.constraints for each in all_of_them),
            prereleases=any(each.prereleases for each in all_of_them),
            ignored=tuple(dict.fromkeys(chain.from_iterable(each.ignored for each in all_of_them))),
        )

    def stated_at(self, where: str) -> RequirementsFile:
        """The same with that place for each requirement that has none."""
        return self._replace(
            requirements=tuple(each._replace(where=each.where or where) for each in self.requirements)
        )

    def warnings(self) -> list[str]:
        """A line for each file with `ignored` options."""
        found: dict[str, dict[str, int]] = {}
        for option, path, line in self.ignored:
            found.setdefault(path, {}).setdefault(option, line)
        return [
            f"{path}, line{'s' if len({*options.values()}) > 1 else ''} "
            f"{', '.join(map(str, sorted({*options.values()})))}: {', '.join(options)} "
            f"{'are' if len(options) > 1 else 'is'} ignored: only wheels of the wheelhouse count"
            for path, options in found.items()
        ]


def _once(several: Iterable[Iterable[Requirement]]) -> tuple[Requirement, ...]:
    found: dict[str, Requirement] = {}
    for each in chain.from_iterable(several):
        found.setdefault(each.text, each)
    return tuple(found.values())


def parse_requirement(text: str, where: str | None = None, *, links: bool = False) -> Requirement:
    """The requirement that *text* spells out; *where* it is is for the error.

    Raises `InvalidRequirementError`, also for one with a URL or a path, unless *links* allows it: those
    name their file themselves, so there is nothing to pick.
    """
    if _BARE.fullmatch(text.strip()) and not _ARCHIVE.search(text):
        # The most common one by far, and packaging's parser takes 10 ms to import.
        return Requirement(text.strip(), canonicalize_name(text.strip()))

    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    parsed: Parsed | None = None
    try:
        parsed = Parsed(text)
    except InvalidRequirement as error:
        if not _ARCHIVE.search(text) and not _PATH_OR_URL.match(text):
            problem = str(error).splitlines()[0] if str(error) else "cannot be parsed"
            raise InvalidRequirementError(text, problem, where) from error
    if links and (parsed is None or parsed.url is None) and (name := _name_in(text)):
        parsed = Parsed(f"{name} @ {text}")  # pip takes the name from that of the file, or from `#egg=`
    if parsed is None or (not links if parsed.url is not None else _ARCHIVE.search(str(parsed))):
        problem = "a URL or path names its file itself"
        raise InvalidRequirementError(text, problem, where).with_hint("give NAME or NAME==VERSION")
    return Requirement(
        text=str(parsed),
        name=canonicalize_name(parsed.name),
        specifier=parsed.specifier,
        extras=frozenset(parsed.extras),
        marker=parsed.marker,
        url=parsed.url or "",
    )


def _name_in(text: str) -> str | None:
    """The project that a URL or path names which stands alone."""
    found = re.search(r"[#&]egg=([\w.-]+)|(?:^|/)([^/-]+)-[^/]*\.whl(?:\s|#|$)", text)
    return found and (found[1] or found[2])


def read_any(path: str, environ: Mapping[str, str]) -> RequirementsFile:
    """What the file at *path* asks for: the dependencies of a pyproject.toml, else `read_requirements`.

    Raises what that raises, also for a pyproject.toml whose dependencies are dynamic.
    """
    if os.path.basename(path) == "pyproject.toml":
        return _read_project(path)
    return read_requirements(path, environ)


def _read_project(path: str) -> RequirementsFile:
    """The dependencies in the `[project]` table (PEP 621) of the pyproject.toml at *path*."""
    from wheelhouse_resolver.utils.toml import TomlError, parse_toml

    text = _text(path)
    try:
        project = parse_toml(text).get("project")
    except TomlError as error:
        raise RequirementsFileError(path, error.problem) from error
    if not isinstance(project, dict):
        raise RequirementsFileError(path, "has no [project] table, so it does not say what the project needs")
    dynamic = project.get("dynamic", [])
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        problem = "its dependencies are dynamic: only its build backend knows them"
        raise RequirementsFileError(path, problem).with_hint("list them in a requirements file")
    stated = project.get("dependencies", [])
    if not isinstance(stated, list) or not all(isinstance(each, str) for each in stated):
        raise RequirementsFileError(path, "[project] dependencies is not an array of strings")
    where = f"{path}, [project] dependencies"
    return RequirementsFile(requirements=tuple(parse_requirement(each, where) for each in stated))


def read_requirements(
    path: str, environ: Mapping[str, str], *, constraints: bool = False, within: tuple[str, ...] = ()
) -> RequirementsFile:
    """What the requirements (or constraints) file at *path* says, included files and all.

    *within*: the real paths of the files that include it. Raises `RequirementsFileError` and
    `InvalidRequirementError`, naming file and line.
    """
    if os.path.realpath(path) in within:
        raise RequirementsFileError(path, "includes itself")
    within = (*within, os.path.realpath(path))

    def include(inner: str, limits: bool) -> RequirementsFile:
        # What `-r` includes is required, in a constraints file too (pip 19.3 to 26.3).
        return read_requirements(inner, environ, constraints=limits, within=within)

    found: list[RequirementsFile] = []
    lines: dict[str, int] = {}
    for number, line in _lines(_text(path)):
        lines.setdefault(line, number)  # generated files may say the same thousands of times
    for line, number in lines.items():
        # An environment variable is replaced when it has a value (pip: ENV_VAR_RE).
        line = re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: environ.get(match[1]) or match[0], line)
        where = f"{path}, line {number}"
        if line.startswith("-"):
            said = _options(line, path, number, include)
            found += (each.stated_at(where) for each in said) if constraints else said
            continue
        # Options of one requirement say how to build or check it; none changes what would be picked, and
        # pip would refuse a wheel only for its hash.
        requirement = parse_requirement(
            re.split(r"\s--?[A-Za-z]", line, maxsplit=1)[0].strip(), where, links=constraints
        )
        ignored = (IgnoredOption("--hash", path, number),) if re.search(r"\s--hash[=\s]", line) else ()
        asked, limits = ((), (requirement._replace(where=where),)) if constraints else ((requirement,), ())
        found.append(RequirementsFile(asked, limits, ignored=ignored))
    return RequirementsFile().merge(*found)


def _options(
    line: str, path: str, number: int, include: Callable[[str, bool], RequirementsFile]
) -> Iterator[RequirementsFile]:
    from getopt import GetoptError, getopt

    where = f"{path}, line {number}"
    try:
        options, rest = getopt(shlex.split(line), _SHORT, _LONG.split())
    except (ValueError, GetoptError) as error:
        raise RequirementsFileError(where, printable(str(error))) from error
    if rest:
        raise RequirementsFileError(where, f"unexpected {printable(rest[0])}")
    for name, value in options:
        if name in ("-e", "--editable"):
            raise InvalidRequirementError(line, "an editable names its source itself", where)
        if name in _INCLUDES:
            inner = os.path.join(os.path.dirname(path), _local(value, where))
            try:
                yield include(inner, name in _CONSTRAINTS)
            except RequirementsFileError as error:
                if error.path != inner:
                    raise
                raise RequirementsFileError(where, f"{inner} {error.problem}") from error
        elif name == "--pre":
            yield RequirementsFile(prereleases=True)
        elif name in _REPORTED.split():
            yield RequirementsFile(ignored=(IgnoredOption(name, path, number),))


def _local(name: str, where: str) -> str:
    """The path that a file name or `file:` URL means."""
    if name.startswith("file:"):
        from urllib.parse import unquote, urlsplit

        return unquote(urlsplit(name).path)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", name):
        raise RequirementsFileError(where, f"{name} is not on a filesystem").with_hint("copy it to a file")
    return name


def _text(path: str) -> str:
    path = _local(path, path)
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST + 1)
        if len(content) > _MOST:
            raise RequirementsFileError(path, f"is longer than {_MOST >> 20} MiB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequirementsFileError(path, "is not a text file in UTF-8") from error
    except OSError as error:
        raise RequirementsFileError.from_os(path, error, "cannot be read") from error


def _lines(text: str) -> Iterator[tuple[int, str]]:
    r"""The logical lines with the number of their first: continued by `\\`, comments and blanks removed."""
    start, held = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):  # the blank line ends what is held
        if not held:
            start = number
        # pip joins first and strips comments after, except that a comment line ends a continuation.
        if line.lstrip().startswith("#"):
            line = ""
        if line.endswith("\\"):
            held += line[:-1]
            continue
        # A comment begins a line or follows white space (pip: COMMENT_RE).
        if joined := re.sub(r"(^|(?<=\s))#.*$", "", held + line).strip():
            yield start, joined
        held = ""
