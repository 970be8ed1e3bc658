"""The text of pages, read back as HTML and as URLs."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import pytest

from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.static_index.pages import (
    IndexedArchive,
    IndexedFile,
    IndexedWheel,
    page_entries,
    project_page,
    root_page,
)
from wheelhouse_resolver.tree.candidate import Candidate, Installable, parse_archive, parse_candidate

RANKS = {"gentoo/avx2": 400, "gentoo/generic": 100, "generic": 1}
SHA256 = "0123456789abcdef" * 4


def indexed(where: str, filename: str, requires_python: str = "", metadata: str = "") -> IndexedFile:
    directory = Directory(f"/sw/{where}", where, None, "generic", RANKS.get(where, 1))
    archive = parse_archive(filename, directory)
    if archive is not None:
        return IndexedArchive(archive, SHA256)
    candidate = parse_candidate(filename, directory)
    assert isinstance(candidate, Candidate)
    return IndexedWheel(candidate, requires_python, SHA256, metadata)


class _Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.meta: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("a", "meta"):
            (self.links if tag == "a" else self.meta).append(dict(attrs))


def href(file: Installable) -> str:
    return f"../../{file.directory.label}/{file.filename}"


def page(files: Sequence[IndexedFile]) -> str:
    return project_page("x", page_entries(files), href)


def listed(files: Sequence[IndexedFile]) -> list[str]:
    found = [each.file.candidate for each in page_entries(files)]
    return [f"{each.directory.label}/{each.filename}" for each in found]


@pytest.mark.parametrize("label", ["generic", "a b", "a%20b#c?d", "q\"<&>'", "größe"])
def test_a_link_leads_to_the_file_and_names_its_hash(label: str) -> None:
    file = indexed(label, "x-1.0+site.1-py3-none-any.whl")
    text = page([file])
    (link,) = _Links(text).links
    assert text.isascii() or not label.isascii()
    path, fragment = urldefrag(link["href"] or "")
    assert path.isascii()
    assert "+" not in path
    assert unquote(path) == href(file.candidate)
    assert fragment == f"sha256={SHA256}"


def test_requires_python_is_an_attribute() -> None:
    text = page(
        [
            indexed("generic", "x-1.0-py3-none-any.whl", ">=3.8,<4"),
            indexed("generic", "x-2.0-py3-none-any.whl"),
        ]
    )
    assert 'data-requires-python="&gt;=3.8,&lt;4"' in text
    first, second = _Links(text).links
    assert first["data-requires-python"] == ">=3.8,<4"
    assert "data-requires-python" not in second


def test_metadata_beside_the_file_is_announced_where_it_is() -> None:
    files = [
        indexed("generic", "x-1.0-py3-none-any.whl", metadata="ab" * 32),
        indexed("generic", "x-2.0-py3-none-any.whl"),
    ]
    first, second = _Links(page(files)).links
    assert first["data-core-metadata"] == first["data-dist-info-metadata"] == "sha256=" + "ab" * 32
    assert not {"data-core-metadata", "data-dist-info-metadata"} & second.keys()


def test_a_page_is_the_same_in_whatever_order_the_files_come() -> None:
    names = ("x-1.0-py3-none-any.whl", "x-1.0-py2.py3-none-any.whl", "x-2.0.tar.gz", "x-2.0.zip")
    files = [indexed(label, name) for label in RANKS for name in names]
    assert page(files) == page(files[::-1])
    assert {"name": "pypi:repository-version", "content": "1.0"} in _Links(page(files)).meta


def test_of_a_versions_source_archives_that_of_the_most_specific_directory_is_listed() -> None:
    files = [
        indexed("generic", "x-1.0.tar.gz"),
        indexed("gentoo/avx2", "x-1.0.zip"),
        indexed("gentoo/avx2", "x-1.0.tar.gz"),
        indexed("gentoo/generic", "x-2.0.zip"),
    ]
    assert listed(files) == ["gentoo/avx2/x-1.0.tar.gz", "gentoo/generic/x-2.0.zip"]


def test_the_root_page_names_each_project_once_in_order() -> None:
    text = root_page(["zz", "a-b", "é"])
    assert [link["href"] for link in _Links(text).links] == ["a-b/", "zz/", "%C3%A9/"]
