"""Why a file is not picked, as data, and the one text of each reason: `pick` and `why_not` both use it."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from packaging.tags import Tag

from wheelhouse_resolver.tree.candidate import InvalidFilename, SourceArchive, TreeFile
from wheelhouse_resolver.utils.serialise import to_plain


class Rule(enum.Enum):
    """The rule that excludes a file; the value is its name in JSON."""

    FILENAME = "filename"
    VARIANT = "wheel-variant"
    OUTSIDE = "outside-search-path"
    TAG = "python-tag"
    LINK = "link"
    NO_BINARY = "no-binary"
    ONLY_BINARY = "only-binary"
    SPECIFIER = "specifier"
    CONSTRAINT = "constraint"
    PRERELEASE = "pre-release"
    REQUIRES_PYTHON = "requires-python"
    METADATA = "metadata"
    BROKEN = "broken"
    LOST_VERSION = "lost-version"
    LOST_SOURCE = "lost-source"
    LOST_RANK = "lost-rank"
    LOST_TAG = "lost-tag"
    LOST_BUILD = "lost-build"
    LOST_NAME = "lost-name"


#: The text of each rule, or of each kind of it. {this}: what the host has instead.
_TEXTS = {
    Rule.FILENAME: "{about}",
    Rule.VARIANT: "{about}",
    "layer": "in the layer {about} ({this})",
    "arch": "for the arch {about} ({this})",
    "search": "for the arch {about}, which the site does not let a host of {here} search",
    "platform": "for the platform {about}, which this Python does not accept",
    "python": "for Python {about} ({this})",
    "abi": "for {about}, none of which this Python accepts",
    "own": "Requires-Python {about} ({this})",
    "build": "a lower build of {winner}, which requires Python {first}: pip tries older versions only",
    "only-final": "a pre-release, and the site's [pip] table says only-final",
    Rule.LINK: "not the file that a constraint names: {about}",
    "other-name": "passed over by pip: its METADATA has the name {about}",
    "other-version": "passed over by pip: its METADATA has the version {about}",
    "requires-dist": "passed over by pip: invalid Requires-Dist {about}",
    "too-large": "not read, and so passed over: {about}",
    "lower-build": "a lower build of {about}, whose METADATA is invalid: pip tries older versions only",
    Rule.BROKEN: "pip would choose it and fail: {about}",
    Rule.NO_BINARY: "the site's [pip] table or a file says no-binary: pip takes no wheel of it",
    Rule.ONLY_BINARY: "a source archive, and the site's [pip] table or a file says only-binary: "
    "pip takes wheels alone",
    Rule.SPECIFIER: "the version is not {about}",
    Rule.CONSTRAINT: "not allowed by the constraint {about}",
    Rule.PRERELEASE: "a pre-release, and there is a final version (--pre or == allows it)",
    Rule.LOST_VERSION: "older than {about}",
    "label": "older than {about}, by its local label alone, and so passed over for a less specific directory",
    "built": "older than {about}, which pip builds from source",
    Rule.LOST_SOURCE: "a source archive, and {about} is a wheel of the same version",
    "preferred": "a source archive, and {about} is a wheel: "
    "the site's [pip] table or a file says prefer-binary",
    Rule.LOST_RANK: "shadowed by {about}, from a more specific directory",
    Rule.LOST_TAG: "shadowed by {about}, whose tags fit this Python better",
    Rule.LOST_BUILD: "shadowed by {about}, a higher build",
    Rule.LOST_NAME: "shadowed by {about}, the same in all respects but its name",
    "url": "shadowed by {about}, a source archive of the same version whose path sorts first",
}

#: What differs from file to file without making another reason: a group has all of it.
_MERGED = frozenset({Rule.TAG, Rule.FILENAME})


class Exclusion(NamedTuple):
    """What excludes a file: the *rule*, its *kind* where a rule has several, and what it is *about*.

    OUTSIDE:         `layer`, `arch` (above the host's) or `search` (the site says no), and its name.
    TAG:             `python` and the Pythons that it is for; `abi` and its tags, if the Python alone is not
                     the reason; or `platform` and its platforms.
    REQUIRES_PYTHON: `own` and the specifier; or `build`, the specifier, and the higher build that has it.
    METADATA:        `other-name`, `other-version` or `requires-dist`, and what it has, quoted; `too-large`,
                     and what of it; or `lower-build`, and the higher build that has one of the last two.
    LOST_VERSION:    `label`, if only its local label makes the winner newer, and this one's arch is better.
    SPECIFIER, CONSTRAINT: the specifier; the constraints, each with its file and line.
    LOST_...:        the winner, as label/filename; `built`: it is a source archive; of one, `preferred`: only
                     prefer-binary puts it behind a wheel; `url`: the winner is one of the same version, too.
    PRERELEASE:      `only-final`: the site takes none.
    LINK:            the constraints that name the one file that pip takes.
    BROKEN, FILENAME, VARIANT: the problem.
    here:            the layer, arch or Python of the host, where that makes the difference.
    """

    rule: Rule
    kind: str = ""
    about: tuple[str, ...] = ()
    here: str = ""

    def __str__(self) -> str:
        return _TEXTS[self.kind or self.rule].format(
            about=", ".join(self.about),
            first=self.about[0] if self.about else "",
            winner=self.about[-1] if self.about else "",
            here=self.here,
            this=f"this is {self.here}" if self.here else "no layer is loaded",
        )


def _text_of(exclusions: Sequence[Exclusion]) -> str:
    texts = list(map(str, exclusions))
    if exclusions[-1].rule is Rule.OUTSIDE:
        texts.append("otherwise right")
    elif len(texts) > 1:
        texts[-1] = f"and {texts[-1]}"
    return "; ".join(texts)


class FileStatus(NamedTuple):
    """A file that is not picked. *exclusions*: what excludes it, then what would do so otherwise.

    A file outside the search path, or for another Python, may have several: they say whether searching its
    directory, or that Python, would be enough.
    """

    file: TreeFile
    exclusions: tuple[Exclusion, ...]

    @property
    def rule(self) -> Rule:
        """The rule that excludes it."""
        return self.exclusions[0].rule

    @property
    def reason(self) -> str:
        """All *exclusions* as text."""
        return _text_of(self.exclusions)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the file with its place and version, its first exclusion, the others, and the reason."""
        return {
            **to_plain(self.file, "filename", "path"),
            **to_plain(self.file.directory, "layer", "arch", "rank"),
            "version": None if isinstance(self.file, InvalidFilename) else str(self.file.version),
            **to_plain(self.exclusions[0]),
            "otherwise": list(map(to_plain, self.exclusions[1:])),
            "reason": self.reason,
        }


class Group(NamedTuple):
    """Files that are excluded alike, in the order that they came in."""

    exclusions: tuple[Exclusion, ...]
    files: tuple[TreeFile, ...]

    def __str__(self) -> str:
        versions = sorted({each.version for each in self.files if not isinstance(each, InvalidFilename)})
        span = " to ".join(map(str, dict.fromkeys(versions[:1] + versions[-1:])))
        kind = "source archive" if isinstance(self.files[0], SourceArchive) else "wheel"
        what = f"{kind if versions else 'file'}{'s' * (len(self.files) > 1)}"
        return f"{len(self.files)} {what}{f' of {span}' if span else ''}: {_text_of(self.exclusions)}"


def grouped(found: Iterable[FileStatus]) -> list[Group]:
    """*found* in groups of those that are excluded alike, in the order of each group's first."""
    groups: dict[tuple[object, ...], list[FileStatus]] = {}
    for each in found:
        key = tuple(e._replace(about=()) if e.rule in _MERGED else e for e in each.exclusions)
        groups.setdefault((isinstance(each.file, SourceArchive), *key), []).append(each)
    return [
        Group(
            exclusions=tuple(map(_merged, zip(*(each.exclusions for each in members), strict=True))),
            files=tuple(each.file for each in members),
        )
        for members in groups.values()
    ]


def _merged(alike: Sequence[Exclusion]) -> Exclusion:
    """One exclusion about all that *alike*, which are of one kind, are about; Pythons oldest first."""
    about = dict.fromkeys(each for exclusion in alike for each in exclusion.about)
    in_order = sorted(about, key=_age) if alike[0].kind == "python" else about
    return alike[0]._replace(about=tuple(in_order))


def place_of(file: TreeFile) -> str:
    """The file as label/filename."""
    return f"{file.directory.label}/{file.filename}"


def python_labels(tags: Iterable[Tag]) -> list[str]:
    """The Pythons that *tags* are for, oldest first: `3.11`, `3.8 and newer`, `PyPy 3.10`."""
    found = set()
    for tag in tags:
        match = re.fullmatch(r"(cp|pp|py)(\d)(\d*)", tag.interpreter)
        if match is None:
            found.add(tag.interpreter)
            continue
        kind, major, minor = match.groups()
        version = f"{major}.{minor}" if minor else major
        threaded = "t" if kind == "cp" and tag.abi == f"{tag.interpreter}t" else ""
        newer = " and newer" if minor and (kind == "py" or tag.abi == "abi3") else ""
        found.add(f"{'PyPy ' if kind == 'pp' else ''}{version}{threaded}{newer}")
    return sorted(found, key=_age)


def _age(label: str) -> tuple[list[int], str]:
    """The place of a label of `python_labels` among others."""
    return [int(number) for number in re.findall(r"\d+", label)], label
