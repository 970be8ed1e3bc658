"""Wheel variants (experimental): builds of which an installer chooses one by the CPU, with no module file.

Each layer gets one directory for all its hosts. It holds the generic wheels, as links whose names carry the
stamps, for every installer; and of the wheels for x86-64 archs copies with a label, for those that read it
(uv, as a preview). Other archs have no copies: nothing would keep their wheels from the wrong CPUs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from packaging.tags import Tag

from wheelhouse_resolver.errors import OutputError, reason_of
from wheelhouse_resolver.publishing.view import Tally, links_of, update_links
from wheelhouse_resolver.site.layout import GENERIC, Directory, Layer
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.reader import wheels_in
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.filesystem import make_directory, sync_directory, write_text
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.build_tag import StampError, build_text, own_number, renamed, stamp_build
from wheelhouse_resolver.wheelfile.name import VARIANTS_INDEX, VariantName, variants_index_of
from wheelhouse_resolver.wheelfile.rewrite import Rewrite, rewrite
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel
from wheelhouse_resolver.wheelfile.variant import LEVELS, VARIANT_FILE, level_for, metadata

#: The directory of a view that they are in, one directory a layer.
VARIANTS = "variants"

#: In such a directory: what the copies there were written with. For another format all are written again.
_FORMAT = ".format.json"

_SECOND = 1_000_000_000


class _Copy(NamedTuple):
    """A copy to be: of *wheel*, with a *build* tag, *tags* (None: its own), and for CPUs of a *level*."""

    wheel: Candidate
    build: str
    tags: frozenset[Tag] | None
    level: str

    def is_current(self, path: str) -> bool:
        """Whether the file at *path* was made of the wheel as it is: it has its time of modification."""
        with contextlib.suppress(OSError):
            own, its = os.stat(path).st_mtime_ns, os.stat(self.wheel.path).st_mtime_ns
            return own == its or (own % _SECOND == 0 and own == its - its % _SECOND)
        return False

    def write(self, path: str) -> str:
        """Put it at *path*, in one step; returns why not, if the wheel is to blame. Raises `OutputError`."""
        change = Rewrite(None, self.build, self.tags, info={VARIANT_FILE: metadata((self.level,)).encode()})
        try:
            changed = os.stat(self.wheel.path).st_mtime_ns
            wheel = check_wheel(self.wheel.path, installable=False)
        except InvalidWheelError as error:
            return str(error)
        except OSError as error:
            return f"{self.wheel.path}: cannot be read: {reason_of(error)}"
        with atomic.temporary(os.path.dirname(path), hidden=True) as new:
            try:
                with atomic.writing(path):
                    rewrite(wheel, change, new.file)
            except BAD_ZIP as error:  # ChangedWhileReadError is a ValueError
                return f"{self.wheel.path}: changed while it was read ({error})"
            with atomic.writing(path):
                new.file.flush()
                os.utime(new.file.fileno(), ns=(changed, changed))
                atomic.sync(new, 0o644)
                os.replace(new.named(), path)
        return ""


class _Plan(NamedTuple):
    """What a layer's directory shall hold: *links*, name -> target; *copies* and *indexes* by name."""

    links: dict[str, str]
    copies: dict[str, _Copy]
    indexes: dict[str, str]


def make_variants(site: Site, output: str, tally: Tally) -> tuple[str, ...]:
    """Make, or bring up to date, the wheel variants of *site*'s wheelhouse in the view *output*.

    They are in `variants/LAYER/`, which is ours: labelled wheels in it that are not wanted go. Only what
    differs is written, each file in one step: whatever stops it, installers see complete files only. Returns
    the labels of directories whose arch no level has all of: there are no copies of their wheels. Raises
    `OutputError`, `UnreadableDirectoryError`, `MissingExtraError`.
    """
    above = os.path.join(os.path.realpath(output), VARIANTS)
    metadata(tuple(LEVELS))  # the library is there
    for each in site.directories():
        if each.label.split("/")[0] == VARIANTS or os.path.realpath(each.path).startswith(f"{above}/"):
            raise OutputError(above, f"it is a directory of the wheelhouse ({each.label})")
    for layer in site.layers:
        _update(site, os.path.join(above, layer.name), _plan(site, layer, tally), tally)
    ladder = {arch.name: arch for arch in site.ladder}
    return tuple(
        each.label
        for each in site.directories()
        if each.arch != GENERIC and level_for(ladder[each.arch]) is None and os.path.isdir(each.path)
    )


