"""Every command that opens a wheel, on wheels of full size that would take all memory, or minutes."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories import clean_environ, make_tree, record_of, wheel_files

#: What no command may exceed (s, KiB), nor `publish` when it refuses (s).
MOST_SECONDS, MOST_MEMORY, TO_REFUSE = 20, 500 << 10, 5

NAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"


def a_million_entries(path: Path) -> None:
    packed(path, wheel_files(NAME))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demo/0", b"")
        (last,) = archive.filelist[-1:]
        for number in range(1, 1_000_000):  # of one content: only the directory of the archive is long
            info = zipfile.ZipInfo(f"demo/{number}")
            info.header_offset, info.CRC = last.header_offset, 0
            archive.filelist.append(info)


def with_more(file: str, more: bytes) -> Callable[[Path], None]:
    """A wheel to whose *file* in the `.dist-info` directory *more* was added at the front."""

    def make(path: Path) -> None:
        files = wheel_files(NAME)
        files[f"{INFO}/{file}"] = more + files[f"{INFO}/{file}"]
        if file != "RECORD":
            files[f"{INFO}/RECORD"] = record_of(files, f"{INFO}/RECORD")
        packed(path, files)

    return make


def packed(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


#: What makes it, what publish says of it, and whether that shows in METADATA, which readers read.
HOSTILE = [
    pytest.param(a_million_entries, "its directory has more than 33554432 bytes", True, id="entries"),
    pytest.param(
        with_more("METADATA", b"Requires-Dist: a" + b" " * 15_000_000 + b"\n"),
        "METADATA has Requires-Dist of 15000002 characters: too long",
        True,
        id="requires-dist",
    ),
    pytest.param(
        with_more("METADATA", b"Requires-Python: " + b">=3," * 100_000 + b">=3\n"),
        "METADATA has Requires-Python of 400004 characters: too long",
        True,
        id="requires-python",
    ),
    pytest.param(
        with_more("RECORD", b"," * 60_000_000 + b"\n"),
        "RECORD cannot be read: a line of more than 16384 bytes",
        False,
        id="record",
    ),
    pytest.param(
        with_more("RECORD", (b"," * 16_000 + b"\n") * 3_800),
        "RECORD has a line of 16001 fields: ''",
        False,
        id="record-of-lines",
    ),
    pytest.param(
        with_more("WHEEL", "".join(f"Tag: a{n}.b{n}-c{n}.d{n}-e.any\n" for n in range(20_000)).encode()),
        "WHEEL has tags a0.b0-c0.d0-e.any, ",
        False,
        id="tags",
    ),
]

#: Runs command lines, and says of each its exit code, time (s) and output, then the peak memory (KiB) of all.
RUN = """
import contextlib, io, json, re, sys, time
from wheelhouse_resolver.cli.main import main
for line in json.load(sys.stdin):
    out, err, start = io.StringIO(), io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(line)
    print(json.dumps([code, time.monotonic() - start, out.getvalue(), err.getvalue()]))
print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""


def command_lines(root: Path, empty: Path, wheel: Path, out: Path) -> dict[str, list[Any]]:
    new = ("--output-dir", out)
    lines = {
        "publish": ("publish", wheel, "--root", empty),
        "classify": ("classify", wheel, "--root", root),
        "verify": ("verify", "--offline", wheel, "--root", root),
        "relabel": ("relabel", wheel),
        "relabel-requires": ("relabel", "--add-requires", "x", *new, wheel),
        "relabel-tags": ("relabel", "--tags", "py2.py3-none-any", *new, wheel),
        "pick": ("pick", "demo"),
        "pick-explain": ("pick", "--explain", "demo"),
        "avail": ("avail",),
        "avail-name": ("avail", "demo"),
        "why-not": ("why-not", "demo"),
        "why-not-version": ("why-not", "demo==1.0"),
        "lock": ("lock", "demo"),
        "audit": ("audit", "--jobs", "1"),
        "view": ("view", "--output", out / "view"),
        "index": ("index", "--output", out / "index"),
        "withdraw": ("withdraw", NAME),
        "restore": ("restore", NAME),
        "restamp": ("restamp",),
    }
    rest = {"pick", "avail", "why-not", "lock", "audit", "view", "index", "withdraw", "restore", "restamp"}
    more = ("--root", root)
    return {key: [*map(str, (*line, *(more if line[0] in rest else ())))] for key, line in lines.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "problem", "shown"), HOSTILE)
def test_no_command_takes_long_or_much_for_a_wheel(
    make: Callable[[Path], None], problem: str, shown: bool, tmp_path: Path
) -> None:
    root, empty = tmp_path / "tree", tmp_path / "empty"
    for each in (root, empty):
        make_tree(each, {"generic": ["demo-0.9-py3-none-any.whl"]})
    wheel = tmp_path / NAME
    make(wheel)
    (root / "generic" / NAME).hardlink_to(wheel)
    lines = command_lines(root, empty, wheel, tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps([*lines.values()]),
        env={**clean_environ(), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *answers, peak = map(json.loads, done.stdout.splitlines())
    found = dict(zip(lines, answers, strict=True))
    assert {key: seconds for key, (_, seconds, _, _) in found.items() if seconds > MOST_SECONDS} == {}
    assert peak < MOST_MEMORY
    code, seconds, _, said = found["publish"]
    assert (code, problem in said) == (1, True)
    assert seconds < TO_REFUSE
    for key in ("verify", "relabel-requires", "relabel-tags"):
        code, _, out, err = found[key]
        assert code != 0
        assert problem in out + err
    for key in ("pick", "avail-name", "lock"):
        code, _, out, err = found[key]
        assert (code, "0.9" in out, "passed over" in err) == (0, shown, shown), key
    for key in ("avail", "withdraw", "restore"):  # which need not open it
        assert found[key][0] == 0, found[key]
    assert problem.removeprefix("METADATA ") in found["audit"][2]
