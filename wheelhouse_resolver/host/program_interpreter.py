"""Which program interpreter (`ld-linux`) an executable asks for: it names the layer that built it."""

from __future__ import annotations

import os
from typing import NamedTuple

from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.utils import cache


class Interpreter(NamedTuple):
    """Where a Python is from: the evidence that it is for its layer.

    executable:          the real path of its binary.
    program_interpreter: what its ELF header asks for; None for a static binary or a script.
    base_prefix:         where it is installed (of a virtual environment: of the Python below it).
    """

    executable: str
    program_interpreter: str | None
    base_prefix: str | None


class NotElfError(ValueError):
    """The file is not an ELF file, or a damaged one. Its text says which."""


def program_interpreter(path: str) -> str | None:
    """The ELF program interpreter of the executable at *path*; None for a static one.

    Raises `NotElfError` for a script, a damaged or an unreadable file. The answer is remembered.
    """
    try:
        answer = cache.get_for_file("elf", path, lambda: _read(path))
    except OSError as error:  # not remembered: permissions change without the file
        raise NotElfError(f"{path}: {reason_of(error)}") from error
    if "problem" in answer:
        raise NotElfError(f"{path}: {answer['problem']}")
    found: str | None = answer["interpreter"]
    return found


def _read(path: str) -> dict[str, str | None]:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import InterpSegment

    try:
        with open(path, "rb") as file:
            if file.read(4) != b"\x7fELF":
                return {"problem": "not an ELF file"}
            for segment in ELFFile(file).iter_segments("PT_INTERP"):
                if isinstance(segment, InterpSegment):
                    return {"interpreter": os.fsdecode(segment.get_interp_name())}
            return {"interpreter": None}
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged header makes pyelftools raise what it meets first
        return {"problem": f"a damaged ELF file ({type(error).__name__})"}
