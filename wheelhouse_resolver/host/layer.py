"""The layer: which OS-abstraction layer the target Python belongs to, by the strongest evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wheelhouse_resolver.host.program_interpreter import Interpreter
    from wheelhouse_resolver.site.layout import Layer


class Evidence(NamedTuple):
    """One thing that speaks for an arch, a layer or a target Python.

    source: what kind it is: `option`, an environment variable's name, `cpu`, `interpreter`, `prefix`,
            `environment`, `os-release`, `default`; of a Python: `PATH`, `own`.
    value:  what it speaks for; None for no layer.
    detail: what was seen.
    """

    source: str
    value: str | None
    detail: str


def layer_evidence(
    layers: Sequence[Layer],
    interpreter: Interpreter | None,
    environ: Mapping[str, str],
    os_release: Mapping[str, str],
) -> list[Evidence]:
    """All evidence for a layer, strongest first.

    The order of kinds: the target interpreter's ELF program interpreter, its prefix, the environment,
    os-release, the site's default. Within a kind, the layer that more specific or more evidence
    speaks for comes first, then the site file's order.
    """
    found: list[Evidence] = []
    if interpreter is not None:
        if interpreter.program_interpreter is not None:
            seen = [interpreter.program_interpreter]
            found += path_evidence(layers, "interpreter", "ELF program interpreter", seen, environ)
        seen = [path for path in (interpreter.base_prefix, interpreter.executable) if path]
        found += path_evidence(layers, "prefix", "prefix", seen, environ)
    found += _by_environment(layers, environ)
    found += _by_os_release(layers, os_release)
    found += [
        Evidence("default", layer.name, "the site's default layer") for layer in layers if layer.default
    ]
    return found


def path_evidence(
    layers: Sequence[Layer],
    source: str,
    what: str,
    paths: Sequence[str],
    environ: Mapping[str, str],
) -> list[Evidence]:
    """The layers whose `interpreter` patterns match one of *paths*, the one with the most specific first.

    source, what: for the evidence: its source, and what the paths are.
    """
    matches: list[tuple[int, Evidence]] = []
    for layer in layers:
        patterns = [p for p in (expanded_pattern(p, environ) for p in layer.interpreter) if p]
        hits = [
            (len(pattern), Evidence(source, layer.name, f"{what} {path} matches {pattern}"))
            for path in paths
            for pattern in patterns
            # `/nix/store/*` speaks of everything below it, and of the directory itself.
            if fnmatchcase(path, pattern) or fnmatchcase(path.rstrip("/") + "/", pattern)
        ]
        if hits:
            matches.append(max(hits, key=lambda hit: hit[0]))
    return [evidence for _, evidence in sorted(matches, key=lambda match: -match[0])]


def expanded_pattern(pattern: str, environ: Mapping[str, str]) -> str | None:
    """*pattern* with a leading `$VARIABLE` replaced; None when that names no directory of its own."""
    if not pattern.startswith("$"):
        return pattern
    name, slash, rest = pattern[1:].partition("/")
    value = environ.get(name.strip("{}"), "").rstrip("/")
    if not value.startswith("/") or value == "/usr":
        return None
    # The value of a variable is a path: a `[` in it is not a pattern.
    literal = "".join(f"[{char}]" if char in "*?[" else char for char in value)
    return literal + slash + rest


def _by_environment(layers: Sequence[Layer], environ: Mapping[str, str]) -> list[Evidence]:
    """Layers of which at least one variable is set and matches, and none that is set contradicts."""
    matches: list[tuple[int, Evidence]] = []
    for layer in layers:
        stated = [(name, environ[name], pattern) for name, pattern in layer.env if environ.get(name)]
        if stated and all(fnmatchcase(value, pattern) for _, value, pattern in stated):
            detail = ", ".join(f"{name}={value}" for name, value, _ in stated)
            exact = sum(1 + (pattern != "*") for _, _, pattern in stated)
            matches.append((exact, Evidence("environment", layer.name, detail)))
    return [evidence for _, evidence in sorted(matches, key=lambda match: -match[0])]


def _by_os_release(layers: Sequence[Layer], os_release: Mapping[str, str]) -> list[Evidence]:
    """Layers all of whose variables match, the one that asks for most of them first."""
    matches: list[tuple[int, Evidence]] = []
    for layer in layers:
        ids = tuple(each for each in layer.os_release if isinstance(each, str))
        stated = [("ID", ids)] if ids else []
        stated += [each for each in layer.os_release if not isinstance(each, str)]
        if stated and all(_matches(name, os_release.get(name, ""), patterns) for name, patterns in stated):
            detail = ", ".join(f"{name}={os_release[name]}" for name, _ in stated)
            matches.append((len(stated), Evidence("os-release", layer.name, detail)))
    return [evidence for _, evidence in sorted(matches, key=lambda match: -match[0])]


def _matches(name: str, value: str, patterns: Sequence[str]) -> bool:
    words = [value, *(value.split() if name == "ID_LIKE" else ())]  # the one variable that is a list
    return bool(value) and any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file (freedesktop os-release(5)), quotes removed."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key] = value.strip().strip("\"'")
    return found
