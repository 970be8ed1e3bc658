"""What cannot be published."""

from __future__ import annotations

from wheelhouse_resolver.errors import WheelhouseError

__all__ = ["AfterHookError", "PublishError"]


class PublishError(WheelhouseError, ValueError):
    """Something that cannot be published. *what*: the file or option that it is about."""

    _message = "{what}: {problem}"
    what: str
    problem: str


class AfterHookError(WheelhouseError, RuntimeError):
    """The site's `[publish] after` command failed; the wheels stay. *command*: as in a shell."""

    _message = "[publish] after: `{command}` {problem}; the wheels are published"
    command: str
    problem: str
