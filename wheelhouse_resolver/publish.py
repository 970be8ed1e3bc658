"""Publishing: a checked wheel, stamped, into its directory; and taking wheels out again.

Two halves. `plan` decides, from the checked wheels and what the tree holds, what goes where under which name;
`place` carries one step out through `placement`. A run that was killed is simply run again.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from packaging.tags import Tag, parse_tag

from wheelhouse_resolver import placement, tree
from wheelhouse_resolver.errors import OutputError, SiteFileError, WheelhouseError, reason_of
from wheelhouse_resolver.inversion import (
    Inversion,
    compressed_tags,
    inversions,
    retagged,
    searched_together,
)
from wheelhouse_resolver.metadata import BAD_ZIP, open_regular
from wheelhouse_resolver.repack import Rewrite, labelled, rewrite
from wheelhouse_resolver.site import GENERIC, NO_LAYER
from wheelhouse_resolver.stamp import (
    BAND,
    StampError,
    StampState,
    build_text,
    renamed,
    stamp_build,
    stamped_name,
    stamping,
)
from wheelhouse_resolver.text import printable
from wheelhouse_resolver.wheel_check import CheckedWheel, RefusedWheelError, check_wheel
from wheelhouse_resolver.wheelhouse import Candidate, Wheelhouse, parse_candidate

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelhouse_resolver.site import Directory, Site

__all__ = [
    "Outcome",
    "PublishError",
    "PublishOptions",
    "Step",
    "after_command",
    "check_all",
    "destination",
    "outdated",
    "place",
    "plan",
    "restamp_step",
    "restore",
    "retag_steps",
    "withdraw",
]


class PublishError(WheelhouseError, ValueError):
    """Something that cannot be published. Attributes: *filename*, *problem*."""

    def __init__(self, filename: str, problem: str) -> None:
        super().__init__(filename, problem)
        self.filename = filename
        self.problem = problem

    def __str__(self) -> str:
        return f"{printable(self.filename)}: {printable(self.problem)}"


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

    wheel: CheckedWheel
    directory: Directory
    filename: str
    change: Rewrite
    mends: bool = False
    options: PublishOptions = PublishOptions()

    @property
    def path(self) -> str:
        """Where the file will be."""
        return os.path.join(self.directory.path, self.filename)


class Outcome(NamedTuple):
    """What became of a step.

    done:   `placed`, `present` (it was there already) or `replaced`.
    source: the `placement.identity` of the file that it was made from.
    """

    step: Step
    path: str
    done: str
    source: tuple[int, ...]


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


def check_all(paths: Iterable[str]) -> tuple[list[CheckedWheel], list[RefusedWheelError]]:
    """Check every wheel, and collect the refusals."""
    sound: list[CheckedWheel] = []
    refused: list[RefusedWheelError] = []
    for path in paths:
        try:
            sound.append(check_wheel(path))
        except RefusedWheelError as error:
            refused.append(error)
    return sound, refused


def plan(
    site: Site, wheels: Sequence[CheckedWheel], directory: Directory | None, options: PublishOptions
) -> list[Step]:
    """What to place, in order, so that the picks of every installer are the policy's at every moment.

    *directory*: where to; None: each pure-Python wheel to the top-level generic directory. Unstamped and
    stale wheels of the same version that some host sees together with a new one are restamped before it.

    Raises `PublishError`, `StampError`; `RefusedWheelError` for a neighbour that would have to be restamped.
    """
    tree.check_root(site)
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
            if _is_current(site, neighbour) or neighbour.path in mended:
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


def _for_pure(site: Site, wheel: CheckedWheel) -> Directory:
    if all(tag.abi == "none" and tag.platform == "any" for tag in wheel.tags):
        return site.search_path_for(None, GENERIC)[0]
    raise PublishError(
        wheel.filename,
        "it holds compiled code: say where it belongs with --to LAYER/ARCH (`classify` may know)",
    )


def _step(site: Site, wheel: CheckedWheel, directory: Directory, options: PublishOptions) -> Step:
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


def _labelled(wheel: CheckedWheel, label: str) -> str | None:
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
    found = Wheelhouse(site).read(new.name, directories)
    return [each for each in found if isinstance(each, Candidate) and each.version == new.version]


def _without_inversion(
    step: Step, neighbours: Sequence[Candidate], together: Sequence[frozenset[str]], options: PublishOptions
) -> Step:
    new = _candidate(step)
    wrong = _involving(new, neighbours, together)
    if not wrong:
        return step
    if options.retag:
        rivals = [each.higher if each.lower == new else each.lower for each in wrong]
        own = _own_of(step)
        better = _made(step._replace(change=step.change._replace(tags=retagged(new, rivals))), own)
        wrong = _involving(_candidate(better), neighbours, together)
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


def _involving(
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
    names = [each.filename for each in placement.trashed(step.directory.path)]
    standing = Wheelhouse(site).read(new.name, [step.directory])
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


def outdated(site: Site) -> list[Candidate]:
    """The wheels without a current stamp, the most specific directory first.

    Mended in that order, a tree that is half done has no tie that was right before and is wrong now.
    """
    return [each for each in _standing(site) if not _is_current(site, each)]


def _standing(site: Site) -> Iterator[Candidate]:
    """Every well-named wheel of the tree, the most specific directory first."""
    tree.check_root(site)
    for directory in site.directories():
        for filename in tree.wheel_names(directory, lambda name: name.endswith(tree.SUFFIX)):
            each = parse_candidate(filename, directory)
            if isinstance(each, Candidate):
                yield each


def _is_current(site: Site, candidate: Candidate) -> bool:
    return stamping(candidate.build, candidate.directory, site).state is StampState.CURRENT


def restamp_step(site: Site, candidate: Candidate) -> Step:
    """How to mend the stamp of *candidate*. Raises `RefusedWheelError`, `StampError`."""
    found = stamping(candidate.build, candidate.directory, site)
    filename = stamped_name(candidate.filename, candidate.build, candidate.directory, site)
    change = Rewrite(None, build_text(stamp_build(candidate.directory, found.own)))
    return Step(check_wheel(candidate.path), candidate.directory, filename, change, mends=True)


def retag_steps(site: Site) -> tuple[list[Step], list[WheelhouseError]]:
    """How to mend the tag inversions of the tree, and those that new tags cannot mend."""
    together = searched_together(site)
    versions: dict[tuple[str, Version], list[Candidate]] = {}
    for each in _standing(site):
        versions.setdefault((each.name, each.version), []).append(each)
    steps: list[Step] = []
    hopeless: list[WheelhouseError] = []
    for same in versions.values():
        found = inversions(same, together) if len(same) > 1 else []
        higher: dict[str, list[Inversion]] = {}
        for inversion in found:
            higher.setdefault(inversion.higher.path, []).append(inversion)
        for cases in higher.values():
            wheel = cases[0].higher
            tags = retagged(wheel, [case.lower for case in cases])
            rivals = [each for each in same if each.path != wheel.path]
            if _involving(wheel._replace(tags=tags), rivals, together, above=True):
                problem = f"a tag inversion that new tags cannot mend: {cases[0]}; withdraw one of the two"
                hopeless.append(PublishError(wheel.path, problem))
                continue
            try:
                step = restamp_step(site, wheel)
            except (RefusedWheelError, StampError) as error:
                hopeless.append(error)
                continue
            filename = renamed(step.filename, tags=compressed_tags(tags))
            steps.append(step._replace(filename=filename, change=step.change._replace(tags=tags)))
    return steps, hopeless


def place(step: Step) -> Outcome:
    """Carry *step* out: write, sync, name; then, if it mends, remove what it was made from.

    Publishing again what already stands there is a success. Raises `PublishError` when something else
    does, or when the wheel changed since it was checked; `OutputError` when the disk does not take it.
    """
    directory = step.directory.path
    with placement.draft(directory) as draft:
        try:
            source = placement.identity(step.wheel.path)
            rewrite(step.wheel, step.change, draft.file)
        except (*BAD_ZIP, FileNotFoundError) as error:  # ChangedWhileReadError is a ValueError
            raise PublishError(
                step.wheel.path, f"changed while it was read ({error}); nothing placed"
            ) from error
        except OSError as error:
            raise OutputError(step.path, reason_of(error)) from error
        done = _settle(step, draft)
    if step.mends:
        placement.discard(step.wheel.path, source)
    return Outcome(step, step.path, done, source)


def _settle(step: Step, draft: placement.Draft) -> str:
    """Give the finished draft its name, or find that the name is taken and by what."""
    directory, filename = step.directory.path, step.filename
    former = next((t for t in placement.trashed(directory) if t.filename == filename), None)
    if former is not None and not step.options.replace and not _same(former.path, draft):
        raise PublishError(
            filename,
            "a wheel of this name with other content was withdrawn, and uv may have it cached; "
            "publish with --rebuild for a new build number, or with --replace",
        )
    replaced = False
    while not placement.link_into(draft, directory, filename):
        if _same(step.path, draft):
            return "present"
        if step.mends:
            raise PublishError(
                step.wheel.path,
                f"cannot be stamped: {step.filename} stands there with other content, and wins; "
                f"withdraw one of the two (`wheelhouse-resolver withdraw {step.wheel.filename}`)",
            )
        if not step.options.replace:
            raise PublishError(
                step.path,
                "stands there with other content; publish with --rebuild to add a corrected build, "
                "or with --replace to move the old one to .trash/",
            )
        placement.withdraw(step.path)
        replaced = True
    return "replaced" if replaced else "placed"


def _same(path: str, draft: placement.Draft) -> bool:
    """Whether the wheel at *path* holds the same files as the draft, and is undamaged.

    Not compared byte for byte: another release of zlib compresses the same files differently.
    """
    try:
        draft.file.flush()
        with (
            open_regular(path) as file,
            zipfile.ZipFile(file) as one,
            zipfile.ZipFile(draft.path) as other,
        ):
            return _listing(one) == _listing(other) and one.testzip() is None
    except FileNotFoundError:
        return False  # withdrawn in between
    except (*BAD_ZIP, OSError):
        return False


def _listing(archive: zipfile.ZipFile) -> list[tuple[str, int, int]]:
    return sorted((info.filename, info.CRC, info.file_size) for info in archive.infolist())


def withdraw(site: Site, filename: str, directory: Directory | None = None) -> list[placement.Trashed]:
    """Take the wheel *filename* out of every search path: out of *directory*, or of all that have it.

    Raises `PublishError` when none has.
    """
    tree.check_root(site)
    _check_plain(filename)
    directories = [directory] if directory is not None else list(site.directories())
    paths = [os.path.join(each.path, filename) for each in directories]
    found = [path for path in paths if os.path.lexists(path)]
    if not found:
        raise PublishError(filename, "stands in no directory of the wheelhouse")
    return [placement.withdraw(path) for path in found]


def restore(site: Site, filename: str, directory: Directory | None = None) -> list[str]:
    """Bring back the wheel *filename*, the one withdrawn last in each directory. Returns the paths.

    Raises `PublishError` when none was withdrawn, or when a wheel of that name stands there.
    """
    tree.check_root(site)
    _check_plain(filename)
    directories = [directory] if directory is not None else list(site.directories())
    restored: list[str] = []
    for each in directories:
        former = next((t for t in placement.trashed(each.path) if t.filename == filename), None)
        if former is None:
            continue
        path = os.path.join(each.path, filename)
        if not placement.restore(former):
            raise PublishError(path, "stands there; withdraw it first")
        restored.append(path)
    if not restored:
        raise PublishError(filename, "was withdrawn from no directory of the wheelhouse")
    return restored


def _check_plain(filename: str) -> None:
    if os.path.basename(filename) != filename or not filename.endswith(tree.SUFFIX):
        raise PublishError(filename, "give the file name of a wheel, without its directory")


def after_command(site: Site) -> list[str]:
    """The site's `[publish] after` command; empty for none. Raises `SiteFileError`."""
    table = site.tables.get("publish", {})
    unknown = [key for key in table if key != "after"]
    if unknown:
        raise SiteFileError(site.source or "site", f"[publish] {unknown[0]}: unknown key (known: after)")
    command = table.get("after", ())
    if not isinstance(command, tuple) or not all(isinstance(word, str) and word for word in command):
        raise SiteFileError(site.source or "site", "[publish] after: must be an array of strings")
    return list(command)
