"""The commands that errors of publishing name can be run as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wheelhouse import Done, WheelhouseFixture, everything_below

PLAIN = "demo-1.0-cp311-cp311-linux_x86_64.whl"
PURE = "demo-1.0-py3-none-any.whl"
STAMPED = "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def one(marks: str) -> dict[str, dict[str, bytes]]:
    """Options for a wheel whose content is *marks*."""
    return {"files": {"demo.py": f"MARK = {marks!r}\n".encode()}}


def hinted(error: str) -> list[str]:
    """The commands in the hint of an error that was printed."""
    (hint,) = [line for line in error.splitlines() if line.startswith("hint: ")]
    return re.findall(r"`(wheelhouse-resolver .*?)`", hint)


def taken(house: WheelhouseFixture) -> Done:
    house.add("gentoo/avx2", STAMPED, **one("other"))
    return house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2", "--local-label=")


def withdrawn(house: WheelhouseFixture) -> Done:
    house.add("gentoo/avx2", STAMPED, **one("other"))
    house.run("withdraw", STAMPED)
    return house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2")


def inverted(house: WheelhouseFixture) -> Done:
    house.add("generic", "demo-1.0-1000generic-cp311-cp311-manylinux_2_17_x86_64.whl")
    return house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2")


def spelled_otherwise(house: WheelhouseFixture) -> Done:
    house.add("gentoo/avx2", f"D{STAMPED[1:]}")
    return house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2")


def unstamped(house: WheelhouseFixture) -> Done:
    house.add("generic", PLAIN)
    return house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2", "--no-restamp")


def compiled(house: WheelhouseFixture) -> Done:
    return house.run("publish", house.wheel(PLAIN))


def restored(house: WheelhouseFixture) -> Done:
    house.add("generic", PURE)
    house.run("withdraw", PURE)
    house.add("generic", PURE)
    return house.run("restore", PURE)


def stamped_beside(house: WheelhouseFixture) -> Done:
    house.publish(house.wheel(PURE, **one("stamped")))
    house.add("generic", PURE, **one("unstamped"))
    return house.run("restamp")


def inverted_for_good(house: WheelhouseFixture) -> Done:
    house.add("generic", "demo-1.0-1000generic-cp311-abi3-linux_x86_64.whl")
    house.add("gentoo/avx2", "demo-1.0-400000avx2-cp311-none-any.whl")
    return house.run("restamp", "--retag")


@pytest.mark.parametrize(
    ("case", "count"),
    [(taken, 2), (withdrawn, 2), (inverted, 2), (spelled_otherwise, 2), (unstamped, 1), (compiled, 1),
     (restored, 1), (stamped_beside, 1), (inverted_for_good, 1)],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
@pytest.mark.parametrize("with_config", [False, True], ids=["root", "config"])
def test_each_command_in_a_hint_can_be_run_as_it_is(
    house: WheelhouseFixture, case: Callable[[WheelhouseFixture], Done], count: int, with_config: bool
) -> None:
    house.move(house.root.parent / "a place; of 'its own'")
    if with_config:
        house.use_config(f'root = "{house.root}"\n')
    commands = hinted(case(house).err)
    assert len(commands) == count
    for number, command in enumerate(commands):
        if number:
            house.empty()
            assert hinted(case(house).err) == commands
        before = everything_below(house.root)
        done = house.shell(command)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert (everything_below(house.root) == before) == (" classify " in command)
