"""A static index of the tree: pages for every kind of host, which list what policy would choose.

All of it is brought up to date by `write_index`, a few projects' pages by who changes their wheels: `update`
once a wheel has come, `without` before one goes. So each link of each page leads to a whole file of that
content, at every instant.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.reading import project_of
from wheelhouse_resolver.static_index.report import IndexObserver, IndexReport
from wheelhouse_resolver.static_index.run import IndexOptions, running


def write_index(
    site: Site,
    output: str,
    *,
    observer: IndexObserver | None = None,
    jobs: int = 1,
    metadata: bool = False,
    glibc: tuple[int, int] | None = None,
) -> IndexReport:
    """Make the index of *site* in the directory *output*, or bring it up to date: see `Wheelhouse.index`.

    Raises `OutputError`, `UnsafeValueError` where two classes have one name, `WorkerKilledError`.
    """
    with running(site, output, IndexOptions(metadata, glibc, jobs), observer) as run:
        return run.whole()


def update(
    site: Site,
    output: str,
    projects: Iterable[str],
    options: IndexOptions = IndexOptions(),  # noqa: B008 - immutable
    *,
    observer: IndexObserver | None = None,
) -> IndexReport:
    """Bring the pages of *projects* (normalised names) up to date; all, if there is no index so far.

    Raises as `write_index`.
    """
    with running(site, output, options, observer) as run:
        return run.some({*projects})


@contextmanager
def without(
    site: Site,
    output: str,
    paths: Iterable[str],
    options: IndexOptions = IndexOptions(),  # noqa: B008 - immutable
    *,
    observer: IndexObserver | None = None,
) -> Iterator[None]:
    """For the block, in which the files at *paths* go or get another content, no page lists them.

    Other writers wait meanwhile. What is there afterwards is for `update` to put on the pages. Raises as
    `write_index`, before the block.
    """
    directories = {os.path.realpath(each.path): each for each in site.directories()}
    going: set[tuple[str, str]] = set()
    projects: set[str] = set()
    for path in paths:
        above, name = os.path.split(path)
        if (directory := directories.get(os.path.realpath(above))) is not None:
            going.add((directory.label, name))
            projects |= {found} if (found := project_of(name, directory)) else set()
    with running(site, output, options, observer) as run:
        run.some(projects, going)
        yield
