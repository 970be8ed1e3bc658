"""Stamps: a directory's rank, written into a wheel's build tag, which every installer obeys.

The build number is `rank * 1000 + own`, where *own* (0 to 999) is the wheel's upstream build number or the
site's count of rebuilds; the arch follows, so that people can read it: `400000avx2`. All of this is a pure
function of a name and a directory (build tags: binary distribution format, PEP 427).
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from packaging.tags import Tag
from packaging.utils import BuildTag

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.site.layout import GENERIC, Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelfile.tags import compressed_tags

#: How many build numbers each rank has.
BAND = 1000


class StampError(WheelhouseError, ValueError):
    """A wheel whose own build number leaves no room in its band."""

    _message = "{filename}: build number {own} does not fit a stamp (0 to 999)"
    _hint = "rename it with a lower one"
    filename: str
    own: int


class StampState(enum.Enum):
    """How a build tag relates to the directory that the wheel is in."""

    CURRENT = "current"
    STALE = "stale"
    NONE = "unstamped"


class Stamping(NamedTuple):
    """What a build tag says: its *state*, and the wheel's *own* build number within it."""

    state: StampState
    own: int


def _arch_text(arch: str) -> str:
    return arch.replace("-", "_")


def stamp_build(directory: Directory, own: int = 0) -> BuildTag:
    """The build tag of a wheel in *directory* whose own build number is *own*."""
    return ((directory.rank - directory.shift) * BAND + own, _arch_text(directory.arch))


def build_text(build: BuildTag) -> str:
    """A build tag as in file names; empty for none."""
    return "".join(map(str, build))


def stamped_arch(build: BuildTag, site: Site) -> str | None:
    """The arch that *build* is a stamp of, as the ladder names it; None for a build tag of another kind."""
    if not build or build[0] < BAND:
        return None
    names = (GENERIC, *(arch.name for arch in site.ladder))
    return next((name for name in names if _arch_text(name) == build[1]), None)


def stamping(build: BuildTag, directory: Directory, site: Site) -> Stamping:
    """Whether *build* is the stamp of *directory*, one of another place or time, or none.

    A build tag with a number above the band and an arch of the site is a stamp; any other is upstream's own.
    """
    if not build:
        return Stamping(StampState.NONE, 0)
    number, text = build
    if stamped_arch(build, site) is None:
        return Stamping(StampState.NONE, number)
    own = number % BAND
    if (number, text) == stamp_build(directory, own):
        return Stamping(StampState.CURRENT, own)
    return Stamping(StampState.STALE, own)


def renamed(
    filename: str,
    *,
    version: str | None = None,
    build: BuildTag | None = None,
    tags: frozenset[Tag] | None = None,
    stem: str = "",
) -> str:
    """*filename* with its version, build tag, wheel tags or project (*stem*) replaced."""
    parts = filename.removesuffix(".whl").split("-")
    middle = parts[2:-3] if build is None else [build_text(build)] * bool(build)
    end = parts[-3:] if tags is None else [compressed_tags(tags)]
    return "-".join([stem or parts[0], version or parts[1], *middle, *end]) + ".whl"


def own_number(filename: str, build: BuildTag, directory: Directory, site: Site) -> int:
    """The own build number that the stamp of *filename* for *directory* keeps. Raises `StampError`."""
    own = stamping(build, directory, site).own
    if own >= BAND:
        raise StampError(filename, own)
    return own


def stamped_name(filename: str, build: BuildTag, directory: Directory, site: Site) -> str:
    """The name of the wheel *filename* (with its *build* tag) as stamped for *directory*.

    Raises `StampError` when its own build number does not fit.
    """
    own = own_number(filename, build, directory, site)
    return renamed(filename, build=stamp_build(directory, own))
