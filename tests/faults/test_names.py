"""Which names go from a directory that installers read: uv fails if one does while it lists that."""

from __future__ import annotations

import builtins
import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_wheel
from tests.faults.trees import Case
from tests.filesystems import refuse_nameless
from wheelhouse_resolver.cli.main import main
from wheelhouse_resolver.publishing import trash

PLAIN = "plain-1.0-py3-none-any.whl"
STAMPED = "demo-1.0-1000generic-py3-none-any.whl"
GIVEN = "demo-1.0-py3-none-any.whl"
STALE = "stale-1.0-999000avx2-py3-none-any.whl"


class Names:
    """What a reader who looks at each step sees below *roots*, but for the trash."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots
        self._before = self._look()
        self.gone: set[str] = set()
        self.steps = 0

    def _look(self) -> set[str]:
        return {
            os.path.join(path, name)
            for root in self._roots
            for path, directories, files in os.walk(root)
            if trash.TRASH not in path.split(os.sep)
            for name in (*directories, *files)
        }

    def look(self) -> None:
        """Note what has gone since."""
        now = self._look()
        self.gone |= {os.path.basename(path) for path in self._before - now}
        self._before = now
        self.steps += 1


@pytest.fixture(params=["all", "no-nameless", "no-renames", "no-links"])
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    found = Case(tmp_path)
    found.standing("generic", STAMPED)
    found.standing("gentoo/avx2", PLAIN)
    found.standing("gentoo/avx2", STALE)
    found.again()
    if request.param in ("no-nameless", "no-renames"):
        refuse_nameless(monkeypatch)
    if request.param == "no-renames":
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    if request.param == "no-links":
        refuse_links(monkeypatch)
    return found


def refuse_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


def gone(case: Case, monkeypatch: pytest.MonkeyPatch, *command: str | Path) -> set[str]:
    """The names that go, of whatever comes and goes while the *command* runs."""
    names = Names(case.root, case.base / "view")
    with monkeypatch.context() as patch:

        def looking(step: Callable[..., Any]) -> Callable[..., Any]:
            def run(*arguments: Any, **options: Any) -> Any:
                try:
                    return step(*arguments, **options)
                finally:
                    names.look()

            return run

        for step in ("link", "unlink", "rename", "replace", "symlink", "mkdir", "rmdir", "fsync", "open"):
            patch.setattr(os, step, looking(getattr(os, step)))
        patch.setattr(builtins, "open", looking(open))
        assert main([*(os.fspath(each) for each in command), "--root", str(case.root)]) == 0
    assert names.steps > 5
    return names.gone


@pytest.fixture
def run(case: Case, monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    return lambda *command: gone(case, monkeypatch, *command)


Run = Callable[..., set[str]]


def test_no_name_goes_where_wheels_are_added_replaced_or_restored(case: Case, run: Run) -> None:
    other = make_wheel(case.base / "other", GIVEN, files={"demo.py": b"other"})
    third = make_wheel(case.base / "third", GIVEN, files={"demo.py": b"third"})
    new = case.given("new-1.0-py3-none-any.whl")
    assert run("publish", new) == set()
    assert run("publish", new) == set()
    assert run("publish", other, "--replace") == set()
    assert run("publish", third, "--rebuild") == set()
    trash.move_to_trash(str(case.root / "generic" / STAMPED))
    assert run("restore", STAMPED) == set()


def test_only_the_old_names_go_where_wheels_get_others(case: Case, run: Run) -> None:
    assert run("restamp") == {PLAIN, STALE}
    assert run("restamp", "--undo") == {
        "plain-1.0-400000avx2-py3-none-any.whl",
        "stale-1.0-400000avx2-py3-none-any.whl",
    }
    assert run("withdraw", STAMPED) == {STAMPED}
    assert run("publish", case.given(PLAIN), "--to", "gentoo/avx") == {PLAIN}  # its neighbour is stamped


def test_only_the_links_of_what_is_gone_go_from_a_view(case: Case, run: Run) -> None:
    view = case.base / "view"
    assert run("view", "--output", view) == set()
    (case.root / "gentoo/avx2" / PLAIN).rename(case.root / "gentoo/avx2" / PLAIN.replace("-py3", "-1-py3"))
    (case.root / "gentoo/avx2" / STALE).rename(
        case.root / "gentoo/avx2" / STALE.replace("999000avx2", "400000avx2")
    )
    assert run("view", "--output", view) == {"plain-1.0-400000avx2-py3-none-any.whl"}
    assert all(path.exists() for path in view.rglob("*.whl"))
    assert os.listdir(view / "gentoo/avx2/.trash") == []
