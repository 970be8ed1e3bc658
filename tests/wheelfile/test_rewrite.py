"""Rewriting a wheel changes what it must change, everywhere it stands, and nothing else."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.tags import Tag

from tests.factories import make_wheel, pack, record_of, wheel_files
from tests.whole import assert_whole, headers_of
from wheelhouse_resolver.wheelfile.rewrite import ChangedWhileReadError, Rewrite, rewrite
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel

NAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"
STAMP = Rewrite(None, "1000generic")
LABEL = Rewrite("1.0+site", "1000generic")


def rewritten(path: Path, change: Rewrite, name: str | None = None) -> Path:
    """The wheel at *path*, rewritten, under the *name* that it would get."""
    if name is None:
        _, version, *_, python, abi, platform = path.name.removesuffix(".whl").split("-")
        name = f"demo-{change.version or version}-{change.build}-{python}-{abi}-{platform}.whl"
    target = path.parent / "out" / name
    target.parent.mkdir(exist_ok=True)
    with open(target, "w+b") as output:
        rewrite(check_wheel(str(path), installable=False), change, output)
    return target


def test_an_interrupt_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """zipfile raises an error of its own where the writing of a file has begun and is not ended."""
    wheel = check_wheel(str(make_wheel(tmp_path, NAME)))
    opened = zipfile.ZipFile.open

    def interrupted(archive: zipfile.ZipFile, *arguments: Any, **options: Any) -> Any:
        found = opened(archive, *arguments, **options)
        if found.writable():
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(zipfile.ZipFile, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rewrite(wheel, STAMP, io.BytesIO())


def files_in(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def wheel_with(directory: Path, files: Mapping[str, bytes], name: str = NAME) -> Path:
    """A wheel with *files* besides or instead of the usual ones, and a RECORD of them."""
    content = {**wheel_files(name), **files}
    record = f"{INFO}/RECORD"
    content[record] = record_of(content, record)
    return pack(directory / name, content)


def test_only_wheel_and_record_differ_when_a_wheel_is_stamped(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME, files={"demo.py": b"\r\n\x00", "a, b.txt": b"x", "caf\u00e9.py": b"y"})
    result = rewritten(path, STAMP)
    assert_whole(result)
    before, after = files_in(path), files_in(result)
    assert list(before) == list(after)
    assert {name for name in before if before[name] != after[name]} == {f"{INFO}/WHEEL", f"{INFO}/RECORD"}
    assert after[f"{INFO}/WHEEL"] == before[f"{INFO}/WHEEL"] + b"Build: 1000generic\n"


def test_the_result_depends_on_the_content_alone(tmp_path: Path) -> None:
    path = make_wheel(tmp_path / "one", NAME)
    copy = make_wheel(tmp_path / "two", NAME)
    os.utime(copy, (1, 1))
    copy.chmod(0o600)
    first, second = rewritten(path, LABEL), rewritten(copy, LABEL)
    assert first.read_bytes() == second.read_bytes() == rewritten(path, LABEL).read_bytes()


def test_stamping_what_is_stamped_changes_nothing(tmp_path: Path) -> None:
    once = rewritten(make_wheel(tmp_path, NAME), STAMP)
    assert rewritten(once, STAMP).read_bytes() == once.read_bytes()


def test_an_earlier_build_tag_goes(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "demo-1.0-7-py3-none-any.whl")
    result = rewritten(path, Rewrite(None, "1007generic"))
    assert_whole(result)
    bare = rewritten(result, Rewrite(None, ""), NAME)
    assert_whole(bare)
    assert "Build" not in dict(headers_of(bare, "WHEEL"))


def test_new_tags_take_the_place_of_the_old(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "demo-1.0-cp311-cp311-linux_x86_64.whl")
    tags = frozenset(Tag("cp311", "cp311", each) for each in ("linux_x86_64", "manylinux_2_36_x86_64"))
    name = "demo-1.0-1-cp311-cp311-linux_x86_64.manylinux_2_36_x86_64.whl"
    assert_whole(rewritten(path, Rewrite(None, "1", tags), name))


# -- the version -------------------------------------------------------------------------------------------


def test_a_label_is_appended_everywhere_the_version_stands(tmp_path: Path) -> None:
    data = {"demo-1.0.data/scripts/run": b"#!python\n", "demo-1.0.data/data/share/x": b"", "demo.py": b""}
    result = rewritten(make_wheel(tmp_path, NAME, files=data), LABEL)
    assert_whole(result)
    assert sorted(files_in(result)) == [
        "demo-1.0+site.data/data/share/x",
        "demo-1.0+site.data/scripts/run",
        "demo-1.0+site.dist-info/METADATA",
        "demo-1.0+site.dist-info/RECORD",
        "demo-1.0+site.dist-info/WHEEL",
        "demo.py",
    ]
    assert dict(headers_of(result, "METADATA"))["Version"] == "1.0+site"
    assert check_wheel(str(result)).version.local == "site"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Name: demo\nVersion: 1.0\n\nVersion: 1.0\n", b"Name: demo\nVersion: 1.0+site\n\nVersion: 1.0\n"),
        (b"VERSION:1.0\r\nName: demo\r\n\r\ntext\r\n", b"Version: 1.0+site\r\nName: demo\r\n\r\ntext\r\n"),
        (b"Name: demo\rVersion: 1.0\rSummary: x\r", b"Name: demo\rVersion: 1.0+site\rSummary: x\r"),
        (b"Name: demo\nVersion:\n 1.0\nSummary: x\n", b"Name: demo\nVersion: 1.0+site\nSummary: x\n"),
        (b"Summary: a\n Version: 9\nName: demo\nVersion: 1.0",
         b"Summary: a\n Version: 9\nName: demo\nVersion: 1.0+site"),
        (b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
         b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0+site\n"),
    ],
    ids=["description", "windows", "old-mac", "folded", "continuation", "metadata-version"],
)  # fmt: skip
def test_in_metadata_only_the_version_changes(tmp_path: Path, before: bytes, after: bytes) -> None:
    result = rewritten(wheel_with(tmp_path, {f"{INFO}/METADATA": before}), LABEL)
    assert files_in(result)["demo-1.0+site.dist-info/METADATA"] == after
    assert str(check_wheel(str(result)).version) == "1.0+site"


@pytest.mark.parametrize(
    "wheel",
    [
        pytest.param(
            b"Wheel-Version: 1.0\r\nRoot-Is-Purelib: true\r\nBuild: 3\r\nTag: py3-none-any\r\n", id="windows"
        ),
        pytest.param(
            b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nbuild:3\nTag: py3-none-any\n\n",
            id="blank-line-at-the-end",
        ),
        pytest.param(
            b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n\nTag: evil-x-y\nBuild: 9\n",
            id="below-the-headers",
        ),
        pytest.param(
            b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nX: y\x0cTag: evil-x-y\nTag: py3-none-any\n",
            id="form-feed",
        ),
        pytest.param(
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nX: y\u2028Build: 9\nTag: py3-none-any\n".encode(),
            id="line-separator",
        ),
    ],
)
def test_wheel_says_the_build_once_and_no_more_than_it_said(tmp_path: Path, wheel: bytes) -> None:
    name = "demo-1.0-3-py3-none-any.whl"
    result = rewritten(wheel_with(tmp_path, {f"{INFO}/WHEEL": wheel}, name), Rewrite(None, "1003generic"))
    lines = files_in(result)[f"{INFO}/WHEEL"].decode().split("\n")
    assert [line for line in lines if line.lower().startswith(("build", "tag"))] == [
        "Tag: py3-none-any",
        "Build: 1003generic",
    ]
    check_wheel(str(result))


def test_two_data_directories_never_become_one(tmp_path: Path) -> None:
    data = {"demo-1.0.data/scripts/run": b"1", "demo-1.0+site.data/scripts/run": b"2", "demo.py": b""}
    result = rewritten(make_wheel(tmp_path, NAME, files=data), LABEL)
    assert len(zipfile.ZipFile(result).namelist()) == len(set(zipfile.ZipFile(result).namelist()))
    check_wheel(str(result), installable=False)


# -- the archive -------------------------------------------------------------------------------------------


def test_permissions_come_down_to_whether_it_can_be_run(tmp_path: Path) -> None:
    files = wheel_files(NAME, files={"plain": b"", "run": b"", "bare": b"", "odd": b""})
    modes = {"plain": 0o100600, "run": 0o100700, "bare": 0, "odd": 0o106777}
    entries: list[tuple[str | zipfile.ZipInfo, bytes]] = []
    for name, data in files.items():
        info = zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6))
        info.external_attr = modes.get(name, 0o100644) << 16
        entries.append((info, data))
    with zipfile.ZipFile(rewritten(pack(tmp_path / NAME, entries), STAMP)) as archive:
        found = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        times = {info.date_time for info in archive.infolist()}
    assert {name: found[name] for name in modes} == {
        "plain": stat.S_IFREG | 0o644,
        "run": stat.S_IFREG | 0o755,
        "bare": stat.S_IFREG | 0o644,
        "odd": stat.S_IFREG | 0o755,
    }
    assert times == {(2001, 2, 3, 4, 5, 6)}


@pytest.mark.parametrize(
    ("method", "after"),
    [
        (zipfile.ZIP_STORED, zipfile.ZIP_STORED),
        (zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED),
        (zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED),
        (zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED),
    ],
)
def test_the_compression_stays_if_all_installers_know_it(tmp_path: Path, method: int, after: int) -> None:
    result = rewritten(pack(tmp_path / NAME, wheel_files(NAME), method), STAMP)
    assert_whole(result)
    with zipfile.ZipFile(result) as archive:
        assert archive.getinfo("demo.py").compress_type == after


def test_directories_and_signatures_are_left_out(tmp_path: Path) -> None:
    files = {"demo/": b"", **wheel_files(NAME), f"{INFO}/RECORD.jws": b"{}", f"{INFO}/RECORD.p7s": b"x"}
    result = rewritten(pack(tmp_path / NAME, files), STAMP)
    assert_whole(result)
    assert sorted(files_in(result)) == sorted(wheel_files(NAME))


def test_an_archive_in_the_format_for_large_files_is_read(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in wheel_files(NAME).items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)
    assert_whole(rewritten(path, STAMP))


@pytest.mark.slow
def test_a_wheel_of_more_files_than_the_old_format_counts(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME, files={f"d/{number}": b"" for number in range(65_536)})
    with zipfile.ZipFile(rewritten(path, STAMP)) as archive:
        assert len(archive.infolist()) == 65_536 + 3


# -- a wheel that changes in between -----------------------------------------------------------------------


def _changed_content(files: dict[str, bytes]) -> None:
    files["demo.py"] = b"changed"


def _changed_wheel(files: dict[str, bytes]) -> None:
    files[f"{INFO}/WHEEL"] += b"X: y\n"


def _changed_metadata(files: dict[str, bytes]) -> None:
    files[f"{INFO}/METADATA"] += b"X: y\n"


def _more(files: dict[str, bytes]) -> None:
    files["more.py"] = b""


def _less(files: dict[str, bytes]) -> None:
    del files["demo.py"]


def _no_record(files: dict[str, bytes]) -> None:
    del files[f"{INFO}/RECORD"]


@pytest.mark.parametrize(
    "change", [_changed_content, _changed_wheel, _changed_metadata, _more, _less, _no_record]
)
@pytest.mark.parametrize("how", [STAMP, LABEL], ids=["stamp", "label"])
def test_only_what_was_checked_is_written(
    tmp_path: Path, change: Callable[[dict[str, bytes]], None], how: Rewrite
) -> None:
    wheel = check_wheel(str(make_wheel(tmp_path, NAME)))
    files = wheel_files(NAME)
    change(files)
    if f"{INFO}/RECORD" in files:
        files[f"{INFO}/RECORD"] = record_of(files, f"{INFO}/RECORD")  # another sound wheel
    pack(tmp_path / NAME, files)
    with pytest.raises(ChangedWhileReadError):
        rewrite(wheel, how, io.BytesIO())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_came_to_stand_twice_is_noticed(tmp_path: Path) -> None:
    wheel = check_wheel(str(make_wheel(tmp_path, NAME)))
    files = wheel_files(NAME)
    pack(tmp_path / NAME, [*files.items(), ("demo.py", files["demo.py"])])
    with pytest.raises(ChangedWhileReadError):
        rewrite(wheel, STAMP, io.BytesIO())


# -- any wheel that is let in ------------------------------------------------------------------------------

_BITS = [b"\n", b"\r", b"\r\n", b" ", b"\t", b"\x0c", b"\x00", b":", b"a", b"\xe2\x80\xa8", b"\xef\xbb\xbf"]
_HEADERS = [
    b"Build: 3",
    b"Tag: py3-none-any",
    b"Version: 1.0",
    b"version:1.0",
    b"Name: demo",
    b"Wheel-Version: 1.0",
]
_PIECES = st.sampled_from([*_BITS, *_HEADERS])


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_let_in_comes_out_sound(tmp_path: Path, data: st.DataObject) -> None:
    files = wheel_files(NAME, files={"demo.py": b"", "demo-1.0.data/scripts/run": b"#!python\n"})
    for name in ("METADATA", "WHEEL"):
        lines = files[f"{INFO}/{name}"].splitlines(keepends=True)
        for piece in data.draw(st.lists(_PIECES, max_size=3), label=name):
            lines.insert(data.draw(st.integers(0, len(lines))), piece)
        files[f"{INFO}/{name}"] = b"".join(lines)
    files[f"{INFO}/RECORD"] = record_of(files, f"{INFO}/RECORD")
    path = pack(tmp_path / NAME, files)
    try:
        check_wheel(str(path))
    except InvalidWheelError:
        return
    for change in (STAMP, LABEL):
        result = rewritten(path, change)
        assert_whole(result)
        wheel = check_wheel(str(result))
        assert (str(wheel.version), wheel.build) == (change.version or "1.0", (1000, "generic"))
