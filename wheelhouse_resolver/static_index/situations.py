"""The Pythons that the wheels of one version tell apart, and what policy and installers choose for each."""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier
from packaging.tags import Tag
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.installers.ordering import INSTALLERS, Installer, PythonKind, tag_priorities
from wheelhouse_resolver.wheelfile.parsing import parsed_specifier
from wheelhouse_resolver.wheelfile.tags import MANYLINUX, glibc_of, machine_of, pythons_of

#: A release of Python.
Release = tuple[int, int, int]

#: Python 4 would read other tags: nothing is said of it.
_BEYOND: Release = (4, 0, 0)

#: From here on a Python counts also if no wheel names it.
_USUAL = (3, 8)

#: The first with free threads.
_THREADS = (3, 13)


class Need(enum.IntEnum):
    """How much a choice counts where not all can have theirs; the lowest first."""

    ALWAYS = 0  # the Pythons that wheels name, and the usual ones, on a C library that is new enough
    NAMED = 1  # older C libraries, and pips that do not know its platforms
    OTHERS = 2  # Pythons that no wheel names


class Hosts(NamedTuple):
    """What the hosts that see a page have in common.

    glibc:   their C library; None: new enough for all wheels.
    machine: as platform tags spell it; None: any.
    """

    glibc: tuple[int, int] | None = None
    machine: str | None = None


class Wheel(NamedTuple):
    """What counts of a wheel in comparison with others of its version.

    rank:            its directory's.
    build:           its build tag as (number, text).
    requires_python: its own Requires-Python.
    """

    rank: int
    tags: frozenset[Tag]
    build: tuple[int, str]
    requires_python: str


class Span(NamedTuple):
    """The Pythons from release *start* on and before *end*, which all see the same wheels."""

    start: Release
    end: Release

    @property
    def release(self) -> str:
        """One of them."""
        return ".".join(map(str, self.start))

    def __str__(self) -> str:
        start, end = (".".join(map(str, each if each[2] else each[:2])) for each in self)
        if self.end == _BEYOND:
            return f"{start} and later"
        if self.start[2] or self.end[2] or self.end[0] != self.start[0]:
            return f"{start} to before {end}"
        return start if self.end[1] == self.start[1] + 1 else f"{start} to 3.{self.end[1] - 1}"


@lru_cache(maxsize=1 << 12)
def is_valid(requires_python: str) -> bool:
    """Whether it is a valid specifier: installers pass over others."""
    try:
        parsed_specifier(requires_python)
    except InvalidSpecifier:
        return False
    return True


@lru_cache(maxsize=1 << 14)
def allows(requires_python: str, release: str) -> bool:
    """Whether a wheel with that Requires-Python can be installed into that *release* of Python."""
    return not is_valid(requires_python) or parsed_specifier(requires_python).contains(release, True)


@lru_cache(maxsize=1 << 12)
def _cuts(requires_python: str) -> frozenset[Release]:
    """The releases at which that Requires-Python may change its answer."""
    found: set[Release] = set()
    for each in parsed_specifier(requires_python) if is_valid(requires_python) else ():
        try:
            release = Version(each.version.removesuffix(".*")).release[:3]
        except InvalidVersion:  # `===` takes any text
            continue
        padded = (*release, 0, 0)[:3]
        found.add((padded[0], padded[1], padded[2]))
        known = release[: len(release) - (each.operator == "~=")]
        wide = each.version.endswith(".*") or each.operator == "~="
        if wide or each.operator not in (">=", "<"):
            last = known if wide else padded
            after = (*last[:-1], last[-1] + 1, 0, 0)[:3]
            found.add((after[0], after[1], after[2]))
    return frozenset(found)


@lru_cache(maxsize=1 << 14)
def bounds_allow(requires_python: str, release: str) -> bool:
    """The same as uv sees it, which only asks whether it allows this *release* or an older one."""
    earlier = (".".join(map(str, each)) for each in ((0, 0, 0), *_cuts(requires_python)))
    older = (each for each in earlier if Version(each) <= Version(release))
    return any(allows(requires_python, each) for each in (release, *older))


