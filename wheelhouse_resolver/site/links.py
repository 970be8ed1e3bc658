"""Which directories of a site are others under a second name: symbolic links, in a tree that exists."""

from __future__ import annotations

import os
from collections.abc import Iterable

from wheelhouse_resolver.site.layout import Directory


def find_links(directories: Iterable[Directory]) -> dict[str, str]:
    """Of each of *directories* that is another one, its label -> the label of the one that counts.

    That is the one of the lowest rank: all who search it under any name can run what is in it. Of equal ranks
    it is the first. A file system may give two directories one inode number, so the paths have to agree, too.
    """
    first: dict[tuple[int, int], Directory] = {}
    found: dict[str, str] = {}
    for each in sorted(directories, key=lambda directory: directory.rank):
        try:
            status = os.stat(each.path)
        except OSError:
            continue
        other = first.setdefault((status.st_dev, status.st_ino), each)
        if other.path != each.path and os.path.realpath(other.path) == os.path.realpath(each.path):
            found[each.label] = other.label
    return found
