"""Publishing: wheels are checked, planned for, and placed into the wheelhouse."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from packaging.version import Version

from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.config import after_command, run_after_hook
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.publishing.errors import PublishError, WrongMachineError
from wheelhouse_resolver.publishing.pages import Pages
from wheelhouse_resolver.publishing.place import place
from wheelhouse_resolver.publishing.plan import Planner, PublishOptions
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver, PublishReport, Recorder
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.wheelfile.machines import problem_with
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, ValidatedWheel, check_wheel


def publish(
    site: Site,
    wheels: Iterable[str | os.PathLike[str]],
    to: Directory | str | None = None,
    options: PublishOptions = PublishOptions(),  # noqa: B008 - immutable
    *,
    observer: PublishObserver | None = None,
) -> PublishReport:
    """Check *wheels*, stamp them, and place them into the directory *to*: see `Wheelhouse.publish`."""
    recorder = Recorder(observer)
    after, pages = after_command(site), Pages(site)
    paths = list({os.path.realpath(path): os.fspath(path) for path in wheels}.values())
    for path in paths:
        if not os.path.exists(path):
            raise PublishError(path, "does not exist")
        if options.remove_source and (base := listing.base_holding(site, os.path.dirname(path))):
            raise PublishError(
                path, f"is in the base {base.name!r}, which is read-only: it cannot be removed"
            )
    options = options._replace(glibc=_glibc(options.glibc))
    directory = destination(site, to)
    listing.check_bases(site)
    sound: list[ValidatedWheel] = []
    refused: list[InvalidWheelError] = []
    for path in recorder.observer.progress(paths, "checking"):
        try:
            wheel = check_wheel(path)
            _check_machine(site, wheel, directory)
            sound.append(wheel)
        except InvalidWheelError as error:
            refused.append(error)
    if refused:
        return PublishReport(refused=tuple(refused))
    plan = Planner(site, sound, directory, options).plan()
    if options.dry_run:
        for each in plan:
            recorder.changed(FileChange(each.wheel.path, each.path, "planned"))
        return recorder.report()
    for place_of in {each.directory.path for each in plan}:
        trash.clear(place_of)
    failed: set[tuple[str, Version]] = set()  # what of it is not stamped would lose to what is placed now
    with pages.kept(recorder):
        for each in recorder.observer.progress(plan, "placing"):
            version = (each.candidate.name, each.candidate.version)
            with recorder.attempt():
                if version in failed:
                    problem = "not placed: another wheel of this version could not be stamped first"
                    raise PublishError(each.wheel.path, problem)
                failed |= {version} if each.in_place else set()
                recorder.changed(place(site, each, pages))
                failed -= {version}
        for change in recorder.changes if options.remove_source else ():
            with recorder.attempt():
                _remove_source(change, pages)
    if after and options.run_after and recorder.changes:
        with recorder.attempt():
            run_after_hook(after)
    return recorder.report()


def _check_machine(site: Site, wheel: ValidatedWheel, directory: Directory | None) -> None:
    """Raise `WrongMachineError` if *wheel* is for other CPUs than *directory*."""
    family = site.family_of(directory) if directory is not None else None
    if directory is not None and (problem := problem_with(wheel.tags, family)):
        raise WrongMachineError(wheel.path, [f"{problem}, {directory.label} is for {family}"])


def _remove_source(change: FileChange, pages: Pages) -> None:
    """Remove the given file, which is placed. Raises `PublishError` when it changed since, or cannot be."""
    path = change.source
    where = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if change.result == "stamped" or where == os.path.realpath(change.path):
        return  # the given file is the one that is in place
    try:
        problem = "changed after it was read" if trash.file_id(path) != change.source_id else ""
        if not problem:
            pages.goes(path, lambda: os.unlink(path))
    except OSError as error:
        problem = reason_of(error)
    if problem:
        raise PublishError(path, f"placed, but not removed: {problem}")


def _glibc(given: str) -> str:
    """The glibc level to tag with: as given, or that of the running Python."""
    if given != "own":
        if given and not re.fullmatch(r"\d+\.\d+", given):
            raise PublishError(f"--glibc-tag {given}", "must be a glibc version, such as 2.36")
        return given
    from wheelhouse_resolver.host.target_python import running_python, supported_tags

    for tag in supported_tags(running_python()):
        if tag.platform.startswith("manylinux_"):
            major, minor = tag.platform.split("_")[1:3]
            return f"{major}.{minor}"
    error = PublishError("--glibc-tag", "the running Python accepts no manylinux wheels")
    raise error.with_hint("give the version: --glibc-tag X.Y")
