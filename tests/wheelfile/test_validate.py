"""What a wheel must be to be let in: everything wrong is found, told in a line, and costs little."""

from __future__ import annotations

import contextlib
import os
import random
import re
import struct
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import clean_environ, make_wheel, pack, record_of, wheel_files
from wheelhouse_resolver.wheelfile import validate
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel

NAME = "demo-1.0-cp311-cp311-linux_x86_64.whl"
INFO = "demo-1.0.dist-info"

Files = dict[str, bytes]


def findings(path: Path) -> list[str]:
    """Why *path* is refused; fails when it is not."""
    with pytest.raises(InvalidWheelError) as refused:
        check_wheel(str(path))
    error = refused.value
    assert "\n" not in str(error)
    assert str(error).startswith(f"{error.path.encode('unicode_escape').decode()}: invalid wheel: ")
    assert error.findings
    return list(error.findings)


def changed(
    directory: Path, change: Callable[[Files], object], *, name: str = NAME, again: bool = True
) -> Path:
    """A wheel whose files were changed; *again*: RECORD is made anew from them."""
    files = wheel_files(name)
    change(files)
    record = f"{INFO}/RECORD"
    if again and record in files:
        files[record] = record_of(files, record)
    return pack(directory / name, files)


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.external_attr = mode << 16
    info.create_system = 3
    return info


# -- sound wheels ------------------------------------------------------------------------------------------


def test_a_sound_wheel_is_let_in_with_what_it_says_of_itself(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "Demo_Pkg-1.0-3x-cp311-cp311-linux_x86_64.whl")
    wheel = check_wheel(str(path))
    assert (wheel.name, str(wheel.version), wheel.build) == ("demo-pkg", "1.0", (3, "x"))
    assert wheel.info_directory == "Demo_Pkg-1.0.dist-info"
    assert set(wheel.digests) == {
        "demo_pkg.py",
        f"{wheel.info_directory}/METADATA",
        f"{wheel.info_directory}/WHEEL",
    }


@pytest.mark.parametrize(
    ("name", "files"),
    [
        pytest.param("demo-1.0-py2.py3-none-any.whl", {}, id="pure"),
        pytest.param(
            "demo-1.0-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", {}, id="manylinux"
        ),
        pytest.param("demo-1.0-pp310-pypy310_pp73-linux_aarch64.whl", {}, id="pypy"),
        pytest.param("demo-1.0-cp313-cp313t-musllinux_1_2_x86_64.whl", {}, id="free-threaded"),
        pytest.param("demo-1!2.0rc1.post2.dev3+cu12.1-py3-none-any.whl", {}, id="every-part-of-a-version"),
        pytest.param("demo-1.0-py3-none-any.whl", {'a, "b".txt': b"quoted"}, id="commas-and-quotes-in-names"),
        pytest.param(
            "demo-1.0-py3-none-any.whl", {"donn\u00e9es/\u6570\u636e.txt": b"x"}, id="non-ascii-names"
        ),
        pytest.param("demo-1.0-py3-none-any.whl", {"demo/__init__.py": b""}, id="empty-file"),
        pytest.param("demo-1.0-py3-none-any.whl", {"demo-1.0.data/scripts/run": b"#!python\n"}, id="data"),
        pytest.param(
            "demo-1.0-py3-none-any.whl", {"demo/x": b"1", "demo.py": b"2", "demo-x": b"3"}, id="siblings"
        ),
    ],
)
def test_wheels_as_they_are_in_the_world_are_sound(tmp_path: Path, name: str, files: Files) -> None:
    check_wheel(str(make_wheel(tmp_path, name, files={"demo.py": b"", **files})))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_way_of_compression_that_installers_know_is_sound(tmp_path: Path, method: int) -> None:
    check_wheel(str(pack(tmp_path / NAME, wheel_files(NAME), method)))


def test_directories_in_the_archive_and_signatures_of_record_are_not_in_record(tmp_path: Path) -> None:
    files = {"demo/": b"", **wheel_files(NAME), f"{INFO}/RECORD.jws": b"{}", f"{INFO}/RECORD.p7s": b"x"}
    check_wheel(str(pack(tmp_path / NAME, files)))


