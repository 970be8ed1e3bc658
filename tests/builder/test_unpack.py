from __future__ import annotations

import io
import os
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builder.sources import pack_source
from wheelhouse_resolver.builder.sources import unpack as module
from wheelhouse_resolver.builder.sources.unpack import ArchiveError, unpack

FILES = {"setup.py": "print()", "sub/a.txt": "a"}


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar", ".zip"])
def test_the_single_directory_in_an_archive_is_the_source(suffix: str, tmp_path: Path) -> None:
    """Whatever the name of the file: what it is stands in it."""
    packed = pack_source(tmp_path / f"a{suffix}", FILES, top="demo-1.0")
    archive = packed.rename(tmp_path / "archive")
    found = unpack(str(archive), str(tmp_path / "into"))
    assert found == str(tmp_path / "into/demo-1.0")
    assert {name: (Path(found) / name).read_text() for name in FILES} == FILES


def test_what_has_no_single_directory_is_the_source_as_a_whole(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("setup.py", "")
        packed.writestr("sub/a.txt", "")
    assert unpack(str(archive), str(tmp_path / "into")) == str(tmp_path / "into")
    single = tmp_path / "b.zip"
    with zipfile.ZipFile(single, "w") as packed:
        packed.writestr("setup.py", "")
    assert unpack(str(single), str(tmp_path / "other")) == str(tmp_path / "other")


def add(archive: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, **attributes: object) -> None:
    info = tarfile.TarInfo(name)
    info.type = kind
    data = b"evil" if kind == tarfile.REGTYPE else b""
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(data))


def symlink(archive: tarfile.TarFile, name: str, to: str) -> None:
    add(archive, name, tarfile.SYMTYPE, linkname=to)


def hardlink(archive: tarfile.TarFile, name: str, to: str) -> None:
    add(archive, name, tarfile.LNKTYPE, linkname=to)


def _up(archive: tarfile.TarFile) -> None:
    add(archive, "a/../../outside")


def _absolute(archive: tarfile.TarFile) -> None:
    add(archive, "/outside")


def _link_up(archive: tarfile.TarFile) -> None:
    symlink(archive, "a/link", "../../outside")


def _link_to_absolute(archive: tarfile.TarFile) -> None:
    symlink(archive, "link", "/etc/passwd")


def _below_a_link(archive: tarfile.TarFile) -> None:
    symlink(archive, "here", ".")
    add(archive, "here/file")


def _over_a_link(archive: tarfile.TarFile) -> None:
    """Each link looks harmless by its name; where the second leads shows only when the first is there."""
    symlink(archive, "link", "here/here/../../outside")
    symlink(archive, "here", ".")
    add(archive, "link")


def _hard_link_through_a_link(archive: tarfile.TarFile) -> None:
    symlink(archive, "link", "here/here/../..")
    symlink(archive, "here", ".")
    hardlink(archive, "file", "link/outside")
    add(archive, "file")


def _hard_link_up(archive: tarfile.TarFile) -> None:
    hardlink(archive, "file", "../outside")


def _device(archive: tarfile.TarFile) -> None:
    add(archive, "null", tarfile.CHRTYPE, devmajor=1, devminor=3)


