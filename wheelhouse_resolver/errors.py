"""The errors of this library.

Every error that a caller may want to catch derives from `WheelhouseError` and also from the standard
exception that comes nearest, carries what it speaks of as attributes, prints as one line that says what,
where and what to do, and survives pickling.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "CpuinfoError",
    "FileProblemError",
    "InvalidRequirementError",
    "LockNameError",
    "MissingDirectoryError",
    "NoWheelhouseError",
    "OutputError",
    "PythonError",
    "RequirementsFileError",
    "SiteFileError",
    "TooComplexError",
    "UnknownArchError",
    "UnknownLayerError",
    "UnreadableDirectoryError",
    "UnreadableWheelError",
    "UnsafeValueError",
    "WheelhouseError",
    "reason_of",
]


def printable(text: object) -> str:
    """*text* on one line: control characters and undecodable bytes are written as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(text)
    )


def reason_of(error: OSError) -> str:
    """What the operating system said, without Python's decoration (`Permission denied`)."""
    return error.strerror or str(error) or type(error).__name__


class WheelhouseError(Exception):
    """The base of all errors of this library; its text is one line."""


class SiteFileError(WheelhouseError, ValueError):
    """A site file that cannot be used.

    Attributes: *path* of the file, *problem* in words, *line* (1-based) where it is known.
    """

    def __init__(self, path: str, problem: str, line: int | None = None) -> None:
        super().__init__(path, problem, line)
        self.path = path
        self.problem = problem
        self.line = line

    def __str__(self) -> str:
        where = printable(self.path) + (f", line {self.line}" if self.line is not None else "")
        return f"{where}: {printable(self.problem)}"


class FileProblemError(WheelhouseError):
    """Something is wrong with one file or directory. Attributes: *path*, *problem* in words."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{printable(self.path)}: {printable(self.problem)}"


class _UnknownNameError(WheelhouseError, LookupError):
    _kind = "name"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name = name
        self.known = tuple(known)

    def __str__(self) -> str:
        known = printable(", ".join(self.known))
        return f"unknown {self._kind} {self.name!r}: this site knows {known}"


class UnknownArchError(_UnknownNameError):
    """An arch that the site's ladder does not have. Attributes: *name*, *known*."""

    _kind = "arch"


class UnknownLayerError(_UnknownNameError):
    """A layer that the site does not have. Attributes: *name*, *known*."""

    _kind = "layer"


class NoWheelhouseError(WheelhouseError, FileNotFoundError):
    """No wheelhouse at the root. Attributes: *root* (None when none was found), *problem*."""

    def __init__(self, root: str | None, problem: str) -> None:
        super().__init__(root, problem)
        self.root = root
        self.problem = problem

    def __str__(self) -> str:
        where = f"wheelhouse {printable(self.root)}: " if self.root is not None else ""
        return where + printable(self.problem)


class UnreadableDirectoryError(FileProblemError, OSError):
    """A directory of the search path that cannot be listed. Attributes: *path*, *problem*."""

    def __str__(self) -> str:
        return (
            f"cannot list {printable(self.path)}: {printable(self.problem)}; "
            "make it readable for the users of the wheelhouse"
        )


class UnsafeValueError(WheelhouseError, ValueError):
    """A value that cannot be written so that pip, uv or a shell reads it back unchanged.

    Attributes: *what* (the key or path it belongs to), *value*, *problem*.
    """

    def __init__(self, what: str, value: str, problem: str) -> None:
        super().__init__(what, value, problem)
        self.what = what
        self.value = value
        self.problem = problem

    def __str__(self) -> str:
        return f"cannot write {printable(self.what)} {self.value!r} safely: {printable(self.problem)}"


class InvalidRequirementError(WheelhouseError, ValueError):
    """A requirement that cannot be understood or served. Attributes: *text*, *problem*, *where*."""

    def __init__(self, text: str, problem: str, where: str | None = None) -> None:
        super().__init__(text, problem, where)
        self.text = text
        self.problem = problem
        self.where = where

    def __str__(self) -> str:
        where = f"{printable(self.where)}: " if self.where else ""
        return f"{where}invalid requirement {self.text!r}: {printable(self.problem)}"


class TooComplexError(WheelhouseError, RuntimeError):
    """Requirements without an answer in time. Attributes: *requirements*, *rounds* of the search."""

    def __init__(self, requirements: Sequence[str], rounds: int) -> None:
        super().__init__(tuple(requirements), rounds)
        self.requirements = tuple(requirements)
        self.rounds = rounds

    def __str__(self) -> str:
        asked = printable(", ".join(self.requirements))
        return (
            f"gave up after {self.rounds} rounds of looking for a solution of {asked}; "
            "narrow the versions of some, or constrain them"
        )


class LockNameError(WheelhouseError, ValueError):
    """A name that installers would take for another kind of file. Attributes: *path*, *form* of lock file."""

    def __init__(self, path: str, form: str) -> None:
        super().__init__(path, form)
        self.path = path
        self.form = form

    def __str__(self) -> str:
        known = "installers know a pylock by its name, pylock.toml or pylock.NAME.toml (PEP 751)"
        if self.path.endswith(".json"):
            return f"{printable(self.path)}: --output names the lock file: for JSON, say --json >FILE"
        if self.form == "pylock":
            return f"{printable(self.path)}: {known}: call it so, or say --format requirements"
        return f"{printable(self.path)}: {known}: call a requirements file otherwise"


class RequirementsFileError(FileProblemError, ValueError):
    """A requirements or constraints file that cannot be used. Attributes: *path*, *problem*."""


class PythonError(WheelhouseError, ValueError):
    """A target Python that does not exist or does not answer. Attributes: *python*, *problem*."""

    def __init__(self, python: str, problem: str) -> None:
        super().__init__(python, problem)
        self.python = python
        self.problem = problem

    def __str__(self) -> str:
        return f"target Python {printable(self.python)}: {printable(self.problem)}"


class CpuinfoError(FileProblemError, ValueError):
    """A captured /proc/cpuinfo that cannot be read as one. Attributes: *path*, *problem*."""


class OutputError(FileProblemError, OSError):
    """A file or directory that could not be written. Attributes: *path*, *problem*."""

    def __str__(self) -> str:
        return f"cannot write {printable(self.path)}: {printable(self.problem)}"


class MissingDirectoryError(FileProblemError, FileNotFoundError):
    """A directory that an option names and that is not there. Attributes: *path*, *problem*."""


class UnreadableWheelError(FileProblemError, OSError):
    """A wheel whose METADATA cannot be read. Attributes: *path*, *problem*."""