@lru_cache(maxsize=1 << 12)
def _versions(tags: frozenset[Tag]) -> frozenset[tuple[int, int]]:
    """The versions of Python that *tags* name; (2, 0) for Python 2 as a whole."""
    matches = (re.fullmatch(r"(?:cp|pp|py)(\d)(\d*)", tag.interpreter) for tag in tags)
    return frozenset((int(m[1]), int(m[2] or 0)) for m in matches if m)


def spans(wheels: Sequence[Wheel], also: Collection[str] = ()) -> list[Span]:
    """All Pythons, cut where *wheels*, or one of *also* as a Requires-Python, may treat them differently."""
    cuts: set[Release] = {(3, 0, 0), (*_USUAL, 0)}
    for wheel in wheels:
        for major, minor in _versions(wheel.tags):
            cuts |= {(major, minor, 0), (major, minor + 1, 0)}
        cuts |= _cuts(wheel.requires_python)
    for each in also:
        cuts |= _cuts(each)
    named = any(version < (3, 0) for wheel in wheels for version in _versions(wheel.tags))
    first = (2, 0, 0) if named else (3, 0, 0)
    starts = sorted({first, *(cut for cut in cuts if first < cut < _BEYOND)})
    return [Span(*each) for each in zip(starts, [*starts[1:], _BEYOND], strict=True)]


class Fit(NamedTuple):
    """Which wheels have a tag that fits, for an installer on a Python of a kind.

    priorities: of each wheel's best tag, the best with the lowest number; None: it has none that fits.
    libc:       the C library, if it is an older one than the newest that wheels ask for.
    """

    need: Need
    kind: PythonKind
    libc: str
    installer: Installer
    priorities: tuple[int | None, ...]


class Case(NamedTuple):
    """An installer on a Python of a kind. *order*: the wheels that it could install, as policy has them."""

    fit: Fit
    order: tuple[int, ...]

    def key(self, wheels: Sequence[Wheel], number: int, place: int) -> tuple[object, ...]:
        """Of wheels on a page the installer takes the one with the greatest. *place*: of it on the page."""
        tag, build = -(self.fit.priorities[number] or 0), wheels[number].build
        order = (tag, build) if self.fit.installer.tag_first else (build, tag)
        return (*order, -place if self.fit.installer.first_link else place)

    def takes(self, wheels: Sequence[Wheel], number: int) -> bool:
        """Whether the installer takes that wheel if there is no other."""
        limit = self.fit.installer.build_limit
        return self.fit.priorities[number] is not None and (limit is None or wheels[number].build[0] < limit)


def barred(wheels: Sequence[Wheel], python: Span) -> frozenset[int]:
    """Those of *wheels* that their own Requires-Python bars from *python*."""
    return frozenset(i for i, each in enumerate(wheels) if not allows(each.requires_python, python.release))


def cases(wheels: Sequence[Wheel], out: frozenset[int], fitting: Iterable[Fit]) -> list[Case]:
    """What is to be considered for *wheels*, all of one version, where those *out* are barred."""
    found = []
    for fit in fitting:
        case = Case(fit, ())
        able = [
            (each.rank, -priority, each.build, -i)
            for i, (each, priority) in enumerate(zip(wheels, fit.priorities, strict=True))
            if priority is not None and i not in out and case.takes(wheels, i)
        ]
        # As `policy_key` has it; of equal ones, which are in one directory, the first by name.
        found.append(Case(fit, tuple(-each[-1] for each in sorted(able, reverse=True))))
    return found


