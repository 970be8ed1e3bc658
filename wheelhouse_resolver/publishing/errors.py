"""What cannot be published."""

from __future__ import annotations

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError


class PublishError(WheelhouseError, ValueError):
    """Something that cannot be published. *what*: the file or option that it is about."""

    _message = "{what}: {problem}"
    what: str
    problem: str


class WrongMachineError(InvalidWheelError):
    """A wheel for other CPUs than those of the directory that it was meant for."""

    _message = "{path}: {findings:; }"


class AfterwardsError(PublishError):
    """What comes after publishing failed. The wheels are published all the same."""


class IndexNotUpdatedError(AfterwardsError):
    """The pages of the site's static index could not be written."""


class CatalogueNotUpdatedError(AfterwardsError):
    """The pages of the site's catalogue could not be written."""


class AfterHookError(AfterwardsError):
    """The site's `[publish] after` command failed."""
