"""The texts in other languages that are written for users: files below `templates/`, read when needed.

A placeholder is a string of the file's own language, `"@name@"`: so an editor and the language's own tools
can read the file as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_PLACEHOLDER = re.compile(r'"@(\w+)@"')


def template_path(name: str) -> str:
    """The path of the template *name*."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates", name)


def template(name: str) -> str:
    """The text of the template *name*."""
    with open(template_path(name), encoding="utf-8") as file:
        return file.read()


def filled(text: str, values: Mapping[str, str]) -> str:
    """*text* with each placeholder, its quotes included, replaced by its value; that is not looked at."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)