@pytest.mark.parametrize("ending", [b"\r\n", b"\r"], ids=["windows", "old-mac"])
def test_other_line_ends_in_the_text_files_are_read(tmp_path: Path, ending: bytes) -> None:
    def change(files: Files) -> None:
        for name in ("METADATA", "WHEEL"):
            files[f"{INFO}/{name}"] = files[f"{INFO}/{name}"].replace(b"\n", ending)

    check_wheel(str(changed(tmp_path, change)))


def test_sha512_in_record_is_as_good_as_sha256(tmp_path: Path) -> None:
    import base64
    import hashlib

    files = wheel_files(NAME)
    digest = base64.urlsafe_b64encode(hashlib.sha512(files["demo.py"]).digest()).rstrip(b"=").decode()
    rows = files[f"{INFO}/RECORD"].decode().splitlines()
    rows[0] = f"demo.py,sha512={digest},{len(files['demo.py'])}"
    files[f"{INFO}/RECORD"] = "\n".join(rows).encode()
    check_wheel(str(pack(tmp_path / NAME, files)))


# -- names and files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["demo.whl", "demo-1.0.whl", "demo-x.y-py3-none-any.whl", "demo-1.0-py3-none-any.zip",
     "-1.0-py3-none-any.whl", "demo-1.0-x-py3-none-any.whl",
     "de mo-1.0-py3-none-any.whl", "demo-1.0-a-b-c-d-e.whl"],
)  # fmt: skip
def test_a_name_that_is_no_wheel_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert findings(tmp_path / name)[0].startswith("invalid wheel file name: ")


@pytest.mark.parametrize("odd", ["\n", "\t", "\x1b", "\u2028", "\udcff"], ids=ascii)
def test_a_name_that_would_break_a_line_is_refused_and_told_on_one(tmp_path: Path, odd: str) -> None:
    path = tmp_path / f"demo-1.0{odd}-py3-none-any.whl"
    path.write_bytes(b"")
    assert findings(path)[0].startswith("invalid wheel file name: it ")


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        ("cp311-cp311-win_amd64", "cp311-cp311-win_amd64), which are for Windows"),
        ("cp311-cp311-macosx_11_0_arm64", "cp311-cp311-macosx_11_0_arm64), which are for macOS"),
        ("foo-bar-baz", "foo-bar-baz)"),
        ("py3-none-linux", "py3-none-linux)"),
    ],
)
def test_tags_that_no_python_on_linux_can_run_are_refused(tmp_path: Path, tags: str, shown: str) -> None:
    path = make_wheel(tmp_path, f"demo-1.0-{tags}.whl")
    assert findings(path) == [f"no Python on Linux can use its tags ({shown}"]


def test_a_name_that_stands_for_very_many_tags_is_refused(tmp_path: Path) -> None:
    parts = [".".join(f"{letter}{number}" for number in range(20)) for letter in "abc"]
    path = tmp_path / f"demo-1.0-{'-'.join(parts)}.whl"
    pack(path, {"x": b""})
    assert findings(path) == ["its name expands to 8000 tags: too many"]


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    directory, pipe, device, dangling = (tmp_path / sub / NAME for sub in "abcd")
    for path in (pipe, device, dangling):
        path.parent.mkdir()
    directory.mkdir(parents=True)
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    dangling.symlink_to(tmp_path / "nothing")
    assert findings(directory) == ["cannot be read: Is a directory"]
    assert findings(pipe) == ["cannot be read: not a regular file"]
    assert findings(device) == ["cannot be read: not a regular file"]
    assert findings(dangling) == ["cannot be read: No such file or directory"]


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_wheel(tmp_path, NAME)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything

        def denied(path: str, *_: object) -> object:
            raise PermissionError(13, "Permission denied", path)

        monkeypatch.setattr(validate, "open_wheel", denied)
    assert findings(path) == ["cannot be read: Permission denied"]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    assert findings(tmp_path / NAME) == ["empty file"]


@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_wheel_cut_short_anywhere_is_refused(tmp_path: Path, tenths: int) -> None:
    path = make_wheel(tmp_path, NAME, files={"demo.py": random.Random(0).randbytes(5000)})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * tenths // 10])
    assert findings(path)[0].startswith("invalid zip file: ")


