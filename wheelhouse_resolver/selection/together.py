"""Lines of files that concern one project: pip wants all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

from wheelhouse_resolver.selection.requirements import Requirement

if TYPE_CHECKING:
    from packaging.markers import Marker  # packaging's parser takes 10 ms to import


def together(
    requirements: Iterable[Requirement], applies: Callable[[Marker | None], bool]
) -> list[Requirement]:
    """*requirements*, with one for all lines of files that concern one project.

    What is given on the command line is a question of its own, and so is what does not concern the host:
    *applies* says whether a marker holds.
    """
    found: dict[object, list[Requirement]] = {}
    for number, each in enumerate(requirements):
        asks = each.where is not None and each.url is None and applies(each.marker)
        found.setdefault(each.name if asks else number, []).append(each)
    joined = [several[0] if len(several) == 1 else _joined(several) for several in found.values()]
    return list({each.text: each for each in reversed(joined)}.values())[::-1]


def _joined(several: list[Requirement]) -> Requirement:
    specifier = several[0].specifier
    for each in several[1:]:
        specifier &= each.specifier
    stating = {str(each.specifier): each.stated for each in reversed(several) if each.specifier}
    extras = frozenset[str]().union(*(each.extras for each in several))
    shown = f"[{','.join(sorted(extras))}]" if extras else ""
    return several[0]._replace(
        text=f"{several[0].name}{shown}{specifier}",
        specifier=specifier,
        extras=extras,
        marker=None,
        hashes=(),
        lines=tuple(reversed(stating.values())) if len(stating) > 1 else (),
    )


def trouble(asked: Requirement) -> str:
    """What is to be known where nothing serves *asked*: that its lines contradict each other, or which."""
    if contradictory(asked.specifier):
        problem = f"no version can satisfy {asked.specifier}"
        return f"{problem}: {' and '.join(asked.lines)} contradict each other" if asked.lines else problem
    return f"asked for by {' and '.join(asked.lines)}" if asked.lines else ""


def contradictory(specifier: SpecifierSet) -> bool:
    """Whether two clauses of *specifier* rule each other out, such as `>=2,<1`: no version can satisfy it."""
    exact = [each for each in specifier if each.operator in ("==", "===") and not _is_prefix(each)]
    if exact:
        return not any(specifier.contains(each.version, prereleases=True) for each in exact)
    least: list[tuple[Version, bool]] = []  # of two equal bounds, one that excludes itself is enough
    most: list[tuple[Version, bool]] = []
    for each in specifier:
        prefix = _is_prefix(each)
        version = Version(Version(each.version.removesuffix(".*")).public)
        if prefix or each.operator in (">", ">=", "~="):
            least.append((Version(f"{version}.dev0") if prefix else version, each.operator == ">"))
        if prefix or each.operator == "~=":
            most.append((_after(version.release[: None if prefix else -1], version.epoch), True))
        elif each.operator in ("<", "<="):
            most.append((version, each.operator == "<"))
    return any(
        low > high or (low == high and (above or below)) for low, above in least for high, below in most
    )


def _is_prefix(clause: Specifier) -> bool:
    return clause.operator == "==" and clause.version.endswith(".*")


def _after(release: tuple[int, ...], epoch: int) -> Version:
    """The least version behind all that begin with *release*."""
    return Version(f"{epoch}!{'.'.join(map(str, (*release[:-1], release[-1] + 1)))}.dev0")
