from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import pytest
from packaging.version import Version

from wheelhouse_resolver.utils.serialise import from_plain, to_plain


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    name: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outer:
    text: str
    flag: bool = False
    limit: float | None = None
    words: tuple[str, ...] = ()
    inner: tuple[Inner, ...] = ()
    table: Mapping[str, str] = ()  # type: ignore[assignment]


FULL = {
    "text": "a",
    "flag": True,
    "limit": 2.5,
    "words": ["x", "y"],
    "inner": [{"name": "n", "seconds": 1.0}],
    "table": {"k": "v"},
}


def test_a_value_survives_the_way_through_json() -> None:
    value = Outer(
        text="a",
        flag=True,
        limit=2.5,
        words=("x", "y"),
        inner=(Inner(name="n", seconds=1.0),),
        table={"k": "v"},
    )
    assert to_plain(value) == FULL
    assert from_plain(Outer, FULL) == value


class Colour(Enum):
    RED = "red"


class Pair(NamedTuple):
    colour: Colour
    seen: frozenset[str]


class WithItsOwn(NamedTuple):
    version: Version
    pairs: tuple[Pair, ...] = ()

    @property
    def label(self) -> str:
        return f"v{self.version}"

    def to_dict(self) -> dict[str, Any]:
        return {**to_plain(self, "version", "label"), "number": len(self.pairs)}


def test_named_tuples_enumerations_sets_and_what_json_does_not_know() -> None:
    pair = Pair(Colour.RED, frozenset({"b", "a"}))
    assert to_plain(pair) == {"colour": "red", "seen": ["a", "b"]}
    assert to_plain(WithItsOwn(Version("1.0"), (pair,))) == {
        "version": "1.0",
        "pairs": [{"colour": "red", "seen": ["a", "b"]}],
    }


def test_what_is_in_a_value_is_as_it_says_itself() -> None:
    own = WithItsOwn(Version("1.0"))
    assert own.to_dict() == {"version": "1.0", "label": "v1.0", "number": 0}
    assert to_plain({Colour.RED: (own, None)}) == {"red": [own.to_dict(), None]}


def test_nothing_heavy_is_imported_for_it() -> None:
    code = (
        "import sys, wheelhouse_resolver.utils.serialise; print({'dataclasses', 'inspect'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n"


def test_what_is_left_out_has_its_default_and_what_is_unknown_is_left_alone() -> None:
    assert from_plain(Outer, {"text": "a", "of a later release": 1}) == Outer(text="a")


def test_a_whole_number_is_a_number() -> None:
    found = from_plain(Outer, {"text": "a", "limit": 3})
    assert (found.limit, type(found.limit)) == (3.0, float)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"text": None}, "text is a NoneType, not a str"),
        ({"flag": 1}, "flag is a int, not a bool"),
        ({"limit": True}, "limit is a bool, not a float"),
        ({"limit": "1"}, "limit is a str, not a float"),
        ({"words": "xy"}, "words is a str, not a list"),
        ({"words": ["x", 1]}, r"words\[1\] is a int, not a str"),
        ({"inner": [{}]}, r"inner\[0\].name is missing"),
        ({"inner": [{"name": "n", "seconds": []}]}, r"inner\[0\].seconds is a list, not a float"),
        ({"table": {"k": 1}}, "table.k is a int, not a str"),
        ({"table": []}, "table is a list, not a dict"),
    ],
    ids=lambda each: str(each) if isinstance(each, dict) else "",
)
def test_what_is_wrong_is_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        from_plain(Outer, {**FULL, **change})


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_what_is_no_table_is_no_value(data: Any) -> None:
    with pytest.raises(ValueError, match=r"^it is a"):
        from_plain(Outer, data)
