"""The same commands on a wheelhouse with a static index, whose pages must be right whatever stops them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.blows import (
    Blow,
    publish_blow,
    rebuild_blow,
    remove_blow,
    replace_blow,
    restamp_blow,
    restore_blow,
    undo_blow,
    withdraw_blow,
)
from tests.faults.runner import Runner
from tests.static_pages import assert_right, pages_below
from wheelhouse_resolver import Site
from wheelhouse_resolver.static_index.index import write_index

__all__ = ["INDEXED"]

#: Few kinds of hosts: each is another few steps.
_SITE = """\
root = "{0}/house"
[[layer]]
name = "nix"
archs = ["avx512"]
[[layer]]
name = "gentoo"
archs = ["avx2", "avx512"]
[index]
directory = "{0}/index"
"""


def _indexed(make: Callable[[Path], Blow]) -> Callable[[Path], Blow]:
    """What *make* makes, with an index of the tree, which the site file names."""

    def made(tmp_path: Path) -> Blow:
        blow = make(tmp_path)
        kind: Any = type(blow)
        output = tmp_path / "index"
        (tmp_path / "site.toml").write_text(_SITE.format(tmp_path))
        hashes: dict[tuple[str, int, int], str] = {}
        pages: dict[str, str] = {}

        def now() -> dict[str, str]:
            return {str(page.relative_to(output)): page.read_text() for page in pages_below(output)}

        class Indexed(kind):  # type: ignore[misc]
            def prepare(self) -> None:
                super().prepare()
                if not blow.case.root.exists():
                    blow.case.again()
                shutil.rmtree(output, ignore_errors=True)
                write_index(Site.load(tmp_path / "site.toml"), str(output))

            def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
                pages.clear()
                took: float = super().learn(runner, without)
                pages.update(now())
                # Just what a run over all would write.
                assert write_index(Site.load(tmp_path / "site.toml"), str(output)).written == 0
                return took

            def check(self) -> None:
                super().check()
                assert_right(output, hashes)

            def check_done(self) -> None:
                super().check_done()
                assert now() == pages or not pages

        blow.__class__ = Indexed
        end = blow.command.index("--root")
        blow.command[end : end + 2] = ["--config", tmp_path / "site.toml"]
        return blow

    return made


INDEXED = {
    "publish": _indexed(publish_blow),
    "replace": _indexed(replace_blow),
    "rebuild": _indexed(rebuild_blow),
    "remove-source": _indexed(remove_blow),
    "withdraw": _indexed(withdraw_blow),
    "restore": _indexed(restore_blow),
    "restamp": _indexed(restamp_blow),
    "undo": _indexed(undo_blow),
}
