"""The pages of a static index: which files of a project one lists, for which Pythons, and its text.

Pure functions of file names, Requires-Python and hashes. A page is for one kind of host.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from html import escape
from typing import NamedTuple, TypeAlias

from packaging.tags import Tag
from packaging.version import Version

from wheelhouse_resolver.static_index.rule import listing
from wheelhouse_resolver.static_index.situations import Hosts, Wheel, is_valid
from wheelhouse_resolver.tree.candidate import Candidate, Installable, SourceArchive
from wheelhouse_resolver.utils.urls import quoted_path


class IndexedWheel(NamedTuple):
    """A wheel that a page may list.

    requires_python: its own Requires-Python; "" for none.
    sha256:          of the file, in hexadecimal.
    metadata_sha256: of the `.metadata` file that is served beside it (PEP 658); "" if none is.
    """

    candidate: Candidate
    requires_python: str
    sha256: str
    metadata_sha256: str = ""


class IndexedArchive(NamedTuple):
    """A source archive that a page may list. *sha256*: of the file, in hexadecimal."""

    candidate: SourceArchive
    sha256: str


IndexedFile: TypeAlias = IndexedWheel | IndexedArchive

#: The path of a file, relative to the directory of the page that lists it.
Href: TypeAlias = Callable[[Installable], str]


class PageEntry(NamedTuple):
    """A link of a page. *requires_python*: what it says of the Pythons that may follow it; "" for all."""

    file: IndexedFile
    requires_python: str


def page_entries(
    files: Iterable[IndexedFile], glibc: tuple[int, int] | None = None, machine: str | None = None
) -> tuple[PageEntry, ...]:
    """The links of the page of one project, whose *files* a kind of host searches.

    *glibc*: the version of the C library of these hosts; None: new enough for all wheels. *machine*: theirs,
    as platform tags spell it; None: any.
    """
    hosts = Hosts(glibc, machine)
    wheels: dict[Version, list[IndexedWheel]] = defaultdict(list)
    archives: dict[Version, list[IndexedArchive]] = defaultdict(list)
    for each in sorted(files, key=_place):
        if isinstance(each, IndexedWheel):
            wheels[each.candidate.version].append(each)
        else:
            archives[each.candidate.version].append(each)
    found = [PageEntry(min(each, key=_most_specific), "") for each in archives.values()]
    for builds in wheels.values():
        for group in comparable(builds):
            found += _listed(group, hosts)
    return tuple(sorted(found, key=lambda each: _place(each.file)))


def _place(file: IndexedFile) -> tuple[str, int]:
    """Its place on the page. Of equal links pip before 20.3 takes the first, and so does uv.

    uv sorts links by file name before, and leaves those of one name in order only if all are sorted already.
    """
    return (file.candidate.filename, -file.candidate.directory.rank)


def _most_specific(file: IndexedFile) -> tuple[int, str]:
    return (-file.candidate.directory.rank, file.candidate.filename)


def comparable(builds: Sequence[IndexedWheel]) -> list[list[IndexedWheel]]:
    """*builds* of one version in groups: no Python takes wheels of two of them."""
    groups: list[tuple[frozenset[str], list[IndexedWheel]]] = []
    for each in builds:
        names = _interpreters(each.candidate.tags)
        met = [group for group in groups if "" in names or "" in group[0] or not names.isdisjoint(group[0])]
        groups = [group for group in groups if group not in met]
        joined = [*(wheel for group in met for wheel in group[1]), each]
        groups.append((names.union(*(group[0] for group in met)), joined))
    return [sorted(group, key=_place) for _, group in groups]


@lru_cache(maxsize=1 << 12)
def _interpreters(tags: frozenset[Tag]) -> frozenset[str]:
    """The interpreters that *tags* are for; "" if others take them, too."""
    own = {tag.interpreter for tag in tags if tag.abi.startswith((tag.interpreter, "pypy"))}
    return frozenset(tag.interpreter if tag.interpreter in own else "" for tag in tags)


def _listed(builds: Sequence[IndexedWheel], hosts: Hosts) -> Iterator[PageEntry]:
    if len(builds) == 1:
        yield PageEntry(builds[0], _own(builds[0]))
        return
    for number, clauses in listing(wheels_of(builds), hosts):
        own = _own(builds[number])
        yield PageEntry(builds[number], ",".join([own, *clauses] if own else clauses))


def _own(wheel: IndexedWheel) -> str:
    """What the page says of its own Requires-Python: nothing where installers would pass over it."""
    return " ".join(wheel.requires_python.split()) if is_valid(wheel.requires_python) else ""


def wheels_of(builds: Iterable[IndexedWheel]) -> tuple[Wheel, ...]:
    """What the rule goes by."""
    return tuple(
        Wheel(found.directory.rank, found.tags, found.build or (-1, ""), _own(each))
        for each in builds
        for found in (each.candidate,)
    )


_PAGE = """\
<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="pypi:repository-version" content="1.0">
<title>{title}</title>
</head>
<body>
{links}</body>
</html>
"""


def project_page(project: str, entries: Iterable[PageEntry], href: Href) -> str:
    """The text of the page of *project* (PEP 503; PEP 658 for metadata): a function of its arguments."""
    links = (_link(each, href(each.file.candidate)) for each in entries)
    return _PAGE.format(title=f"Links for {escape(project)}", links="".join(links))


def root_page(projects: Iterable[str]) -> str:
    """The text of the page that names all *projects*, which are normalised names."""
    links = (f'<a href="{quoted_path(each)}/">{escape(each)}</a><br>\n' for each in sorted(projects))
    return _PAGE.format(title="Simple index", links="".join(links))


def _link(entry: PageEntry, path: str) -> str:
    file = entry.file
    attributes = f'href="{quoted_path(path)}#sha256={file.sha256}"'
    if entry.requires_python:
        attributes += f' data-requires-python="{escape(entry.requires_python)}"'
    if isinstance(file, IndexedWheel) and file.metadata_sha256:
        for name in ("data-core-metadata", "data-dist-info-metadata"):  # pip before 23.2 knows the second
            attributes += f' {name}="sha256={file.metadata_sha256}"'
    return f"<a {attributes}>{escape(os.path.basename(path))}</a><br>\n"
