"""Which wide registers the code in a wheel uses (objdump). That proves nothing about the CPU it needs.

A library may choose among its instructions at run time: numpy's core library has tens of thousands with
AVX-512 registers, and runs on CPUs without.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence

#: The widest first; AVX has ymm registers, AVX-512 has zmm ones.
_REGISTERS = ("zmm", "ymm")


def count_instructions(wheel: str, paths: Sequence[str]) -> dict[tuple[str, str], int]:
    """How many instructions the ELF files at *paths* in *wheel* have with each kind of register, if any.

    By (path, register); one with several kinds counts for the widest. Raises `OSError` when objdump cannot be
    run, and what it raises of a damaged archive (`metadata.BAD_ZIP`).
    """
    counts: dict[tuple[str, str], int] = {}
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as scratch:
        copy = os.path.join(scratch, "file")
        for path in paths:
            with archive.open(path) as packed, open(copy, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
            with subprocess.Popen(
                ["objdump", "--disassemble", "--no-show-raw-insn", copy],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    register = next((each for each in _REGISTERS if each.encode() in line), None)
                    if register is not None:
                        counts[path, register] = counts.get((path, register), 0) + 1
    return counts
