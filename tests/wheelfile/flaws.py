"""Wheels with one flaw each: what publish says of it, and what pip and uv do with it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.factories import pack, record_of, wheel_files

__all__ = ["DATA", "FLAWS", "INFO", "NAME", "Flaw", "edited", "flawed"]

NAME = "demo-1.0-py3-none-any.whl"
INFO, DATA = "demo-1.0.dist-info", "demo-1.0.data"

Change = Callable[[dict[str, bytes]], object]


class Flaw(NamedTuple):
    """A flaw.

    change:  makes it, in the files of a sound wheel.
    finding: what publish says.
    refused: the installers (the newest `pip`, `uv`) that fail on the wheel, or take an older version.
    differs: whether the two install different files.
    again:   whether RECORD is made anew after the change.
    method:  how the files are compressed.
    """

    change: Change
    finding: str
    refused: frozenset[str] = frozenset()
    differs: bool = False
    again: bool = True
    method: int = zipfile.ZIP_DEFLATED


BOTH, PIP, UV, NEITHER = (frozenset(each) for each in (("pip", "uv"), ("pip",), ("uv",), ()))


def adding(path: str, data: bytes = b"x") -> Change:
    return lambda files: files.update({path: data})


def edited(name: str, old: bytes, new: bytes) -> Change:
    def change(files: dict[str, bytes]) -> None:
        path = f"{INFO}/{name}"
        files[path], count = re.subn(old, new, files[path], count=1)
        assert count == 1

    return change


def _entry_points(data: bytes, finding: str, refused: frozenset[str], *, differs: bool = False) -> Flaw:
    return Flaw(adding(f"{INFO}/entry_points.txt", data), f"entry_points.txt{finding}", refused, differs)


def _record(old: bytes, new: bytes, finding: str, refused: frozenset[str] = NEITHER) -> Flaw:
    return Flaw(edited("RECORD", old, new), finding, refused, again=False)


def _wheel(old: bytes, new: bytes, finding: str, refused: frozenset[str] = NEITHER) -> Flaw:
    return Flaw(edited("WHEEL", old, new), f"WHEEL has {finding}", refused)


def _metadata(line: bytes, finding: str, refused: frozenset[str]) -> Flaw:
    return Flaw(edited("METADATA", rb"\Z", line + b"\n"), f"METADATA {finding}", refused)


ONLY = "demo-1.0.data may have the directories data, headers, platlib, purelib, scripts, and nothing else"
NOT_OURS = "is not demo-1.0.data: pip takes it for a data directory, uv for a package"
VERSION = "installers support 1.x only, with a number for x"

FLAWS = {
    # Where files go.
    "unknown-scheme": Flaw(adding(f"{DATA}/foo/x"), f"'{DATA}/foo/x': {ONLY}", BOTH),
    "scheme-in-capitals": Flaw(adding(f"{DATA}/Purelib/x"), f"'{DATA}/Purelib/x': {ONLY}", BOTH),
    "file-in-data": Flaw(adding(f"{DATA}/x"), f"'{DATA}/x': {ONLY}", BOTH),
    "scheme-is-a-file": Flaw(adding(f"{DATA}/scripts"), f"'{DATA}/scripts' is a file, not a directory", BOTH),
    "data-of-another": Flaw(adding("other-1.0.data/data/x"), f"other-1.0.data {NOT_OURS}", differs=True),
    "data-of-another-version": Flaw(adding("demo-2.data/data/x"), f"demo-2.data {NOT_OURS}", differs=True),
    "data-in-capitals": Flaw(adding("Demo-1.0.data/data/x"), f"Demo-1.0.data {NOT_OURS}", differs=True),
    "file-called-data": Flaw(adding("table.data"), f"table.data {NOT_OURS}", PIP),
    "script-in-a-directory": Flaw(
        adding(f"{DATA}/scripts/sub/x"),
        f"'{DATA}/scripts/sub/x' is in a directory below scripts, which uv refuses",
        UV,
    ),
    "one-place-twice": Flaw(
        adding(f"{DATA}/purelib/demo.py"), f"'{DATA}/purelib/demo.py' has the same place as 'demo.py'"
    ),
    # Entry points.
    "not-utf-8": Flaw(
        adding(f"{INFO}/entry_points.txt", b"[console_scripts]\n# \xe9\n"),
        f"{INFO}/entry_points.txt is not UTF-8",
        BOTH,
    ),
    "byte-order-mark": _entry_points(
        b"\xef\xbb\xbf[console_scripts]\nx = demo:f\n", " begins with a byte order mark", UV
    ),
    "no-group": _entry_points(
        b"x = demo:f\n", ", line 1: 'x = demo:f' is in no group, such as [console_scripts]", UV
    ),
    "no-callable": _entry_points(
        b"[console_scripts]\nx = demo\n", ", line 2: 'demo' is not `module:function`", BOTH
    ),
    "no-callable-gui": _entry_points(
        b"[gui_scripts]\nx = demo\n", ", line 2: 'demo' is not `module:function`", BOTH
    ),
    "no-value": _entry_points(
        b"[console_scripts]\nx\n", ", line 2: 'x' is not `name = module:object`", BOTH
    ),
    "colon-for-equals": _entry_points(
        b"[console_scripts]\nx : demo:f\n", ", line 2: 'x : demo:f' is not `name = module:object`", BOTH
    ),
    "blanks-around-the-colon": _entry_points(
        b"[console_scripts]\nx = demo : f\n", ", line 2: 'demo : f' is not `module:function`", PIP
    ),
    "comment-behind": _entry_points(
        b"[console_scripts]\nx = demo:f # c\n", ", line 2: 'demo:f # c' is not `module:function`", UV
    ),
    "comment-with-semicolon": _entry_points(
        b"[console_scripts]\n; c\nx = demo:f\n", ", line 2: '; c' is not `name = module:object`", PIP
    ),
    "command-is-a-path": _entry_points(
        b"[console_scripts]\nsub/x = demo:f\n", ", line 2: 'sub/x' cannot be the name of a command", UV
    ),
    "command-with-a-blank": _entry_points(
        b"[console_scripts]\nmy x = demo:f\n",
        ", line 2: 'my x' cannot be the name of a command",
        NEITHER,
        differs=True,
    ),
    "command-twice": _entry_points(
        b"[console_scripts]\nx = demo:f\nx = demo:g\n", ", line 3: a second 'x' in [console_scripts]", UV
    ),
    "group-twice": _entry_points(
        b"[console_scripts]\nx = demo:f\n[console_scripts]\n",
        ", line 3: a second group [console_scripts]",
        UV,
    ),
    "defaults": _entry_points(
        b"[DEFAULT]\ny = demo:g\n[console_scripts]\nx = demo:f\n",
        ", line 1: [DEFAULT] cannot be the name of a group",
        NEITHER,
        differs=True,
    ),
    # Compression.
    "bzip2": Flaw(
        lambda _: None,
        "entry 'demo.py' is compressed by bzip2: not every installer unpacks that",
        UV,
        method=zipfile.ZIP_BZIP2,
    ),
    "lzma": Flaw(
        lambda _: None,
        "entry 'demo.py' is compressed by lzma: not every installer unpacks that",
        UV,
        method=zipfile.ZIP_LZMA,
    ),
    # WHEEL.
    "version-1.x": _wheel(rb"1\.0", b"1.x", f"Wheel-Version '1.x': {VERSION}", PIP),
    "version-1": _wheel(rb"1\.0", b"1", f"Wheel-Version '1': {VERSION}", UV),
    "version-2.0": _wheel(rb"1\.0", b"2.0", f"Wheel-Version '2.0': {VERSION}", BOTH),
    "version-0.9": _wheel(rb"1\.0", b"0.9", f"Wheel-Version '0.9': {VERSION}", UV),
    "no-version": _wheel(rb"Wheel-Version: 1.0\n", b"", f"Wheel-Version '': {VERSION}", BOTH),
    "no-root-is-purelib": _wheel(rb"Root-Is-Purelib: true\n", b"", "Root-Is-Purelib '', not true or false"),
    "root-is-purelib-yes": _wheel(rb"true", b"yes", "Root-Is-Purelib 'yes', not true or false"),
    "root-is-purelib-True": _wheel(rb"true", b"True", "Root-Is-Purelib 'True', not true or false"),
    # METADATA.
    "requirement-star": _metadata(
        b"Requires-Dist: demo>=0.0.*",
        "requires 'demo>=0.0.*', which is invalid: .* suffix can only be used with `==` or `!=` operators",
        PIP,
    ),
    "requirement-of-words": _metadata(
        b"Requires-Dist: !!",
        "requires '!!', which is invalid: Expected package name at the start of dependency specifier",
        BOTH,
    ),
    "requires-python-yes": _metadata(
        b"Requires-Python: yes", "has the invalid Requires-Python 'yes'", UV
    ),
    # RECORD: pip and uv read little of it, PyPA's `installer` all.
    "record-blank-line": _record(
        rb"\n", b"\n\n", "RECORD has a blank line (line 2), on which pip fails", PIP
    ),
    "record-blank-end": _record(rb"\Z", b"\n", "RECORD has a blank line (line 5), on which pip fails", PIP),
    "record-with-a-hash": _record(
        rb"RECORD,,", b"RECORD,sha256=x,1", "RECORD lists itself with a hash or a size"
    ),
    "record-unlisted": _record(rb".*RECORD,,\n", b"", "RECORD does not list itself"),
    "record-no-size": _record(rb"(demo.py,[^,]*),\d+", rb"\1,", "RECORD has no size of demo.py"),
    "record-size-of-words": _record(
        rb"(demo.py,[^,]*),\d+", rb"\1,x", "'demo.py' has 35 bytes, RECORD says x", UV
    ),
    "record-padded": _record(rb"(demo.py,[^,]*),", rb"\1=,", "RECORD pads the hash of demo.py with `=`"),
    "record-two-fields": _record(
        rb"(demo.py,[^,]*),\d+", rb"\1", "RECORD has a line of 2 fields: 'demo.py'", UV
    ),
    "record-signature": Flaw(
        adding(f"{INFO}/RECORD.jws"), f"RECORD lists its own signature, {INFO}/RECORD.jws"
    ),
}  # fmt: skip


def flawed(directory: Path, flaw: Flaw) -> Path:
    """The wheel `NAME` with *flaw*, in *directory*."""
    files = wheel_files(NAME)
    flaw.change(files)
    if flaw.again:
        files[f"{INFO}/RECORD"] = record_of(files, f"{INFO}/RECORD")
    return pack(directory / NAME, files, flaw.method)
