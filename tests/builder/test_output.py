from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builder.test_record import RECORD
from tests.factories import make_wheel
from tests.whole import assert_whole
from wheelhouse_resolver.builder.records.output import place_wheel
from wheelhouse_resolver.builder.records.record import BuildRecord, record_of
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.atomic import AlreadyExistsError
from wheelhouse_resolver.utils.drafts import Draft
from wheelhouse_resolver.utils.safe_io import sha256_of

NAME = "demo-1.0-py3-none-any.whl"


def seen(directory: Path) -> list[str]:
    """The names in *directory*, but for those that only builds look at."""
    return sorted(name for name in os.listdir(directory) if not name.endswith((".lock", "~")))


def place(tmp_path: Path, content: str = "one", **change: Any) -> BuildRecord:
    wheel = make_wheel(tmp_path / f"made-{content}", NAME, files={"demo.py": content})
    record = replace(RECORD, result="failed", problem="interrupted", **change)
    return place_wheel(str(wheel), str(tmp_path / "out"), record)


def test_the_wheel_and_its_record_are_placed(tmp_path: Path) -> None:
    record = place(tmp_path)
    target = tmp_path / "out" / NAME
    assert seen(tmp_path / "out") == [NAME, f"{NAME}.build.json"]
    assert (record.result, record.problem, record.wheel) == ("built", "", NAME)
    assert record.wheel_sha256 == sha256_of(str(target))
    assert record_of(str(target)) == record
    assert target.stat().st_mode & 0o777 == 0o644


def test_the_same_wheel_again_is_present_and_its_record_stays(tmp_path: Path) -> None:
    first = place(tmp_path)
    again = place(tmp_path, log="second")
    assert again.result == "present"
    assert record_of(str(tmp_path / "out" / NAME)) == first


def test_a_wheel_without_its_record_gets_one(tmp_path: Path) -> None:
    place(tmp_path)
    os.unlink(tmp_path / "out" / f"{NAME}.build.json")
    again = place(tmp_path)
    assert record_of(str(tmp_path / "out" / NAME)) == again


def test_one_made_of_the_same_is_present_though_it_came_out_otherwise(tmp_path: Path) -> None:
    first = place(tmp_path)
    again = place(tmp_path, "two")
    assert (again.result, again.wheel_sha256) == ("present", first.wheel_sha256)
    assert record_of(str(tmp_path / "out" / NAME)) == first


@pytest.mark.parametrize(
    "change",
    [
        {"recipe_sha256": "22"},
        {"source_sha256": "22"},
        {"tools": {"cc": "gcc 13"}},
        {"flags": {}},
        {"modules": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_one_made_of_something_else_is_in_the_way(tmp_path: Path, change: dict[str, Any]) -> None:
    place(tmp_path)
    with pytest.raises(AlreadyExistsError):
        place(tmp_path, "two", **change)


def test_a_directory_is_not_taken_for_the_same(tmp_path: Path) -> None:
    place(tmp_path, source_sha256="", source="file:///source")
    with pytest.raises(AlreadyExistsError):
        place(tmp_path, "two", source_sha256="", source="file:///source")


def test_a_commit_is_the_same(tmp_path: Path) -> None:
    place(tmp_path, source_sha256="", source="git+https://example.org/demo@1234")
    assert place(tmp_path, "two", source_sha256="", source="git+https://example.org/demo@1234").ok
    with pytest.raises(AlreadyExistsError):
        place(tmp_path, "two", source_sha256="", source="git+https://example.org/demo@5678")


def killed_at(step: int, tmp_path: Path) -> bool:
    """Place the wheel in a child that is killed before its *step*th file operation; False: it got through."""
    child = os.fork()
    if child == 0:
        left = step

        def hook(event: str, _: object) -> None:
            nonlocal left
            if event == "open" or (event.startswith("os.") and event != "os.kill"):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            place(tmp_path)
        except BaseException:  # noqa: BLE001 - this process must not go on as a second run of the tests
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_before_any_step_it_leaves_nothing_partial(tmp_path: Path) -> None:
    target = tmp_path / "out" / NAME
    steps = 0
    while killed_at(steps, tmp_path):
        if target.exists():
            assert_whole(target)
            assert record_of(str(target)) is not None
        assert place(tmp_path).ok
        # A kill while a record is written leaves a hidden file, as it does wherever one is replaced.
        assert seen(tmp_path / "out") == [NAME, f"{NAME}.build.json"]
        shutil.rmtree(tmp_path / "out")
        steps += 1
    assert steps > 10
    assert target.exists()


def everything(directory: Path) -> dict[str, bytes | None]:
    """What stands in *directory*: name -> content, if it has one."""
    found = {name: directory / name for name in seen(directory)}
    return {name: path.read_bytes() if path.is_file() else None for name, path in found.items()}


@pytest.mark.parametrize("way", ["wheel", "directory", "dangling-link"])
def test_nothing_is_written_over(tmp_path: Path, way: str) -> None:
    target = tmp_path / "out" / NAME
    if way == "wheel":
        place(tmp_path, "other", tools={})
    else:
        target.parent.mkdir()
        target.mkdir() if way == "directory" else target.symlink_to("nowhere")
    before = everything(target.parent)
    with pytest.raises(AlreadyExistsError, match=r"already exists with different content$") as caught:
        place(tmp_path)
    assert caught.value.hint.startswith("remove it, use another output directory")
    assert everything(target.parent) == before


def test_one_that_comes_in_between_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = atomic.commit
    other = make_wheel(tmp_path / "other", NAME, files={"demo.py": "meanwhile"})

    def late(source: Draft, path: str) -> bool:
        shutil.copy(other, path)
        return commit(source, path)

    monkeypatch.setattr(atomic, "commit", late)
    with pytest.raises(AlreadyExistsError):
        place(tmp_path)
    assert (tmp_path / "out" / NAME).read_bytes() == other.read_bytes()
    assert record_of(str(tmp_path / "out" / NAME)) is None


def test_of_many_at_once_one_is_placed_with_its_own_record(tmp_path: Path) -> None:
    children = []
    for number in range(12):
        child = os.fork()
        if child == 0:
            try:
                record = place(tmp_path, f"content-{number}")
                os._exit({"built": 1, "present": 2}[record.result])
            except BaseException:  # noqa: BLE001 - as above
                os._exit(3)
        children.append(child)
    results = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sorted(results) == [1] + [2] * 11
    assert record_of(str(tmp_path / "out" / NAME)) is not None


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.wheelhouse-draft-n-1-1-1.part").touch()
    (tmp_path / "out" / f"{NAME}.build.json").write_text("{}")
    record = place(tmp_path)
    assert seen(tmp_path / "out") == [NAME, f"{NAME}.build.json"]
    assert record_of(str(tmp_path / "out" / NAME)) == record
