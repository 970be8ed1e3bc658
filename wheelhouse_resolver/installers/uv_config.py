"""uv's configuration: what pip's settings are called there, as variables and as a file.

uv asks `[[index]]` entries with `format = "flat"` in their order, so that the first directory wins whatever
build tags and wheel tags are there (measured with uv 0.6.17 to 0.13.9; from 0.6.11 on they are read at all).
Its find-links have no order. No variable can say `flat`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wheelhouse_resolver.utils.text import is_true

if TYPE_CHECKING:
    from wheelhouse_resolver.site.pip_table import Constraints

#: What decides which wheels pip installs, and has no like in uv.
_NOT_FOR_UV = frozenset(
    {"all-releases", "ignore-requires-python", "no-deps", "no-dependencies", "only-final"}
)

#: An index that has no projects; uv does not mind that it is not there.
_NO_INDEX = "file:///nonexistent"

#: A setting of pip: the option, and its value or values.
_Setting = tuple[str, tuple[str, ...]]


class _UvOption(NamedTuple):
    """What uv calls an option of pip.

    variable:  in its environment; the values are separated by *separator* there.
    key:       in its configuration file; empty: there is none, or it is written otherwise.
    several:   whether it is a list there.
    when_on:   the one value of an option that pip only has on or off, in both; None: it has pip's values.
    """

    variable: str
    key: str = ""
    separator: str = " "
    several: bool = True
    when_on: str | None = None


_UV_OPTIONS = {
    "build-constraint": _UvOption("UV_BUILD_CONSTRAINT"),
    "constraint": _UvOption("UV_CONSTRAINT"),
    "extra-index-url": _UvOption("UV_EXTRA_INDEX_URL", "extra-index-url"),
    "find-links": _UvOption("UV_FIND_LINKS", "find-links", separator=","),
    "index-url": _UvOption("UV_DEFAULT_INDEX", "index-url", several=False),
    "no-binary": _UvOption("UV_NO_BINARY_PACKAGE", "no-binary-package"),
    "only-binary": _UvOption("UV_NO_BUILD_PACKAGE", "no-build-package"),
    "pre": _UvOption("UV_PRERELEASE", "prerelease", when_on="allow"),
    "require-hashes": _UvOption("UV_REQUIRE_HASHES", when_on="1"),
    "trusted-host": _UvOption("UV_INSECURE_HOST", "allow-insecure-host"),
}

#: What uv calls no-binary and only-binary when they are for `:all:`.
_UV_ALL = {
    "no-binary": _UvOption("UV_NO_BINARY", "no-binary", when_on="1"),
    "only-binary": _UvOption("UV_NO_BUILD", "no-build", when_on="1"),
}

#: Options that name places to look at.
_PLACES = frozenset({"extra-index-url", "find-links", "index-url"})


def uv_variables(settings: Iterable[_Setting]) -> dict[str, str]:
    """*settings* of pip as variables for uv.

    The directories are find-links there, which obey stamps and no order.
    """
    given = dict(settings)
    places = _indexes(given)
    found = {
        option.variable: option.separator.join(values)
        for option, values in _for_uv([*places.items(), *_others(given)])
    }
    if _is_offline(given):
        # Not UV_OFFLINE: with it, what uv's cache remembers of an index still counts.
        found["UV_DEFAULT_INDEX"] = _NO_INDEX
    if "extra-index-url" in places:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


def uv_file(
    comment: str,
    settings: Iterable[_Setting],
    *,
    labels: Sequence[str] = (),
    constraints: Constraints | None = None,
    find_links: bool = False,
) -> str:
    """*settings* of pip as a configuration file of uv (`uv.toml`).

    labels:      what the first of the directories are called: they name their indexes.
    constraints: what the constraints files say.
    find_links:  name the directories as find-links, which uv before 0.6.11 needs, and which obey stamps.
    """
    given = dict(settings)
    places = _indexes(given)
    lines = [f"# {comment}"]
    flat: list[str] = []
    if find_links:
        lines += _keys(_for_uv(places.items()))
        if _is_offline(given):
            lines.append("no-index = true")
        strategy = "extra-index-url" in places
    else:
        flat = list(_entries(given, places, labels))
        if _is_offline(given) and not flat:
            lines.append("no-index = true")
        strategy = bool(flat)
    if strategy:
        lines.append('index-strategy = "unsafe-best-match"')
    lines += _keys(_for_uv(_others(given)))
    if constraints is not None:
        lines += _list("constraint-dependencies", constraints.stated)
        lines += _list("build-constraint-dependencies", constraints.build)
    lines += flat
    if is_true(given.get("require-hashes", ("no",))[0]):
        lines += ["", "[pip]", "require-hashes = true"]
    return "\n".join(lines) + "\n"


def uv_left_out(settings: Iterable[_Setting], constraints: Constraints | None, *, file: bool) -> list[str]:
    """What of *settings* uv cannot be asked for, a line each; *file*: in its configuration file."""
    names = [option for option, _ in settings]
    lost = [f"{each}: uv has no such setting" for each in names if each in _NOT_FOR_UV]
    if file and constraints is not None:
        lost += constraints.lost
    elif file:
        lost += [
            f"{each}: a uv.toml cannot name the file; set {_UV_OPTIONS[each].variable}"
            for each in names
            if each in ("constraint", "build-constraint")
        ]
    return lost


def _is_offline(given: dict[str, tuple[str, ...]]) -> bool:
    return is_true(given.get("no-index", ("no",))[0])


def _indexes(given: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The places that count, as uv wants them: of equal wheels pip takes the last index's, uv the first's."""
    found = {option: given[option] for option in given if option in _PLACES and given[option]}
    if _is_offline(given):
        return {option: values for option, values in found.items() if option == "find-links"}
    if "extra-index-url" in found:
        found["extra-index-url"] = found["extra-index-url"][::-1]
    return found


