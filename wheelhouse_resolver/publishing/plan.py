"""Publishing: a checked wheel, stamped, into its directory; and taking wheels out again.

Two halves. `plan` decides, from the checked wheels and what the tree holds, what goes where under which name;
`place` carries one step out through `placement`. A run that was killed is simply run again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from packaging.tags import Tag, parse_tag

from wheelhouse_resolver.installers.inversion import Inversion, inversions, retagged
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import searched_together
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.wheelfile.build_tag import (
    BAND,
    StampError,
    StampState,
    build_text,
    renamed,
    stamp_build,
    stamped_name,
    stamping,
)
from wheelhouse_resolver.wheelfile.rewrite import Rewrite, labelled
from wheelhouse_resolver.wheelfile.tags import compressed_tags
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, ValidatedWheel, check_wheel

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Directory
    from wheelhouse_resolver.site.model import Site

__all__ = [
    "PublishOptions",
    "Step",
    "check_all",
    "destination",
    "involving",
    "is_current",
    "plan",
    "restamp_step",
]


class PublishOptions(NamedTuple):
    """How to publish.

    local_label: appended to the version's local label; empty for none.
    retag:       mend tag inversions by changing the new wheel's tags.
    glibc:       add this manylinux level to `linux_*` tags, as `2.36`; empty for none.
    rebuild:     take the next free build number of the band.
    replace:     withdraw what stands under the name with other content.
    restamp:     stamp the unstamped wheels of the same version in other directories first.
    """

    local_label: str = ""
    retag: bool = False
    glibc: str = ""
    rebuild: bool = False
    replace: bool = False
    restamp: bool = True


class Step(NamedTuple):
    """One file to place.

    wheel:     what it is made from.
    directory: where it goes.
    filename:  its name there.
    change:    what is changed in it.
    mends:     it takes the place of its source, which stands in the tree under another name.
    options:   how conflicts are met.
    """

    wheel: ValidatedWheel
    directory: Directory
    filename: str
    change: Rewrite
    mends: bool = False
    options: PublishOptions = PublishOptions()

    @property
    def path(self) -> str:
        """Where the file will be."""
        return os.path.join(self.directory.path, self.filename)


def destination(site: Site, to: str | None, layer: str | None, arch: str | None) -> Directory | None:
    """The directory that the options name: `--to LAYER/ARCH`, a directory's own path, or layer and arch.

    None when they name none. Where a layer has several directories side by side, the most specific is
    meant. Raises `PublishError`, listing the directories, and `UnknownLayerError` or `UnknownArchError`.
    """
    directories = site.directories()
    if to is not None and (layer is not None or arch is not None):
        raise PublishError(f"--to {to}", "says it all: give it without --layer and --arch")
    if to is not None:
        exact = next((d for d in directories if d.label == to.strip("/")), None)
        if exact is not None:
            return exact
        layer, _, arch = to.strip("/").rpartition("/")
        if not any(layer == each.name for each in site.layers):
            known = ", ".join(d.label for d in directories)
            raise PublishError(f"--to {to}", f"no directory of this site; it has {known}")
    elif layer is None and arch is None:
        return None
    chosen = site.layer(layer)
    found = site.arch(arch if arch is not None else GENERIC, chosen)
    name = found.name if found is not None else GENERIC
    if chosen is None and name != GENERIC:
        raise PublishError(f"--arch {arch}", f"name the layer too: --layer, one of {_layers(site)}")
    if chosen is not None and name != GENERIC and name not in chosen.archs:
        raise PublishError(f"--arch {arch}", f"layer {chosen.name} has no directory for it")
    # One may publish into a directory that [search] leaves out.
    whole = site._replace(search={}).search_path_for(chosen.name if chosen else None, name)
    return next(each for each in whole if each.arch == name)


def _layers(site: Site) -> str:
    return ", ".join([*(each.name for each in site.layers), NO_LAYER])


def check_all(paths: Iterable[str]) -> tuple[list[ValidatedWheel], list[InvalidWheelError]]:
    """Check every wheel, and collect the refusals."""
    sound: list[ValidatedWheel] = []
    refused: list[InvalidWheelError] = []
    for path in paths:
        try:
            sound.append(check_wheel(path))
        except InvalidWheelError as error:
            refused.append(error)
    return sound, refused


def plan(
    site: Site, wheels: Sequence[ValidatedWheel], directory: Directory | None, options: PublishOptions
) -> list[Step]:
    """What to place, in order, so that the picks of every installer are the policy's at every moment.

    *directory*: where to; None: each pure-Python wheel to the top-level generic directory. Unstamped and
    stale wheels of the same version that some host sees together with a new one are restamped before it.

    Raises `PublishError`, `StampError`; `InvalidWheelError` for a neighbour that would have to be restamped.
    """
    listing.check_root(site)
    together = searched_together(site)
    given = {os.path.realpath(wheel.path) for wheel in wheels}
    steps: list[Step] = []
    taken: dict[tuple[object, ...], str] = {}
    mended: set[str] = set()
    for wheel in wheels:
        target = directory if directory is not None else _for_pure(site, wheel)
        step = _step(site, wheel, target, options)
        neighbours = _neighbours(site, step, together)
        step = _without_inversion(step, neighbours, together, options)
        if options.rebuild:
            step = _rebuilt(site, step)
        _refuse_twin(site, step, neighbours)
        new = _candidate(step)
        key = (new.directory.path, new.name, new.version, new.build, new.tags)
        if taken.setdefault(key, wheel.path) != wheel.path:
            raise PublishError(wheel.filename, f"{taken[key]} would get the same name, {step.filename}")
        for neighbour in neighbours:  # the most specific directory first
            if is_current(site, neighbour) or neighbour.path in mended:
                continue
            if os.path.realpath(neighbour.path) in given:
                if neighbour.directory == target:
                    continue  # it is being stamped, and stays as a given file does
                raise PublishError(
                    neighbour.path,
                    "stands in the wheelhouse without a current stamp; run `wheelhouse-resolver restamp`, "
                    "and publish what it makes of it",
                )
            if not options.restamp:
                raise PublishError(
                    wheel.filename,
                    f"{neighbour.path} has no current stamp, so the order of the two would be wrong; "
                    "run `wheelhouse-resolver restamp` first",
                )
            mended.add(neighbour.path)
            steps.append(restamp_step(site, neighbour))
        steps.append(step)
    return steps


def _refuse_twin(site: Site, step: Step, neighbours: Sequence[Candidate]) -> None:
    """Refuse what would tie with a wheel whose name says the same in another spelling (`Demo`, `demo`)."""
    new = _candidate(step)
    for each in neighbours:
        if each.directory == step.directory and each.tags == new.tags:
            if stamping(each.build, each.directory, site).own != _own_of(step):
                continue
            if stamped_name(each.filename, each.build, each.directory, site) != step.filename:
                raise PublishError(
                    step.wheel.filename,
                    f"{each.path} has the same name in another spelling, so neither would win; "
                    "publish with --rebuild to add a corrected build, or withdraw that one first",
                )


def _for_pure(site: Site, wheel: ValidatedWheel) -> Directory:
    if all(tag.abi == "none" and tag.platform == "any" for tag in wheel.tags):
        return site.search_path_for(None, GENERIC)[0]
    raise PublishError(
        wheel.filename,
        "it holds compiled code: say where it belongs with --to LAYER/ARCH (`classify` may know)",
    )


def _step(site: Site, wheel: ValidatedWheel, directory: Directory, options: PublishOptions) -> Step:
    own = stamping(wheel.build, directory, site).own
    if own >= BAND:
        raise StampError(wheel.filename, own)
    version = _labelled(wheel, options.local_label)
    tags = _with_glibc(wheel.tags, options.glibc) if options.glibc else None
    return _made(Step(wheel, directory, "", Rewrite(version, "", tags), options=options), own)


def _made(step: Step, own: int) -> Step:
    """*step* with the build tag and the file name that follow from the rest."""
    change = step.change
    build = stamp_build(step.directory, own)
    filename = renamed(
        step.wheel.filename,
        version=change.version,
        build=build,
        tags=compressed_tags(change.tags) if change.tags is not None else None,
    )
    return step._replace(filename=filename, change=change._replace(build=build_text(build)))


def _labelled(wheel: ValidatedWheel, label: str) -> str | None:
    try:
        return labelled(wheel.version, label) if label else None
    except ValueError as error:
        raise PublishError(wheel.filename, str(error)) from error


def _with_glibc(tags: frozenset[Tag], glibc: str) -> frozenset[Tag]:
    level = "manylinux_" + glibc.replace(".", "_") + "_"
    platforms = {tag.platform for tag in tags}
    plain = {platform for platform in platforms if platform.startswith("linux_")}
    more = {level + platform.removeprefix("linux_") for platform in plain}
    return parse_tag(
        compressed_tags(frozenset(Tag(t.interpreter, t.abi, p) for t in tags for p in platforms | more))
    )


def _candidate(step: Step) -> Candidate:
    found = parse_candidate(step.filename, step.directory)
    assert isinstance(found, Candidate)  # it was made from a valid name
    return found


def _neighbours(site: Site, step: Step, together: Sequence[frozenset[str]]) -> list[Candidate]:
    """The wheels of the same version that some host sees together with the new one, best directory first."""
    new = _candidate(step)
    reachable = frozenset().union(*(paths for paths in together if step.directory.path in paths))
    directories = [d for d in site.directories() if d.path in reachable]
    found = Tree(site).read(new.name, directories)
    return [each for each in found if isinstance(each, Candidate) and each.version == new.version]


def _without_inversion(
    step: Step, neighbours: Sequence[Candidate], together: Sequence[frozenset[str]], options: PublishOptions
) -> Step:
    new = _candidate(step)
    wrong = involving(new, neighbours, together)
    if not wrong:
        return step
    if options.retag:
        rivals = [each.higher if each.lower == new else each.lower for each in wrong]
        own = _own_of(step)
        better = _made(step._replace(change=step.change._replace(tags=retagged(new, rivals))), own)
        wrong = involving(_candidate(better), neighbours, together)
        if not wrong:
            return better
        fix = "--retag cannot mend it: withdraw one of the two, or build them with equal tags"
    else:
        fix = "publish with --retag to give it equal tags, or withdraw the other"
    raise PublishError(step.wheel.filename, f"a tag inversion: {wrong[0]}; {fix}")


def _own_of(step: Step) -> int:
    """The own build number that the stamp of *step* carries."""
    number, _ = _candidate(step).build or (0, "")
    return number % BAND


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


def _rebuilt(site: Site, step: Step) -> Step:
    """*step* with the lowest own build number above all that the version ever had in this directory."""
    new = _candidate(step)
    names = [each.filename for each in trash.trashed(step.directory.path)]
    standing = Tree(site).read(new.name, [step.directory])
    known = [*standing, *(parse_candidate(name, step.directory) for name in names)]
    used = [
        stamping(each.build, step.directory, site).own
        for each in known
        if isinstance(each, Candidate) and (each.name, each.version) == (new.name, new.version)
    ]
    own = max([_own_of(step) - 1, *used]) + 1
    if own >= BAND:
        raise PublishError(step.wheel.filename, f"all {BAND} build numbers of its version are taken")
    return _made(step, own)


def is_current(site: Site, candidate: Candidate) -> bool:
    """Whether *candidate* carries the stamp of its directory."""
    return stamping(candidate.build, candidate.directory, site).state is StampState.CURRENT


def restamp_step(site: Site, candidate: Candidate) -> Step:
    """How to mend the stamp of *candidate*. Raises `InvalidWheelError`, `StampError`."""
    found = stamping(candidate.build, candidate.directory, site)
    filename = stamped_name(candidate.filename, candidate.build, candidate.directory, site)
    change = Rewrite(None, build_text(stamp_build(candidate.directory, found.own)))
    return Step(check_wheel(candidate.path), candidate.directory, filename, change, mends=True)
