"""uv's settings, and which of them are in force for `uv pip` (measured with uv 0.13.9).

Variables beat files. Among files, the project's beats the user's, and that the machine's; but what any
`[pip]` table says beats what all say outside of one. Lists are not replaced: uv joins them, the strongest
first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class UvIndex(NamedTuple):
    """An index of uv.

    name:    empty for none. url: masked.
    flat:    whether it is a directory of files (`format = "flat"`).
    default: whether it takes the place of the public index.
    dated:   whether `exclude-newer` counts for it.
    last:    whether it is asked after all `[[index]]`: an `extra-index-url` in a file.
    """

    url: str
    name: str = ""
    flat: bool = False
    default: bool = False
    dated: bool = True
    last: bool = False


class UvSetting(NamedTuple):
    """One setting of uv.

    where:   the variable, or the option and its file. file: empty for a variable.
    in_pip:  whether it is in the table `[pip]`.
    indexes: what the values of `index` are.
    """

    option: str
    values: tuple[str, ...]
    where: str
    variable: str = ""
    file: str = ""
    in_pip: bool = False
    indexes: tuple[UvIndex, ...] = ()


class UvFile(NamedTuple):
    """A configuration file that uv reads. *kind*: `UV_CONFIG_FILE`, `project`, `user`, `machine`."""

    kind: str
    path: str


class AskedIndex(NamedTuple):
    """An index that uv asks, and the *setting* that has this *entry* for it."""

    entry: UvIndex
    setting: UvSetting


def uv_setting(settings: Iterable[UvSetting], option: str) -> UvSetting | None:
    """The setting of *option*, of one value, that is in force; *settings*: the strongest first."""
    found = [each for each in settings if each.option == option]
    return min(found, key=lambda each: (not each.variable, not each.in_pip), default=None)


def asked_indexes(settings: Iterable[UvSetting]) -> list[AskedIndex]:
    """The indexes that uv asks, in its order; *settings*: the strongest first.

    Of two with one name the first counts, and of the defaults, which is asked last.
    """
    every = [AskedIndex(entry, each) for each in settings for entry in each.indexes]
    names: set[str] = set()
    found: list[AskedIndex] = []
    for each in every:
        if each.entry.name not in names:
            found.append(each)
        names |= {each.entry.name} - {""}
    defaults = [each for each in found if each.entry.default]
    # A default among [[index]] beats an `index-url` in any file.
    defaults.sort(key=lambda each: each.entry.last)
    others = [each for each in found if not each.entry.default]
    return [*sorted(others, key=lambda each: each.entry.last), *defaults[:1]]


def hidden_indexes(settings: Iterable[UvSetting]) -> list[tuple[UvIndex, AskedIndex]]:
    """The indexes that uv does not ask because of another one with their name, and that one."""
    every = [AskedIndex(entry, each) for each in settings for entry in each.indexes if entry.name]
    first = {each.entry.name: each for each in reversed(every)}
    return [(each.entry, first[each.entry.name]) for each in every if each != first[each.entry.name]]
