"""What cannot be published."""

from __future__ import annotations

from wheelhouse_resolver.errors import WheelhouseError, printable

__all__ = ["PublishError"]


class PublishError(WheelhouseError, ValueError):
    """Something that cannot be published. Attributes: *filename*, *problem*."""

    def __init__(self, filename: str, problem: str) -> None:
        super().__init__(filename, problem)
        self.filename = filename
        self.problem = problem

    def __str__(self) -> str:
        return f"{printable(self.filename)}: {printable(self.problem)}"
