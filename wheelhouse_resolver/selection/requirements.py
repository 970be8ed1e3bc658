"""Requirements as values: what is asked for, on the command line or in a file, and what files say besides.

What one requirement means is packaging's business (PEP 508). What else pip takes for a requirement (URLs,
paths) names its file itself: that is recognised here, without a look at the disk. The files themselves are
read by `requirements_file`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse_resolver.errors import InvalidRequirementError
from wheelhouse_resolver.utils.urls import local_path
from wheelhouse_resolver.wheelfile.parsing import parsed_requirement

if TYPE_CHECKING:
    from packaging.markers import Marker  # packaging's parser takes 10 ms to import
    from packaging.requirements import Requirement as Parsed

#: A requirement that is a project's name and nothing else (PEP 508, `identifier`).
_BARE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

#: What begins like this is a URL to pip, and names its file itself.
_URL = re.compile(r"((git|hg|svn|bzr)(\+[a-z]+)?|https?|file|ftp|ssh):", re.IGNORECASE)

#: What ends like this is a file to pip, whether or not it exists (pip: ARCHIVE_EXTENSIONS), extras or not.
_ARCHIVE = re.compile(
    r"\.(whl|zip|tar(\.(gz|bz2|xz|lz|lzma))?|tgz|tbz|txz|tlz)\s*(\[[^\]]*\])?\s*$", re.IGNORECASE
)

#: What begins like this and is no requirement by name is a path (pip takes it for one if it exists).
_PATH = re.compile(r"\.|[^\s<>=!~;@]*/")

#: Why nothing can be chosen for a requirement by URL or path.
NAMES_ITS_FILE = "a URL or path names its file itself"


class Requirement(NamedTuple):
    """What is asked for.

    text:      as packaging writes it, without secrets.
    name:      the project, normalised; of a URL or path that does not say it: empty.
    specifier: the versions that will do.
    extras:    the extras asked for.
    marker:    when it concerns a host at all; None: always.
    where:     the file and line that state it; None on the command line.
    url:       the URL or path that it names itself, as it is given; None: any wheel of the project will do.
    editable:  whether it is one of `-e`.
    hashes:    those that pip would insist on, each `sha256:...`.
    lines:     of one made of several lines of files (see `together`): those that say versions, each
               with its place.
    """

    text: str
    name: NormalizedName
    specifier: SpecifierSet = SpecifierSet()
    extras: frozenset[str] = frozenset()
    marker: Marker | None = None
    where: str | None = None
    url: str | None = None
    editable: bool = False
    hashes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    @property
    def stated(self) -> str:
        """The requirement, and the file and line that state it, if they are known."""
        return f"{self} ({self.where})" if self.where else str(self)

    @property
    def file(self) -> str:
        """The path of the file that `url` names; empty where that is not on this machine."""
        place = local_path(self.url or "")
        return "" if not place or ":/" in place else os.path.abspath(place)

    @property
    def refused_as_constraint(self) -> str:
        """Why every pip refuses it in a constraints file, and so to install anything; else empty.

        Its marker does not count. (A URL with a name is refused by pip older than 21.1 only.)
        """
        if self.editable:
            return "an editable cannot be a constraint"
        if not self.name:
            return "a URL or path without a name cannot be a constraint"
        return "a constraint cannot have extras" if self.extras else ""


class IgnoredOption(NamedTuple):
    """Something in a requirements file that has no say: the option, and where it is first.

    by_pip: whether pip does not read it there either.
    """

    option: str
    path: str
    line: int
    by_pip: bool = False


class FileOption(NamedTuple):
    """An option of a requirements file that counts for all projects: its name without dashes, its value."""

    option: str
    value: str = ""


class RequirementsFile(NamedTuple):
    """What requirements files say, with all files that they include.

    requirements, constraints: in the order of the files. prereleases: whether one says `--pre`.
    ignored:                  what could make pip take something else, or is not read by pip either.
    direct:                   requirements by URL or path: no wheelhouse can serve them.
    settings:                 what else counts for all projects, in the order in which pip obeys it: `pre`,
                              `all-releases`, `only-final`, `no-binary`, `only-binary`, `prefer-binary`,
                              `require-hashes`, `no-require-hashes`.
    """

    requirements: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    prereleases: bool = False
    ignored: tuple[IgnoredOption, ...] = ()
    direct: tuple[Requirement, ...] = ()
    settings: tuple[FileOption, ...] = ()

    def merge(self, *others: RequirementsFile) -> RequirementsFile:
        """What all say. What is there twice, word for word, is there once."""
        all_of_them = (self, *others)
        return RequirementsFile(
            requirements=_once(each.requirements for each in all_of_them),
            constraints=_once(each.constraints for each in all_of_them),
            prereleases=any(each.prereleases for each in all_of_them),
            ignored=tuple(dict.fromkeys(chain.from_iterable(each.ignored for each in all_of_them))),
            direct=_once(each.direct for each in all_of_them),
            settings=tuple(chain.from_iterable(each.settings for each in all_of_them)),
        )

    def warnings(self) -> list[str]:
        """A line for each file with `ignored` options, and one for those that pip ignores as well."""
        found: dict[tuple[str, bool], dict[str, int]] = {}
        for option, path, line, by_pip in self.ignored:
            found.setdefault((path, by_pip), {}).setdefault(option, line)
        return [
            f"{path}, line{'s' if len({*options.values()}) > 1 else ''} "
            f"{', '.join(map(str, sorted({*options.values()})))}: {', '.join(options)} "
            f"{'are' if len(options) > 1 else 'is'} ignored: "
            + ("pip does not read it there" if by_pip else "only wheels of the wheelhouse count")
            for (path, by_pip), options in found.items()
        ]


def _once(several: Iterable[Iterable[Requirement]]) -> tuple[Requirement, ...]:
    # What a file says counts with its other lines, so what the command line says does not stand for it.
    found: dict[object, Requirement] = {}
    for each in chain.from_iterable(several):
        found.setdefault((each.text, each.url, each.hashes, each.where is None), each)
    return tuple(found.values())


def parse_requirement(text: str, where: str | None = None) -> Requirement:
    """The requirement that *text* spells out; *where* it is is for the error.

    Raises `InvalidRequirementError`, also for one with a URL or a path: those name their file
    themselves, so there is nothing to pick.
    """
    found = parse_any(text, where)
    if found.url is not None:
        raise _invalid(text, NAMES_ITS_FILE, where).with_hint("give NAME or NAME==VERSION")
    return found


def parse_any(text: str, where: str | None = None) -> Requirement:
    """The requirement that *text* spells out, as pip reads it: by name, by URL or by path.

    Raises `InvalidRequirementError`.
    """
    name, _, condition = text.partition("; " if _URL.match(text) else ";")  # a URL may hold a `;`
    name, condition = name.strip(), condition.strip()
    if _BARE.fullmatch(name) and not condition and not _ARCHIVE.search(name):
        # The most common one by far, and packaging's parser takes 10 ms to import.
        return Requirement(name, canonicalize_name(name), where=where)
    before, at, _ = name.partition("@")
    if _URL.match(name) or (_ARCHIVE.search(name) and (not at or _PATH.match(before))):
        return _direct(name, _project_of(name), _marker(condition, text, where), where)

    from packaging.requirements import InvalidRequirement

    try:
        parsed = _parsed(name, condition)
    except InvalidRequirement as error:
        if _PATH.match(name):
            return _direct(name, "", _marker(condition, text, where), where)
        raise _invalid(text, _problem_of(error), where) from error
    project = canonicalize_name(parsed.name)
    if parsed.url is not None:
        found = _direct(str(parsed), project, parsed.marker, where)
        return found._replace(url=parsed.url, extras=frozenset(parsed.extras))
    return Requirement(
        text=str(parsed),
        name=project,
        specifier=parsed.specifier,
        extras=frozenset(parsed.extras),
        marker=parsed.marker,
        where=where,
    )


def parse_editable(value: str, where: str | None = None) -> Requirement:
    """The requirement that `-e` *value* is."""
    from packaging.requirements import InvalidRequirement

    found = _direct(value, _project_of(value), None, where)
    try:
        parsed = _parsed(value, "")
    except InvalidRequirement:
        parsed = None
    if parsed is not None and parsed.url is not None:
        found = _direct(str(parsed), canonicalize_name(parsed.name), parsed.marker, where)
    return found._replace(text=f"-e {found.text}", editable=True)


def _parsed(name: str, condition: str) -> Parsed:
    return parsed_requirement(f"{name} ; {condition}" if condition else name)


def _marker(condition: str, text: str, where: str | None) -> Marker | None:
    if not condition:
        return None
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(condition)
    except InvalidMarker as error:
        raise _invalid(text, _problem_of(error), where) from error


def _direct(text: str, name: str, marker: Marker | None, where: str | None) -> Requirement:
    shown = _shown(text) if marker is None or ";" in text else f"{_shown(text)} ; {marker}"
    return Requirement(shown, NormalizedName(name), marker=marker, where=where, url=text)


def _project_of(url: str) -> str:
    """The project that a URL or path names: the wheel that it ends in says so, or `#egg=`; else empty."""
    from wheelhouse_resolver.wheelfile.tags import parse_wheel_name

    path, _, fragment = url.partition("#")
    egg = re.search(r"(?:^|&)egg=([A-Za-z0-9._-]+)", fragment)
    try:
        return parse_wheel_name(path.rsplit("/", 1)[-1])[0]
    except ValueError:  # also for more tags than are read
        return canonicalize_name(egg[1]) if egg else ""


def _shown(text: str) -> str:
    from wheelhouse_resolver.utils.redact import presentable  # most requirements need none of it

    return presentable(text)


def _problem_of(error: ValueError) -> str:
    return _shown(str(error).splitlines()[0]) if str(error) else "cannot be parsed"


def _invalid(text: str, problem: str, where: str | None) -> InvalidRequirementError:
    from wheelhouse_resolver.utils.redact import redact

    return InvalidRequirementError(redact(text), problem, where)
