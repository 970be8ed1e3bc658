"""What one sees on a terminal: lines above the progress bar, long lines wrapped, what an interrupt leaves."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.factories import clean_environ, make_wheel
from tests.wheelhouse import WheelhouseFixture
from wheelhouse_resolver.cli import output
from wheelhouse_resolver.cli.main import main
from wheelhouse_resolver.cli.output import wrapped

WHEEL = "demo{}-1.0-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def screen(data: str) -> list[str]:
    """The lines that a terminal shows of *data*, in which a carriage return goes back to the line's begin."""
    lines = []
    for text in data.replace("\r\n", "\n").split("\n"):
        line = ""
        for part in text.split("\r"):
            line = part + line[len(part) :]
        lines.append(line.rstrip())
    return lines


def on_terminal(*arguments: str) -> list[str]:
    """The lines of a command whose standard output and error are a terminal of 80 columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    environ = {name: value for name, value in clean_environ(TERM="xterm").items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [sys.executable, "-m", "wheelhouse_resolver", *arguments],
        env={**environ, "TQDM_MININTERVAL": "0"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    data = b""
    with suppress(OSError):  # Linux says so when the other end is closed
        while more := os.read(ours, 65536):
            data += more
    os.close(ours)
    assert process.wait() == 0, data
    assert b"restamping" in data
    return screen(data.decode())


def test_the_lines_of_a_restamp_go_above_its_bar(house: WheelhouseFixture) -> None:
    for number in range(4):
        house.add("gentoo/avx2", WHEEL.format(number))
    lines = on_terminal("restamp", "--root", str(house.root))
    stamped = [f"stamped  {house.root}/{each}" for each in house.wheels()]
    assert lines[:4] == stamped
    assert lines[4].startswith("4 wheels rewritten (")
    assert lines[-1] == ""
    assert not any("restamping" in line for line in lines)


# -- wrapping ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("one two three four five six", ["one two three four", "    five six"]),
        (
            "see /a/path/that/is/longer-than-the-line now",
            ["see", "    /a/path/that/is/longer-than-the-line", "    now"],
        ),
        (
            "run `wheelhouse-resolver audit --root /x`, then",
            ["run", "    `wheelhouse-resolver audit --root /x`,", "    then"],
        ),
        (
            "  fix: wheelhouse-resolver audit --root /x",
            ["  fix: wheelhouse-resolver audit --root /x"],
        ),
        ("chmod -R a+rX /a/long/path/of/a/wheel", ["chmod -R a+rX /a/long/path/of/a/wheel"]),
        ("unknown key 'a b c d e f g h' in it", ["unknown key", "    'a b c d e f g h'", "    in it"]),
        ("first\n  second line is longer", ["first", "  second line is", "      longer"]),
    ],
    ids=["fits", "words", "path", "quoted-command", "fix", "command", "quoted", "lines"],
)
def test_words_are_wrapped_and_names_and_commands_are_not(text: str, lines: list[str]) -> None:
    assert wrapped(text, 18).split("\n") == lines
    assert wrapped(text, None) == text


class Terminal(io.StringIO):
    """What claims to be one."""

    def isatty(self) -> bool:
        return True


def test_messages_are_wrapped_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    for stream, lines in ((Terminal(), 4), (io.StringIO(), 1)):
        monkeypatch.setattr(sys, "stderr", stream)
        output.warn(["words " * 12])
        assert stream.getvalue().count("\n") == lines
        assert max(map(len, stream.getvalue().split("\n"))) <= 30 or lines == 1


# -- interrupts --------------------------------------------------------------------------------------------

#: (command, what is interrupted when it is called the second time, what is said).
_INTERRUPTED = [
    ("restamp", "publishing.restamp place", "1 stamped; run it again to continue"),
    ("publish a b --to nix/avx2", "publishing.publish place", "1 placed; run it again to continue"),
    ("withdraw x y", "publishing.trash move_to_trash", "1 withdrawn; run it again to continue"),
    ("restore x y", "publishing.trash put_back", "1 restored; run it again to continue"),
    (
        "audit --jobs 1",
        "audit.files check_file",
        "looked at 1 of 2 wheels; nothing was changed, run it again",
    ),
    ("view --output v", "publishing.view _link", "1 link made, 0 kept, 0 removed; run it again to continue"),
    (
        "index --jobs 1 --output i",
        "static_index.run read_file",
        "read 1 of 2 files; run it again to continue",
    ),
    (
        "pip-conf --all --output-dir d",
        "installers.static_files write_text",
        "1 file written, 0 kept; run it again to continue",
    ),
    (
        "relabel a b --local-label x --output-dir d",
        "cli.commands.relabel relabel",
        "1 of 2 wheels edited; run it again to continue",
    ),
    (
        "lock demox demoy --arch avx2 --layer gentoo --python 3.11",
        "selection.policy policy_key",
        "nothing was written; run it again",
    ),
]


@pytest.mark.parametrize(
    ("command", "where", "left"), _INTERRUPTED, ids=[each[0].split()[0] for each in _INTERRUPTED]
)
def test_an_interrupt_says_what_is_done_and_it_can_be_run_again(
    house: WheelhouseFixture,
    command: str,
    where: str,
    left: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {each: house.add("gentoo/avx2", WHEEL.format(each)).name for each in "xy"}
    names |= {each: str(make_wheel(house.inbox, WHEEL.format(each))) for each in "ab"}
    words = [names.get(word, word) for word in command.split()]
    words += ["--root", str(house.root)] * (words[0] != "relabel")
    monkeypatch.chdir(house.inbox)
    if words[0] == "restore":
        assert main(["withdraw", *words[1:]]) == 0
    capsys.readouterr()
    room, name = where.split()
    module = import_module(f"wheelhouse_resolver.{room}")
    real, calls = getattr(module, name), 0

    def stop(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    monkeypatch.setattr(module, name, stop)
    assert main(words) == 130
    assert capsys.readouterr().err == f"interrupted: {left}\n"
    assert main(words) == 0