@pytest.mark.parametrize(
    ("before", "behind", "where"),
    [(b"junk", b"", "before"), (b"", b"junk", "behind"), (b"", b"\n", "behind")],
)
def test_bytes_around_the_archive_are_refused(
    tmp_path: Path, before: bytes, behind: bytes, where: str
) -> None:
    wheel = make_wheel(tmp_path, NAME)
    wheel.write_bytes(before + wheel.read_bytes() + behind)
    assert findings(wheel) == [f"there are bytes {where} the archive, which uv refuses"]


def test_a_comment_of_the_archive_is_part_of_it(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, NAME)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.comment = b"a comment"
    check_wheel(str(wheel))


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    for seed in range(50):
        (tmp_path / NAME).write_bytes(random.Random(seed).randbytes(seed * 10 + 1))
        assert findings(tmp_path / NAME)[0].startswith("invalid zip file: ")


# -- the archive -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../evil.py", "demo/../../evil.py", "/etc/evil", "..", "a\\..\\evil.py", "\\evil", "demo/.."],
)
def test_names_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = changed(tmp_path, lambda files: files.update({name: b"evil"}))
    assert findings(path) == [f"entry {name!r} is outside of the archive"]


@pytest.mark.parametrize("name", ["./demo.py", "demo//x.py", "demo/./x.py", "."])
def test_names_that_are_spelled_so_that_they_could_meet_another_are_refused(
    tmp_path: Path, name: str
) -> None:
    assert findings(changed(tmp_path, lambda files: files.update({name: b""}))) == [
        f"entry {name!r} is not a normalised path"
    ]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("demo/a\nb.py", "invalid name of entry 'demo/a\\\\nb.py': it holds a newline"),
        ("demo/\x7f", "invalid name of entry 'demo/\\\\x7f': it holds a control character (U+007F)"),
        ("demo/a\x00b.py", "': it holds a control character (U+0000)"),
    ],
    ids=["newline", "delete", "nul"],
)
def test_names_that_would_break_a_line_are_refused(tmp_path: Path, name: str, problem: str) -> None:
    other = name.replace("\x00", "0")  # zipfile would not write it
    path = changed(tmp_path, lambda files: files.update({other: b""}))
    if other != name:
        path.write_bytes(path.read_bytes().replace(other.encode(), name.encode()))
    assert any(problem in finding for finding in findings(path))


