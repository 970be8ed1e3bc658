"""Whether the parts of a site fit each other: known names, rising ranks, paths below the root; and pip."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise, product

from wheelhouse_resolver.site.layout import BUILTIN_LADDER, GENERIC, NO_LAYER, Arch, Layer, SiteFields
from wheelhouse_resolver.site.pip_table import pip_problems
from wheelhouse_resolver.site.ranks import BASE_BAND, LAYER_RANK, assign_ranks, rank_offsets
from wheelhouse_resolver.utils.text import invalid_character, suggest_name

#: Build numbers are rank * 1000 and more, and uv drops a wheel whose build number exceeds 64 bits.
HIGHEST_RANK = 10**9

#: Of an arch where there are bases: each root's ranks stay in a band, with room for the layers' directories.
HIGHEST_WITH_BASES = BASE_BAND - 1000

#: Names end up in file names and build tags.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_Problems = Iterator[tuple[str, str]]


def site_problems(site: SiteFields) -> tuple[tuple[str, str], ...]:
    """Everything that is wrong with *site*, as (key of a site file, problem) pairs."""
    found = [*_root_problems(site.root)]
    if problem := _invalid_path(site.generic):
        found.append(("generic", problem))
    if site.ladder is not BUILTIN_LADDER:
        found += _ladder_problems(site.ladder)
    for number, layer in enumerate(site.layers):
        found += _layer_problems(layer, site)
        if layer.name in [each.name for each in site.layers[:number]]:
            found.append((f"[[layer]] {layer.name!r}", "is listed twice"))
    if not found:
        found += _joint_problems(site)
    return (
        *found,
        *_search_problems(site.search, [arch.name for arch in site.ladder]),
        *pip_problems(site.pip),
        *(problem for number in range(len(site.bases)) for problem in _base_problems(site, number)),
    )


def invalid_name(name: str, reserved: str) -> str | None:
    """Why *name* cannot be one of a site's; None when it can. *reserved*: one that means something else."""
    if _NAME.fullmatch(name) and name != reserved:
        return None
    return f"invalid name {name!r} (letters, digits, `.`, `_`, `-`; not {reserved!r})"


def _invalid_path(directory: str) -> str | None:
    """Why *directory* cannot be one of a site's; None when it can. `.` is the root."""
    # One spelling for each directory: two of them would be ranked apart.
    if directory == "." or {"", ".", ".."}.isdisjoint(directory.split("/")):
        return None
    return f"{directory!r} is not a plain path below the root"


def _root_problems(root: str) -> _Problems:
    if problem := invalid_character(root):
        yield "root", f"{root!r} cannot be used: {problem}"
    elif not os.path.isabs(root):
        yield "root", f"{root!r} is not an absolute path"


def _ladder_problems(ladder: tuple[Arch, ...]) -> _Problems:
    from wheelhouse_resolver.site.microarchitectures import vocabulary

    words = vocabulary()
    for number, arch in enumerate(ladder):
        key = f"[[arch]] {arch.name!r}"
        if problem := invalid_name(arch.name, GENERIC):
            yield f"{key}.name", problem
        if arch.name in [each.name for each in ladder[:number]]:
            yield key, "is listed twice"
        if (arch.target is None) == (not arch.features):
            yield key, "needs either `target` or `features`"
        if arch.target is not None and arch.target not in words.families:
            yield f"{key}.target", suggest_name("archspec microarchitecture", arch.target, words.families)
        for feature in arch.features:
            if feature not in words.features:
                yield f"{key}.features", suggest_name("archspec feature", feature, words.features)
        if arch.rank > HIGHEST_RANK:
            yield f"{key}.rank", f"{arch.rank} is above {HIGHEST_RANK}"
    try:
        assign_ranks([(arch.name, arch.rank) for arch in ladder])
    except ValueError as error:
        yield "[[arch]]", str(error)