@lru_cache(maxsize=1 << 14)
def fits(tags: tuple[frozenset[Tag], ...], version: tuple[int, int], hosts: Hosts) -> tuple[Fit, ...]:
    """What there is for wheels with *tags* on that *version* of Python; what matters most comes first."""
    every = frozenset().union(*tags)
    platforms = frozenset(tag.platform for tag in every)
    found: list[Fit] = []
    for (kind, need), level in product(
        _kinds(every, version, hosts.machine), _levels(platforms, hosts.glibc)
    ):
        for installer in INSTALLERS:
            seen, own = level.platforms, Need.ALWAYS
            if not installer.perennial:
                seen, own = frozenset(each for each in seen if not MANYLINUX.fullmatch(each)), Need.NAMED
            best = _best(tags, tag_priorities(kind, seen, installer.linux_first))
            if any(each is not None for each in best):
                found.append(Fit(max(need, level.need, own), kind, level.libc, installer, best))
    return tuple(sorted(found, key=lambda each: each.need))


@lru_cache(maxsize=1 << 14)
def distinct_fits(
    tags: tuple[frozenset[Tag], ...], version: tuple[int, int], hosts: Hosts
) -> tuple[Fit, ...]:
    """The same without what differs from another in name only."""
    found: dict[object, Fit] = {}
    anyone = PythonKind((0, 0), "", "")
    for fit in fits(tags, version, hosts):
        order = sorted({each for each in fit.priorities if each is not None})
        ranks = tuple(None if each is None else order.index(each) for each in fit.priorities)
        found.setdefault((fit.installer, ranks), fit._replace(kind=anyone, libc="", priorities=ranks))
    return tuple(found.values())


def _best(tags: Sequence[frozenset[Tag]], priorities: Mapping[Tag, int]) -> tuple[int | None, ...]:
    return tuple(min((priorities[tag] for tag in each if tag in priorities), default=None) for each in tags)


class _Level(NamedTuple):
    """The platforms that there are with a C library."""

    platforms: frozenset[str]
    need: Need
    libc: str


@lru_cache(maxsize=1 << 12)
def _levels(platforms: frozenset[str], glibc: tuple[int, int] | None) -> tuple[_Level, ...]:
    """Those of *platforms* that there are with *glibc*, with each older one that is named, and with none."""
    levels = {level for each in platforms if (level := glibc_of(each)) and (glibc is None or level <= glibc)}
    found: dict[frozenset[str], _Level] = {}
    for number, most in enumerate([*sorted(levels, reverse=True), (0, 0)]):
        seen = frozenset(each for each in platforms if (glibc_of(each) or (0, 0)) <= most)
        need = Need.ALWAYS if number == 0 else Need.NAMED if any(most) else Need.OTHERS
        libc = "glibc {}.{}".format(*most) * (number > 0)
        found.setdefault(seen, _Level(seen, need, libc))
    return tuple(found.values())


@lru_cache(maxsize=1 << 12)
def _kinds(
    tags: frozenset[Tag], version: tuple[int, int], machine: str | None
) -> tuple[tuple[PythonKind, Need], ...]:
    """The Pythons of that *version* that a wheel may be for."""
    own = {flags for each, flags in pythons_of(tags) if each == version}
    usual = {"m" if version < (3, 8) else ""} if version >= (3, 0) else set()
    needs = dict.fromkeys(usual, Need.ALWAYS if version >= _USUAL else Need.OTHERS)
    needs |= dict.fromkeys(own, Need.ALWAYS)
    if version >= _THREADS:
        needs.setdefault("t", Need.OTHERS)
    flavours = {("cp", flags): need for flags, need in needs.items()}
    short = "{}{}".format(*version)
    for tag in tags:
        if tag.interpreter == f"pp{short}" and tag.abi.startswith(f"pypy{short}"):
            flavours["pp", tag.abi.removeprefix(f"pypy{short}")] = Need.ALWAYS
    flavours["", ""] = Need.OTHERS
    named = {name for tag in tags if (name := machine_of(tag.platform))}
    machines = [machine] if machine is not None else [*sorted(named), "any"]
    musl = {machine_of(tag.platform) for tag in tags if tag.platform.startswith("musllinux")}
    return tuple(
        (PythonKind(version, flags, each, with_musl, implementation), need)
        for (implementation, flags), need in sorted(flavours.items())
        for each in machines
        for with_musl in ((False, True) if each in musl else (False,))
    )
