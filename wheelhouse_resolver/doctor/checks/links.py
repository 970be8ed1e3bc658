"""Checks of `find-links` and static indexes: whether pip looks where this host should."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.doctor.facts import DirectoryState, EnvironmentFacts, LinkState
from wheelhouse_resolver.doctor.pip_settings import PLACES, PipSetting, emptied_by
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.utils.text import is_true


class _Reading(NamedTuple):
    """What one `find-links` names, or the static index that an index option names.

    searched: labels of directories of the search path; gone: those of them that are not there.
    other:    directories that only other hosts search; strays: all other directories.
    """

    searched: set[str]
    gone: list[LinkState]
    other: list[DirectoryState]
    strays: list[LinkState]

    @property
    def is_ours(self) -> bool:
        return bool(self.searched or self.other)


def _read(facts: EnvironmentFacts, setting: PipSetting | None) -> _Reading:
    named = setting.values if setting is not None else []
    return reading(facts, [each for each in facts.pip.links if each.value in named])


def reading(facts: EnvironmentFacts, links: Iterable[LinkState]) -> _Reading:
    """What *links* name of the wheelhouse, and what else on this machine."""
    links = [each for each in links if each.real is not None]
    by_path = {**_by_path_in_views(facts, links), **{each.real: each for each in facts.directories}}
    states = [(link, state) for link in links if (state := by_path.get(link.real or ""))]
    named = [state for _, state in states]
    named += [each for each in facts.directories for link in links if each.directory.label in link.lists]
    return _Reading(
        searched={each.directory.label for each in named if each.searched},
        gone=[link for link, state in states if state.searched and not link.exists],
        other=[each for each in named if not each.searched],
        strays=[link for link in links if link.real not in by_path and not link.lists],
    )


def _by_path_in_views(facts: EnvironmentFacts, links: Iterable[LinkState]) -> dict[str, DirectoryState]:
    """The directories of views of the wheelhouse, and those of the site that they stand for.

    A view's root is where one of its directories has links; others may be empty.
    """
    by_label = sorted(facts.directories, key=lambda each: len(each.directory.label))
    suffixes = [(f"/{each.directory.label}", each) for each in by_label]
    roots = {
        link.real.removesuffix(suffix)
        for link in links
        if link.view and link.real is not None
        for suffix, _ in suffixes
        if link.real.endswith(suffix)
    }
    # `gentoo/generic` below the view, rather than `generic` below `gentoo`: the longer label comes later.
    return {root + suffix: state for suffix, state in suffixes for root in roots}


def _wanted(facts: EnvironmentFacts) -> list[str]:
    return [each.directory.label for each in facts.searched if each.exists]


def _no_index(facts: EnvironmentFacts) -> PipSetting | None:
    """The setting by which pip asks no index."""
    setting = facts.pip.in_force.get("no-index")
    return setting if setting is not None and is_true(setting.value) else None


def _places(facts: EnvironmentFacts) -> list[PipSetting]:
    """The settings in force that name where pip looks."""
    options = PLACES if _no_index(facts) is None else PLACES[:1]
    return [setting for each in options if (setting := facts.pip.in_force.get(each)) is not None]


def names_wheelhouse(facts: EnvironmentFacts, *values: str) -> bool:
    """Whether one of these *values* of a setting is a directory of the wheelhouse, or its static index."""
    return reading(facts, [each for each in facts.pip.links if each.value in values]).is_ours


def finds_wheelhouse(facts: EnvironmentFacts) -> bool:
    """Whether pip looks into a directory of the wheelhouse, or its static index."""
    return any(_read(facts, each).is_ours for each in _places(facts))


def finds_directories(facts: EnvironmentFacts) -> bool:
    """Whether pip looks into directories of the wheelhouse, where stamps decide."""
    return _read(facts, facts.pip.in_force.get("find-links")).is_ours


def names_only_what_it_should(facts: EnvironmentFacts) -> bool:
    """Whether pip looks at what the wheelhouse has for this host, and at nothing that it has for others."""
    found = [_read(facts, each) for each in _places(facts)]
    return any(each.searched for each in found) and not any(each.other for each in found)


def config_file_is_ours(facts: EnvironmentFacts) -> bool:
    """Whether the file that PIP_CONFIG_FILE names has the wheelhouse in it, or may have it.

    It may have where pip does not tell the file, or the site is not known.
    """
    return any(
        not facts.directories or _read(facts, each).is_ours
        for each in facts.pip.settings
        if each.option in PLACES and each.origin in ("env", "files")
    )


def is_of_the_site(facts: EnvironmentFacts, setting: PipSetting) -> bool:
    """Whether a *setting* is the site's: of PIP_CONFIG_FILE's file, or the machine's with the wheelhouse."""
    return setting.origin == "env" or (
        setting.origin == "global"
        and any(
            _read(facts, each).is_ours
            for each in facts.pip.settings
            if each.option in PLACES and each.file == setting.file
        )
    )


def _beaten(facts: EnvironmentFacts) -> tuple[PipSetting, PipSetting] | None:
    """A setting with the wheelhouse in it, and the one without it, or the empty one, that beats it."""
    if finds_wheelhouse(facts):
        return None
    settings = facts.pip.settings
    winners = {option: facts.pip.in_force.get(option) for option in PLACES}
    ours = [each for each in settings if each.option in PLACES and _read(facts, each).is_ours]
    pairs = ((each, winners[each.option] or emptied_by(settings, each)) for each in ours)
    return next(((each, by) for each, by in pairs if by is not None and by != each), None)


