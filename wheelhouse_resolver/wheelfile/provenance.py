"""What a wheel was made from and with, as the SBOM in it says (PEP 770); nothing is needed to read it.

`wheelfile.sbom` writes it: CycloneDX, of which only what is written there is read here.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from wheelhouse_resolver.errors import UnreadableWheelError, reason_of
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.wheelfile.bounds import open_wheel, read_entry
from wheelhouse_resolver.wheelfile.metadata import info_directory_of

#: Begins the names of our SBOMs, and of the properties in them.
OWN = "wheelhouse-resolver"

#: Where SBOMs are in the `.dist-info` directory; how the names of ours end.
SBOMS, SUFFIX = "sboms/", ".cdx.json"

#: The largest one that is read (bytes).
_MOST = 16 << 20

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalLibrary:
    """A library that files of a wheel load and that is not in it.

    name:   as they ask for it (ELF NEEDED). path: where it was found; empty if nowhere.
    module: the environment module that gives that directory; empty if none does.
    """

    name: str
    path: str = ""
    module: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What a wheel was made from, and with what.

    project, version: of the wheel as it was made; a label that came later is not in it.
    origin:   what *source* is: a `source-distribution` (also a directory), a git repository (`vcs`), or a
              wheel that was taken (`distribution`).
    source, source_sha256: its URL or file name, and its hash (empty for git: the commit is in the URL).
    recipe, recipe_sha256: the file name and the hash of the recipe; empty without one.
    python, arch, layer, libc: what it was made for, as far as it depends on that; else empty.
    modules:  that were loaded to build.
    flags:    of the compilers. environ: other variables that the recipe or a module set.
    tools:    programs with their versions. packages: what was installed to build, with versions.
    libraries: that it loads and does not contain.
    notes:    what was changed in it.
    program:  the version of this program.
    others:   the names of the other SBOMs in the wheel.
    """

    project: str
    version: str
    origin: str = ""
    source: str = ""
    source_sha256: str = ""
    recipe: str = ""
    recipe_sha256: str = ""
    python: str = ""
    arch: str = ""
    layer: str = ""
    libc: str = ""
    modules: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[ExternalLibrary, ...] = ()
    notes: tuple[str, ...] = ()
    program: str = ""
    others: tuple[str, ...] = ()

    @staticmethod
    def of(path: str) -> Provenance | None:
        """What the wheel at *path* says that it was made from; None if it does not say.

        Raises `UnreadableWheelError`.
        """
        return read(path)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = to_plain(self)
        return found


#: The fields that are properties of the whole document, by their own names.
PROPERTIES = ("recipe", "recipe_sha256", "python", "arch", "layer", "libc")


def sbom_names(names: Iterable[str], info_directory: str) -> list[str]:
    """The SBOMs among the *names* of a wheel's files, as they are called below `sboms/`, sorted."""
    top = f"{info_directory}/{SBOMS}"
    return sorted(name.removeprefix(top) for name in names if name.startswith(top) and name != top)


def own_sboms(names: Iterable[str]) -> list[str]:
    """Those SBOMs among *names* that we have written, the last one written last."""
    found = [name for name in names if name.startswith(OWN) and name.endswith(SUFFIX)]
    return sorted(found, key=lambda name: (len(name), name))  # ...-2, ...-10


def next_sbom(names: Sequence[str]) -> str:
    """The name of a new SBOM of ours beside those called *names*: what a wheel brings along is kept."""
    taken = own_sboms(names)
    return f"{OWN}-{len(taken) + 1}{SUFFIX}" if taken else f"{OWN}{SUFFIX}"


def read(path: str) -> Provenance | None:
    """What the wheel at *path* says that it was made from, by our last SBOM in it; None without one.

    Raises `UnreadableWheelError`, also for an SBOM of ours that is damaged.
    """
    try:
        with open_wheel(path) as file, zipfile.ZipFile(file) as archive:
            top = info_directory_of(archive)
            names = sbom_names(archive.namelist(), top)
            own = own_sboms(names)
            if not own:
                return None
            content = read_entry(archive, archive.getinfo(f"{top}/{SBOMS}{own[-1]}"), _MOST)
    except UnreadableWheelError:
        raise
    except OSError as error:
        raise UnreadableWheelError(path, f"cannot be read: {reason_of(error)}") from error
    except BAD_ZIP as error:
        raise UnreadableWheelError(path, f"invalid wheel: {error}") from error
    try:
        if len(content) > _MOST:
            raise ValueError(f"it has more than {_MOST} bytes")
        return parsed(json.loads(content), [each for each in names if each != own[-1]])
    except (ValueError, RecursionError) as error:
        raise UnreadableWheelError(path, f"its {SBOMS}{own[-1]} cannot be read: {error}") from error


