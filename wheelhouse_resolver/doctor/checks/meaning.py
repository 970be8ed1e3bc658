"""What settings mean, however they are spelled, and whether the site means them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name

from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.utils.redact import redact

#: How pip's flags say on and off.
_TRUTHS = {
    **dict.fromkeys(("y", "yes", "t", "true", "on", "1"), "true"),
    **dict.fromkeys(("n", "no", "f", "false", "off", "0"), "false"),
}


def words_in(value: object) -> frozenset[str]:
    """The words of *value*, in lower case; of several values, those of all."""
    items = value if isinstance(value, tuple) else (value,)
    return frozenset(word for each in items for word in re.split(r"[\s,]+", str(each).lower()) if word)


def meaning(facts: EnvironmentFacts, value: object) -> frozenset[str]:
    """What *value* says, the same however it is spelled: order, places, names of projects, on and off."""
    items = value if isinstance(value, tuple) else (value,)
    places = facts.pip.places
    words = [word for each in items for word in re.split(r"\s+", redact(str(each))) if word]
    if any(word in places for word in words):
        return frozenset(places.get(word, word) for word in words)
    return frozenset(_TRUTHS.get(word, canonicalize_name(word)) for word in words_in(value))


def is_wanted(facts: EnvironmentFacts, option: str, value: str) -> bool:
    """Whether the site itself asks for that *value* of an *option* in its `[pip]` table."""
    table = facts.site.site.pip
    section = table.get("install")
    return any(
        name.replace("_", "-") == option and meaning(facts, wanted) == meaning(facts, value)
        for each in (table, section if isinstance(section, Mapping) else {})
        for name, wanted in each.items()
    )
