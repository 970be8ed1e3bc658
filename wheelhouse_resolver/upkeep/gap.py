"""What `gaps` answers."""

from __future__ import annotations

from typing import Any, NamedTuple

from wheelhouse_resolver.selection.reasons import python_labels
from wheelhouse_resolver.site.layout import NO_LAYER
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.upkeep.coverage import Coverage


class Gap(NamedTuple):
    """A project as others have it, and as the host has it.

    name:      normalised.
    version:   the newest that others have, without a local label; or another that something requires.
    state:     what the host has of it.
    wheels:    those that others have of it, most specific directory first.
    has:       the newest version that the host has; None: none.
    wave:      1 for what can be built first, 2 for what needs that, ...; 0 for anything else.
    needs:     the other gaps that it requires, also by way of wheels that exist.
    cycle:     all that need each other with it, and so are in one wave.
    barred:    the Requires-Python of that version, if the host's Python is not in it.
    libraries: what the loader of the host's layer does not find for the first of the wheels; None: not tried.
    wanted_by: of another version than the newest: what requires it.
    unmet:     requirements, its own or of what it needs, that nothing which anybody has meets (together).
    """

    name: str
    version: str
    state: Coverage
    wheels: tuple[Candidate, ...]
    has: str | None = None
    wave: int = 0
    needs: tuple[str, ...] = ()
    cycle: tuple[str, ...] = ()
    barred: str = ""
    libraries: tuple[str, ...] | None = None
    wanted_by: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """What to build: that version, or any that the host's Python is not barred from."""
        return self.name if self.barred else f"{self.name}=={self.version}"

    @property
    def best(self) -> str:
        """The version that the host is to have."""
        return self.version if self.has is None or self.state.is_gap else self.has

    @property
    def key(self) -> str:
        """What it is called among the needs of others: another version than the newest with that version."""
        return self.requirement if self.state is Coverage.NEEDED else self.name

    @property
    def pythons(self) -> list[str]:
        """The Pythons that others have it for: `3.11`, `3.8 and newer`."""
        return python_labels(tag for wheel in self.wheels for tag in wheel.tags)

    @property
    def archs(self) -> list[str]:
        """The archs that others have it for, the most specific first."""
        return list(dict.fromkeys(wheel.directory.arch for wheel in self.wheels))

    @property
    def layers(self) -> list[str]:
        """The layers that others have it in; `none` for the top-level generic directory."""
        return list(dict.fromkeys(wheel.directory.layer or NO_LAYER for wheel in self.wheels))

    @property
    def note(self) -> str:
        """What else is to be known of it, for people; empty for nothing."""
        parts = [f"requires Python {self.barred}"] if self.barred else []
        parts += [f"for {', '.join(self.wanted_by)}"] if self.wanted_by else []
        parts += [f"unmet: {', '.join(self.unmet)}"] if self.unmet else []
        parts += [f"in a cycle with {', '.join(self.cycle)}"] if self.cycle else []
        if self.libraries is not None:
            missing = f"not found: {', '.join(self.libraries)}"
            parts.append(missing if self.libraries else "its libraries are found")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("name", "version", "requirement", "has", "wave", "pythons", "archs", "layers", "barred")
        found = {name: getattr(self, name) for name in names}
        lists = {name: list(getattr(self, name)) for name in ("needs", "cycle", "wanted_by", "unmet")}
        libraries = None if self.libraries is None else list(self.libraries)
        more = {"libraries": libraries, "path": self.wheels[0].path}
        return {**found, "state": self.state.value, **lists, **more}


class Gaps(NamedTuple):
    """The answer.

    rows:      the gaps, in the order in which they can be built.
    covered:   what the host has, by name.
    unmatched: the patterns that match no project that others have.
    warnings:  one line each.
    """

    rows: tuple[Gap, ...]
    covered: tuple[Gap, ...] = ()
    unmatched: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
