"""A site's [pip] table as `pip install` reads it, and what no site may put there.

pip applies [global] first and then [install]; of an option that collects names (`no-binary`) it applies both,
of any other the last one counts (measured with pip 20.2 to 26.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wheelhouse_resolver.utils.text import is_true

#: Other names that pip has for an option.
_ALIASES = {"no-dependencies": "no-deps", "only-dependencies": "only-deps"}

_FLAGS = (
    *("ignore-requires-python", "no-deps", "no-index", "no-require-hashes", "only-deps", "pre"),
    *("prefer-binary", "require-hashes"),
)

#: What is collected: names of projects, `:all:` and `:none:`.
_COLLECTED = ("all-releases", "no-binary", "only-binary", "only-final")

_ONE_PYTHON = "pip would choose wheels for it whatever Python runs pip, and refuses most installs"
_MORE = "pip would install this with every `pip install`"

#: What pip refuses together, if both are on.
_EXCLUDED = (("pre", "all-releases"), ("pre", "only-final"), ("require-hashes", "no-require-hashes"))

#: What pip takes for on or off.
_TRUTHS = frozenset({"y", "yes", "t", "true", "on", "1", "n", "no", "f", "false", "off", "0"})

#: What decides which wheels are installed and belongs to no site, and why.
_REFUSED = {
    **dict.fromkeys(("abi", "implementation", "platform", "python-version"), _ONE_PYTHON),
    **dict.fromkeys(("editable", "group", "requirement", "requirements-from-script"), _MORE),
    "only-deps": "pip would install what a project needs, and never the project",
    "python": "pip would install into that Python whatever Python runs pip",
}


class Constraints(NamedTuple):
    """What constraints files say, as lines that uv reads in a configuration file.

    stated: of the files of `constraint`. build: of those of `build-constraint`.
    lost:   what no such line can say, or would be refused, each with its place and why.
    """

    stated: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def install_settings(table: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The settings of *table* that `pip install` reads, in its order: (key of the site file, option, value).

    An option has pip's first name for it. Empty values are left out, as pip leaves them out.
    """
    own = table.get("install")
    for header, section in (("pip", table), ("pip.install", own)):
        for key, value in section.items() if isinstance(section, Mapping) else ():
            if value not in ("", ()) and not isinstance(value, Mapping):
                option = key.replace("_", "-")
                yield f"[{header}] {key}", _ALIASES.get(option, option), value


def values_of(value: Any) -> list[str]:
    """Each of a setting's values, as text: numbers and truth values as pip reads them."""
    items = value if isinstance(value, (tuple, list)) else (value,)
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in items]


def words_of(value: Any) -> list[str]:
    """The names that a setting lists, separated by commas."""
    return [word.strip() for text in values_of(value) for word in text.split(",") if word.strip()]


def constraint_files(table: Mapping[str, Any], name: str = "constraint") -> list[str]:
    """The constraints files that `pip install` reads for the option *name*, as paths or URLs."""
    found: list[str] = []
    for _, option, value in install_settings(table):
        if option == name:
            found = [place for text in values_of(value) for place in _places(text)]
    return found


def _places(text: str) -> Iterable[str]:
    # pip splits at white space; a path that holds some is written as a URL.
    words = text.split()
    return words if all(word.startswith("/") or ":/" in word for word in words) else [text]


def pip_problems(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with *table*, as (key of a site file, problem) pairs."""
    settings = list(install_settings(table))
    in_force = {option: value for _, option, value in settings}
    keys = {option: key for key, option, _ in settings}
    for key, option, value in settings:
        if option in _FLAGS and not _is_truth(value):
            yield key, "is on or off: pip refuses any other value"
        elif option in _REFUSED and not (option in _FLAGS and not _is_on(value)):
            yield key, _REFUSED[option]
        elif option in _COLLECTED and any(text.startswith("-") for text in values_of(value)):
            yield key, "lists projects: pip refuses what begins with `-`"
        elif option == "use-deprecated" and "legacy-resolver" in " ".join(values_of(value)).split():
            yield key, "the old resolver installs what does not fit together: neither pick nor lock knows it"
    for one, other in _EXCLUDED:
        both = _is_on(in_force.get(one, False)) and other in in_force
        if both and (other in _COLLECTED or _is_on(in_force[other])):
            yield keys[one], f"pip refuses it together with {other}"


def _is_truth(value: Any) -> bool:
    (text, *more) = values_of(value)
    return not more and text.lower() in _TRUTHS


def _is_on(value: Any) -> bool:
    return all(map(is_true, values_of(value)))
