"""The pages of a static index as installers read them, and what must hold of them at every instant."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin

__all__ = ["Link", "assert_right", "links_of", "listed", "pages_below"]


class Link(NamedTuple):
    """A link of a page. *target*: the path that it leads to, as a URL's path is resolved."""

    text: str
    target: str
    sha256: str
    attributes: Mapping[str, str]


class _Reader(HTMLParser):
    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[Link] = []
        self._page = page
        self._attributes: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._attributes = {name: value or "" for name, value in attrs}

    def handle_data(self, data: str) -> None:
        if self._attributes:
            base = self._page.parent.as_uri() + "/"
            url, fragment = urldefrag(urljoin(base, self._attributes["href"]))
            target = unquote(url.removeprefix("file://"))
            self.links.append(Link(data, target, fragment.removeprefix("sha256="), self._attributes))
            self._attributes = {}


def links_of(page: Path) -> list[Link]:
    """The links of *page*, in order."""
    reader = _Reader(page)
    reader.feed(page.read_text())
    return reader.links


def pages_below(output: Path) -> list[Path]:
    """All pages of the index in *output*, those that name all projects among them."""
    return sorted(output.glob("*/index.html")) + sorted(output.glob("*/*/index.html"))


def listed(output: Path, name: str) -> dict[str, list[str]]:
    """What the pages of the class *name* list: project -> file names, as far as all projects are named."""
    found = links_of(output / name / "index.html")
    return {each.text: [link.text for link in links_of(Path(each.target, "index.html"))] for each in found}


def assert_right(output: Path, hashes: dict[tuple[str, int, int], str] | None = None) -> None:
    """Assert that each link leads to a page, or to a file with that hash. *hashes*: known ones."""
    known = {} if hashes is None else hashes
    for page in pages_below(output):
        try:
            links = links_of(page)
        except FileNotFoundError:  # a page may go while somebody looks
            continue
        for link in links:
            if page.parent.parent == output:
                assert os.path.isdir(link.target), (page, link)
                continue
            status = os.stat(link.target)
            key = (link.target, status.st_ino, status.st_mtime_ns)
            if key not in known:
                known[key] = hashlib.sha256(Path(link.target).read_bytes()).hexdigest()
            assert link.sha256 == known[key], (page, link)
            assert os.path.basename(link.target) == link.text
