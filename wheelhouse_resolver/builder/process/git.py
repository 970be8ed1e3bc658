"""The environment that git runs in."""

from __future__ import annotations

from collections.abc import Mapping

#: What tells git to work on another repository than that of its directory, as in a hook or an alias.
ANOTHER_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CEILING_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR",
    "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
)  # fmt: skip


def git_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* for a git that works on the repository of its directory, and asks nobody."""
    kept = {name: value for name, value in environ.items() if name not in ANOTHER_REPOSITORY}
    return {**kept, "GIT_TERMINAL_PROMPT": "0"}
