"""A view: symbolic links whose names carry the stamps, for a wheelhouse that one may only read.

pip and uv go by the name of the link, so the wheels themselves need not be touched.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.reader import wheels_in
from wheelhouse_resolver.utils.atomic import writing
from wheelhouse_resolver.utils.drafts import TRASH, place_for
from wheelhouse_resolver.utils.filesystem import make_directory
from wheelhouse_resolver.wheelfile.build_tag import StampError, stamped_name


class ViewReport(NamedTuple):
    """What a run changed: the links *made*, *kept* and *removed*, and the wheels left out with the reason."""

    made: int
    kept: int
    removed: int
    left_out: tuple[str, ...]


class Tally:
    """Counts what a run changes, and passes the counts on after each change."""

    def __init__(self, progress: Callable[[ViewReport], None] = lambda _: None) -> None:
        self._progress = progress
        self.report = ViewReport(0, 0, 0, ())

    def add(self, *, made: int = 0, kept: int = 0, removed: int = 0) -> None:
        """Count this."""
        old = self.report
        self.report = old._replace(made=old.made + made, kept=old.kept + kept, removed=old.removed + removed)
        if made or removed:
            self._progress(self.report)

    def leave_out(self, *reasons: str) -> None:
        """Note why something could not be done, once."""
        found = dict.fromkeys([*self.report.left_out, *reasons])
        self.report = self.report._replace(left_out=tuple(found))


def make_view(
    site: Site, output: str, *, progress: Callable[[ViewReport], None] = lambda _: None
) -> ViewReport:
    """Make, or bring up to date, the view of *site*'s wheelhouse in the directory *output*.

    Only what differs is touched: a link that is right stays, one whose wheel is gone goes, and files
    that are not links into the wheelhouse are left alone. *progress* is called with the counts so far.
    Raises `OutputError`, `NoWheelhouseError`, `UnreadableDirectoryError`.
    """
    listing.check_root(site)
    listing.check_bases(site)
    output = os.path.abspath(output)
    places = {each: os.path.join(output, *each.label.split("/")) for each in site.directories()}
    if {os.path.realpath(path) for path in places.values()} & {os.path.realpath(d.path) for d in places}:
        raise OutputError(output, "the view cannot be the wheelhouse itself")
    if base := listing.base_holding(site, output):
        raise OutputError(output, f"it is in the base {base.name!r}, which is read-only")
    tally = Tally(progress)
    for directory, place in places.items():
        wanted, unfit = links_of(site, directory)
        tally.leave_out(*unfit)
        with writing(place):
            if os.path.isdir(directory.path):
                make_directory(place, shared=True)
            update_links(site, place, wanted, tally)
    return tally.report


def update_links(site: Site, place: str, wanted: Mapping[str, str], tally: Tally) -> None:
    """Have the links *wanted*, name -> target, and no others into *site*'s wheelhouse, in *place*."""
    roots = [site.root, *(base.root for base in site.bases)]
    present = _present(place, roots)
    for name in _present(os.path.join(place, TRASH), roots):  # what a killed run has left
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(place, TRASH, name))
    for name, target in wanted.items():
        if present.get(name) == target:
            tally.add(kept=1)
            continue
        tally.leave_out(*_link(place, name, target, present))
        tally.add(made=1)
    for name in present.keys() - wanted.keys():
        with contextlib.suppress(FileNotFoundError):  # another run was faster
            os.unlink(os.path.join(place, name))
        tally.add(removed=1)


def links_of(site: Site, directory: Directory) -> tuple[dict[str, str], list[str]]:
    """The links that *directory* needs, name -> target, and the wheels that can have none."""
    wanted: dict[str, str] = {}
    unfit: list[str] = []
    ranked = directory._replace(shift=0)  # of a base: as it ranks here, whatever its own stamps say
    for each in wheels_in(directory):
        if not isinstance(each, Candidate):
            unfit.append(f"{each.path}: {each.problem}")
            continue
        try:
            name = stamped_name(each.filename, each.build, ranked, site)
        except StampError as error:
            unfit.append(str(error))
            continue
        if wanted.setdefault(name, each.path) != each.path:
            unfit.append(f"{each.path}: {os.path.basename(wanted[name])} has the same stamped name")
    for name in listing.wheel_names(directory, lambda name: name.endswith(listing.ARCHIVES)):
        wanted[name] = os.path.join(directory.path, name)  # installers see those as well
    return wanted, unfit


def _present(place: str, roots: Sequence[str]) -> dict[str, str]:
    """The links in *place* that lead below one of *roots*, the wheelhouse's: name -> target."""
    found: dict[str, str] = {}
    ours = tuple(root.rstrip("/") + "/" for root in roots)
    with contextlib.suppress(FileNotFoundError), os.scandir(place) as entries:
        for entry in entries:
            if entry.is_symlink():
                with contextlib.suppress(FileNotFoundError):  # another run was faster
                    target = os.readlink(entry.path)
                    if target.startswith(ours):
                        found[entry.name] = target
    return found


def _link(place: str, name: str, target: str, present: dict[str, str]) -> list[str]:
    """Make one link, over an outdated one of ours only; returns why not, if not."""
    path = os.path.join(place, name)
    if name not in present:
        try:
            os.symlink(target, path)
        except FileExistsError:
            if not os.path.islink(path) or os.readlink(path) != target:  # else another run was faster
                return [f"{path}: already exists and is not ours"]
        return []
    make_directory(os.path.join(place, TRASH), shared=True)
    temporary = os.path.join(place_for(place), f".{name}.{os.uname().nodename}.{os.getpid()}~")
    while True:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(target, temporary)
        # Another run may take it for a leftover, and remove it.
        with contextlib.suppress(FileNotFoundError):
            os.replace(temporary, path)
            return []
