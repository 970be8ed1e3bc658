"""A source that has been fetched."""

from __future__ import annotations

from dataclasses import dataclass

from wheelhouse_resolver.errors import WheelhouseError, printable


class SourceError(WheelhouseError, RuntimeError):
    """A source that cannot be had. Attributes: *source*, *problem*."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(source, problem)
        self.source = source
        self.problem = problem

    def __str__(self) -> str:
        return f"{printable(self.source)}: {printable(self.problem)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What there is to build from.

    kind:    `source`, or `wheel` for a pure-Python wheel that is taken as it is.
    path:    of the unpacked project, or of the wheel.
    version: PEP 440, normalised.
    origin:  where it is from, for the record.
    sha256:  of the archive or wheel (hex); empty for a directory, and for git, whose commit *origin* names.
    """

    kind: str
    path: str
    version: str
    origin: str
    sha256: str = ""
