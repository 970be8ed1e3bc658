from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.host.binaries import copy_of_true, hand_made_elf, script
from wheelhouse_resolver.host import program_interpreter as module
from wheelhouse_resolver.host.program_interpreter import NotElfError, program_interpreter


@pytest.mark.parametrize(
    "asked",
    [
        "/lib64/ld-linux-x86-64.so.2",
        "/nix/store/1k3b0s9v-glibc-2.37-8/lib/ld-linux-x86-64.so.2",
        "/cvmfs/soft.example.org/gentoo/2020/lib64/ld-linux-x86-64.so.2",
        "/" + "deep/" * 100 + "ld.so",
        "/ü b/%/ld.so",
    ],
    ids=["plain", "nix", "gentoo-prefix", "long", "hostile"],
)
def test_the_program_interpreter_of_a_real_binary(asked: str, tmp_path: Path) -> None:
    assert program_interpreter(str(copy_of_true(tmp_path / "true", asked))) == asked


@pytest.mark.parametrize(
    ("bits", "byte_order"), [(64, "<"), (64, ">"), (32, "<")], ids=["x86-64", "big-endian", "32-bits"]
)
def test_the_program_interpreter_of_every_kind_of_elf(bits: int, byte_order: str, tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(hand_made_elf(b"/nix/ld.so", bits=bits, byte_order=byte_order))
    assert program_interpreter(str(path)) == "/nix/ld.so"


def test_a_static_executable_has_no_program_interpreter(tmp_path: Path) -> None:
    path = tmp_path / "static"
    path.write_bytes(hand_made_elf())
    assert program_interpreter(str(path)) is None


def test_a_symbolic_link_is_what_it_points_to(tmp_path: Path) -> None:
    copy_of_true(tmp_path / "true", "/nix/ld.so")
    (tmp_path / "link").symlink_to("true")
    assert program_interpreter(str(tmp_path / "link")) == "/nix/ld.so"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"", "not an ELF file"),
        (b"\x7fEL", "not an ELF file"),
        (b"\x7fELF", "a damaged ELF file"),
        (b"\x7fELF" + b"\xff" * 100, "a damaged ELF file"),
        (b"\x7fELF" + bytes(100), "a damaged ELF file"),
        (hand_made_elf()[:40], "a damaged ELF file"),
        (hand_made_elf(b"/nix/ld.so")[:80], "a damaged ELF file"),
        (hand_made_elf(b"/nix/\xff/ld.so"), "a damaged ELF file"),
    ],
    ids=[
        "script",
        "empty",
        "magic-cut-off",
        "magic-alone",
        "all-ones",
        "all-zeros",
        "header-cut-off",
        "segment-cut-off",
        "interpreter-not-utf-8",
    ],
)
def test_what_is_no_sound_elf_file_is_an_error_that_says_so(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(NotElfError) as caught:
        program_interpreter(str(path))
    assert str(caught.value).startswith(f"{path}: {problem}")


def test_a_script_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotElfError, match="not an ELF file"):
        program_interpreter(str(script(tmp_path / "python", '#!/bin/sh\nexec python3 "$@"\n')))


@pytest.mark.parametrize(
    ("name", "problem"),
    [("missing", "No such file or directory"), (".", "Is a directory")],
    ids=["missing", "directory"],
)
def test_what_cannot_be_read_is_an_error(name: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(NotElfError, match=problem):
        program_interpreter(str(tmp_path / name))


_SOUND = hand_made_elf(b"/nix/store/x-glibc/lib/ld-linux-x86-64.so.2")


@given(
    cut=st.integers(0, len(_SOUND)),
    changes=st.lists(st.tuples(st.integers(4, len(_SOUND) - 1), st.integers(0, 255)), max_size=6),
    more=st.binary(max_size=20),
)
@example(cut=len(_SOUND), changes=[(54, 0), (56, 254), (57, 255)], more=b"")  # 65278 segments of no size
@example(  # more segments than their field can count: the number is in the first section, here 0xffffffff
    cut=len(_SOUND),
    changes=[(54, 0), (56, 255), (57, 255), (40, 100)],
    more=b"\xff" * 200,
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_damaged_the_only_error_is_that_it_is_no_elf(
    tmp_path: Path, cut: int, changes: list[tuple[int, int]], more: bytes
) -> None:
    content = bytearray(_SOUND)
    for place, byte in changes:
        content[place] = byte
    path = tmp_path / "file"
    path.write_bytes(bytes(content[:cut]) + more)
    try:
        found = module._read(str(path))
    except OSError:
        return  # program_interpreter tells it as its own error
    assert set(found) in ({"problem"}, {"interpreter"})


def test_the_answer_is_remembered_while_the_file_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy_of_true(tmp_path / "true", "/nix/ld.so")
    program_interpreter(str(path))
    monkeypatch.setattr(module, "_read", lambda _: {"interpreter": "read again"})
    assert program_interpreter(str(path)) == "/nix/ld.so"
    os.utime(path, ns=(1, 1))
    assert program_interpreter(str(path)) == "read again"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_becomes_readable_is_read(tmp_path: Path) -> None:
    path = copy_of_true(tmp_path / "true", "/nix/ld.so")
    path.chmod(0o111)
    with pytest.raises(NotElfError, match="Permission denied"):
        program_interpreter(str(path))
    path.chmod(0o755)
    assert program_interpreter(str(path)) == "/nix/ld.so"


@pytest.mark.skipif(sys.platform != "linux", reason="ELF is what Linux runs")
def test_the_running_python_has_a_program_interpreter_that_exists() -> None:
    found = program_interpreter(os.path.realpath(sys.executable))
    assert found is None or os.path.exists(found)
