"""The errors of this library.

Every error that a caller may want to catch derives from `WheelhouseError` and also from the standard
exception that comes nearest, carries its fields as attributes, prints as one line that says what and where,
has a hint apart from it where one helps, and survives pickling.

An error class declares its fields as annotations and its text as a template of them::

    class UnknownArchError(WheelhouseError, LookupError):
        _message = "unknown arch {name!r}: this site has {known}"
        name: str
        known: Sequence[str]
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform
else:

    def dataclass_transform(**_):
        """What type checkers read: the annotations of a subclass are its parameters (PEP 681)."""
        return lambda kind: kind


def printable(text: object) -> str:
    """*text* on one line: control characters and undecodable bytes are written as escapes."""
    whole = str(text)
    if whole.isprintable():
        return whole
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in whole
    )


def reason_of(error: OSError) -> str:
    """What the operating system said, without Python's decoration (`Permission denied`)."""
    return error.strerror or str(error) or type(error).__name__


def installing(extra: str, library: str = "") -> str:
    """The command that installs the libraries of *extra*, and *library*, into this program's environment."""
    import re
    import shlex
    import sys
    from importlib.metadata import PackageNotFoundError, requires

    try:
        known = requires("wheelhouse-resolver") or ()
    except PackageNotFoundError:  # it runs from a directory
        known = ()
    marker = re.compile(rf"(.+?) *;.*\bextra == ['\"]{extra}['\"]")
    found = sorted(match[1] for match in map(marker.fullmatch, known) if match)
    wanted = library.replace("_", "-") or f"wheelhouse-resolver[{extra}]"
    if not any(each.startswith(library and wanted) for each in found):  # of an older version, or of none
        found.append(wanted)
    return printable(shlex.join([sys.executable, "-m", "pip", "install", *found]))


class _Field:
    """A field in a template: on one line; `!r` quotes it, `{line:, line %s}` is there unless it is None.

    Of several values, what follows the colon is between them: `{findings:; }`.
    """

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return repr(self._value)

    def __format__(self, spec: str) -> str:
        if self._value is None:
            return ""
        if isinstance(self._value, tuple):
            return printable((spec or ", ").join(map(str, self._value)))
        return printable((spec or "%s") % self._value)


def _describe(error: OSError, code: int, fields: dict[str, Any]) -> None:
    """Set what every `OSError` has; the first field of ours is the file."""
    error.errno, error.strerror = code, fields.get("problem") or os.strerror(code)
    error.filename = next(iter(fields.values()))


@dataclass_transform()
class WheelhouseError(Exception):
    """The base of all errors of this library. Its text is one line; *hint* says what to do, or is empty.

    message: the text. hint: a line apart from it, with commands that can be run as they are.
    """

    _message: ClassVar[str] = ""
    _hint: ClassVar[str] = ""
    _errno: ClassVar[int] = errno.EIO
    _fields: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        names = [name for name in cls.__annotations__ if not name.startswith("_")]
        cls._fields = cls._fields | {name: cls.__dict__.get(name, ...) for name in names}

    def __init__(self, *values: Any, **named: Any) -> None:
        if not self._fields:
            super().__init__(*values)
            return
        given = dict(zip(self._fields, values, strict=False), **named)
        fields = {name: given.pop(name, default) for name, default in self._fields.items()}
        missing = [name for name, value in fields.items() if value is ...]
        if missing or given or len(values) > len(fields):
            raise TypeError(f"{type(self).__name__} takes {', '.join(fields)}")
        for name, value in fields.items():
            setattr(self, name, tuple(value) if isinstance(value, list) else value)
        if isinstance(self, OSError):
            _describe(self, self._errno, fields)

    @property
    def message(self) -> str:
        """What is wrong and where, on one line."""
        if not self._fields:
            return printable(super().__str__())
        return self._filled(self._message)

    @property
    def hint(self) -> str:
        """What to do about it, on one line; empty if there is nothing to say."""
        stated: str = self.__dict__.get("_stated_hint", "")
        return stated or self._filled(self._hint)

    def _filled(self, template: str) -> str:
        return template.format_map({name: _Field(getattr(self, name)) for name in self._fields})

    def with_hint(self, hint: str) -> Self:
        """The same error, with this *hint*."""
        self.__dict__["_stated_hint"] = printable(hint)
        return self

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        fields = tuple(getattr(self, name) for name in self._fields) or self.args
        state = {**self.__dict__, "errno": self.errno} if isinstance(self, OSError) else self.__dict__
        return (type(self), fields, state)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: error (the class), message, hint."""
        return {"error": type(self).__name__, "message": self.message, "hint": self.hint}


class SiteFileError(WheelhouseError, ValueError):
    """A site file that cannot be used.

    problem: all that is wrong. line: 1-based, where it is known. findings: (key, problem) pairs, if they are
    about keys.
    """

    _message = "{path}{line:, line %s}: {problem}"
    path: str
    problem: str
    line: int | None = None
    findings: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(cls, path: str, findings: Sequence[tuple[str, str]]) -> Self:
        """The error about *path* with these *findings*."""
        problem = "; ".join(f"{key}: {problem}" if key else problem for key, problem in findings)
        return cls(path, problem, findings=tuple(findings))


class InvalidSiteError(WheelhouseError, ValueError):
    """A `Site` whose parts contradict each other. *findings*: all of them, as (key, problem) pairs."""

    findings: Sequence[tuple[str, str]]

    @property
    def message(self) -> str:
        """What is wrong."""
        return "invalid site: " + printable("; ".join(f"{key}: {problem}" for key, problem in self.findings))


class FileProblemError(WheelhouseError):
    """Something is wrong with one file or directory."""

    _message = "{path}: {problem}"
    path: str
    problem: str

    @classmethod
    def from_os(cls, path: str, error: OSError, problem: str = "") -> Self:
        """The error about *path* that *error* of the operating system means, with its errno.

        *problem*: what precedes the system's reason, such as `cannot be read`.
        """
        reason = f"{problem}: {reason_of(error)}" if problem else reason_of(error)
        made = cls(path, reason)
        if error.errno and hasattr(made, "errno"):
            made.__setstate__({"errno": error.errno})
        return made


class UnknownNameError(WheelhouseError, LookupError):
    """A name that the site does not have. *known*: the names that it has."""

    _message = "unknown name {name!r}: this site has {known}"
    name: str
    known: Sequence[str]


class UnknownArchError(UnknownNameError):
    """An arch that the site's ladder does not have."""

    _message = "unknown arch {name!r}: this site has {known}"


