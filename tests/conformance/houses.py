"""Wheelhouses in which one run of an installer answers for all pairs of directories that share a search path.

Each pair has a project of its own, of which both directories hold the same version, and nobody else does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.factories import make_wheel
from wheelhouse_resolver.publishing.plan import PublishOptions
from wheelhouse_resolver.publishing.publish import publish
from wheelhouse_resolver.publishing.view import make_view
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url

__all__ = [
    "SITES",
    "House",
    "builtin_site",
    "copied",
    "pairs",
    "place_wheel",
    "published",
    "real_site",
    "shuffled",
    "viewed",
]

#: The example of the site file's documentation, which is how one site is laid out.
_REAL = """
root = "{root}"
[[arch]]
name = "sse3"
features = ["sse3"]
[[arch]]
name = "avx"
features = ["avx"]
[[arch]]
name = "avx2"
target = "x86_64_v3"
[[arch]]
name = "avx512"
target = "x86_64_v4"
[[layer]]
name = "gentoo2020"
directories = ["gentoo2020", "gentoo"]
archs = ["sse3", "avx", "avx2", "avx512"]
[[layer]]
name = "gentoo2023"
directories = ["gentoo2023"]
archs = ["avx2", "avx512"]
names = {{ avx2 = "x86-64-v3", avx512 = "x86-64-v4" }}
"""


class House(NamedTuple):
    """A wheelhouse for the comparison.

    site:       whose it is.
    find_links: the URLs of all its directories, the most specific first.
    picks:      project -> the label of the directory that policy takes it from.
    theirs:     a file for each project, of the same version and with the same tags, for an index.
    """

    site: Site
    find_links: tuple[str, ...]
    picks: dict[str, str]
    theirs: tuple[Path, ...]


def builtin_site(work: Path) -> Site:
    """The built-in layout."""
    return Site.default(work / "wheelhouse")


def real_site(work: Path) -> Site:
    """Two directories side by side in one layer, and a layer with names of its own for its archs."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "site.toml").write_text(_REAL.format(root=work / "wheelhouse"))
    return Site.load(work / "site.toml", environ={})


SITES: dict[str, Callable[[Path], Site]] = {"built-in": builtin_site, "side-by-side": real_site}


def pairs(site: Site) -> list[tuple[Directory, Directory]]:
    """All pairs of directories that some host searches both of, the more specific one first."""
    together = [{each.path for each in kind.search_path} for kind in site.host_kinds()]
    return [
        (higher, lower)
        for higher, lower in combinations(site.directories(), 2)
        if any({higher.path, lower.path} <= paths for paths in together)
    ]


def _project(higher: Directory, lower: Directory) -> str:
    return f"{higher.label}_over_{lower.label}".replace("/", "_").replace("-", "_")


def place_wheel(site: Site, directory: Directory, wheel: Path, options: PublishOptions) -> str:
    """Publish *wheel*; returns the file name that it got."""
    report = publish(site, [wheel], directory, options)
    assert report.ok
    return os.path.basename(report.changes[-1].path)


def _sources(site: Site, work: Path, tag: str) -> tuple[dict[str, str], list[tuple[Directory, Path]]]:
    picks: dict[str, str] = {}
    wheels: list[tuple[Directory, Path]] = []
    for higher, lower in pairs(site):
        project = _project(higher, lower)
        picks[project] = higher.label
        for directory in (higher, lower):
            mark = {f"{project}.py": f"MARK = {directory.label!r}\n"}
            place = work / "sources" / directory.label
            wheels.append((directory, make_wheel(place, f"{project}-1.0-{tag}.whl", files=mark)))
    return picks, wheels


def _house(site: Site, work: Path, tag: str, picks: dict[str, str]) -> House:
    theirs = [
        make_wheel(
            work / "index-wheels", f"{project}-1.0-{tag}.whl", files={f"{project}.py": "MARK = 'index'\n"}
        )
        for project in picks
    ]
    links = tuple(file_url(directory.path) for directory in site.directories())
    return House(site, links, picks, tuple(theirs))


def published(site: Site, work: Path, tag: str) -> House:
    """A wheelhouse that our `publish` has filled, in an order that says nothing."""
    picks, wheels = _sources(site, work, tag)
    Path(site.root).mkdir()
    Random(1).shuffle(wheels)
    for directory, wheel in wheels:
        place_wheel(site, directory, wheel, PublishOptions())
    return _house(site, work, tag, picks)


def copied(site: Site, work: Path, tag: str) -> House:
    """The same as sites fill theirs today: the wheels copied in as they are."""
    picks, wheels = _sources(site, work, tag)
    for directory, wheel in wheels:
        Path(directory.path).mkdir(parents=True, exist_ok=True)
        wheel.rename(Path(directory.path, wheel.name))
    return _house(site, work, tag, picks)


def viewed(house: House, output: Path) -> House:
    """*house* through a view of it."""
    make_view(house.site, str(output))
    links = tuple(file_url(f"{output}/{directory.label}") for directory in house.site.directories())
    return house._replace(find_links=links)


def shuffled(find_links: Sequence[str], seed: int) -> list[str]:
    """The same URLs in another order."""
    links = list(find_links)
    Random(seed).shuffle(links)
    return links
