"""Where a static index is: whether it may be there, its parts, and the way from its pages to the wheels."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.installers.pip_config import host_classes
from wheelhouse_resolver.site.layout import HostKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.index_state import STATE_NAME
from wheelhouse_resolver.utils import drafts
from wheelhouse_resolver.utils.atomic import holding, writing
from wheelhouse_resolver.utils.filesystem import make_directory
from wheelhouse_resolver.utils.urls import file_url

#: The lock of those who write, which also tells an index from any other directory.
LOCK_NAME = ".wheelhouse-index"

#: Files that are about to get their names, in the index's directory.
DRAFTS = ".drafts"

PAGE = "index.html"


class Kind(NamedTuple):
    """What is kept in a directory of its own. *command*: the one that writes it; *lock*: its lock's name."""

    command: str
    lock: str


INDEX = Kind("index", LOCK_NAME)


class Location(NamedTuple):
    """The directory of an index, or of what else is kept likewise. *path*: as it was given, absolute."""

    path: str
    kind: Kind = INDEX

    @property
    def drafts(self) -> str:
        """Where the drafts are."""
        return os.path.join(self.path, DRAFTS)

    def page(self, name: str, project: str = "") -> str:
        """The page of *project* for the class of that *name*; of no project: the one that names them all."""
        return os.path.join(self.path, name, project, PAGE)

    @contextmanager
    def held(self, waiting: Callable[[], object]) -> Iterator[None]:
        """Keep other writers away; drafts of killed ones are gone then, and own ones afterwards.

        *waiting*: is called if there is another one, which is waited for. Raises `OutputError`.
        """
        with writing(self.path), holding(os.path.join(self.path, self.kind.lock), waiting=waiting):
            make_directory(self.drafts, shared=True)
            drafts.clear(self.drafts, lambda _: True)
            try:
                yield
            finally:
                drafts.clear(self.drafts, lambda _: True)


def location(site: Site, output: str, kind: Kind = INDEX) -> Location:
    """The place *output* for an index of *site*, or what else *kind* says.

    Raises `OutputError` or `UnsafeValueError` if none may be there.
    """
    path, hint = os.path.abspath(output), _hint(site, kind)
    file_url(path)  # as pip and uv have to be given it
    real, root = os.path.realpath(path), os.path.realpath(site.root)
    for directory in site.directories():
        place = os.path.realpath(directory.path)
        if _is_within(real, place):
            raise OutputError(path, f"{directory.path} is a directory of wheels").with_hint(hint)
        if _is_within(place, real) and _is_within(real, root):
            raise OutputError(path, "it is part of the wheelhouse's layout").with_hint(hint)
    if base := listing.base_holding(site, path):
        raise OutputError(path, f"it is in the base {base.name!r}, which is read-only").with_hint(hint)
    state = os.path.join(path, STATE_NAME)
    if os.path.isdir(state):
        raise OutputError(state, "it is a directory").with_hint("remove it")
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            names = os.listdir(path)
            if names and kind.lock not in names:
                raise OutputError(path, f"it holds other files, and is no {kind.command}").with_hint(hint)
        else:
            raise OutputError(path, "it is not a directory")
    except FileNotFoundError:
        pass
    except OutputError:
        raise
    except OSError as error:
        raise OutputError.from_os(path, error) from error
    return Location(path, kind)


def _hint(site: Site, kind: Kind = INDEX) -> str:
    place = os.path.join(site.root, kind.command)
    return f"give a directory of its own, such as: {site.command(kind.command, '--output', place)}"


def _is_within(path: str, above: str) -> bool:
    return os.path.commonpath([path, above]) == above


def check_same_tree(site: Site, place: Location, way: str) -> None:
    """Raise `OutputError` if the index is that of another wheelhouse, to whose root this *way* leads."""
    other = os.path.normpath(os.path.join(place.path, "class", "project", way))
    if way and os.path.isdir(other) and not os.path.samefile(other, site.root):
        raise OutputError(place.path, f"it is the index of {other}").with_hint(_hint(site))


def check_no_links(place: Location, names: Iterable[str]) -> None:
    """Raise `OutputError` if one of these *names* in it, such as that of a class, is a link."""
    for name in names:
        path = os.path.join(place.path, name)
        if os.path.islink(path):
            raise OutputError(path, "it is a link").with_hint("remove the link, and run this again")


def way_to_root(site: Site, place: Location) -> str:
    """The relative path from the directory of a project's page to the root of *site*'s wheelhouse.

    A browser, pip and uv take `..` off the text of a path, whatever the links in it lead to. So it has to be
    right for the path of the index as it was given, and as it really is.
    """
    pages = [os.path.join(path, "class", "project") for path in (place.path, os.path.realpath(place.path))]
    roots = [os.path.abspath(site.root), os.path.realpath(site.root)]
    ways = [os.path.relpath(root, page) for root, page in zip(roots, pages, strict=True)]
    ways.sort(key=lambda way: way.split("/").count(os.pardir))  # the nearer both are, the more can be moved
    # A path from the top is right wherever the index is found, but not once it is moved. (So are more `..`
    # than there are directories; in pip on Python 3.13.0 they lead nowhere.)
    ways.append(roots[1])
    for way in ways:
        if all(_leads(page, way, site.root) for page in pages):
            return way
    return ways[0]


def _leads(page: str, way: str, root: str) -> bool:
    try:
        return os.path.samefile(os.path.normpath(os.path.join(page, way)), root)
    except OSError:
        return False


def classes(site: Site) -> dict[str, HostKind]:
    """The kinds of hosts that *site* can have, by their directories. Raises `UnsafeValueError`."""
    return host_classes(site, "the directory")