@check("no-find-links", "pip does not look into it: it installs from an index, or finds nothing")
def _absent(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    winner = facts.pip.in_force.get("find-links")
    if facts.pip.asked == "" or facts.pip.problem:
        return  # what its files say is not known
    if not _wanted(facts) or finds_wheelhouse(facts) or _beaten(facts) is not None:
        return
    what, fix = "no `find-links` is in force: ", fixes.load_settings(facts)
    no_index = _no_index(facts)
    if no_index and any(_read(facts, facts.pip.in_force.get(each)).is_ours for each in PLACES):
        what, fix = f"pip asks no index ({no_index.where})", fixes.unset_setting(facts, no_index)
    elif winner is not None:
        what = f"{winner.where} names no directory of the wheelhouse"
    elif facts.pip.config_file is None:
        what += "PIP_CONFIG_FILE is not set, and no pip/pip.conf in XDG_CONFIG_DIRS has one"
    else:
        what += f"{facts.pip.config_file}, which PIP_CONFIG_FILE names, has none"
    yield Diagnostic(ERROR, what, fix, {"in_force": to_plain(winner)})


@check(
    "find-links-replaced",
    "PIP_FIND_LINKS, [install] and stronger files replace `find-links`, they do not add to it",
)
def _replaced(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if found := _beaten(facts):
        beaten, winner = found
        what = f"{winner.where} replaces {beaten.where}, and names no directory of the wheelhouse"
        if not winner.value:
            what = f"{winner.where} is empty, which takes {beaten.where} away"
        data = {"beaten": to_plain(beaten), "in_force": to_plain(winner)}
        fix = fixes.unset_setting(facts, winner)
        if winner.origin == "env" != beaten.origin:
            fix = fixes.unset(facts, "PIP_CONFIG_FILE")
        yield Diagnostic(ERROR, what, fix, data)


@check(
    "stale-find-links",
    "it was made on another host or for an older site: pip takes wheels that crash or are slow here",
)
def _stale(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for setting in _places(facts) if facts.directories else ():
        found = _read(facts, setting)
        if setting.option == "find-links" or found.is_ours:
            yield from _wrong_places(facts, setting, found)


def _wrong_places(facts: EnvironmentFacts, setting: PipSetting, found: _Reading) -> Iterator[Diagnostic]:
    says, data = what_is_stale(facts, found)
    # Ours takes the place of an `index-url` only where it is the only index.
    fix = fixes.load_settings(facts, *["--offline"] * (setting.option == "index-url"))
    if says:
        yield Diagnostic(ERROR, f"{setting.where} {'; it '.join(says)}", fix, data)
    elif gone := _values(found.gone):
        what = (
            f"{setting.where} names what does not exist, of which pip warns, and uv fails: {', '.join(gone)}"
        )
        yield Diagnostic(NOTE, what, fix, {"links": gone})
    below = below_root(facts, found)
    if outside := _values(link for link in found.strays if link not in below and not link.exists):
        what = f"{setting.where} names what does not exist: {', '.join(outside)}"
        yield Diagnostic(WARNING, what, fixes.unset_setting(facts, setting), {"links": outside})


def below_root(facts: EnvironmentFacts, found: _Reading) -> list[LinkState]:
    """What *found* names below the wheelhouse's root that is no directory of the site."""
    root = facts.site.real_root.rstrip("/") + "/"
    return [link for link in found.strays if f"{link.real}/".startswith(root)]


def what_is_stale(facts: EnvironmentFacts, found: _Reading) -> tuple[list[str], dict[str, list[str]]]:
    """What is wrong with links of which *found* was read, a clause each, for this host; and the data."""
    other = [each.directory.label for each in found.other]
    left_out = [each for each in _wanted(facts) if each not in found.searched] if found.is_ours else []
    below = below_root(facts, found)
    host = f"this host is {_kind(facts.host.layer, facts.host.arch)}"
    meant = _meant_for(facts, found)
    says = []
    if meant is not None:
        says.append(f"is for {_kind(*meant)}; {host}")
    else:
        if other:
            says.append(f"names directories that are for other hosts: {', '.join(other)}; {host}")
        if left_out:
            says.append(f"leaves out directories that this host can use: {', '.join(left_out)}")
    for there, problem in ((False, "does not exist"), (True, "is not a directory of the site")):
        if links := [link for link in below if link.exists is there]:
            says.append(f"names what {problem}: {', '.join(_values(links))}")
    return says, {"other": other, "left_out": left_out, "links": _values(below)}


def _kind(layer: str | None, arch: str) -> str:
    return f"layer {layer or 'none'}, arch {arch}"


def _values(links: Iterable[LinkState]) -> list[str]:
    return [link.value for link in links]


def _meant_for(facts: EnvironmentFacts, found: _Reading) -> tuple[str | None, str] | None:
    """The layer and arch of the other host whose search path *found* is; None for that of no host."""
    named = {*found.searched, *(state.directory.label for state in found.other)}
    there = {each.directory.label for each in facts.directories if each.exists}
    for directory in (state.directory for state in found.other):
        path = {each.label for each in facts.site.site.search_path_for(directory.layer, directory.arch)}
        if path & there <= named <= path:  # `pip-conf` leaves out what is not there
            return directory.layer, directory.arch
    return None