@pytest.mark.parametrize(
    ("kind", "finding"),
    [(0o120777, "a symbolic link"), (0o020666, "not a regular file"), (0o010644, "not a regular file")],
    ids=["link", "device", "pipe"],
)
def test_entries_that_are_no_files_are_refused(tmp_path: Path, kind: int, finding: str) -> None:
    files = wheel_files(NAME, files={"demo.py": b"", "evil": b"/etc/passwd"})
    link = [(entry(name, kind) if name == "evil" else name, data) for name, data in files.items()]
    assert findings(pack(tmp_path / NAME, link)) == [f"entry 'evil' is {finding}"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("twice", ["demo.py", f"{INFO}/METADATA", f"{INFO}/RECORD"])
def test_an_entry_that_stands_twice_is_refused(tmp_path: Path, twice: str) -> None:
    files = wheel_files(NAME)
    path = pack(tmp_path / NAME, [*files.items(), (twice, files[twice])])
    assert findings(path) == [f"duplicate entry {twice!r}"]


def test_a_file_and_a_directory_of_one_name_are_refused(tmp_path: Path) -> None:
    def below(files: Files) -> None:
        files.update({"demo.py/evil.py": b"", "demo.pyc": b""})

    assert findings(changed(tmp_path, below)) == [
        "entry 'demo.py/evil.py' is below 'demo.py', which is a file"
    ]
    both = changed(tmp_path, lambda files: files.update({"demo.py/": b""}))
    assert findings(both) == ["duplicate entry 'demo.py/'"]


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1  # the flags of the first entry of the directory
    path.write_bytes(content)
    assert findings(path) == ["entry 'demo.py' is encrypted"]


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    # As David Fifield's zip bomb does it: every entry of the directory points at the same data.
    files = wheel_files(NAME, files={f"demo/{number:03}": bytes(1000) for number in range(50)})
    path = pack(tmp_path / NAME, files, zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        start = archive.start_dir
    content = path.read_bytes()
    same = struct.pack("<L", infos[0].header_offset)
    directory = bytearray(content[start:])
    at = 0
    for info in infos:
        if info.filename.startswith("demo/"):
            directory[at + 42 : at + 46] = same
        at += 46 + len(info.filename)
    kept = content[: infos[1].header_offset] + content[infos[50].header_offset : start]
    moved = len(content[:start]) - len(kept)
    directory = bytearray(directory.replace(struct.pack("<L", start), struct.pack("<L", start - moved)))
    at = 0
    for info in infos:
        if not info.filename.startswith("demo/"):
            directory[at + 42 : at + 46] = struct.pack("<L", info.header_offset - moved)
        at += 46 + len(info.filename)
    path.write_bytes(kept + directory)
    (finding,) = findings(path)
    assert re.fullmatch(r"its entries overlap: they claim 5\d{4} bytes of a file of \d{4}", finding)


def test_a_bomb_in_an_ordinary_file_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", 3 << 30)  # the size that the first entry claims
    path.write_bytes(content)
    (finding,) = findings(path)
    assert finding == f"zip bomb: its {len(content)} bytes claim to unpack to {(3 << 30) + total(path)}"


def total(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(info.file_size for info in archive.infolist()[1:])


def test_a_size_that_is_not_the_files_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / NAME, wheel_files(NAME), zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    size = struct.unpack("<L", content[at + 24 : at + 28])[0]
    content[at + 24 : at + 28] = struct.pack("<L", size + 1000)
    path.write_bytes(content)
    assert findings(path) == [f"'demo.py' has {size} bytes, the zip file says {size + 1000}"]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_data_is_a_finding_of_its_file(tmp_path: Path, method: int) -> None:
    files = wheel_files(NAME, files={"demo.py": bytes(range(256)) * 20})
    path = pack(tmp_path / NAME, files, method)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("demo.py")
    content = bytearray(path.read_bytes())
    start = info.header_offset + 30 + len("demo.py")
    for at in range(start, start + info.compress_size):
        content[at] ^= 0x55
    path.write_bytes(content)
    assert findings(path)[-1].startswith("'demo.py' is damaged: ")


def test_a_compression_that_python_does_not_know_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 10] = 9  # deflate64
    path.write_bytes(content)
    assert findings(path)[0].startswith("entry 'demo.py' is compressed by method 9: ")
    assert findings(path)[1].startswith("'demo.py' is damaged: ")


# -- METADATA and WHEEL ------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["METADATA", "WHEEL", "RECORD"])
def test_each_of_the_three_files_is_needed(tmp_path: Path, missing: str) -> None:
    path = changed(tmp_path, lambda files: files.pop(f"{INFO}/{missing}"))
    assert findings(path) == [f"{INFO}/{missing} is missing"]


def test_there_is_one_dist_info_directory(tmp_path: Path) -> None:
    more = changed(tmp_path, lambda files: files.update({"other-1.0.dist-info/METADATA": b""}))
    assert findings(more) == ["has 2 .dist-info directories instead of one"]
    assert findings(pack(tmp_path / NAME, {"demo.py": b""})) == [
        "has 0 .dist-info directories instead of one"
    ]


def test_a_dist_info_directory_of_another_project_is_refused(tmp_path: Path) -> None:
    files = {name.replace(INFO, "other-2.0.dist-info"): data for name, data in wheel_files(NAME).items()}
    files["other-2.0.dist-info/RECORD"] = record_of(files, "other-2.0.dist-info/RECORD")
    path = pack(tmp_path / NAME, files)
    assert findings(path) == ["other-2.0.dist-info does not match the file name"]


def edited(name: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old in files[f"{INFO}/{name}"]
        files[f"{INFO}/{name}"] = files[f"{INFO}/{name}"].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        ("METADATA", b"Name: demo", b"Name: other",
         "METADATA has name 'other', the file name 'demo'"),
        ("METADATA", b"Name: demo\n", b"", "METADATA has name '', the file name 'demo'"),
        ("METADATA", b"Version: 1.0", b"Version: 2.0", "METADATA has version '2.0', the file name '1.0'"),
        ("METADATA", b"Version: 1.0", b"Version: x", "METADATA has version 'x', the file name '1.0'"),
        ("METADATA", b"Version: 1.0", b"\nVersion: 1.0", "METADATA has version '', the file name '1.0'"),
        ("METADATA", b"demo", b"d\xff", "demo-1.0.dist-info/METADATA is not UTF-8"),
        ("WHEEL", b"Wheel-Version: 1.0", b"Wheel-Version: 2.0",
         "WHEEL has Wheel-Version '2.0': installers support 1.x only, with a number for x"),
        ("WHEEL", b"Wheel-Version: 1.0\n", b"",
         "WHEEL has Wheel-Version '': installers support 1.x only, with a number for x"),
        ("WHEEL", b"Tag: cp311-cp311-linux_x86_64", b"Tag: py3-none-any",
         "WHEEL has tags py3-none-any, the file name cp311-cp311-linux_x86_64"),
        ("WHEEL", b"Tag: cp311-cp311-linux_x86_64", b"Tag: cp311-cp311-linux_x86_64\nTag: py3-none-any",
         "WHEEL has tags cp311-cp311-linux_x86_64, py3-none-any, the file name cp311-cp311-linux_x86_64"),
        ("WHEEL", b"Tag: cp311-cp311-linux_x86_64\n", b"",
         "WHEEL has tags none, the file name cp311-cp311-linux_x86_64"),
        ("WHEEL", b"Root", b"Build: 7\nRoot", "WHEEL has build '7', the file name ''"),
    ],
)  # fmt: skip
def test_metadata_and_wheel_must_agree_with_the_name(
    tmp_path: Path, name: str, old: bytes, new: bytes, finding: str
) -> None:
    assert findings(changed(tmp_path, edited(name, old, new))) == [finding]


def test_a_tag_that_is_no_tag_is_a_finding(tmp_path: Path) -> None:
    found = findings(changed(tmp_path, edited("WHEEL", b"Tag: cp311-", b"Tag: cp311-x-")))
    assert found[0] == "WHEEL has an invalid tag 'cp311-x-cp311-linux_x86_64'"


@pytest.mark.parametrize(
    ("build", "in_wheel"), [("0", "00"), ("007", "7"), ("7", "007"), ("0a", "a"), ("1", "")]
)
def test_builds_that_are_the_same_number_agree(tmp_path: Path, build: str, in_wheel: str) -> None:
    name = f"demo-1.0-{build}-py3-none-any.whl"
    path = changed(
        tmp_path, edited("WHEEL", f"Build: {build}".encode(), f"Build: {in_wheel}".encode()), name=name
    )
    check_wheel(str(path))


def test_all_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        edited("METADATA", b"demo", b"other")(files)
        edited("METADATA", b"1.0", b"3.0")(files)
        edited("WHEEL", b"Wheel-Version: 1.0", b"Wheel-Version: 9")(files)
        edited("WHEEL", b"Tag: cp311", b"Tag: cp312")(files)
        files["extra.py"] = b""
        files["demo.py"] = b"changed"

    assert len(findings(changed(tmp_path, change, again=False))) == 8


# -- RECORD ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (r"demo.py,sha256=.", "demo.py,sha256=?", "'demo.py' does not match its sha256 in RECORD"),
        (r"sha256=[^,]*", "md5=1B2M2Y8AsgTpgAmY7PhCfg", "RECORD has no sha256 (or better) for 'demo.py'"),
        (r"sha256=[^,]*", "sha1=2jmj7l5rSw0yVb_vlWAYkK", "RECORD has no sha256 (or better) for 'demo.py'"),
        (r"sha256=[^,]*", "", "RECORD has no sha256 (or better) for 'demo.py'"),
        (r"(demo.py,[^,]*),\d+", r"\1,1", "'demo.py' has "),
        (r"demo.py.*\n", "", "RECORD does not list 'demo.py'"),
        (r"\Z", "ghost.py,sha256=x,1\n", "RECORD lists 'ghost.py', which is missing"),
        (r"\Z", "../evil.py,sha256=x,1\n", "RECORD lists '../evil.py', which is missing"),
        (r"(demo.py.*\n)", r"\1\1", "RECORD lists 'demo.py' twice"),
        (r"\Z", "only\n", "RECORD has a line of 1 fields: 'only'"),
        (r"\A", '"', "RECORD does not list 'demo.py'"),
        (r"\A", "\udcff", "RECORD cannot be read"),
    ],
    ids=["hash", "md5", "sha1", "no-hash", "size", "missing", "extra", "outside", "twice", "fields", "quote",
         "utf-8"],
)  # fmt: skip
def test_a_record_that_lies_is_refused(tmp_path: Path, old: str, new: str, finding: str) -> None:
    def change(files: Files) -> None:
        text = files[f"{INFO}/RECORD"].decode()
        files[f"{INFO}/RECORD"] = re.sub(old, new, text, count=1).encode("utf-8", "surrogateescape")

    path = changed(tmp_path, change, again=False)
    assert any(each.startswith(finding) for each in findings(path))


