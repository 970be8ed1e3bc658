"""From what a tree holds to the site file that describes it. What is not known is listed, not guessed."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.level_names import (
    LEVEL_OF_BIT,
    CpuLevel,
    has_meaning,
    level_of,
    level_of_target,
)
from wheelhouse_resolver.tree.proposal_text import ProposedDirectory, ProposedLayer, site_text
from wheelhouse_resolver.tree.survey import SurveyedDirectory, survey

#: What a layer is called whose directories are at the root.
_AT_ROOT = "site"


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteProposal:
    """A site file for an existing tree.

    text:        of the file. site: what it describes.
    directories: all that hold wheels, by their labels.
    """

    text: str
    site: Site
    directories: tuple[ProposedDirectory, ...]

    @property
    def unknown(self) -> tuple[ProposedDirectory, ...]:
        """Those that the site file does not describe."""
        return tuple(each for each in self.directories if each.arch is None)


def propose_site(root: str | os.PathLike[str], *, seconds: float = 20.0) -> SiteProposal:
    """The site file that describes the tree of wheels at *root*, as far as its names and wheels tell.

    *seconds*: how long wheels are looked into, at most. Raises `SurveyError` where there are no wheels, and
    `SiteFileError` for a root that no site file can name.
    """
    root = os.path.abspath(root)
    found = decide(root, survey(root, seconds=seconds))
    return replace(found, site=found.site.with_links())


def decide(root: str, found: Sequence[SurveyedDirectory]) -> SiteProposal:
    """The site file for the tree at *root* that holds what was *found*. Pure."""
    draft = _Draft()
    # Where two mean the same, a real directory comes before a link, and then what holds more.
    order = sorted(found, key=lambda each: (bool(each.link), -each.wheels, each.label))
    rest = [each for each in order if not draft.take_by_name(each)]
    for each in rest:
        draft.take_by_content(each, alone=len(found) == 1)
    layers = sorted(draft.layers.values(), key=lambda layer: (layer.directory == ".", layer.name))
    for number, layer in enumerate(layers):
        layer.name = _name_of(layer, layers, {other.name for other in layers[:number]})
    directories = tuple(sorted(draft.described(), key=lambda each: each.label))
    text = site_text(root, draft.generic, [each.layer() for each in layers], directories)
    return SiteProposal(text=text, site=Site.parse(text, "the proposed site file"), directories=directories)


class _LayerDraft:
    """A layer to be; the attributes are those of `ProposedLayer`."""

    def __init__(self, directory: str) -> None:
        self.name = self.directory = directory
        self.levels: dict[CpuLevel, str] = {}
        self.generic: str | None = None
        self.looks_into: tuple[str, ...] = ()

    def layer(self) -> ProposedLayer:
        """The layer that it has become."""
        return ProposedLayer(**vars(self))


class _Draft:
    """What is decided so far."""

    def __init__(self) -> None:
        self.generic: str | None = None
        self.layers: dict[str, _LayerDraft] = {}
        self._directories: list[tuple[ProposedDirectory, _LayerDraft | None]] = []

    def described(self) -> Iterable[ProposedDirectory]:
        """The directories, each with its layer's final name."""
        for each, layer in self._directories:
            yield replace(each, layer=layer.name if layer is not None else None)

    def take_by_name(self, each: SurveyedDirectory) -> bool:
        """Put *each* where its name says; False if that says nothing."""
        above, names = _split(each.label)
        level = level_of(names)
        if each.problem or level is None or not each.label.isprintable():
            return False
        self._place(each, above, "/".join(names), level, "its name")
        return True

    def take_by_content(self, each: SurveyedDirectory, *, alone: bool) -> None:
        """Put *each* where its wheels say, if all of them say the same and the place is free.

        alone: there is no other directory.
        """
        above, name = os.path.split(each.label)
        above = above or "."
        if each.problem:
            self._unknown(each, f"cannot be listed: {each.problem}")
        elif not each.label.isprintable():
            self._unknown(each, "its name holds a character that no site file can have")
        elif alone:
            self._place(each, ".", each.label, GENERIC, f"the only directory; {_seen(each)}")
        elif each.label == "." and self.generic is None and not each.compiled:
            self._place(each, ".", ".", GENERIC, f"all {each.wheels} wheels are pure Python")
        elif each.label == "." or each.label in self.layers:
            self._unknown(each, f"it holds directories of the site as well; {_seen(each)}")
        elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            self._unknown(each, f"its name says nothing; {_seen(each)}")
        elif not each.compiled and self._generic_is_free(above):
            self._place(each, above, name, GENERIC, f"all {each.wheels} wheels are pure Python")
        elif each.level and each.marked == each.opened and self._is_layer(above):
            level = level_of_target(LEVEL_OF_BIT[each.level])
            reason = (
                f"{each.marked} of {each.compiled} compiled wheels were looked into, and are marked for it"
            )
            self._place(each, above, name, level, reason)
        else:
            self._unknown(each, f"its name says nothing; {_seen(each)}")

    def _is_layer(self, above: str) -> bool:
        return above in self.layers or (above == "." and not self.layers)

    def _generic_is_free(self, above: str) -> bool:
        if above == ".":
            return self.generic is None
        return above in self.layers and self.layers[above].generic is None

    def _place(
        self, each: SurveyedDirectory, above: str, name: str, level: CpuLevel | str, reason: str
    ) -> None:
        if each.link:
            reason += f"; a link to {each.link}"
        if above == "." and not isinstance(level, CpuLevel):
            if self.generic is None:
                self.generic = name
                self._known(each, None, GENERIC, reason)
            else:
                self._second(each, self.generic, None, GENERIC)
            return
        layer = self.layers.setdefault(above, _LayerDraft(above))
        layer.looks_into = layer.looks_into or each.looks_into
        if not isinstance(level, CpuLevel):
            if layer.generic is None:
                layer.generic = name
                self._known(each, layer, GENERIC, reason)
            else:
                self._second(each, f"{above}/{layer.generic}", layer, GENERIC)
        elif (other := layer.levels.setdefault(level, name)) == name:
            self._known(each, layer, level.name, reason, _doubt(each, level))
        else:
            self._second(each, os.path.normpath(f"{above}/{other}"), layer, level.name)

    def _second(self, each: SurveyedDirectory, other: str, layer: _LayerDraft | None, arch: str) -> None:
        """Note *each*, whose place the directory *other* has."""
        if each.link == other:
            self._known(each, layer, arch, f"a link to {other}")
        else:
            self._unknown(each, f"its name means the same as that of {other}; {_seen(each)}")

    def _known(
        self, each: SurveyedDirectory, layer: _LayerDraft | None, arch: str, reason: str, doubt: str = ""
    ) -> None:
        found = ProposedDirectory(
            label=each.label, wheels=each.wheels, layer=None, arch=arch, reason=reason, doubt=doubt
        )
        self._directories.append((found, layer))

    def _unknown(self, each: SurveyedDirectory, reason: str) -> None:
        found = ProposedDirectory(label=each.label, wheels=each.wheels, layer=None, arch=None, reason=reason)
        self._directories.append((found, None))


