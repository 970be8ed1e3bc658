"""Requirements files as pip reads them: `-r` and constraints files; and the dependencies in a pyproject.toml.

The format is pip's ("Requirements File Format" in its documentation); packaging does not read it. Tests hold
what is read here against what pip does with the same file.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn

from wheelhouse_resolver.errors import RequirementsFileError
from wheelhouse_resolver.selection.requirements import (
    FileOption,
    IgnoredOption,
    Requirement,
    RequirementsFile,
    parse_any,
    parse_editable,
)
from wheelhouse_resolver.utils.redact import presentable
from wheelhouse_resolver.utils.urls import local_path

#: All options with a value, and all without one; as pip does, `optparse` takes unambiguous beginnings.
_WITH_VALUE = (
    "-r --requirement", "-c --constraint", "-e --editable", "-i --index-url --pypi-url", "--extra-index-url",
    "-f --find-links", "--no-binary", "--only-binary", "--all-releases", "--only-final", "--trusted-host",
    "--use-feature", "--hash", "-C --config-settings", "--global-option", "--install-option",
)  # fmt: skip
_FLAGS = ("--pre", "--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes")

#: Options for all projects: the first count wherever they are, the others on a line without a requirement.
_CONTROLS = frozenset({"--no-binary", "--only-binary", "--all-releases", "--only-final"})
_SETTINGS = _CONTROLS | {"--pre", "--prefer-binary", "--require-hashes", "--no-require-hashes"}

#: Options that could make pip take something else and that picking from files has no use for.
_REPORTED = frozenset({"-i", "--extra-index-url", "-f", "--require-hashes", "--hash"})

#: Options of one requirement, by their first names: how to check or build it.
_OF_ONE = frozenset({"--hash", "-C"})
_OF_EDITABLE = _OF_ONE - {"--hash"}

#: Options that pip no longer has, and the first release without each.
_GONE = {"--global-option": "25.3", "--install-option": "23.1"}

#: What pip takes for the hashes of `--hash`.
_ALGORITHMS = ("sha256", "sha384", "sha512")

#: Byte order marks and their encodings; that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)

#: The greatest size of a file that is read, in bytes: a hundred times that of the longest ones.
_MOST = 16 << 20


class _Place(NamedTuple):
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


class _Include(NamedTuple):
    """That a file is read next. place: the line that says so; None: the caller does."""

    path: str
    constraints: bool
    place: _Place | None = None


def read_any(path: str, environ: Mapping[str, str]) -> RequirementsFile:
    """What the file at *path* asks for: the dependencies of a pyproject.toml, else `read_requirements`.

    Raises what that raises, also for a pyproject.toml whose dependencies are dynamic.
    """
    if os.path.basename(path) == "pyproject.toml":
        return _read_project(path)
    return read_requirements(path, environ)


def _read_project(path: str) -> RequirementsFile:
    """The dependencies in the `[project]` table (PEP 621) of the pyproject.toml at *path*."""
    from wheelhouse_resolver.utils.toml import TomlError, parse_toml

    try:
        project = parse_toml(_decoded(_content(path), path, "utf-8-sig")).get("project")
    except TomlError as error:
        raise RequirementsFileError(path, error.problem) from error
    if not isinstance(project, dict):
        raise RequirementsFileError(path, "has no [project] table, so it does not say what the project needs")
    dynamic = project.get("dynamic", [])
    if isinstance(dynamic, list) and "dependencies" in dynamic:
        problem = "its dependencies are dynamic: only its build backend knows them"
        raise RequirementsFileError(path, problem).with_hint("list them in a requirements file")
    stated = project.get("dependencies", [])
    if not isinstance(stated, list) or not all(isinstance(each, str) for each in stated):
        raise RequirementsFileError(path, "[project] dependencies is not an array of strings")
    found = [parse_any(each, f"{path}, [project] dependencies") for each in stated]
    return RequirementsFile(
        requirements=tuple(each for each in found if each.url is None),
        direct=tuple(each for each in found if each.url is not None),
    )


def read_requirements(
    path: str, environ: Mapping[str, str], *, constraints: bool = False
) -> RequirementsFile:
    """What the requirements (or constraints) file at *path* says, included files and all.

    As in pip, what a constraints file includes by `-r` is required. Raises `RequirementsFileError` and
    `InvalidRequirementError`, naming file and line.
    """
    found: list[RequirementsFile] = []
    read: set[tuple[str, bool]] = set()
    first = _Include(path, constraints)
    reading = [(_real(first), _statements(first, environ))]  # no recursion: chains may be long
    while reading:
        part = next(reading[-1][1], None)
        if part is None:
            reading.pop()
        elif isinstance(part, RequirementsFile):
            found.append(part)
        elif (real := _real(part)) in (each for each, _ in reading):
            raise RequirementsFileError(str(part.place), f"{presentable(part.path)} includes itself")
        elif (real, part.constraints) not in read:  # a second time it says nothing new
            read.add((real, part.constraints))
            reading.append((real, _statements(part, environ)))
    return RequirementsFile().merge(*found)


def _statements(file: _Include, environ: Mapping[str, str]) -> Iterator[RequirementsFile | _Include]:
    """What each line of *file* says, in their order. The file is read at once, so that this raises."""
    try:
        path = _local(file.path)
        text = _text(path)
    except RequirementsFileError as error:
        if file.place is None:
            raise
        raise RequirementsFileError(str(file.place), f"{error.path} {error.problem}").with_hint(
            error.hint
        ) from error
    return _lines_of(text, path, file.constraints, environ)


def _lines_of(
    text: str, path: str, constraints: bool, environ: Mapping[str, str]
) -> Iterator[RequirementsFile | _Include]:
    known: set[str] = set()
    for number, line in _lines(text):
        if line in known and not line.startswith("-"):
            continue  # generated files may say the same thousands of times
        known.add(line)
        # An environment variable is replaced when it has a value (pip: ENV_VAR_RE).
        line = re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: environ.get(match[1]) or match[0], line)
        yield from _line(line, _Place(path, number), constraints)


def _line(line: str, place: _Place, constraints: bool) -> Iterator[RequirementsFile | _Include]:
    """What a *line* says: as in pip, one thing only. What else is on it is not read, and reported."""
    words = line.split(" ")  # not at tabs: so does pip
    first = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    asked = " ".join(words[:first]).strip()
    options, unread = _options(" ".join(words[first:]), place) if first < len(words) else ([], [])
    kinds = [each.kind for each in options]
    # What the line is about: a requirement, or the first of one of these.
    about = "" if asked else next((kind for kind in ("-e", "-r", "-c") if kind in kinds), "")
    main = options[kinds.index(about)] if about else None
    found = RequirementsFile()
    if asked or (main is not None and about == "-e"):
        used = _OF_ONE if asked else _OF_EDITABLE
        stated = parse_any(asked, str(place)) if main is None else parse_editable(main.value, str(place))
        hashes = tuple(each.value for each in options if each.kind == "--hash" and each.kind in used)
        found = _stated(stated._replace(hashes=hashes), constraints)
    elif main is not None:
        used = frozenset()
    else:
        used = frozenset(kinds) - _OF_ONE
    used |= _CONTROLS
    unread += [str(each) for each in options if each is not main and each.kind not in used]
    read = [each for each in options if each.kind in used]
    yield found._replace(
        prereleases=any(each.kind == "--pre" for each in read),
        ignored=(
            *(IgnoredOption(each.name, *place) for each in read if each.kind in _REPORTED),
            *(IgnoredOption(presentable(each), *place, by_pip=True) for each in unread),
        ),
        settings=tuple(
            FileOption(each.name.strip("-"), each.value)
            for each in sorted(read, key=lambda each: each.kind == "--pre")  # pip reads it last of its line
            if each.kind in _SETTINGS
        ),
    )
    if main is not None and about != "-e":
        path = os.path.join(os.path.dirname(place.path), _local(main.value, place))
        yield _Include(path, about == "-c", place)


def _stated(requirement: Requirement, constraints: bool) -> RequirementsFile:
    if constraints:
        return RequirementsFile(constraints=(requirement,))
    return RequirementsFile(direct=(requirement,)) if requirement.url else RequirementsFile((requirement,))


class _Option(NamedTuple):
    """An option on a line: as it is written in full, its value, and the first of its names."""

    name: str
    value: str
    kind: str

    def __str__(self) -> str:
        return f"{self.name} {self.value}".strip()


def _options(text: str, place: _Place) -> tuple[list[_Option], list[str]]:
    """The options that *text* spells out, and the other words. Raises `RequirementsFileError`."""
    try:
        found, rest = _parser()(shlex.split(text))
    except ValueError as error:
        raise RequirementsFileError(str(place), presentable(str(error))) from error
    for each in found:
        if each.kind in _GONE:
            problem = f"{each.name}: pip {_GONE[each.kind]} and later refuse it"
            hint = "older ones build the project from source for it; use --config-settings"
            raise RequirementsFileError(str(place), problem).with_hint(hint)
        algorithm, colon, _ = each.value.partition(":")
        if each.kind == "--hash" and not (colon and algorithm in _ALGORITHMS):
            problem = (
                f"--hash {presentable(each.value)}: pip takes {', '.join(_ALGORITHMS)}, as in sha256:..."
            )
            raise RequirementsFileError(str(place), problem)
    return found, rest


@cache
def _parser() -> Callable[[list[str]], tuple[list[_Option], list[str]]]:
    """What reads the words of a line as pip's parser does. It raises `ValueError`."""
    from optparse import OptionParser, Values

    class Parser(OptionParser):
        def error(self, msg: str) -> NoReturn:
            raise ValueError(msg)

    def collect(_: object, name: str, value: str | None, parser: Any, kind: str) -> None:
        parser.values.found.append(_Option(name, value or "", kind))

    parser = Parser(add_help_option=False)
    for line in (*_WITH_VALUE, *_FLAGS):
        names = line.split()
        parser.add_option(
            *names,
            action="callback",
            callback=collect,
            callback_args=(names[0],),
            type="string" if line in _WITH_VALUE else None,
        )

    def parse(words: list[str]) -> tuple[list[_Option], list[str]]:
        values, rest = parser.parse_args(words, Values({"found": []}))
        return values.found, rest

    return parse