# -- harm --------------------------------------------------------------------------------------------------


def bounded(tmp_path: Path, make: str) -> list[str]:
    """The findings about the wheel that the code *make* writes to *path*, checked in 1 GB and 60 s."""
    code = f"""
        import resource, sys, time, zipfile
        from pathlib import Path
        from tests.factories import pack, record_of, wheel_files
        from tests.wheelfile.test_validate import INFO, NAME
        from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel

        path = Path(sys.argv[1], NAME)
        files = wheel_files(NAME)
        {textwrap.indent(textwrap.dedent(make), " " * 8).strip()}
        pack(path, files)
        del files
        assert path.stat().st_size < 1 << 20, path.stat().st_size
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        started = time.process_time()
        try:
            check_wheel(str(path))
        except InvalidWheelError as error:
            print(*error.findings, sep="\\n")
        assert time.process_time() - started < 60, time.process_time() - started
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        env=clean_environ(), text=True, capture_output=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("METADATA", 16 << 20), ("WHEEL", 1 << 20), ("RECORD", 64 << 20)])
def test_a_bomb_in_a_text_file_is_refused_unread(tmp_path: Path, name: str, size: int) -> None:
    assert bounded(tmp_path, f'files[f"{{INFO}}/{name}"] = b" " * {size + 1}')[0] == (
        f"{INFO}/{name} claims {size + 1} bytes: too large"
    )


def test_a_text_file_that_claims_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, edited("METADATA", b"Name", b"X: " + b"a" * 100_000 + b"\nName"))
    content = bytearray(path.read_bytes())
    at = content.rindex(f"{INFO}/METADATA".encode()) - 46  # in the directory of the archive
    assert content[at : at + 4] == b"PK\x01\x02"
    content[at + 24 : at + 28] = struct.pack("<L", 10)
    path.write_bytes(content)
    assert any(each.startswith(f"{INFO}/METADATA is damaged: ") for each in findings(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        pytest.param('files[f"{INFO}/METADATA"] = b"X: y\\n" + b" z\\n" * 1_000_000', id="continuations"),
        pytest.param('files[f"{INFO}/METADATA"] = b"a:\\n" * 1_000_000', id="headers"),
        pytest.param(
            'x = ".".join(map(str, range(10_000)))\n'
            'files[f"{INFO}/WHEEL"] += f"Tag: {x}-{x}-{x}\\n".encode()',
            id="tags-in-one-line",
        ),
        pytest.param(
            'files[f"{INFO}/WHEEL"] += b"".join(b"Tag: a%d-b-c\\n" % n for n in range(60_000))',
            id="tag-lines",
        ),
        pytest.param('files[f"{INFO}/RECORD"] += b"x\\n" * (30 << 20)', id="record-lines"),
        pytest.param('files[f"{INFO}/RECORD"] += b"\\n" * (10 << 20)', id="record-blank-lines"),
        pytest.param('files[f"{INFO}/RECORD"] += b"a" * (60 << 20)', id="record-long-line"),
        pytest.param('files[f"{INFO}/RECORD"] += b\'"\' + b"\\n" * (60 << 20)', id="record-open-quote"),
    ],
)  # fmt: skip
def test_a_text_file_made_to_blow_up_costs_little(tmp_path: Path, make: str) -> None:
    found = bounded(tmp_path, make)
    assert len(found) <= 1001
    assert max(map(len, found), default=0) <= 1010


def test_of_very_many_findings_the_first_are_told(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda files: files.update({f"../{number}": b"" for number in range(3000)}))
    found = findings(path)
    assert len(found) == 101
    assert found[-1] == "and more, not checked"


def test_a_long_name_is_cut_in_the_finding(tmp_path: Path) -> None:
    path = changed(tmp_path, lambda files: files.update({"../" + "x" * 50_000: b""}))
    (finding,) = findings(path)
    assert len(finding) < 1100


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sound wheel with one of everything, as bytes."""
    directory = tmp_path_factory.mktemp("sample")
    files = wheel_files(NAME, files={"demo.py": b"x = 1\n" * 50, "demo-1.0.data/scripts/run": b"#!python\n"})
    entries: list[tuple[str | zipfile.ZipInfo, bytes]] = []
    methods = [
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
        zipfile.ZIP_BZIP2,
        zipfile.ZIP_LZMA,
        zipfile.ZIP_DEFLATED,
    ]
    for (name, data), method in zip(files.items(), methods, strict=True):
        info = entry(name)
        info.compress_type = method
        entries.append((info, data))
    return pack(directory / NAME, entries).read_bytes()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_wheel_with_any_bytes_changed_is_refused_or_sound(
    sample: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(sample)
    positions = st.integers(0, len(content) - 1)
    values = st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF]) | st.integers(0, 255)
    for at, value in data.draw(st.lists(st.tuples(positions, values), min_size=1, max_size=8)):
        content[at] = value
    cut = data.draw(st.none() | positions)
    path = tmp_path / NAME
    path.write_bytes(content[:cut])
    with contextlib.suppress(InvalidWheelError):  # nothing else may be raised
        check_wheel(str(path))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.integers(0, 45), value=st.binary(min_size=1, max_size=8), which=st.integers(0, 5))
