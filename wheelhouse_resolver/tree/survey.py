"""What an existing tree of wheels holds, before any site file describes it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wheelhouse_resolver.errors import FileProblemError
from wheelhouse_resolver.tree.listing import SUFFIX
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.machines import families_of

#: Nobody nests deeper, and no tree has more directories. So many wheels of each are opened, none larger.
_DEPTH, _MOST, _SAMPLE, _LARGEST = 8, 20_000, 6, 200 << 20


class SurveyError(FileProblemError, ValueError):
    """A directory in which there is no tree of wheels."""


class SurveyedDirectory(NamedTuple):
    """A directory that holds wheels.

    label:    its path below the root; `.` is the root.
    wheels:   how many there are.
    families: the CPU families of those that are compiled, by their tags.
    compiled: how many are.
    opened:   how many of these were looked into, and marked: of which the linker says what CPU they need.
    level:    the highest level that one is marked with, as the bit of it (2: x86-64-v2, 4, 8); 0 for none.
    looks_into: the absolute directories that most of their libraries look into.
    link:     the label of the directory that it is another name of; empty for none.
    problem:  why it could not be listed; empty if it could.
    """

    label: str
    wheels: int = 0
    families: tuple[str, ...] = ()
    compiled: int = 0
    opened: int = 0
    marked: int = 0
    level: int = 0
    looks_into: tuple[str, ...] = ()
    link: str = ""
    problem: str = ""


def survey(root: str, *, seconds: float = 20.0) -> list[SurveyedDirectory]:
    """The directories below *root* that hold wheels, sorted by their labels.

    Links within the tree are names of what they lead to, and not followed twice. *seconds*: how long wheels
    are looked into, at most. Raises `SurveyError` where there are none.
    """
    root = os.path.abspath(root)
    if not os.path.isdir(root):
        raise SurveyError(root, "no such directory")
    listed = dict(_walk(root))
    deadline, left = time.monotonic() + seconds, len(listed)
    found: dict[str, SurveyedDirectory] = {}
    for label, (names, problem) in sorted(listed.items()):
        share = max(0.0, deadline - time.monotonic()) / left
        left -= 1
        directory = os.path.normpath(os.path.join(root, label))
        found[label] = _looked_at(directory, label, names, share)._replace(problem=problem)
    found |= {each.label: each for each in _links(root, found)}
    if not any(each.wheels for each in found.values()):
        raise SurveyError(root, "holds no wheels")
    return [found[label] for label in sorted(found)]


def _walk(root: str) -> Iterator[tuple[str, tuple[list[str], str]]]:
    """The label of each directory with wheels, or that cannot be listed -> (their names, why not)."""
    waiting, seen = [(".", 0)], {os.path.realpath(root)}
    inside = os.path.realpath(root) + os.sep
    while waiting and len(seen) < _MOST:
        label, depth = waiting.pop()
        names: list[str] = []
        try:
            with os.scandir(os.path.join(root, label)) as entries:
                for entry in entries:
                    if entry.name.endswith(SUFFIX):
                        names.append(entry.name)
                    elif not entry.name.startswith(".") and depth < _DEPTH and os.path.isdir(entry.path):
                        real = os.path.realpath(entry.path)
                        if real not in seen and not (entry.is_symlink() and real.startswith(inside)):
                            seen.add(real)
                            waiting.append((os.path.normpath(f"{label}/{entry.name}"), depth + 1))
        except OSError as error:
            yield label, ([], error.strerror or str(error))
            continue
        if names:
            yield label, (sorted(names), "")


def _looked_at(directory: str, label: str, names: Sequence[str], seconds: float) -> SurveyedDirectory:
    families: set[str] = set()
    compiled: list[str] = []
    for name in names:
        platforms = name.removesuffix(SUFFIX).rpartition("-")[2].split(".")
        if "any" not in platforms:
            compiled.append(name)
            families |= families_of(platforms)
    opened = marked = level = 0
    paths: Counter[str] = Counter()
    end = time.monotonic() + seconds
    for name in compiled[:: max(1, -(-len(compiled) // _SAMPLE))]:
        if opened and time.monotonic() > end:
            break
        files = _files(os.path.join(directory, name))
        bits = max((file.isa_needed for file in files), default=0)
        opened += bool(files)
        marked += bool(bits)
        level = max([level, *(bit for bit in (2, 4, 8) if bits & bit)])
        named = (path for each in files for path in (each.interpreter, *each.rpath, *each.runpath))
        paths.update({path for path in named if path.startswith("/")})
    into = tuple(path for path, _ in paths.most_common(2))
    return SurveyedDirectory(
        label, len(names), tuple(sorted(families)), len(compiled), opened, marked, level, into
    )


def _files(wheel: str) -> list[ElfFile]:
    try:
        return elf_files(wheel) if os.path.getsize(wheel) <= _LARGEST else []
    except (OSError, *BAD_ZIP):
        return []


def _links(root: str, found: dict[str, SurveyedDirectory]) -> Iterator[SurveyedDirectory]:
    """The directories that a link within the tree gives a second name."""
    real = os.path.realpath(root)
    above = {"."} | {label.rsplit("/", count)[0] for label in found for count in range(label.count("/") + 1)}
    for label in sorted(above):
        try:
            entries = sorted(os.scandir(os.path.join(root, label)), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.is_symlink() and os.path.isdir(entry.path) and not entry.name.startswith("."):
                target = os.path.relpath(os.path.realpath(entry.path), real)
                name = os.path.normpath(f"{label}/{entry.name}")
                for each in found.values():
                    if each.label == target or each.label.startswith(f"{target}/"):
                        yield each._replace(label=name + each.label.removeprefix(target), link=each.label)
