"""From source to a verified wheel: recipes, sources, builds, verification, and where the result belongs.

Everything that a build runs is a subprocess of the target Python or of a recipe; nothing of a package that is
built or verified is ever imported here.
"""

from __future__ import annotations

__all__: list[str] = []
