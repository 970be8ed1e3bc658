"""For which builds a recipe can say different things: the axes along which its conditions divide them.

A shell recipe is read once for each world, a point on every axis; what differs becomes `[[when]]` sections.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from packaging.version import Version

from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site

#: The layers of those who wrote these recipes, and what their modules set; unless the site's say it.
_LAYERS: Mapping[str, Mapping[str, str]] = {
    "gentoo2023": {"EBVERSIONGENTOO": "2023"},
    "gentoo2020": {"EBVERSIONGENTOO": "2020"},
}

#: The variable that says which of them it is.
LAYER_VARIABLE = "EBVERSIONGENTOO"


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """The builds that are for one *layer* and *arch*, and versions and Pythons at a point of their axis.

    version, python: even: between two bounds of the axis, odd: at one.
    """

    layer: str
    arch: str
    version: int
    python: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """All worlds of a recipe.

    layers:            the names, and the variables that their modules set.
    archs:             the names.
    versions, pythons: where conditions divide them, in order.
    """

    layers: Mapping[str, Mapping[str, str]]
    archs: Sequence[str]
    versions: Sequence[Version] = ()
    pythons: Sequence[Version] = ()

    @property
    def number(self) -> int:
        """How many worlds there are."""
        numbers = len(_points(self.versions)) * len(_points(self.pythons))
        return len(self.layers) * len(self.archs) * numbers

    def worlds(self) -> list[World]:
        """Every one of them."""
        found = product(self.layers, self.archs, _points(self.versions), _points(self.pythons))
        return [World(layer=a, arch=b, version=c, python=d) for a, b, c, d in found]

    def conditions(self, worlds: Collection[World]) -> Iterator[dict[str, str | list[str]]]:
        """The conditions of `[[when]]` sections that hold in these *worlds* and no others."""
        names = ("layer", "arch", "version", "python")
        chosen = {name: {getattr(world, name) for world in worlds} for name in names}
        every: dict[str, Sequence[str | int]] = {
            "layer": list(self.layers),
            "arch": self.archs,
            "version": _points(self.versions),
            "python": _points(self.pythons),
        }
        sizes = [len(chosen[name]) for name in names]
        if sizes[0] * sizes[1] * sizes[2] * sizes[3] != len(worlds):  # not one block: divide it
            name = next(each for each in names if len(chosen[each]) > 1)
            for value in (each for each in every[name] if each in chosen[name]):
                yield from self.conditions([each for each in worlds if getattr(each, name) == value])
            return
        stated: dict[str, str | list[str]] = {}
        for name in ("layer", "arch"):
            if len(chosen[name]) < len(every[name]):
                found = [str(each) for each in every[name] if each in chosen[name]]
                stated[name] = found[0] if len(found) == 1 else found
        versions = _specifiers(self.versions, chosen["version"])
        for version, python in product(versions, _specifiers(self.pythons, chosen["python"])):
            numbers = {"version": version, "python": python}
            yield {**{name: each for name, each in numbers.items() if each}, **stated}


def axes_of(
    site: Site | None, *, layers: bool, archs: bool, versions: Iterable[Version], pythons: Iterable[Version]
) -> Axes:
    """The axes of a recipe whose conditions ask for these things. *site*: has layers and archs."""
    found = layers_of(site)
    ladder = [arch.name for arch in (site or Site.default("/")).ladder]
    return Axes(
        layers=found if layers else {NO_LAYER: {}},
        archs=[GENERIC, *ladder] if archs else [GENERIC],
        versions=sorted(set(versions)),
        pythons=sorted(set(pythons)),
    )


def layers_of(site: Site | None) -> dict[str, Mapping[str, str]]:
    """The layers of *site*, and what their modules set; those of the writers if its layers do not say."""
    found: dict[str, Mapping[str, str]] = {}
    for layer in site.layers if site is not None else ():
        stated = {name: value for name, value in layer.env if not any(each in value for each in "*?[")}
        found[layer.name] = stated
    if not any(LAYER_VARIABLE in stated for stated in found.values()):
        found = {**_LAYERS}
    found = {
        name: {**({"EBROOTGENTOO": "/"} if LAYER_VARIABLE in stated else {}), **stated}
        for name, stated in found.items()
    }
    return {**found, NO_LAYER: {}}


def _points(bounds: Sequence[Version]) -> Sequence[int]:
    """The points of an axis: below, at, between and above its *bounds*."""
    return range(2 * len(bounds) + 1)


def _specifiers(bounds: Sequence[Version], chosen: Collection[object]) -> list[str]:
    """Version specifiers that take the *chosen* points of an axis; an empty one takes any."""
    every = _points(bounds)
    left_out = [point for point in every if point not in chosen]
    if all(point % 2 for point in left_out):  # single versions
        return [",".join(f"!={bounds[point // 2]}" for point in left_out)]
    found = []
    points = [point for point in every if point in chosen]
    while points:
        first = last = points.pop(0)
        while points and points[0] == last + 1:
            last = points.pop(0)
        found.append(_range(bounds, first, last))
    return found


def _range(bounds: Sequence[Version], first: int, last: int) -> str:
    """The specifier of the points from *first* to *last*."""
    if first == last and first % 2:
        return f"=={bounds[first // 2]}"
    stated = []
    if first > 0:
        bound = bounds[(first - 1) // 2]
        # `>1.0` would leave out 1.0.post1.
        stated += [f">={bound}"] if first % 2 else [f">={bound}", f"!={bound}"]
    if last < 2 * len(bounds):
        bound = bounds[last // 2]
        stated.append(f"<={bound}" if last % 2 else f"<{bound}")
    return ",".join(stated)
