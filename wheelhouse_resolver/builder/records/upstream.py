"""How wheels of an index are adapted to a layer, where they are taken instead of built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelAdaptation:
    """What wheels with compiled code get; others stay as they are.

    interpreter: the program interpreter of their programs; empty: that of the Python.
    rpath:       directories for libraries that the loader does not find otherwise.
    local_label: appended to the version's local label; empty for none.
    """

    interpreter: str = ""
    rpath: tuple[str, ...] = ()
    local_label: str = ""