def _plan(site: Site, layer: Layer, tally: Tally) -> _Plan:
    plan = _Plan({}, {}, {})
    levels: dict[str, set[str]] = {}
    ladder = {arch.name: arch for arch in site.ladder}
    own = [each for each in site.directories() if each.layer in (None, layer.name)]
    for directory in sorted(own, key=lambda each: -each.rank):
        if directory.arch == GENERIC:
            links, unfit = links_of(site, directory)
            plan.links.update({name: target for name, target in links.items() if name not in plan.links})
            tally.leave_out(*unfit)
            continue
        level = level_for(ladder[directory.arch])
        if level is None:
            continue
        for wheel in wheels_in(directory):
            if not isinstance(wheel, Candidate):
                continue  # the view has said so
            with contextlib.suppress(StampError):  # likewise
                stem = f"{wheel.name.replace('-', '_')}-{wheel.version}"
                levels.setdefault(f"{stem}{VARIANTS_INDEX}", set()).add(level)
                plan.copies.update(_copies(site, directory, wheel, level))
    plan.indexes.update({name: metadata(tuple(sorted(each))) for name, each in levels.items()})
    return plan


def _copies(site: Site, directory: Directory, wheel: Candidate, level: str) -> Iterator[tuple[str, _Copy]]:
    """The copies of *wheel* in *directory*, by name: one for each platform that it gives.

    pip before 22.3 takes a wheel variant of several for a plain wheel of all but the last.
    """
    ranked = directory._replace(shift=0)  # of a base: as it ranks here, whatever its own stamps say
    build = stamp_build(ranked, own_number(wheel.filename, wheel.build, ranked, site))
    platforms = {tag.platform for tag in wheel.tags}
    for platform in platforms:
        tags = (
            frozenset(tag for tag in wheel.tags if tag.platform == platform) if len(platforms) > 1 else None
        )
        name = renamed(wheel.filename, build=build, tags=tags).removesuffix(".whl")
        yield f"{name}-{level}.whl", _Copy(wheel, build_text(build), tags, level)


def _update(site: Site, place: str, plan: _Plan, tally: Tally) -> None:
    """Bring *place* to what *plan* says.

    Each label is in the JSON for as long as a wheel has it: uv (0.13.9) passes over others.
    """
    with atomic.writing(place):
        make_directory(place, shared=True)
        atomic.clear_temporary(place)
        names = os.listdir(place)
    present = {name for name in names if (wheel := VariantName.parse(name)) and wheel.label in LEVELS}
    written, marker = metadata(tuple(LEVELS)), os.path.join(place, _FORMAT)
    if not present:
        write_text(marker, written, shared=True)
    with atomic.writing(place):
        for name in present - plan.copies.keys():
            _remove(os.path.join(place, name))
            tally.add(removed=1)
        for name, text in plan.indexes.items():
            write_text(os.path.join(place, name), text, shared=True)
        update_links(site, place, plan.links, tally)
    is_same_format = _read(marker) == written
    for name, copy in plan.copies.items():
        path = os.path.join(place, name)
        if is_same_format and name in present and copy.is_current(path):
            tally.add(kept=1)
        elif problem := copy.write(path):
            tally.leave_out(problem)
        else:
            tally.add(made=1)
    with atomic.writing(place):
        for name in names:
            if variants_index_of(name) and name not in plan.indexes:
                _remove(os.path.join(place, name))
        sync_directory(place)
    write_text(marker, written, shared=True)


def _read(path: str) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # another run was faster
        os.unlink(path)
