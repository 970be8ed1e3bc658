"""The pages of a static index: which files of a project one lists, for which Pythons, and its text.

Pure functions of file names, Requires-Python and hashes. A page is for one kind of host.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from html import escape
from typing import NamedTuple, TypeAlias

from packaging.version import Version

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


def page_entries(files: Iterable[IndexedFile], glibc: tuple[int, int] | None = None) -> tuple[PageEntry, ...]:
    """The links of the page of one project, whose *files* a kind of host searches.

    *glibc*: the version of the C library of these hosts; None: new enough for all wheels.
    """
    wheels: dict[Version, list[IndexedWheel]] = defaultdict(list)
    archives: dict[Version, list[IndexedArchive]] = defaultdict(list)
    for each in files:
        if isinstance(each, IndexedWheel):
            wheels[each.candidate.version].append(each)
        else:
            archives[each.candidate.version].append(each)
    found: list[PageEntry] = []
    del glibc  # for the rule of which wheels are left out, which comes next
    for version in sorted(wheels.keys() | archives.keys()):
        found += [PageEntry(each, each.requires_python) for each in sorted(wheels[version], key=_place)]
        found += [PageEntry(each, "") for each in sorted(archives[version], key=_place)[:1]]
    return tuple(found)


def _place(file: IndexedFile) -> tuple[int, str]:
    """Where a file is among those of its version: of equal links uv and pip before 20.3 take the first."""
    return (-file.candidate.directory.rank, file.candidate.filename)


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
