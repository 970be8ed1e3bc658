"""Trees to break, and what must hold of them whatever happened."""

from __future__ import annotations

import random
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.factories import make_tree, make_wheel
from tests.whole import assert_whole, content_of, wheels_below
from wheelhouse_resolver.publishing import trash

__all__ = ["Case", "contents", "leftovers"]


def contents(*roots: Path) -> set[str]:
    """What tells the contents of all wheels below *roots* apart, trash included."""
    return {content_of(path) for root in roots for path in root.rglob("*.whl") if path.is_file()}


def leftovers(root: Path) -> list[str]:
    """What a killed run can leave: drafts, and the links that a view was about to rename."""
    return [str(path) for path in root.rglob("*") if path.name.startswith(".") and path.name != trash.TRASH]


class Case(NamedTuple):
    """A tree and an inbox, made again for each blow. *base*: where all is."""

    base: Path

    @property
    def root(self) -> Path:
        """The wheelhouse."""
        return self.base / "house"

    @property
    def inbox(self) -> Path:
        """Wheels to publish."""
        return self.base / "inbox"

    @property
    def start(self) -> Path:
        """The tree as it is at first; `again` copies it."""
        return self.base / "start"

    def given(self, filename: str, size: int = 0, mark: str = "given") -> Path:
        """A wheel in the inbox, with *size* bytes that do not compress."""
        return make_wheel(self.inbox, filename, **_marked(mark, size))

    def standing(self, label: str, filename: str, size: int = 0, mark: str = "standing") -> Path:
        """A wheel that stands in the tree at first."""
        if not self.start.exists():
            make_tree(self.start, {})
        return make_wheel(self.start / label, filename, **_marked(mark, size))

    def again(self) -> None:
        """The tree as it was at first."""
        if self.root.exists():
            shutil.rmtree(self.root)
        if not self.start.exists():
            make_tree(self.start, {})
        shutil.copytree(self.start, self.root, symlinks=True)

    def check_whole(self) -> None:
        """Nothing that installers see is partial, or not for everybody to read."""
        for path in wheels_below(self.root):
            assert_whole(path)
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == 0o644, (path, oct(mode))

    def check(self, *, replaced: Iterable[str] = ()) -> None:
        """Nothing is partial, lost or overwritten but for the names in *replaced*, which are in the trash."""
        self.check_whole()
        for path in wheels_below(self.root):
            first = self.start / path.relative_to(self.root)
            if first.exists() and path.name not in replaced:
                assert content_of(path) == content_of(first), f"{path} was overwritten"
        assert contents(self.start, self.inbox) <= contents(self.root, self.inbox), "something is lost"

    def state(self) -> dict[str, str]:
        """The wheels that installers see, with what tells their contents apart."""
        return {str(path.relative_to(self.root)): content_of(path) for path in wheels_below(self.root)}


def _marked(mark: str, size: int) -> dict[str, Any]:
    data = random.Random(f"{mark}{size}").randbytes(size)
    return {"files": {"module.py": f"MARK = {mark!r}\n".encode(), "data": data, "pkg/x": b""}}
