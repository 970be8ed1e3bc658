"""What goes where under which name: decided from the checked wheels and from what the tree holds."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from packaging.tags import Tag, parse_tag

from wheelhouse_resolver.installers.inversion import Inversion, inversions, retagged
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.layout import GENERIC, Directory
from wheelhouse_resolver.site.model import Site, searched_together
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.wheelfile import build_tag
from wheelhouse_resolver.wheelfile.rewrite import Rewrite, labelled
from wheelhouse_resolver.wheelfile.tags import compressed_tags
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, ValidatedWheel, check_wheel


class PublishOptions(NamedTuple):
    """How to publish.

    local_label:   appended to the version's local label; empty for none.
    retag:         fix tag inversions by changing the new wheel's tags.
    glibc:         add this manylinux level to `linux_*` tags, as `2.36`; `own`: that of the running Python;
                   empty for none.
    rebuild:       take the next free build number of the band.
    replace:       move a wheel of the name with different content to `.trash/`.
    restamp:       stamp the unstamped wheels of the same version in other directories first.
    remove_source: remove the given files once they are placed.
    run_after:     run the site's `[publish] after` command once something is placed.
    dry_run:       check and plan only.
    """

    local_label: str = ""
    retag: bool = False
    glibc: str = ""
    rebuild: bool = False
    replace: bool = False
    restamp: bool = True
    remove_source: bool = False
    run_after: bool = True
    dry_run: bool = False


class PlannedWheel(NamedTuple):
    """One file to place.

    wheel:     what it is made from.
    directory: where it goes.
    own:       its own build number, which its stamp carries.
    version:   its version, if that is another than the wheel's.
    tags:      its wheel tags, if they are others.
    in_place:  it takes the place of its source, which is in the tree under another name.
    options:   how conflicts are met.
    former:    the path of the wheel of that name that was withdrawn last, if one was.
    latest:    of a rebuild: the own number of the build before it, which may have the same content already.
    """

    wheel: ValidatedWheel
    directory: Directory
    own: int
    version: str | None = None
    tags: frozenset[Tag] | None = None
    in_place: bool = False
    options: PublishOptions = PublishOptions()
    former: str | None = None
    latest: int | None = None

    @property
    def filename(self) -> str:
        """Its name there."""
        build = build_tag.stamp_build(self.directory, self.own)
        return build_tag.renamed(self.wheel.filename, version=self.version, build=build, tags=self.tags)

    @property
    def change(self) -> Rewrite:
        """What is changed in the wheel."""
        build = build_tag.build_text(build_tag.stamp_build(self.directory, self.own))
        return Rewrite(self.version, build, self.tags)

    @property
    def path(self) -> str:
        """Where the file will be."""
        return os.path.join(self.directory.path, self.filename)

    @property
    def candidate(self) -> Candidate:
        """What the file will be for installers."""
        found = parse_candidate(self.filename, self.directory)
        assert isinstance(found, Candidate)  # it was made from a valid name
        return found


def publish_command(site: Site, planned: PlannedWheel, flag: str) -> str:
    """The command that publishes *planned* as it was asked for, and with *flag*."""
    options = planned.options
    given = {
        f"--local-label={options.local_label}": options.local_label,
        f"--glibc-tag={options.glibc}": options.glibc,
        "--retag": options.retag,
        "--no-restamp": not options.restamp,
        "--remove-source": options.remove_source,
    }
    more = [option for option, is_given in given.items() if is_given]
    path = os.path.abspath(planned.wheel.path)
    return site.command("publish", "--to", planned.directory.label, flag, *more, path)


def rebuild_command(site: Site, directory: Directory, path: str) -> str:
    """The command that stamps the wheel at *path* in *directory* as a corrected build, in its place."""
    return site.command("publish", "--to", directory.label, "--rebuild", "--remove-source", path)


#: `trash.latest`, or what remembers its answers.
Latest = Callable[[str], Mapping[str, trash.Trashed]]


class Planner:
    """Plans one wheel after another; the tree is listed once, before the first.

    *to*: where; None: each pure-Python wheel to the top-level generic directory.
    """

    def __init__(
        self, site: Site, wheels: Sequence[ValidatedWheel], to: Directory | None, options: PublishOptions
    ) -> None:
        self._targets = [(wheel, to or _generic_for(site, wheel)) for wheel in wheels]
        self._site = site
        self._options = options
        self._together = searched_together(site)
        self._given = {os.path.realpath(wheel.path) for wheel in wheels}
        self._names: dict[tuple[object, ...], str] = {}
        self._restamped: set[str] = set()
        targets = {target for _, target in self._targets}
        reachable = frozenset().union(*map(self._reachable, targets))
        seen = [each for each in site.directories() if each.path in reachable]
        self._catalogue = Tree(site).catalogue(seen, {wheel.name for wheel in wheels})
        self._latest = functools.cache(trash.latest)

    def plan(self) -> list[PlannedWheel]:
        """What to place, in order, so that the picks of every installer are the policy's at every moment.

        Unstamped and stale wheels of the same version that some host sees together with a new one are
        restamped before it. Raises `PublishError`, `StampError`; `InvalidWheelError` for such a wheel.
        """
        return [each for wheel, target in self._targets for each in self._steps(wheel, target)]

    def _steps(self, wheel: ValidatedWheel, target: Directory) -> Iterator[PlannedWheel]:
        """The neighbours of *wheel* to restamp, then the wheel itself."""
        step = self._planned(wheel, target)
        neighbours = self._neighbours(step.candidate)
        step = self._without_inversion(step, neighbours)
        if self._options.rebuild:
            step = self._rebuilt(step)
        self._refuse_same_name(step, neighbours)
        for neighbour in neighbours:  # the most specific directory first
            if self._must_be_restamped(neighbour, step):
                self._restamped.add(neighbour.path)
                if again := restamped(self._site, neighbour, latest=self._latest):
                    yield again
        yield _with_former(step, self._latest)

    def _planned(self, wheel: ValidatedWheel, target: Directory) -> PlannedWheel:
        own = build_tag.own_number(wheel.filename, wheel.build, target, self._site)
        label, glibc = self._options.local_label, self._options.glibc
        try:
            version = labelled(wheel.version, label) if label else None
        except ValueError as error:
            raise PublishError(wheel.filename, str(error)) from error
        tags = _with_glibc(wheel.tags, glibc) if glibc else None
        return PlannedWheel(wheel, target, own, version, tags, options=self._options)

    def _reachable(self, target: Directory) -> frozenset[str]:
        """The directories, by path, that some host searches together with *target*."""
        return frozenset().union(*(paths for paths in self._together if target.path in paths))

    def _neighbours(self, new: Candidate) -> list[Candidate]:
        """The wheels of the version that some host sees together with *new*, best directory first."""
        reachable = self._reachable(new.directory)
        same = (each for each in self._catalogue.candidates(new.name) if each.version == new.version)
        return [each for each in same if each.directory.path in reachable]

    def _without_inversion(self, step: PlannedWheel, neighbours: Sequence[Candidate]) -> PlannedWheel:
        new = step.candidate
        wrong = involving(new, neighbours, self._together)
        if not wrong:
            return step
        rivals = [each.higher if each.lower == new else each.lower for each in wrong]
        ours = [each for each in rivals if each.directory.base is None]
        withdraw = withdraw_command(self._site, ours[0].directory, ours[0].filename) if ours else ""
        if self._options.retag:
            better = step._replace(tags=retagged(new, rivals))
            wrong = involving(better.candidate, neighbours, self._together)
            if not wrong:
                return better
            problem = f"a tag inversion that --retag cannot fix: {wrong[0]}"
            hint = "build the two with equal tags" + (
                f", or withdraw the other: `{withdraw}`" if ours else ""
            )
        else:
            problem = f"a tag inversion: {wrong[0]}"
            command = publish_command(self._site, step, "--retag")
            hint = f"to give it equal tags: `{command}`"
            hint += f"; or withdraw the other: `{withdraw}`" if ours else ""
        raise PublishError(step.wheel.filename, problem).with_hint(hint)

    def _rebuilt(self, step: PlannedWheel) -> PlannedWheel:
        """*step* with the lowest own build number above all that the version ever had in its directory."""
        new, directory = step.candidate, step.directory
        withdrawn = (parse_candidate(name, directory) for name in self._latest(directory.path))
        there = self._catalogue.candidates(new.name)
        same = [
            each
            for each in [*there, *withdrawn]
            if isinstance(each, Candidate)
            and (each.name, each.version, each.directory) == (new.name, new.version, directory)
        ]
        latest = max((build_tag.stamping(each.build, directory, self._site).own for each in same), default=-1)
        own = max(step.own, latest + 1)
        if own >= build_tag.BAND:
            raise no_number_left(step)
        is_there = latest >= 0 and step._replace(own=latest).path in {each.path for each in there}
        return step._replace(own=own, latest=latest if is_there else None)

    def _refuse_same_name(self, step: PlannedWheel, neighbours: Sequence[Candidate]) -> None:
        """Refuse what would tie with another given wheel, or with one whose name is spelled otherwise."""
        new, site = step.candidate, self._site
        for each in neighbours:
            file = (each.build, each.directory, site)
            same = (each.directory, each.tags, build_tag.stamping(*file).own)
            if same != (step.directory, new.tags, step.own):
                continue
            if build_tag.stamped_name(each.filename, *file) != step.filename:
                problem = f"{each.path} has the same name in another spelling, so neither would win"
                rebuild = publish_command(site, step, "--rebuild")
                withdraw = withdraw_command(site, each.directory, each.filename)
                raise PublishError(step.wheel.filename, problem).with_hint(
                    f"to publish a corrected build: `{rebuild}`; or withdraw the other first: `{withdraw}`"
                )
        key = (new.directory.path, new.name, new.version, new.build, new.tags)
        other = self._names.setdefault(key, step.wheel.path)
        if other != step.wheel.path:
            raise PublishError(step.wheel.filename, f"{other} would get the same name, {step.filename}")

    def _must_be_restamped(self, neighbour: Candidate, step: PlannedWheel) -> bool:
        if neighbour.directory.base is not None:
            return False  # it is less specific, and has no stamp above those of this site
        if is_current(self._site, neighbour) or neighbour.path in self._restamped:
            return False
        restamp = self._site.command("restamp")
        if os.path.realpath(neighbour.path) in self._given:
            if neighbour.directory == step.directory:
                return False  # it is being stamped, and stays as a given file does
            problem = "in the wheelhouse without a current stamp, and to be published"
            hint = f"run `{restamp}`, and publish the file that it makes of this one"
            raise PublishError(neighbour.path, problem).with_hint(hint)
        if not self._options.restamp:
            problem = f"{neighbour.path} has no current stamp, so the order of the two would be wrong"
            raise PublishError(step.wheel.filename, problem).with_hint(f"run `{restamp}` first")
        return True


def no_number_left(step: PlannedWheel) -> PublishError:
    """The error of a rebuild for which every build number is taken."""
    return PublishError(step.wheel.filename, f"all {build_tag.BAND} build numbers of its version are taken")


def _generic_for(site: Site, wheel: ValidatedWheel) -> Directory:
    if all(tag.abi == "none" and tag.platform == "any" for tag in wheel.tags):
        return site.search_path_for(None, GENERIC)[0]
    command = site.command("classify", os.path.abspath(wheel.path))
    problem = "cannot determine the target directory: the wheel holds compiled code"
    hint = f"name it with --to LAYER/ARCH; `{command}` may know it"
    raise PublishError(wheel.filename, problem).with_hint(hint)


def _with_glibc(tags: frozenset[Tag], glibc: str) -> frozenset[Tag]:
    level = "manylinux_" + glibc.replace(".", "_") + "_"
    plain = [tag for tag in tags if tag.platform.startswith("linux_")]
    more = {Tag(t.interpreter, t.abi, level + t.platform.removeprefix("linux_")) for t in plain}
    return parse_tag(compressed_tags(tags | more))


def involving(
    new: Candidate,
    neighbours: Sequence[Candidate],
    together: Sequence[frozenset[str]],
    *,
    above: bool = False,
) -> list[Inversion]:
    """The inversions between *new* and its neighbours; *above*: only those in which it should win."""
    others = [each for each in neighbours if each.path != new.path]
    found = inversions([new, *others], together)
    return [each for each in found if new == each.higher or (new == each.lower and not above)]


def is_current(site: Site, candidate: Candidate) -> bool:
    """Whether *candidate* carries the stamp of its directory."""
    state, _ = build_tag.stamping(candidate.build, candidate.directory, site)
    return state is build_tag.StampState.CURRENT


def restamped(
    site: Site,
    candidate: Candidate,
    tags: frozenset[Tag] | None = None,
    latest: Latest = trash.latest,
) -> PlannedWheel | None:
    """*candidate* with the stamp of its directory, and with other *tags* if given, in its place.

    None when it is gone: another run has stamped or withdrawn it. Raises `InvalidWheelError`, `StampError`.
    """
    own = build_tag.own_number(candidate.filename, candidate.build, candidate.directory, site)
    try:
        wheel = check_wheel(candidate.path, installable=False)  # it is there, and wins or loses by its stamp
    except InvalidWheelError:
        if os.path.lexists(candidate.path):
            raise
        return None
    return _with_former(PlannedWheel(wheel, candidate.directory, own, tags=tags, in_place=True), latest)


def _with_former(planned: PlannedWheel, latest: Latest) -> PlannedWheel:
    """*planned* with the wheel of its name that was withdrawn last, if any was."""
    former = latest(planned.directory.path).get(planned.filename)
    return planned._replace(former=former.path if former is not None else None)
