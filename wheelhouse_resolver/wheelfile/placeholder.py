"""Placeholders: wheels that stand for what only a module has, and say so when they are imported.

A wheel cannot run code when it is installed. A requirement that nothing satisfies would stop the
installation, but pip then goes on to an older version or another index, and says something else. So a
placeholder installs, and importing it raises `ImportError` with its message; unless what it stands for is
further on in `sys.path`, as after its module was loaded: then that is imported.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

#: A part of the local label of a placeholder's version; the second is what other builders write.
LABEL, _OTHER = "placeholder", "dummy"

#: The file with the code of its modules, and the line in it that has the message.
_TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates", "placeholder.py")
_MESSAGE = '_MESSAGE = ""\n'

#: The time of its files: the earliest that a zip file can hold.
_TIME = (1980, 1, 1, 0, 0, 0)


def is_placeholder(version: Version) -> bool:
    """Whether a wheel of that *version* is a placeholder."""
    return version.local is not None and not {LABEL, _OTHER}.isdisjoint(version.local.split("."))


def message_of(path: str) -> str:
    """What the placeholder at *path* says (its Summary); empty if it cannot be read, or says nothing."""
    from wheelhouse_resolver.errors import WheelhouseError
    from wheelhouse_resolver.wheelfile.metadata import read_metadata

    try:
        return " ".join((read_metadata(path).get("Summary") or "").split())
    except WheelhouseError:
        return ""


def placeholder_note(name: str, version: Version, path: str) -> list[str]:
    """A line about the wheel of that *name* and *version* at *path* if it is a placeholder; else none."""
    if version.local is None or not is_placeholder(version):
        return []
    message = message_of(path)
    return [f"{name} {version} is a placeholder{f': {message}' if message else ''}"]


def make_placeholder(
    directory: str, project: str, version: Version, message: str, imports: Sequence[str]
) -> str:
    """Write the placeholder of *project* for *version* into *directory*; returns its path.

    imports: the modules that say *message*. The same input gives the same bytes.
    """
    import hashlib
    import zipfile

    from wheelhouse_resolver.wheelfile.checks.record import record_digest

    stem = f"{project.replace('-', '_')}-{version.public}+{LABEL}"
    top = f"{stem}.dist-info"
    with open(_TEMPLATE, encoding="utf-8") as file:
        code = file.read().replace(_MESSAGE, f"_MESSAGE = {message!r}\n")
    files = {f"{name.replace('.', '/')}/__init__.py": code for name in imports}
    headers = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version.public}+{LABEL}"]
    files[f"{top}/METADATA"] = "\n".join([*headers, f"Summary: {message}", ""])
    files[f"{top}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: wheelhouse_resolver\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    rows = [
        f"{name},sha256={record_digest(hashlib.sha256(data).digest())},{len(data)}"
        for name, text in files.items()
        for data in (text.encode(),)
    ]
    files[f"{top}/RECORD"] = "\n".join([*rows, f"{top}/RECORD,,", ""])
    path = os.path.join(directory, f"{stem}-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, text, compress_type=zipfile.ZIP_DEFLATED)
    return path