def _real(file: _Include) -> str:
    return os.path.realpath(_local(file.path, file.place))


def _local(name: str, place: _Place | None = None) -> str:
    """The path that a file name or `file:` URL means; *place* is for the error."""
    if re.match(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*://", name):
        problem = "is not on a filesystem"
        error = RequirementsFileError(presentable(name), problem)
        if place is not None:
            error = RequirementsFileError(str(place), f"{presentable(name)} {problem}")
        raise error.with_hint("copy it to a file")
    return local_path(name)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise RequirementsFileError.from_os(path, error, "cannot be read") from error
    if len(content) > _MOST:
        raise RequirementsFileError(path, f"is longer than {_MOST >> 20} MiB")
    return content


def _decoded(content: bytes, path: str, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except LookupError as error:
        raise RequirementsFileError(path, f"names an unknown encoding: {encoding}") from error
    except UnicodeError as error:
        name = encoding.upper().removesuffix("-SIG")
        raise RequirementsFileError(path, f"is not a text file in {name}") from error


def _text(path: str) -> str:
    """What the file at *path* holds, decoded as pip does: by its mark or `# coding:`, as UTF-8, by locale."""
    content = _content(path)
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decoded(content[len(mark) :], path, encoding)
    for line in content.split(b"\n", 2)[:2]:
        named = re.search(rb"coding[:=]\s*([-\w.]+)", line) if line.startswith(b"#") else None
        if named is not None:
            return _decoded(content, path, named[1].decode("ascii"))
    try:
        return _decoded(content, path, "utf-8")
    except RequirementsFileError:
        from locale import getpreferredencoding

        encoding = getpreferredencoding(False)
        if encoding.lower() in ("utf-8", "utf8", "ansi_x3.4-1968", "ascii"):
            raise
        return _decoded(content, path, encoding)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    r"""The logical lines with the number of their first: continued by `\`, comments and blanks removed."""
    start, held = 0, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):  # the blank line ends what is held
        if not held:
            start = number
        # pip joins first and strips comments after, except that a comment line ends a continuation.
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            held.append(line.strip("\\"))
            continue
        joined = "".join(held) + ("" if comment else line)
        # A comment begins a line or follows white space (pip: COMMENT_RE).
        if joined := re.sub(r"(^|(?<=\s))#.*$", "", joined).strip():
            yield start, joined
        held = []
