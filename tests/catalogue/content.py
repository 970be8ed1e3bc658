"""What the catalogue's tests put on its pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.factories import pack, with_metadata
from wheelhouse_resolver.catalogue.project import Entry

__all__ = ["HOSTILE", "entries", "says"]

#: What would run, or show as another text, if it were not escaped.
HOSTILE = '</script><script>x=1</script><img src=x onerror="x=1">{{ 7*7 }} & "q" \u202eabc'


def says(wheel: Path, **headers: str) -> None:
    """Write a *wheel* whose METADATA has these *headers*."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    pack(wheel, with_metadata(wheel.name, **named))


def entries(count: int) -> Iterator[Entry]:
    """As of a tree of about twenty times as many wheels."""
    for number in range(count):
        name = f"project-{number:04}-{('array', 'mesh', 'torch')[number % 3]}"
        summary = f"Fast {number % 97} dimensional arrays and linear algebra for people who measure things"
        pythons, archs = ("3.10", "3.11", "3.12", "3.13"), ("generic", "avx", "avx2", "avx512")
        layers = ("gentoo", "nix", "none")
        yield Entry(
            name, f"{number % 9}.4.1", summary, (f"lib{number}",), layers, archs, pythons, 1_790_000_000
        )
