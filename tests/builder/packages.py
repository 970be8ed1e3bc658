"""Source distributions that say what they require, and whose wheels are always the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.builder.sources import make_sdist

__all__ = ["make_package"]


def make_package(
    directory: Path,
    name: str,
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    requires: Sequence[str] = (),
    extras: Sequence[str] = (),
    code: str = "",
    dynamic: bool = False,
) -> Path:
    """The source distribution of *name* in *directory*; a tag of a platform makes it compile a C module.

    code: what its backend does before it builds. dynamic: its PKG-INFO does not tell the requirements.
    """
    info = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    info += ["Dynamic: Requires-Dist"] if dynamic else [f"Requires-Dist: {each}" for each in requires]
    return make_sdist(
        directory, name, version, files={"PKG-INFO": "\n".join(info) + "\n"}, requires=requires,
        extension=not tag.endswith("any"), tag=tag, extras=[*extras], build=code, say=False,
    )  # fmt: skip
