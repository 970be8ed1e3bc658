"""Listing the directories of a wheelhouse. The only place that reads the tree; it decides nothing."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.errors import NoWheelhouseError, OutputError, UnreadableDirectoryError, reason_of
from wheelhouse_resolver.utils.log import debug

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Base, Directory, SearchPath
    from wheelhouse_resolver.site.model import Site

#: How the names of wheels end.
SUFFIX = ".whl"

#: How the names of source archives end that pip (>= 24.0) and uv see beside the wheels.
ARCHIVES = (".tar.gz", ".zip")

#: What older pips, and they alone, take for source archives as well (pip: ARCHIVE_EXTENSIONS).
OLD_ARCHIVES = (
    *(".tar", ".tgz", ".tbz", ".txz", ".tlz"),
    *(".tar.bz2", ".tar.xz", ".tar.lz", ".tar.lzma"),
)


def check_root(site: Site) -> None:
    """Raise `NoWheelhouseError` unless the root of *site* is a directory."""
    try:
        if stat.S_ISDIR(os.stat(site.root).st_mode):
            return
        found = NoWheelhouseError(site.root, "is not a directory")
        found.errno = errno.ENOTDIR
    except (FileNotFoundError, NotADirectoryError):
        found = NoWheelhouseError(site.root, "does not exist")
    except OSError as error:
        found = NoWheelhouseError(site.root, f"cannot be reached: {reason_of(error)}")
        found.errno = error.errno
    raise found.with_hint(f"name another with --root, or make it: {site.command('init')}")


def missing_bases(site: Site) -> Iterator[NoWheelhouseError]:
    """An error for each base of *site* whose root is not there: it may not be mounted."""
    for base in site.bases:
        if not os.path.isdir(base.root):
            found = NoWheelhouseError(
                base.root, f"does not exist, and is the base {base.name!r} of this site"
            )
            yield found.with_hint("mount it, or take its [[base]] out of the site file")


def check_bases(site: Site) -> None:
    """Raise `NoWheelhouseError` unless all bases of *site* are there: what is written goes by all wheels.

    And what `check_own` raises.
    """
    for error in missing_bases(site):
        raise error
    check_own(site)


def check_own(site: Site) -> None:
    """Raise `OutputError` if one of *site*'s own directories is a link into a base."""
    for each in site.own_directories() if site.bases else ():
        if base := base_holding(site, each.path):
            raise OutputError(each.path, f"it is a link into the base {base.name!r}, which is read-only")


def base_holding(site: Site, path: str) -> Base | None:
    """The base of *site* that *path* is in, whether it exists or not: nothing is written there."""
    real = os.path.realpath(path)
    for base in site.bases:
        root = os.path.realpath(base.root)
        if os.path.commonpath([real, root]) == root:
            return base
    return None


def existing(search_path: SearchPath) -> SearchPath:
    """*search_path* without the directories that don't exist: pip warns of these, uv fails.

    Raises `UnreadableDirectoryError` for one that installers could not list: pip would go on without its
    wheels, and not say so.
    """
    return search_path.only([d for d in search_path if _is_listable(d.path)])


def _is_listable(path: str) -> bool:
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return False
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UnreadableDirectoryError.from_os(path, error) from error
    if not os.access(path, os.R_OK | os.X_OK):
        raise UnreadableDirectoryError(path, os.strerror(errno.EACCES))
    return True


def all_names(directory: Directory) -> list[str]:
    """All names in *directory*, in any order: for who needs them all; `wheel_names` keeps few in memory.

    A directory that does not exist has no names. Raises `UnreadableDirectoryError`.
    """
    return _listed(directory, lambda: os.listdir(directory.path))


def wheel_names(directory: Directory, wanted: Callable[[str], object], first: str | None = None) -> list[str]:
    """The names in *directory* that *wanted* accepts, sorted.

    *first*: the characters that a wanted name may begin with, if known: most names need no closer look then.
    Nothing is kept of the others, so memory does not grow with the directory. A directory that does not
    exist has no names. Raises `UnreadableDirectoryError`.
    """

    def listing() -> list[str]:
        with os.scandir(directory.path) as entries:
            if first is None:
                return sorted([name for entry in entries if wanted(name := entry.name)])
            return sorted([name for entry in entries if (name := entry.name)[0] in first and wanted(name)])

    return _listed(directory, listing)


def unsearched(site: Site) -> Iterator[tuple[str, int]]:
    """The directories below the root of *site* that hold wheels and that no host searches: (path, how many).

    Nobody nests deeper than it looks, and hidden ones (`.trash`) are not meant for installers.
    """
    known = {os.path.realpath(directory.path) for directory in site.directories()}
    for path, below, names in os.walk(site.root):
        depth = os.path.relpath(path, site.root).count(os.sep)
        below[:] = sorted(name for name in below if not name.startswith(".")) if depth < 3 else []
        count = sum(name.endswith(SUFFIX) for name in names)
        if count and os.path.realpath(path) not in known:
            yield path, count


def _listed(directory: Directory, listing: Callable[[], list[str]]) -> list[str]:
    try:
        names = listing()
        debug(__name__, "listed %s: %s names", directory.path, len(names))
        return names
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UnreadableDirectoryError.from_os(directory.path, error) from error