def test_any_field_of_the_archives_directory_may_lie(
    sample: bytes, tmp_path: Path, field: int, value: bytes, which: int
) -> None:
    content = bytearray(sample)
    found = [match.start() for match in re.finditer(rb"PK\x01\x02|PK\x05\x06", sample)]
    at = found[which % len(found)] + field
    content[at : at + len(value)] = value[: len(content) - at]
    path = tmp_path / NAME
    path.write_bytes(content)
    with contextlib.suppress(InvalidWheelError):
        check_wheel(str(path))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.fixed_dictionaries(
        {
            name: st.binary(max_size=60) | st.text(max_size=60).map(str.encode)
            for name in ("METADATA", "WHEEL", "RECORD")
        }
    ),
    keep=st.sets(st.sampled_from(["METADATA", "WHEEL", "RECORD"]), max_size=2),
)
def test_any_text_may_stand_in_the_text_files(
    tmp_path: Path, texts: dict[str, bytes], keep: set[str]
) -> None:
    files = wheel_files(NAME)
    for name, text in texts.items():
        if name not in keep:
            files[f"{INFO}/{name}"] += text
    with contextlib.suppress(InvalidWheelError):
        check_wheel(str(pack(tmp_path / NAME, files)))


def test_an_entry_with_an_offset_that_no_file_has_is_refused(tmp_path: Path) -> None:
    # A zip64 extra field may say any 64 bits, which seek() cannot take.
    path = make_wheel(tmp_path, NAME)
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    directory = bytearray(content[start:])
    directory[42:46] = b"\xff" * 4
    extra = struct.pack("<HHQ", 1, 8, (1 << 64) - 1)
    directory[30:32] = struct.pack("<H", len(extra))
    directory[46 + len("demo.py") : 46 + len("demo.py")] = extra
    end = directory.index(b"PK\x05\x06")
    directory[end + 12 : end + 16] = struct.pack("<L", end)
    path.write_bytes(content[:start] + directory)
    assert findings(path)
