"""Reading TOML on every supported Python."""

from __future__ import annotations

import re
import sys
from typing import Any

from wheelhouse_resolver.errors import WheelhouseError


class TomlError(WheelhouseError, ValueError):
    """Text that is not TOML. *problem*: why. *line*: 1-based, where it is known."""

    _message = "{problem}"
    problem: str
    line: int | None


#: A dotted key of more parts than any document has: reading one takes time by the square of their number.
_LONG_KEY = re.compile(r"""(?<![\w."'-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){100}""")


def parse_toml(text: str) -> dict[str, Any]:
    """The document that *text* is (TOML 1.0). Raises `TomlError`."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    if found := _LONG_KEY.search(text):
        raise TomlError(
            "not valid TOML: a key of more than 100 parts", text.count("\n", 0, found.start()) + 1
        )
    try:
        document: dict[str, Any] = tomllib.loads(text)
        return document
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise TomlError(f"not valid TOML: {error}", line) from error
    except ValueError as error:  # a number of more digits than Python reads
        raise TomlError(f"not valid TOML: {error}", None) from error
    except RecursionError as error:
        raise TomlError("not valid TOML: nested too deeply", None) from error
