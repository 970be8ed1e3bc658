"""Whether the archive can be unpacked safely, and by every installer: names, sizes, compression."""

from __future__ import annotations

import stat
import zipfile
from bisect import bisect

from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.utils.text import invalid_character
from wheelhouse_resolver.wheelfile.checks.opened import OpenWheel

#: So much, and so many times the file's own size, no real wheel unpacks to (bytes, times).
_LARGE, _MOST_RATIO = 1 << 30, 200

#: How the record that ends an archive begins, and its size without the comment (bytes).
_END_MARK, _END = b"PK\5\6", 22

#: The methods that every installer unpacks.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

#: Others: uv refuses the first two, pip on Python before 3.14 the last.
_OTHERS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "lzma", 93: "zstd"}


def check_names(wheel: OpenWheel) -> None:
    """Note entries that leave the archive, could meet another, or are no regular files."""
    seen: set[str] = set()
    for info in wheel.entries:
        shown = printable(info.filename)
        parts = info.filename.removesuffix("/").split("/")
        # zipfile cuts a name at its first NUL; other readers may not.
        if problem := invalid_character(info.orig_filename):
            wheel.note(f"invalid name of entry {shown!r}: {problem}")
        if info.filename.startswith("/") or ".." in parts or "\\" in info.filename:
            wheel.note(f"entry {shown!r} is outside of the archive")
        elif "" in parts or "." in parts:
            wheel.note(f"entry {shown!r} is not a normalised path")
        name = "/".join(parts)
        if name in seen:
            wheel.note(f"duplicate entry {shown!r}")
        seen.add(name)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            what = "a symbolic link" if kind == stat.S_IFLNK else "not a regular file"
            wheel.note(f"entry {shown!r} is {what}")
        if info.flag_bits & 1:
            wheel.note(f"entry {shown!r} is encrypted")
    files = sorted(name for info in wheel.entries if (name := info.filename)[-1:] != "/")
    for name in files:
        below = bisect(files, f"{name}/")
        if below < len(files) and files[below].startswith(f"{name}/"):
            wheel.note(f"entry {printable(files[below])!r} is below {printable(name)!r}, which is a file")


def check_sizes(wheel: OpenWheel) -> None:
    """Note an archive that claims more than it can hold."""
    packed = sum(info.compress_size for info in wheel.entries)
    unpacked = sum(info.file_size for info in wheel.entries)
    if packed > wheel.size:
        wheel.note(f"its entries overlap: they claim {packed} bytes of a file of {wheel.size}")
    if unpacked > max(_LARGE, _MOST_RATIO * wheel.size):
        wheel.note(f"zip bomb: its {wheel.size} bytes claim to unpack to {unpacked}")


def check_bounds(wheel: OpenWheel) -> None:
    """Note bytes before and behind the archive: zipfile, and so pip, passes over them, uv does not."""
    if wheel.entries and min(info.header_offset for info in wheel.entries) > 0:
        wheel.note("there are bytes before the archive, which uv refuses")
    file = wheel.archive.fp
    if file is not None:
        end = _END + len(wheel.archive.comment)
        file.seek(max(wheel.size - end, 0))
        if file.read(len(_END_MARK)) != _END_MARK:
            wheel.note("there are bytes behind the archive, which uv refuses")


def check_compression(wheel: OpenWheel) -> None:
    """Note the first entry of each compression that not every installer can unpack."""
    for method, name in {info.compress_type: info.filename for info in reversed(wheel.entries)}.items():
        if method not in _METHODS:
            called = _OTHERS.get(method, f"method {method}")
            wheel.note(
                f"entry {printable(name)!r} is compressed by {called}: not every installer unpacks that"
            )
