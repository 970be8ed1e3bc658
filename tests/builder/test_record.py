from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_wheel
from wheelhouse_resolver.builder.records.record import (
    RECORD_SUFFIX,
    BuildRecord,
    Phase,
    record_of,
    write_record,
)
from wheelhouse_resolver.utils.safe_io import sha256_of
from wheelhouse_resolver.utils.serialise import to_plain

RECORD = BuildRecord(
    project="demo",
    requirement="demo==1.0",
    python="3.11",
    arch="avx2",
    layer="gentoo",
    result="built",
    version="1.0",
    directory="gentoo/avx2",
    source="https://example.org/demo-1.0.tar.gz",
    source_sha256="00",
    recipe="/recipes/demo.toml",
    recipe_sha256="11",
    flags={"CFLAGS": "-march=x86-64-v3"},
    modules=("gcc/12",),
    environ={"CC": "gcc"},
    host={"node": "n1"},
    tools={"cc": "gcc 12"},
    phases=(Phase(name="source", seconds=0.5, ok=True),),
    started="2026-01-01T00:00:00Z",
    log="/logs/demo.log",
    wheel="demo-1.0-cp311-cp311-linux_x86_64.whl",
    wheel_sha256="22",
)


def test_a_record_survives_the_way_through_json() -> None:
    assert BuildRecord.from_dict(json.loads(json.dumps(to_plain(RECORD)))) == RECORD


@pytest.mark.parametrize(("result", "ok"), [("built", True), ("present", True), ("failed", False)])
def test_a_build_is_ok_when_the_wheel_is_there(result: str, ok: bool) -> None:
    assert replace(RECORD, result=result).ok is ok


@pytest.mark.parametrize(
    "data", [None, {}, {**to_plain(RECORD), "result": "perhaps"}, {**to_plain(RECORD), "modules": "gcc"}]
)
def test_what_is_no_record(data: Any) -> None:
    with pytest.raises(ValueError, match=r".*"):
        BuildRecord.from_dict(data)


def placed(directory: Path) -> tuple[Path, BuildRecord]:
    wheel = make_wheel(directory, "demo-1.0-py3-none-any.whl")
    record = replace(RECORD, wheel=wheel.name, wheel_sha256=sha256_of(str(wheel)))
    write_record(f"{wheel}{RECORD_SUFFIX}", record)
    return wheel, record


def test_the_record_of_a_wheel_stands_beside_it(tmp_path: Path) -> None:
    wheel, record = placed(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [wheel.name, f"{wheel.name}.build.json"]
    assert record_of(str(wheel)) == record


def test_a_record_of_another_file_is_none(tmp_path: Path) -> None:
    wheel, _ = placed(tmp_path)
    make_wheel(tmp_path, wheel.name, files={"demo.py": "changed"})
    assert record_of(str(wheel)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "[" * 100_000, "\udc80"])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    wheel, _ = placed(tmp_path)
    Path(f"{wheel}{RECORD_SUFFIX}").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert record_of(str(wheel)) is None


def test_a_wheel_without_a_record_has_none(tmp_path: Path) -> None:
    assert record_of(str(make_wheel(tmp_path, "demo-1.0-py3-none-any.whl"))) is None
    assert record_of(str(tmp_path / "missing.whl")) is None
