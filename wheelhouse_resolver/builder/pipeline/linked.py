"""The libraries that a wheel loads and does not contain, and the environment modules that give them.

They are looked for where the loader looks, and then where the linker does; nothing is run but `module show`.
"""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import islice

from wheelhouse_resolver.builder.toolchain.environment_modules import module_with, shown_modules
from wheelhouse_resolver.builder.verification.libraries import library_path_of
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.wheelfile.provenance import ExternalLibrary

#: Module -> what `module show` says of it. Called once, where there is a library that one may have given.
Shown = Callable[[], Mapping[str, str]]


def searched(run: Mapping[str, str], build: Mapping[str, str], more: Iterable[str] = ()) -> list[str]:
    """The directories with libraries in the environments of a *run* and of its *build*; *more* first."""
    linked = [each[2:] for each in shlex.split(build.get("LDFLAGS", "")) if each.startswith("-L")]
    linked += build.get("LIBRARY_PATH", "").split(":")
    found = [*more, *library_path_of(run), *library_path_of(build), *filter(os.path.isabs, linked)]
    return list(dict.fromkeys(map(os.path.normpath, found)))


def external_libraries(
    files: Sequence[ElfFile], directories: Sequence[str], loader: str, shown: Shown
) -> tuple[ExternalLibrary, ...]:
    """What *files*, all that a wheel has, need of others, sorted.

    directories: to look into after those that a file itself names. loader: the program interpreter, beside
    which the system's libraries are; empty if unknown.
    """
    own = {os.path.basename(file.path) for file in files} | {file.soname for file in files}
    system = [os.path.dirname(os.path.realpath(loader))] if loader else []
    exists = cache(os.path.exists)
    found: dict[str, set[str]] = defaultdict(set)
    for file in files:
        named = [os.path.normpath(each) for each in (*file.rpath, *file.runpath) if os.path.isabs(each)]
        for name in set(file.needed) - own:
            places = (each for each in (*named, *directories, *system) if exists(os.path.join(each, name)))
            found[name] |= {*islice(places, 1)}
    given = {place for places in found.values() for place in places} - {*system}
    texts = shown() if given else {}
    modules = {place: module_with(place, texts) for place in given}
    return tuple(
        ExternalLibrary(name=name, path=place and os.path.join(place, name), module=modules.get(place, ""))
        for name in sorted(found)
        for place in sorted(found[name]) or [""]
    )


def modules_shown(
    run: Sequence[str], build: Sequence[str], environ: Mapping[str, str], loaded: Iterable[Mapping[str, str]]
) -> Shown:
    """What asks the modules loaded to *run* and to *build*; *loaded*: the environments with them."""

    def ask() -> dict[str, str]:
        if not any(each.get("LOADEDMODULES") for each in loaded):
            return {}
        return {**shown_modules(build, environ), **shown_modules(run, environ)}

    return ask