def _layer_problems(layer: Layer, site: SiteFields) -> _Problems:
    key, names = f"[[layer]] {layer.name!r}", [arch.name for arch in site.ladder]
    if problem := invalid_name(layer.name, NO_LAYER):
        yield f"{key}.name", problem
    if not layer.directories or len({*layer.directories}) < len(layer.directories):
        yield f"{key}.directories", "must name at least one directory, each once"
    for directory in layer.directories:
        if problem := _invalid_path(directory):
            yield f"{key}.directories", problem
    for arch in layer.archs:
        if arch not in (*names, GENERIC):
            yield f"{key}.archs", suggest_name("arch", arch, names)
    for arch, directory in layer.names:
        if arch not in (*names, GENERIC):
            yield f"{key}.names", suggest_name("arch", arch, names)
        if not all(map(_NAME.fullmatch, directory.split("/"))):
            yield f"{key}.names", f"invalid directory name {directory!r}"
        if directory in names and directory != arch:
            yield f"{key}.names", f"{directory!r} is another arch of the ladder, not {arch!r}"
    for leaf, count in Counter(layer.name_of(name, site.generic) for name in (*names, GENERIC)).items():
        if count > 1:
            yield f"{key}.names", f"two archs would share the directory {leaf!r}"


def _joint_problems(site: SiteFields) -> _Problems:
    """What is wrong between layers that are fine by themselves."""
    if sum(layer.default for layer in site.layers) > 1:
        yield "[[layer]]", "more than one layer says `default = true`"
    meant = {site.generic: GENERIC}
    for layer in site.layers:
        own = (*layer.archs, GENERIC) if layer.generic else layer.archs
        for above, arch in product(layer.directories, own):
            # A directory that layers share is of one arch, so that it has one rank.
            leaf = os.path.normpath(f"{above}/{layer.name_of(arch, site.generic)}")
            if meant.setdefault(leaf, arch) != arch:
                problem = f"{leaf!r} is {arch} here and {meant[leaf]} in another layer"
                yield f"[[layer]] {layer.name!r}.names", problem
    try:
        room = max(rank_offsets(site.layers).values(), default=0)
    except ValueError as error:
        yield "[[layer]] directories", str(error)
        return
    ranks = [(GENERIC, LAYER_RANK), *((arch.name, arch.rank) for arch in site.ladder)]
    for (lower, low), (upper, high) in pairwise(ranks):
        if high - low <= room:
            yield (
                "[[arch]]",
                f"between the ranks of {lower!r} ({low}) and {upper!r} ({high}) there must be room "
                f"for the {room + 1} directories that a layer searches side by side",
            )


def _base_problems(site: SiteFields, number: int) -> _Problems:
    base, others = site.bases[number], site.bases[:number]
    key = f"[[base]] {base.name!r}"
    if problem := invalid_name(base.name, GENERIC):
        yield f"{key}.name", problem
    if base.name in [each.name for each in others]:
        yield key, "is listed twice"
    own = ((d, each, a) for each in site.layers for d in each.directories for a in (*each.archs, GENERIC))
    labels = [site.generic, *(f"{d}/{each.name_of(a, site.generic)}" for d, each, a in own)]
    if base.name in [os.path.normpath(each).split("/")[0] for each in labels]:
        yield f"{key}.name", f"{base.name!r} is a directory of this site's own"
    for root in (site.root, *(each.root for each in others)):
        # What is above and what is below must be known apart, by the paths alone.
        if all(map(os.path.isabs, (root, base.root))) and os.path.commonpath([root, base.root]) in (
            root,
            base.root,
        ):
            yield f"{key}.root", f"{base.root!r} and {root!r} must not be within each other"
    for below, problem in site_problems(site.below(base)):
        yield f"{key}: {below}", problem
    for whose, ladder in (("", site.ladder if number == 0 else ()), (f"{key}: ", base.ladder)):
        for arch in ladder:
            if arch.rank > HIGHEST_WITH_BASES:
                problem = f"{arch.rank} is above {HIGHEST_WITH_BASES}, the highest where there are bases"
                yield f"{whose}[[arch]] {arch.name!r}.rank", problem


def _search_problems(search: Mapping[str, tuple[str, ...]], names: list[str]) -> _Problems:
    for arch, searched in search.items():
        if arch not in names:
            yield f"[search] {arch}", suggest_name("arch", arch, names)
        for each in searched:
            if each not in (*names, GENERIC):
                yield f"[search] {arch}", suggest_name("arch", each, names)
            elif each != GENERIC and arch in names and names.index(each) > names.index(arch):
                yield f"[search] {arch}", f"{each!r} is above {arch!r}: such a host cannot run it"