def _split(label: str) -> tuple[str, list[str]]:
    """The directory of a layer (`.`: the root), and the names below it that say something."""
    parts = label.split("/") if label != "." else []
    start = len(parts) - (parts[-1:] == ["wheels"])  # it says no more than what is above it
    while start and has_meaning(parts[start - 1], family=any(map(_is_family, parts[: start - 1]))):
        start -= 1
    return "/".join(parts[:start]) or ".", parts[start:]


def _is_family(part: str) -> bool:
    """Whether *part* of a path names a CPU family."""
    level = level_of([part])
    return isinstance(level, CpuLevel) and level.target == level.family


def _seen(each: SurveyedDirectory) -> str:
    """What the wheels of *each* say, for people."""
    if not each.compiled:
        return "all its wheels are pure Python"
    said = f"{each.compiled} of {each.wheels} wheels are compiled for {', '.join(each.families) or 'no CPU'}"
    if not each.marked:
        return f"{said}, none marked with a level"
    level = LEVEL_OF_BIT.get(each.level, "x86_64").replace("_", "-")
    return f"{said}, {each.marked} of {each.opened} looked into are marked, for up to {level}"


def _doubt(each: SurveyedDirectory, level: CpuLevel) -> str:
    """What in the wheels of *each* contradicts its *level*."""
    others = [family for family in each.families if family != level.family]
    if others:
        return f"it also holds wheels for {', '.join(others)}"
    if level.family == "x86_64" and each.level > level.bit:
        marked = LEVEL_OF_BIT[each.level].replace("_", "-")
        return f"it holds wheels that are marked to need {marked}"
    return ""


def _name_of(layer: _LayerDraft, layers: Sequence[_LayerDraft], taken: Collection[str]) -> str:
    """A name for *layer*: the first part of its directory, if that tells it from the other *layers*."""
    first = layer.directory.split("/")[0]
    alone = sum(each.directory.split("/")[0] == first for each in layers) == 1
    text = _AT_ROOT if layer.directory == "." else first if alone else layer.directory
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")
    numbered = (f"{name or 'layer'}-{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in ("", NO_LAYER, *taken))
