"""What a wheel says about itself, as far as a page shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from wheelhouse_resolver.errors import UnreadableWheelError, printable, reason_of
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile import provenance
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.imports import import_names
from wheelhouse_resolver.wheelfile.metadata import Metadata, read_metadata

#: No page shows more of a text (characters), or of a list.
_LONGEST, _MOST = 300, 200

#: The labels of project URLs (PEP 753, normalised) that lead to a project's page, the best first.
_HOME = ("homepage", "source", "repository", "sourcecode", "github", "documentation")


class WheelFacts(NamedTuple):
    """What one wheel says.

    requires, extras: as METADATA has them. imports: the names to import it by. libraries: those outside the
    wheel that its ELF files need. made: what it was made from, as `provenance` says it. problem: what could
    not be read, and why; empty for nothing.
    """

    summary: str = ""
    license: str = ""
    home: str = ""
    requires_python: str = ""
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    problem: str = ""


def read_facts(path: str) -> WheelFacts:
    """What the wheel at *path* says; of one that cannot be read, its `problem`."""
    found = WheelFacts()
    try:
        metadata = read_metadata(path)
        found = WheelFacts(
            summary=_short(metadata.get("Summary")),
            license=_license(metadata),
            home=_home(metadata),
            requires_python=_short(metadata.get("Requires-Python")),
            requires=_few(metadata.get_all("Requires-Dist")),
            extras=_few(metadata.get_all("Provides-Extra")),
        )
        made = provenance.read(path)
        found = found._replace(made=_few([*provenance.described(made)]) if made is not None else ())
    except UnreadableWheelError as error:
        return found._replace(problem=error.problem)
    try:
        imports = _declared(metadata) or import_names(path)
        libraries = [] if path.endswith("-any.whl") else sorted({*_outside(path)})
    except (OSError, ValueError, *BAD_ZIP) as error:
        problem = reason_of(error) if isinstance(error, OSError) else str(error)
        return found._replace(problem=f"cannot be read: {printable(problem)}")
    return found._replace(imports=_few(imports), libraries=_few(libraries))


def _short(text: str | None) -> str:
    words = printable(" ".join((text or "").split()))
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."


def _few(texts: list[str]) -> tuple[str, ...]:
    return tuple(map(_short, texts[:_MOST]))


def _license(metadata: Metadata) -> str:
    named = [
        each.rpartition("::")[2] for each in metadata.get_all("Classifier") if each.startswith("License")
    ]
    stated = (metadata.get("License") or "").strip().partition("\n")[0]
    return _short(metadata.get("License-Expression") or ", ".join(map(str.strip, named)) or stated)


def _home(metadata: Metadata) -> str:
    """The project's page: of all that METADATA names, what a browser opens without running it."""
    named = [each.partition(",")[::2] for each in metadata.get_all("Project-URL")]
    by_label = {re.sub(r"[\W_]", "", label).lower(): url.strip() for label, url in reversed(named)}
    pages = [metadata.get("Home-page") or "", *(by_label.get(label, "") for label in _HOME)]
    return next((each for each in pages if re.fullmatch(r"https?://[!-~]{1,500}", each)), "")


def _declared(metadata: Metadata) -> list[str]:
    """The names to import that METADATA declares (PEP 794), without private ones."""
    named = [*metadata.get_all("Import-Name"), *metadata.get_all("Import-Namespace")]
    pairs = [[part.strip() for part in each.partition(";")[::2]] for each in named]
    return sorted({name for name, private in pairs if name and private != "private"})


def _outside(path: str) -> Iterator[str]:
    """What the ELF files in the wheel at *path* need and is not in it."""
    files = elf_files(path)
    own = {name for each in files for name in (each.soname, each.path.rpartition("/")[2])}
    for each in files:
        yield from (name for name in each.needed if name not in own)
