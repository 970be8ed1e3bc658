"""The files of a directory that its sdist would hold: git's, or all but what builds have left."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache

from wheelhouse_resolver.builder.process.git import git_environ
from wheelhouse_resolver.builder.process.scratch import remove_tree
from wheelhouse_resolver.builder.sources.fetched import FetchContext, SourceError, log_line
from wheelhouse_resolver.builder.sources.leftovers import Leftovers
from wheelhouse_resolver.builder.sources.tree import pack_tree
from wheelhouse_resolver.utils.process import run

#: Copies the index of the repository $1 to $2, without times and inodes of files, which `git status` changes.
_COPY_INDEX = 'git -C "$1" ls-files --stage -z | git -C "$2" update-index -z --index-info'

#: Also of another owner's repository: it is about to be built, which runs what it contains.
_GIT_CONFIG = """
[safe]
directory = *
[clone]
defaultRemoteName = origin
rejectShallow = false
"""


def pack_directory(directory: str, archive: str, context: FetchContext) -> None:
    """Pack what belongs to the source in *directory* into the new tar file *archive*.

    Of a git repository: the files that it has or does not ignore, as they are now, and its history, from
    which backends take the version. The same content always makes the same archive. Raises `SourceError`.
    """
    git = _Git(context)
    left = Leftovers(directory)
    own = os.path.relpath(os.path.realpath(context.directory), os.path.realpath(directory))
    try:
        names = [name for name in _files(directory, git, left) if not f"{name}/".startswith(f"{own}/")]
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise SourceError.from_os(directory, error, f"cannot be copied{where}") from error
    for name in sorted(left.found):
        log_line(context.log, f"{directory}: left out, from an earlier build: {name}")
    clone = os.path.join(context.directory, "history")
    try:
        history = git.is_top(directory) and git.copy_history(directory, clone)
        pack_tree(
            directory,
            archive,
            names=[os.curdir, *names],
            history=os.path.join(clone, ".git") if history else "",
        )
    finally:
        remove_tree(clone)


class _Git:
    """Git, if it is here, in the environment of *context*; it changes nothing in the repository."""

    def __init__(self, context: FetchContext) -> None:
        self._log = context.log
        environ = git_environ(context.environ)
        config = os.path.join(context.directory, "gitconfig")
        users = [environ["GIT_CONFIG_GLOBAL"]] if "GIT_CONFIG_GLOBAL" in environ else []
        if not users and (home := environ.get("HOME")):
            xdg = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
            users = [os.path.join(xdg, "git/config"), os.path.join(home, ".gitconfig")]
        with open(config, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f'[include]\npath = "{each}"\n' for each in users)
            file.write(_GIT_CONFIG)
        self._environ: Mapping[str, str] = {
            **environ,
            "GIT_CONFIG_GLOBAL": config,
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C",
        }

    def _run(self, directory: str, *arguments: str) -> str | None:
        """What git prints, undecoded bytes as in file names; None when it fails."""
        command = ["git", "-c", "core.fsmonitor=false", "-C", directory, *arguments]
        return self._output(command, directory)

    def _output(self, command: list[str], directory: str) -> str | None:
        try:
            done = run(command, environ=self._environ, errors="surrogateescape")
        except OSError:  # no git
            return None
        if done.returncode != 0 and not os.path.lexists(os.path.join(directory, ".git")):
            return None  # no repository
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or [f"exited with {done.returncode}"])[0]
            log_line(self._log, f"{directory}: git: {said}")
            return None
        return done.stdout

    def is_top(self, directory: str) -> bool:
        """Whether *directory* is the top of a repository (a worktree, a submodule)."""
        if not os.path.lexists(os.path.join(directory, ".git")):
            return False
        return self._run(directory, "rev-parse", "--show-prefix") == "\n"

    def files(self, directory: str) -> tuple[list[str], list[str]] | None:
        """The files in *directory* that git has, and those that it neither has nor ignores.

        None: they are no part of a repository. Nested repositories are listed as directories.
        """
        has = self._run(directory, "ls-files", "--cached", "-z")
        if has is None or (not has and not self.is_top(directory)):  # ignored by a repository further up
            return None
        others = self._run(directory, "ls-files", "--others", "--exclude-standard", "-z")
        if others is None:
            raise SourceError(directory, "git cannot list its files")
        return _split(has), _split(others)

    def copy_history(self, directory: str, clone: str) -> bool:
        """Make *clone*, with the commit, tags and index of *directory* and no files; whether that worked."""
        options = ["--quiet", "--no-checkout", "--template=", "--config=core.logAllRefUpdates=false"]
        path = os.path.abspath(directory)
        return (
            self._run(os.curdir, "clone", *options, "--", path, clone) is not None
            and self._run(clone, "remote", "remove", "origin") is not None
            and self._output(["sh", "-c", _COPY_INDEX, "sh", path, clone], directory) is not None
        )


def _split(output: str) -> list[str]:
    return sorted({name.rstrip("/") for name in output.split("\0") if name})


def _files(directory: str, git: _Git, left: Leftovers, prefix: str = "") -> Iterator[str]:
    """The names of what is to be packed, relative to the *directory* of which *prefix* is packed here."""
    here = os.path.join(directory, prefix)
    found = git.files(here)
    if found is None:
        yield from _all_files(directory, left, prefix)
        return

    @cache
    def is_real(parent: str) -> bool:
        """Whether no part of the path is a link now: what is behind one is not packed."""
        path = os.path.join(here, parent)
        return not parent or (not os.path.islink(path) and is_real(os.path.dirname(parent)))

    has, others = found
    for name in (*has, *(each for each in others if not left.has(os.path.join(prefix, each)))):
        path = os.path.join(here, name)
        if not os.path.lexists(path) or not is_real(os.path.dirname(name)):
            continue  # deleted, but not committed
        if os.path.islink(path) or not os.path.isdir(path):
            yield os.path.join(prefix, name)
        elif os.path.lexists(os.path.join(path, ".git")):
            yield from _files(directory, git, left, os.path.join(prefix, name))
        else:  # a submodule that was copied here, or not fetched
            yield os.path.join(prefix, name)
            yield from _all_files(directory, left, os.path.join(prefix, name))


def _all_files(directory: str, left: Leftovers, prefix: str) -> Iterator[str]:
    """All below *prefix*, but for what builds and git left."""

    def fail(error: OSError) -> None:
        raise error

    for above, directories, files in os.walk(os.path.join(directory, prefix), onerror=fail):
        inside = os.path.relpath(above, directory)
        kept = []
        for name in sorted((*directories, *files)):
            path = os.path.normpath(os.path.join(inside, name))
            if name != ".git" and not left.has(path):
                kept.append(name)
                yield path
        directories[:] = [name for name in directories if name in kept]
