"""Changes of a source before it is built: patches, substitutions, and flags for the building node's CPU."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.builder.recipes.model import Patch, Recipe, Substitution
from wheelhouse_resolver.builder.toolchain.flags import native_word, replace_native, rewrite
from wheelhouse_resolver.errors import WheelhouseError, printable

if TYPE_CHECKING:
    from wheelhouse_resolver.builder.sources.fetched import Fetched

#: How long one patch may take (s).
_TIMEOUT = 600

#: So much of the rejected parts of a patch is told in the error (characters); the log has all of them.
_TOLD = 600

#: What a file's part of a patch begins with.
_HEADER = re.compile(r"^--- .*\n\+\+\+ .*\n", re.MULTILINE)


class ChangeError(WheelhouseError, ValueError):
    """A change that does not fit the source, but perhaps another version. Attributes: *problem*.

    *change*: the file of the recipe, and the key.
    """

    def __init__(self, change: str, problem: str) -> None:
        super().__init__(change, problem)
        self.change = change
        self.problem = problem

    def __str__(self) -> str:
        return f"{printable(self.change)}: {printable(self.problem)}"


def prepare(fetched: Fetched, recipe: Recipe, *, log: str, environ: Mapping[str, str]) -> None:
    """Change the source as *recipe* says: patches, substitutions, and flags for the building node's CPU.

    *environ* is that of the build: what stands in its CFLAGS takes the place of `-march=native`, in all of
    the source, above its sub-directory too. What was changed is told in *log*.

    Raises `ChangeError` for what does not apply, and `VariableError`.
    """
    for number, patch in enumerate(recipe.patches, 1):
        _apply(patch, recipe.at(f"patch[{number}]"), fetched.path, log, environ)
        tell(log, f"applied {patch.path}")
    for number, substitution in enumerate(recipe.substitutions, 1):
        replacement = _replacement(recipe, substitution, number, environ, fetched.version)
        where = recipe.at(f"substitute[{number}]")
        count = _substitute(substitution, replacement, fetched.path, where)
        times = "once" if count == 1 else f"{count} times"
        tell(log, f"replaced {substitution.pattern!r} {times} in {substitution.files}")
    if recipe.march:
        word = native_word(environ.get("CFLAGS", ""))
        for path in replace_native(_whole(fetched.path, recipe.source.subdirectory), word):
            tell(log, f"flags for the building node's own CPU became {word!r} in {path}")


def tell(log: str, line: str) -> None:
    """Add *line* to the file *log*."""
    with open(log, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{printable(line)}\n")


def _whole(path: str, subdirectory: str) -> str:
    """The whole source of which the project at *path* is the *subdirectory*; *path* if that is not so."""
    below = os.path.normpath(subdirectory)
    if subdirectory and below != os.curdir and path.endswith(os.sep + below):
        return path.removesuffix(os.sep + below)
    return path


def _apply(patch: Patch, where: str, path: str, log: str, environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="wheelhouse-rejected-") as scratch:
        rejected = os.path.join(scratch, "rejected")
        options = [f"--strip={patch.strip}", "--forward", "--batch", "--no-backup-if-mismatch"]
        command = [
            "patch",
            *options,
            f"--reject-file={rejected}",
            f"--directory={path}",
            f"--input={patch.path}",
        ]
        done = run_logged(command, log=log, environ=environ, timeout=_TIMEOUT)
        if done.ok:
            return
        if done.code == 127:
            raise ChangeError(where, "the program `patch` is not installed")
        told = "; ".join(line.partition(" -- saving rejects")[0] for line in done.tail.splitlines())
        if os.path.exists(rejected):
            with open(rejected, encoding="utf-8", errors="replace") as file:
                text = file.read()
            for line in text.splitlines():
                tell(log, line)
            parts = _HEADER.sub("", text).splitlines()  # the program has named the files already
            told += f"; rejected: {' | '.join(parts)[:_TOLD]}"
    raise ChangeError(where, f"{patch.path} does not apply: {told}")


def _replacement(
    recipe: Recipe, substitution: Substitution, number: int, environ: Mapping[str, str], version: str
) -> str:
    """What is put in, as `re.sub` wants it: backslashes are the recipe's own, never those of a variable."""
    literal = {name: value.replace("\\", r"\\") for name, value in environ.items()}
    return recipe.expanded(substitution.replacement, literal, version, f"substitute[{number}].replacement")


def _substitute(substitution: Substitution, replacement: str, source: str, where: str) -> int:
    """Carry out *substitution*; returns how many times. Raises `ChangeError` when it changes nothing."""
    total = 0
    files = list(_matching(source, substitution.files))
    for path in files:
        data = path.read_bytes()
        text = data.decode("utf-8", "surrogateescape")
        new, count = re.subn(substitution.pattern, replacement, text, flags=re.MULTILINE)
        rewrite(str(path), data, new.encode("utf-8", "surrogateescape"))
        total += count
    if not total:
        looked = "1 file" if len(files) == 1 else f"{len(files)} files"
        problem = f"{substitution.pattern!r} matches nothing in {substitution.files} ({looked})"
        raise ChangeError(where, f"{problem}: mend the pattern, or limit it with [[when]] version")
    return total


def _matching(source: str, pattern: str) -> Iterator[Path]:
    """The files below *source* that fit *pattern*, but for git's own.

    None that a link leads to is among them, for that may be anywhere.
    """
    root = Path(os.path.realpath(source))
    for path in sorted(root.glob(pattern)):
        if path.is_file() and path.resolve() == path and ".git" not in path.relative_to(root).parts:
            yield path