def _others(given: dict[str, tuple[str, ...]]) -> list[_Setting]:
    return [(option, values) for option, values in given.items() if option not in _PLACES]


def _for_uv(settings: Iterable[_Setting]) -> Iterator[tuple[_UvOption, tuple[str, ...]]]:
    """Those of *settings* that uv has, too, with their values for uv."""
    for name, values in settings:
        option = _UV_OPTIONS.get(name)
        if ":all:" in values:
            option = _UV_ALL.get(name, option)
        if option is None or (option.when_on and name not in _UV_ALL and not is_true(values[0])):
            continue
        yield option, (option.when_on,) if option.when_on else values


def _keys(options: Iterable[tuple[_UvOption, tuple[str, ...]]]) -> Iterator[str]:
    for (_, key, _, several, when_on), values in options:
        if key and several and when_on is None:
            yield from _list(key, values)
        elif key:
            yield f"{key} = {'true' if when_on == '1' else _quoted(values[0])}"


def _entries(
    given: dict[str, tuple[str, ...]], places: dict[str, tuple[str, ...]], labels: Sequence[str]
) -> Iterator[str]:
    links = places.get("find-links", ())
    names = _names(labels)
    for number, url in enumerate(links):
        yield from _entry(url, name=names[number] if number < len(names) else "", flat=True)
    for url in places.get("extra-index-url", ()):
        yield from _entry(url)
    if "index-url" in places:
        yield from _entry(places["index-url"][0], default=True)
    elif _is_offline(given) and links:
        # In place of the public index. It is an entry of its own, since a default of the user's beats it.
        yield from _entry(links[-1], flat=True, default=True)


def _entry(url: str, *, name: str = "", flat: bool = False, default: bool = False) -> Iterator[str]:
    yield from ("", "[[index]]")
    if name:
        yield f"name = {_quoted(name)}"
    yield f"url = {_quoted(url)}"
    if flat:
        yield 'format = "flat"'
    if default:
        yield "default = true"


def _names(labels: Iterable[str]) -> list[str]:
    """A name for the index of each label: of two with one name, uv reads the first only."""
    found: dict[str, None] = {}
    for label in labels:
        name = plain = "wheelhouse-" + re.sub(r"[^A-Za-z0-9._]+", "-", label).strip("-")
        number = 1
        while name in found:
            number += 1
            name = f"{plain}-{number}"
        found[name] = None
    return list(found)


def _list(key: str, values: Iterable[str]) -> list[str]:
    items = [f"    {_quoted(value)}," for value in values]
    return [f"{key} = [", *items, "]"] if items else []


def _quoted(text: str) -> str:
    """*text* as a TOML string in ASCII."""
    quoted = json.dumps(text, ensure_ascii=False)  # of ASCII without control characters it is one already
    return re.sub(r"[^ -~]", lambda found: f"\\U{ord(found[0]):08X}", quoted)
