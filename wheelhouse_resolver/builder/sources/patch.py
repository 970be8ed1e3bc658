"""Changes of a source before it is built: patches, substitutions, and flags for the building node's CPU."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomli_w

from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.builder.recipes.model import Patch, Recipe, Substitution
from wheelhouse_resolver.builder.sources.fetched import Fetched, log_line
from wheelhouse_resolver.builder.toolchain.flags import native_word, replace_native, rewrite
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.utils.toml import parse_toml

#: Begins each file's part of a patch.
_HEADER = re.compile(r"^--- .*\n\+\+\+ .*\n", re.MULTILINE)


class ChangeError(WheelhouseError, ValueError):
    """A change that does not apply to the source. *change*: the recipe file and the key."""

    _message = "{change}: {problem}"
    _hint = "correct it, or limit it to the versions that it is for, with [[when]] version"
    change: str
    problem: str


def prepare(fetched: Fetched, recipe: Recipe, *, log: str, environ: Mapping[str, str]) -> None:
    """Change the source as *recipe* says: patches, substitutions, and flags for the building node's CPU.

    environ: of the build: its CFLAGS replace `-march=native` everywhere in the source, outside its
    subdirectory too. log: for what was changed.

    Raises `ChangeError` and `VariableError`.
    """
    for number, patch in enumerate(recipe.patches, 1):
        _apply(patch, recipe.at(f"patch[{number}]"), fetched.path, log, environ)
        log_line(log, f"applied {patch.path}")
    # In what `re.sub` puts in place, the backslashes of variables are literal.
    literal = {name: value.replace("\\", r"\\") for name, value in environ.items()}
    for number, substitution in enumerate(recipe.substitutions, 1):
        key, version = f"substitute[{number}]", fetched.version
        text = recipe.expanded(substitution.replacement, literal, version, f"{key}.replacement")
        count = _substitute(substitution, text, fetched.path, recipe.at(key))
        times = "once" if count == 1 else f"{count} times"
        log_line(log, f"replaced {substitution.pattern!r} {times} in {substitution.files}")
    if recipe.extra_requires and recipe.isolation:
        _ask_for_more(fetched.path, recipe.extra_requires)
        log_line(log, f"added to what pyproject.toml requires: {', '.join(recipe.extra_requires)}")
    if recipe.march:
        word = native_word(environ.get("CFLAGS", ""))
        for path in replace_native(fetched.root, word):
            log_line(log, f"replaced the building node's own CPU flags by {word!r} in {path}")


def _ask_for_more(path: str, requirements: Sequence[str]) -> None:
    """Add *requirements* to those of the build (PEP 518) of the project in the directory *path*."""
    file = Path(path, "pyproject.toml")
    document: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        document = dict(parse_toml(file.read_text(encoding="utf-8")))
    # Without a table, or a backend in it, pip takes these (PEP 517).
    own = dict(document.get("build-system", {"requires": ["setuptools"]}))
    own["requires"] = [*own.get("requires", ()), *requirements]
    own.setdefault("build-backend", "setuptools.build_meta:__legacy__")
    file.write_text(tomli_w.dumps({**document, "build-system": own}), encoding="utf-8")


def _apply(patch: Patch, where: str, path: str, log: str, environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="wheelhouse-rejected-") as scratch:
        rejected = os.path.join(scratch, "rejected")
        command = [
            *("patch", f"--strip={patch.strip}", "--forward", "--batch", "--no-backup-if-mismatch"),
            *(f"--reject-file={rejected}", f"--directory={path}", f"--input={patch.path}"),
        ]
        done = run_logged(command, log=log, environ=environ, timeout=600)
        if done.ok:
            return
        if done.code == 127:
            raise ChangeError(where, "the program `patch` is not installed").with_hint("install it")
        problem = "; ".join(line.partition(" -- saving rejects")[0] for line in done.tail.splitlines())
        if os.path.exists(rejected):
            text = Path(rejected).read_text(encoding="utf-8", errors="replace")
            for line in text.splitlines():
                log_line(log, line)
            parts = _HEADER.sub("", text).splitlines()  # the program has named the files already
            problem += f"; rejected: {' | '.join(parts)[:600]}"  # the log has all of them
    raise ChangeError(where, f"{patch.path} does not apply: {problem}")


def _substitute(substitution: Substitution, replacement: str, source: str, where: str) -> int:
    """Do *substitution*; returns how many times. Raises `ChangeError` when nothing matches."""
    total = 0
    files = list(_matching(source, substitution.files))
    for path in files:
        data = path.read_bytes()
        text = data.decode("utf-8", "surrogateescape")
        new, count = re.subn(substitution.pattern, replacement, text, flags=re.MULTILINE)
        rewrite(str(path), data, new.encode("utf-8", "surrogateescape"))
        total += count
    if not total:
        looked = f"{substitution.files} ({len(files)} file{'s' * (len(files) != 1)})"
        raise ChangeError(where, f"{substitution.pattern!r} matches nothing in {looked}")
    return total


def _matching(source: str, pattern: str) -> Iterator[Path]:
    """The files below *source* that match *pattern*, without git's own and without what links lead to."""
    root = Path(os.path.realpath(source))
    for path in sorted(root.glob(pattern)):
        if path.is_file() and path.resolve() == path and ".git" not in path.relative_to(root).parts:
            yield path