class UnknownLayerError(UnknownNameError):
    """A layer that the site does not have."""

    _message = "unknown layer {name!r}: this site has {known}"


class NoWheelhouseError(WheelhouseError, FileNotFoundError):
    """No wheelhouse at the root. *root*: None when none was found."""

    _message = "{root:wheelhouse %s: }{problem}"
    _errno = errno.ENOENT
    root: str | None
    problem: str


class UnreadableDirectoryError(FileProblemError, OSError):
    """A directory of the search path that cannot be listed."""

    _message = "cannot list {path}: {problem}"
    _hint = "make it readable for the users of the wheelhouse"
    _errno = errno.EACCES


class UnsafeValueError(WheelhouseError, ValueError):
    """A value that cannot be written so that pip, uv or a shell reads it back unchanged.

    what: the key or path that it belongs to.
    """

    _message = "cannot write {what} {value!r} safely: {problem}"
    what: str
    value: str
    problem: str


class InvalidRequirementError(WheelhouseError, ValueError):
    """A requirement that cannot be understood or served. *where*: the file and line, if it has one."""

    _message = "{where:%s: }invalid requirement {text!r}: {problem}"
    text: str
    problem: str
    where: str | None = None


class DirectRequirementsError(WheelhouseError, ValueError):
    """Requirements by URL or path, where all that is required has to come from the wheelhouse."""

    _message = "these name their files themselves, no wheelhouse can serve them: {requirements}"
    _hint = "take them out of the file and install them afterwards; or publish them, and give NAME==VERSION"
    requirements: Sequence[str]


class TooComplexError(WheelhouseError, RuntimeError):
    """Requirements without an answer in time. *rounds*: of the search.

    conflicting: the requirements that were most often in the way of it, as text; None if none was.
    """

    _message = (
        "gave up after {rounds} rounds of looking for a solution of {requirements}"
        "{conflicting:; what conflicted most often: %s}"
    )
    _hint = "narrow the versions of some requirements, or constrain them"
    requirements: Sequence[str]
    rounds: int
    conflicting: str | None = None


class LockNameError(FileProblemError, ValueError):
    """A name that installers would take for another kind of file than the lock file is."""


class RequirementsFileError(FileProblemError, ValueError):
    """A requirements or constraints file that cannot be used."""


class PythonError(WheelhouseError, ValueError):
    """A target Python that does not exist or does not answer."""

    _message = "target Python {python}: {problem}"
    python: str
    problem: str


class CpuinfoError(FileProblemError, ValueError):
    """A captured /proc/cpuinfo that cannot be read as one."""


class OsReleaseError(FileProblemError, ValueError):
    """A captured /etc/os-release that cannot be read as one."""


class OutputError(FileProblemError, OSError):
    """A file or directory that could not be written."""

    _message = "cannot write {path}: {problem}"


class MissingExtraError(WheelhouseError, ImportError):
    """A library that only one of the project's extras brings along, and that is not there."""

    _message = "{what} needs {library}, which is not installed"
    what: str
    library: str
    extra: str

    @property
    def hint(self) -> str:
        """The command that installs what the extra has."""
        return super().hint or installing(self.extra, self.library)


class MissingDirectoryError(FileProblemError, FileNotFoundError):
    """A directory that an option names and that is not there."""

    _errno = errno.ENOENT


class UnreadableWheelError(FileProblemError, OSError):
    """A wheel whose METADATA cannot be read."""


class TooLargeError(UnreadableWheelError):
    """A wheel that holds more than is read of one: it is passed over, though pip might manage."""
