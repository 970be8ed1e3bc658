"""How installers choose among wheels of one version: models of their sort keys, as measured.

pip's and uv's own order, not ours: `audit` compares it with policy, and `publish` refuses what would make the
two differ. Each model is checked against the real programs by the tests.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from packaging.tags import Tag, compatible_tags, cpython_tags, generic_tags

from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelfile.tags import MANYLINUX, glibc_of, machine_of

#: uv keeps build numbers in 64 bits and drops a wheel whose number does not fit.
_UV_BUILD_LIMIT = 1 << 64


class Tie(enum.Enum):
    """Which of the wheels that are equal in tag and build tag an installer takes."""

    SMALLEST_URL = "the one with the smallest URL"
    LARGEST_URL = "the one with the largest URL"
    UV = "the first by uv's order of file names, then the one in the directory with the smallest URL"


class Installer(NamedTuple):
    """An installer, or a range of its versions that choose alike.

    tag_first:   the wheel tag counts before the build tag (else after).
    linux_first: `linux_*` is a better platform than `manylinux*` (else a worse one).
    tie:         what counts when both are equal.
    perennial:   it knows manylinux platforms by their glibc (PEP 600), not only the three old names.
    build_limit: wheels with a build number from here on are dropped; None: no limit.
    first_link:  of equal links on one page it takes the first (else the last).
    hides:       it passes over links whose data-requires-python bars the Python. Else it chooses among all,
                 and gives the version up where a lower bound of its choice bars it; no other clause counts.
    """

    name: str
    tag_first: bool
    linux_first: bool
    tie: Tie = Tie.SMALLEST_URL
    perennial: bool = True
    build_limit: int | None = None
    first_link: bool = False
    hides: bool = True


#: pip 9 and older ignore build tags and are not among them.
INSTALLERS = (
    Installer("pip >= 26.3", tag_first=True, linux_first=True),
    Installer("pip 21.1 to 26.2", tag_first=True, linux_first=False),
    Installer("pip 20.3 to 21.0", tag_first=False, linux_first=False),
    Installer(
        "pip 19.3 to 20.2",
        tag_first=False,
        linux_first=False,
        tie=Tie.LARGEST_URL,
        perennial=False,
        first_link=True,
    ),
    Installer(
        "uv",
        tag_first=True,
        linux_first=False,
        tie=Tie.UV,
        build_limit=_UV_BUILD_LIMIT,
        first_link=True,  # once it has sorted them by file name
        hides=False,
    ),
)


class PythonKind(NamedTuple):
    """A Python that a wheel may be installed into: its version, ABI flags, machine and C library.

    machine:        as platform tags spell it; `any`: one for which there are only wheels for any.
    implementation: `cp`; `pp`: PyPy, whose ABI has its own version for *flags* (`_pp73`); "": any other,
                    which takes wheels for all of them.
    """

    version: tuple[int, int]
    flags: str
    machine: str
    musl: bool = False
    implementation: str = "cp"

    def __str__(self) -> str:
        return self.label("{}.{}".format(*self.version))

    def label(self, versions: str, libc: str = "") -> str:
        """The same for a Python of these *versions*, on that *libc* if it is not the newest."""
        machine = "" if self.machine == "any" else self.machine
        where = ", ".join(each for each in (machine, "musl" * self.musl, libc) if each)
        flags = self.flags.replace("m", "")
        name = f"PyPy {versions}" if self.implementation == "pp" else f"{versions}{flags}"
        return f"{name} ({where})" if where else name


def _ordered(platforms: Iterable[str], python: PythonKind, linux_first: bool) -> list[str]:
    """Those of *platforms* that *python* accepts, best first: the newest libc first, a legacy name last."""

    def glibc(platform: str) -> tuple[int, int, bool]:
        major, minor = glibc_of(platform) or (0, 0)
        return (-major, -minor, not MANYLINUX.fullmatch(platform))

    def musl(platform: str) -> list[int]:
        return [-int(number) for number in platform.split("_")[1:3]]

    own = [platform for platform in set(platforms) if machine_of(platform) == python.machine]
    plain = [p for p in own if p.startswith("linux_")]
    if python.musl:
        portable = sorted((p for p in own if p.startswith("musllinux")), key=musl)
    else:
        portable = sorted((p for p in own if p.startswith("manylinux")), key=glibc)
    return [*plain, *portable] if linux_first else [*portable, *plain]


@lru_cache(maxsize=4096)
def tag_priorities(python: PythonKind, platforms: frozenset[str], linux_first: bool) -> Mapping[Tag, int]:
    """The wheel tags that *python* accepts among those with *platforms*; the best has the lowest number.

    The host's C library is taken to be new enough for all of them.
    """
    # With an empty list packaging would take the platforms of the machine that runs this.
    ordered = _ordered(platforms, python, linux_first) or ["none"]
    short = "{}{}".format(*python.version)
    own: Iterable[Tag] = ()
    interpreter: str | None = f"cp{short}"
    if python.implementation == "cp":
        own = cpython_tags(python.version, [f"cp{short}{python.flags}"], ordered)
    elif python.implementation == "pp":
        own = generic_tags(f"pp{short}", [f"pypy{short}{python.flags}"], ordered)
        interpreter = "pp3"
    else:
        interpreter = "none"
    accepted = dict.fromkeys([*own, *compatible_tags(python.version, interpreter, ordered)])
    return {tag: number for number, tag in enumerate(accepted)}


def accepted_by(
    installer: Installer, candidates: Sequence[Candidate], python: PythonKind
) -> tuple[list[Candidate], Mapping[Tag, int]]:
    """Those of *candidates* with a tag that *installer* knows and *python* accepts; its tag priorities."""
    platforms = {tag.platform for candidate in candidates for tag in candidate.tags}
    known = frozenset(each for each in platforms if installer.perennial or not MANYLINUX.fullmatch(each))
    priorities = tag_priorities(python, known, installer.linux_first)
    return [each for each in candidates if any(tag in priorities for tag in each.tags)], priorities


def choice(installer: Installer, candidates: Sequence[Candidate], python: PythonKind) -> Candidate | None:
    """Which of *candidates*, all of one project and version, *installer* takes for *python*."""
    accepted, priorities = accepted_by(installer, candidates, python)
    limit = installer.build_limit
    able = [each for each in accepted if not (limit and each.build and each.build[0] >= limit)]
    if not able:
        return None

    def key(candidate: Candidate) -> tuple[object, ...]:
        tag = -min(priorities[tag] for tag in candidate.tags if tag in priorities)
        build = candidate.build or (-1, "")
        return (tag, build) if installer.tag_first else (build, tag)

    best = max(map(key, able))
    equal = [each for each in able if key(each) == best]
    if installer.tie is Tie.UV:
        return min(equal, key=lambda each: (_uv_key(each.filename), file_url(each.directory.path)))
    equal.sort(key=lambda each: file_url(each.path))
    return equal[0] if installer.tie is Tie.SMALLEST_URL else equal[-1]


#: uv's order of interpreters, ABIs and platforms; what is none of these comes after them.
_UV_ORDERS = (
    ("none", "py", "cp", "pp", "graalpy", "pyston"),
    ("none", "abi3", "cp"),
    ("any", "manylinux_", "manylinux1_", "manylinux2010_", "manylinux2014_", "linux_", "musllinux_"),
)


def _uv_key(filename: str) -> tuple[object, ...]:
    """uv's order of wheels of one version and build tag: the file name as uv has parsed it (uv 0.13).

    A name without a build tag and with one tag each comes first, as uv keeps it in a form of its own.
    """
    parts = filename.removesuffix(".whl").split("-")
    tags = [part.split(".") for part in parts[-3:]]
    simple = len(parts) == 5 and all(len(part) == 1 for part in tags)
    pairs = zip(tags, _UV_ORDERS, strict=True)
    return (not simple, *([_uv_place(tag, order) for tag in part] for part, order in pairs))


def _uv_place(tag: str, order: Sequence[str]) -> tuple[object, ...]:
    for place, start in enumerate(order):
        rest = tag.removeprefix(start)
        if rest == tag or (rest and start in ("none", "abi3", "any")):
            continue
        # Numbers count as such: py3 before py31, cp39 before cp310, manylinux_2_5 before manylinux_2_17.
        if order is _UV_ORDERS[-1]:
            levels = re.findall(r"\d+(?=_)", rest) if start in ("manylinux_", "musllinux_") else []
            return (place, [int(level) for level in levels[:2]], rest)
        version = re.match(r"(\d)(\d*)", rest)
        return (place, [int(number) for number in version.groups() if number] if version else [], rest)
    return (len(order), [], tag)
