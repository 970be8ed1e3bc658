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
from collections import Counter
from collections.abc import Sequence


def count_instructions(wheel: str, paths: Sequence[str]) -> Counter[tuple[str, str]]:
    """How many instructions the ELF files at *paths* in *wheel* have with each kind of register, if any.

    By (path, register); one with several kinds counts for the widest. Raises `OSError` when objdump cannot be
    run, and what it raises of a damaged archive (`BAD_ZIP`).
    """
    counts: Counter[tuple[str, str]] = Counter()
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
                    # The widest first; AVX has ymm registers, AVX-512 has zmm ones.
                    if register := next((each for each in ("zmm", "ymm") if each.encode() in line), ""):
                        counts[path, register] += 1
    return counts