def parsed(document: Any, others: Sequence[str] = ()) -> Provenance:
    """What the CycloneDX *document* of ours says. Raises `ValueError`. Pure."""
    metadata = _at(document, "metadata", dict)
    component = _at(metadata, "component", dict)
    said = _properties(metadata)
    references = _list(component, "externalReferences")
    source = references[0] if references else {}
    hashes = _list(source, "hashes")
    components = _list(document, "components")
    kinds: dict[str, list[dict[str, Any]]] = {"library": [], "tool": [], "package": []}
    for each in components:
        kinds.get(_properties(each).get("kind", ""), []).append(each)
    programs = _list(_at(metadata, "tools", dict, {}), "components")
    return Provenance(
        project=_at(component, "name", str),
        version=_at(component, "version", str, ""),
        origin=_at(source, "type", str, ""),
        source=said.get("source") or _at(source, "url", str, ""),
        source_sha256=_at(hashes[0], "content", str, "") if hashes else "",
        **{name: said.get(name, "") for name in PROPERTIES},
        modules=tuple(said.get("modules", "").split()),
        flags=_below(said, "flags:"),
        environ=_below(said, "environ:"),
        tools={_at(each, "name", str): _at(each, "version", str, "") for each in kinds["tool"]},
        packages={_at(each, "name", str): _at(each, "version", str, "") for each in kinds["package"]},
        libraries=tuple(map(_library, kinds["library"])),
        notes=tuple(_below(said, "note:").values()),
        program=_at(programs[0], "version", str, "") if programs else "",
        others=tuple(others),
    )


def _library(component: Any) -> ExternalLibrary:
    said = _properties(component)
    name = _at(component, "name", str)
    return ExternalLibrary(name=name, path=said.get("path", ""), module=said.get("module", ""))


def _properties(component: Any) -> dict[str, str]:
    """Our own properties of *component*, without the prefix."""
    found = {}
    for each in _list(component, "properties"):
        prefix, _, name = _at(each, "name", str).partition(":")
        if prefix == OWN:
            found[name] = _at(each, "value", str, "")
    return found


def _below(said: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): said[name] for name in said if name.startswith(prefix)}


def _list(data: Any, key: str) -> list[Any]:
    return _at(data, key, list, [])


def _at(data: Any, key: str, kind: type[_T], default: _T | None = None) -> _T:
    """What *data* has as *key*. Raises `ValueError` if that is not of this *kind*."""
    found = data.get(key, default) if isinstance(data, dict) else None
    if not isinstance(found, kind):
        raise ValueError(f"{key} is not as expected")
    return found


def described(made: Provenance) -> Iterator[str]:
    """What *made* says for people, a line for each thing."""
    how = "taken from" if made.origin == "distribution" else "built from"
    yield f"{how}: {made.source}" + (f" (sha256 {made.source_sha256})" if made.source_sha256 else "")
    if made.recipe:
        yield f"recipe: {made.recipe} (sha256 {made.recipe_sha256})"
    parts = (made.python and f"Python {made.python}", made.arch, made.layer, made.libc)
    if any(parts):
        yield f"for: {', '.join(filter(None, parts))}"
    if made.modules:
        yield f"modules: {' '.join(made.modules)}"
    yield from _assigned("flags", made.flags)
    yield from _assigned("environ", made.environ)
    for what, versions in (("tools", made.tools), ("packages", made.packages)):
        if versions:
            yield f"{what}: {', '.join(f'{name} {version}' for name, version in versions.items())}"
    for each in made.libraries:
        module = f" (module {each.module})" if each.module else ""
        yield f"loads: {each.name}, {each.path or 'not found'}{module}"
    yield from (f"note: {each}" for each in made.notes)
    yield f"by: wheelhouse-resolver {made.program}"
    if made.others:
        yield f"other SBOMs in it: {', '.join(made.others)}"


def _assigned(what: str, values: Mapping[str, str]) -> Iterator[str]:
    for name, text in values.items():
        yield f"{what}: {name}={text}"
