"""Random wheelhouses whose wheels need each other: for the resolver, and for what it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.factories import make_wheel
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site

__all__ = ["SPELLED", "Graph", "random_graph"]

_VERSIONS = ("0.9", "1.0", "1.0+site", "1.1", "1.2.1", "1.10", "2.0", "3.0rc1", "3.0")
_EXTRAS = ("fast", "Big_Data")
SPELLED = ("[fast]", "[big.data]", "[fast,big-data]", "[none]")

#: Markers of which each holds for some Pythons, for all, or for none.
_MARKERS = (
    'python_version >= "3.8"',
    'python_version < "3.0"',
    'sys_platform == "linux"',
    'sys_platform == "win32"',
    'python_version >= "3.8" and sys_platform == "linux"',
)


class Graph(NamedTuple):
    """What one run of an installer is asked, and the host that it is asked on."""

    site: Site
    host: Host
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]


class Nature(NamedTuple):
    """What a graph is like.

    tightness: how likely a requirement has a specifier.
    gentle:    whether there mostly is a solution, though not always of the newest versions.
    extras:    how requirements spell extras.
    """

    tightness: float
    gentle: bool
    extras: Sequence[str]


def _specifier(random: Random, tightness: float, gentle: bool) -> str:
    """A specifier around some version, or none: *tightness* is how likely there is one."""
    if random.random() > tightness:
        return ""
    version = random.choice(_VERSIONS)
    public = version.partition("+")[0]
    if gentle:
        return random.choice([f">={public}", f"<{public}", f"<={public}", f"!={public}", f">=0.9,<={public}"])
    return random.choice(
        [
            f"=={public}",
            f"=={version}",
            f">={public}",
            f"<{public}",
            f"<={public}",
            f">{public}",
            f"!={public}",
            f"~={public}" if "rc" not in public else f">={public}",
            f"=={public[0]}.*",
            f">=0.9,<{public}",
            f"==={public}",
        ]
    )


def _requirement(random: Random, project: str, nature: Nature) -> str:
    extras = random.choice(["", *nature.extras]) if random.random() < 0.6 else ""
    return f"{project}{extras}{_specifier(random, nature.tightness, nature.gentle)}"


def _needs(random: Random, project: str, projects: list[str], nature: Nature) -> list[str]:
    """Requires-Dist lines: mostly of later projects, so that there are not only cycles."""
    found = []
    later = projects[projects.index(project) + 1 :]
    for each in random.sample(
        later, min(len(later), random.choice([1, 2, 3] if nature.gentle else [0, 1, 1, 2, 3]))
    ):
        found.append(_requirement(random, each, nature))
    if random.random() < 0.1:
        found.append(_requirement(random, random.choice(projects), nature))
    lines = []
    for requirement in found:  # the blank before the semicolon is for `===` in old pips
        roll = random.random()
        if roll < 0.2:
            requirement += f" ; {random.choice(_MARKERS)}"
        elif roll < 0.4:
            requirement += f" ; extra == '{random.choice(_EXTRAS)}'"
        elif roll < 0.45:
            requirement += f" ; extra == '{random.choice(_EXTRAS)}' and {random.choice(_MARKERS)}"
        lines.append(requirement)
    return lines


def _place(random: Random, inside: list[Directory], filename: str, **options: object) -> None:
    """Put a wheel of *filename* (without a build tag) into some directories, stamped."""
    project, version, tags = filename.split("-", 2)
    for directory in random.sample(inside, random.choice([1, 1, 2])):
        stamped = f"{project}-{version}-{directory.rank * 1000}{directory.arch}-{tags}"
        make_wheel(Path(directory.path), stamped, **options)


def random_graph(random: Random, root: Path, extras: Sequence[str] = SPELLED) -> Graph:
    """A wheelhouse at *root*, from which something is asked that may or may not have a solution."""
    site = Site.default(root)
    for directory in site.directories():
        Path(directory.path).mkdir(parents=True)
    host = Host(arch=random.choice(["avx", "avx2", "avx512"]), layer=random.choice(["gentoo", "nix"]))
    inside = list(site.search_path(host))
    projects = [f"p{number}" for number in range(random.randint(4, 14))]
    random.shuffle(projects)
    nature = Nature(random.choice([0.3, 0.5, 0.7, 0.9]), random.random() < 0.6, extras)
    for project in projects:
        if not nature.gentle and random.random() < 0.03:
            continue  # somebody may need it all the same
        versions = random.sample(_VERSIONS, random.randint(4, 8) if nature.gentle else random.randint(1, 6))
        for version in versions:
            _place(
                random,
                inside,
                f"{project}-{version}-py3-none-any.whl",
                requires_python=random.choice([None, ">=3.8", None if nature.gentle else ">=3.99"]),
                requires_dist=_needs(random, project, projects, nature),
                extras=random.sample(_EXTRAS, random.randint(0, 2)),
            )
    loosely = nature._replace(tightness=nature.tightness / 2)
    asked = [_requirement(random, each, loosely) for each in random.sample(projects, random.randint(1, 4))]
    if random.random() < 0.1:
        asked.append(f"{asked[0]} ; {random.choice(_MARKERS)}")
    limited = random.sample(projects, random.choice([0, 0, 1, 2]))
    constraints = [f"{each}{_specifier(random, 1.0, nature.gentle)}" for each in limited]
    return Graph(site, host, tuple(asked), tuple(constraints))