def _pipe(archive: tarfile.TarFile) -> None:
    add(archive, "pipe", tarfile.FIFOTYPE)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (_up, "entry 'a/../../outside' would leave the archive"),
        (_absolute, "entry '/outside' would leave the archive"),
        (_link_up, "entry 'a/link' would leave the archive"),
        (_link_to_absolute, "entry 'link' would leave the archive"),
        (_below_a_link, "entry 'here/file' would be written through a link"),
        (_over_a_link, "entry 'link' would be written through a link"),
        (_hard_link_through_a_link, "entry 'file' is a link to a file that is not in the archive"),
        (_hard_link_up, "entry 'file' is a link to a file that is not in the archive"),
        (_device, "entry 'null' is not a file, directory or link"),
        (_pipe, "entry 'pipe' is not a file, directory or link"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize(
    "newer",
    [
        True,
        pytest.param(False, marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="has the filter")),
    ],
    ids=["with-data-filter", "without"],
)
def test_a_hostile_tar_is_refused_and_touches_nothing_outside(
    make: Callable[[tarfile.TarFile], None],
    problem: str,
    newer: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not newer:  # as before Python 3.10.12 and 3.11.4
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        monkeypatch.delattr(tarfile, "tar_filter", raising=False)
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        make(packed)
    with pytest.raises(ArchiveError) as caught:
        unpack(str(archive), str(tmp_path / "into"))
    assert caught.value.problem == problem
    assert outside.read_text() == "untouched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "into", "outside"]


@pytest.mark.parametrize(
    ("name", "mode", "problem"),
    [
        ("../outside", 0o644, "would leave the archive"),
        ("/outside", 0o644, "would leave the archive"),
        ("a\\..\\b", 0o644, "would leave the archive"),
        ("link", stat.S_IFLNK | 0o777, "is not a file or directory"),
    ],
)
def test_a_hostile_zip_is_refused(name: str, mode: int, problem: str, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        info = zipfile.ZipInfo("x")
        info.filename, info.external_attr = name, mode << 16
        packed.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveError, match=problem):
        unpack(str(archive), str(tmp_path / "into"))
    assert not (tmp_path / "outside").exists()


def test_links_within_the_source_are_kept(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as packed:
        add(packed, "demo/sub/file")
        symlink(packed, "demo/link", "sub/file")
        symlink(packed, "demo/sub/up", "../sub/file")
        hardlink(packed, "demo/hard", "demo/sub/file")
    found = Path(unpack(str(archive), str(tmp_path / "into")))
    assert os.readlink(found / "link") == "sub/file"
    assert [(found / name).read_text() for name in ("link", "sub/up", "hard")] == ["evil"] * 3


def test_permissions_are_ours_but_what_is_executable_stays_so(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as packed:
        add(packed, "demo/run", mode=0o4755, uid=4242, gid=4242)
        add(packed, "demo/secret", mode=0o000)
    found = Path(unpack(str(archive), str(tmp_path / "into")))
    run, secret = (found / "run").stat(), (found / "secret").stat()
    assert (stat.S_IMODE(run.st_mode), run.st_uid) == (0o755, os.geteuid())
    assert stat.S_IMODE(secret.st_mode) == 0o644
    zipped = tmp_path / "a.zip"
    with zipfile.ZipFile(zipped, "w") as packed_zip:
        info = zipfile.ZipInfo("demo/run")
        info.external_attr = 0o755 << 16
        packed_zip.writestr(info, "")
        packed_zip.writestr("demo/plain", "")
    found = Path(unpack(str(zipped), str(tmp_path / "other")))
    assert os.access(found / "run", os.X_OK)
    assert not (found / "plain").stat().st_mode & 0o111


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.xz", ".zip"])
def test_one_that_is_cut_off_is_an_error(suffix: str, tmp_path: Path) -> None:
    text = os.urandom(100_000).hex()
    archive = pack_source(tmp_path / f"a{suffix}", {"a.txt": text}, top="demo")
    archive.write_bytes(archive.read_bytes()[:50_000])
    with pytest.raises(ArchiveError):
        unpack(str(archive), str(tmp_path / "into"))


def test_one_that_is_encrypted_is_an_error(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a", "x")
    data = bytearray(archive.read_bytes())
    data[6] |= 1  # the flag, in front of the file and in the directory at the end
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"cannot be unpacked: .*encrypted"):
        unpack(str(archive), str(tmp_path / "into"))


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_a_file_that_should_be_a_directory_too_is_an_error(suffix: str, tmp_path: Path) -> None:
    archive = pack_source(tmp_path / f"a{suffix}", {"a": "x", "a/b": "x"}, top="demo")
    with pytest.raises(ArchiveError, match="cannot be unpacked: "):
        unpack(str(archive), str(tmp_path / "into"))


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", b"PK\x03\x04"], ids=["empty", "page", "zip"]
)
def test_what_is_no_archive_is_an_error(content: bytes, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match="not a tar or zip file"):
        unpack(str(archive), str(tmp_path / "into"))


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_one_that_would_fill_the_disk_is_refused(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 1 << 20)
    archive = pack_source(tmp_path / f"a{suffix}", {"a": "x" * (1 << 20), "b": "x"}, top="demo")
    with pytest.raises(ArchiveError, match="unpacks to more than"):
        unpack(str(archive), str(tmp_path / "into"))


def test_an_entry_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "d/x")
        symlink(archive, "d", "elsewhere")
    with pytest.raises(ArchiveError, match=r"a\.tar: entry 'd' occurs twice"):
        unpack(str(tmp_path / "a.tar"), str(tmp_path / "into"))


def test_a_file_that_should_be_a_directory_is_an_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "x")
        archive.writestr("a/b", "x")
    with pytest.raises(ArchiveError, match=r"a\.zip: cannot be unpacked: Not a directory"):
        unpack(str(tmp_path / "a.zip"), str(tmp_path / "into"))
