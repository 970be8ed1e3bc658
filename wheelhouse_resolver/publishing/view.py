"""A view: symbolic links whose names carry the stamps, for a wheelhouse that one may only read.

pip and uv go by the name of the link, so the wheels themselves need not be touched.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
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
    roots = [site.root, *(base.root for base in site.bases)]
    made = kept = removed = 0
    left_out: list[str] = []
    for directory, place in places.items():
        wanted, unfit = _links(site, directory)
        left_out += unfit
        with writing(place):
            if os.path.isdir(directory.path):
                make_directory(place, shared=True)
            present = _present(place, roots)
            for name in _present(os.path.join(place, TRASH), roots):  # what a killed run has left
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(place, TRASH, name))
            for name, target in wanted.items():
                if present.get(name) == target:
                    kept += 1
                    continue
                left_out += _link(place, name, target, present)
                made += 1
                progress(ViewReport(made, kept, removed, ()))
            for name in present.keys() - wanted.keys():
                with contextlib.suppress(FileNotFoundError):  # another run was faster
                    os.unlink(os.path.join(place, name))
                removed += 1
                progress(ViewReport(made, kept, removed, ()))
    return ViewReport(made, kept, removed, tuple(left_out))


def _links(site: Site, directory: Directory) -> tuple[dict[str, str], list[str]]:
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
