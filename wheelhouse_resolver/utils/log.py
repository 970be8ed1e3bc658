"""Logging under the package's name that costs nothing where nobody listens.

Nobody can listen without having imported `logging`: so it is not imported here, which would double the
time that `pip-conf` takes to start. What decided is logged at INFO, what was looked at as DEBUG.
"""

from __future__ import annotations

import sys
from typing import Any

from wheelhouse_resolver.errors import printable

__all__ = ["debug", "info"]


def info(room: str, message: str, *values: object) -> None:
    """Log what was decided. *room*: the module's `__name__`; *message*: with a `%s` for each of *values*."""
    _log(room, "INFO", message, values)


def debug(room: str, message: str, *values: object) -> None:
    """Log what was looked at, likewise."""
    _log(room, "DEBUG", message, values)


def _log(room: str, level: str, message: str, values: tuple[object, ...]) -> None:
    logging: Any = sys.modules.get("logging")
    if logging is None:
        return
    top = logging.getLogger("wheelhouse_resolver")
    if not top.handlers:
        top.addHandler(logging.NullHandler())
    logger = logging.getLogger(room)
    number = getattr(logging, level)
    if logger.isEnabledFor(number):
        logger.log(number, message, *map(printable, values))
