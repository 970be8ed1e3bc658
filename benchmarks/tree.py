"""Makes the big wheelhouse that the benchmarks run on: sound wheels, realistic names, from a seed.

python benchmarks/tree.py DIR [--size N] [--seed N] [--unstamped]

A tree with the same parameters that is there already is left as it is.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import json
import os
import random
import shutil
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from wheelhouse_resolver import Directory, Site

#: The project that the tools are asked for: many versions, for many Pythons, in every directory.
ASKED_FOR = "numpy"

#: For so many requirements at once our own commands are compared with each other.
MANY = 30

#: The projects that a lock of the scientific stack is asked for, and what their wheels need.
STACK_ASKED_FOR = ("numpy", "scipy", "pandas", "matplotlib", "ipython", "sympy", "pytest")
STACK = Path(__file__).resolve().parent / "stack.json"

#: Of 50 wheels, how many stand in each directory: 43 of them in the search path of avx512 in gentoo.
SHARES = {
    "generic": 9,
    "gentoo/generic": 10,
    "gentoo/sse3": 4,
    "gentoo/avx": 5,
    "gentoo/avx2": 9,
    "gentoo/avx512": 6,
    "nix/generic": 2,
    "nix/sse3": 1,
    "nix/avx": 1,
    "nix/avx2": 2,
    "nix/avx512": 1,
}

_PYTHONS = (310, 311, 312, 313)
# fmt: off
_WORDS = [
    "array", "astro", "atom", "base", "bayes", "bio", "block", "cloud", "cluster", "code", "core", "data",
    "deep", "dist", "env", "fast", "field", "file", "flow", "fold", "gene", "geo", "graph", "grid", "hash",
    "image", "io", "kernel", "lab", "learn", "light", "linear", "link", "log", "lookup", "matrix", "mesh",
    "meta", "model", "net", "numeric", "open", "optim", "pack", "parallel", "path", "pipe", "plot", "poly",
    "probe", "py", "quant", "query", "random", "ray", "scan", "seq", "signal", "sim", "solve", "space",
    "sparse", "stat", "stream", "sym", "table", "task", "tensor", "text", "time", "tool", "torch", "trace",
    "tree", "tune", "type", "util", "vec", "view", "wave", "web", "work", "xarray", "yaml", "zarr",
]
# fmt: on

#: A change of what is written makes older trees stale.
_FORMAT = 1

#: Projects that need each other, all of which are asked for at once.
NEEDING = tuple(f"needing{number:04}" for number in range(2000))


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a tree is made from; equal recipes make equal trees.

    size:       wheels in all. seed: of the random numbers.
    stamped:    whether build tags carry the rank of the directory.
    machine:    the platform that the wheels are for.
    """

    size: int
    seed: int = 1
    stamped: bool = True
    machine: str = os.uname().machine
    format: int = _FORMAT


def make(root: Path, recipe: Recipe) -> bool:
    """Make the tree at *root* unless it is there; whether it had to be made.

    What stands at *root* and was made from another recipe is deleted; what was not made here is an error.
    """
    stamp = root / "recipe.json"
    wanted = asdict(recipe)
    try:
        if json.loads(stamp.read_text()) == {**wanted, "whole": True}:
            return False
    except FileNotFoundError:
        if root.exists() and any(root.iterdir()):
            sys.exit(f"error: {root} is not empty, and was not made by this program")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    stamp.write_text(json.dumps(wanted))
    for directory in Site.default(root).directories():
        Path(directory.path).mkdir(parents=True)
        _fill(directory, recipe)
    stamp.write_text(json.dumps({**wanted, "whole": True}))
    return True


def make_with_more_outside(root: Path, original: Path, recipe: Recipe) -> bool:
    """Make a tree at *root* that shares all but nix/* with the one at *original*, and has 10 times that.

    A host in gentoo searches the very same directories (symlinks) in both.
    """
    stamp = root / "recipe.json"
    wanted = {**asdict(recipe), "original": str(original)}
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return False
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name in ("generic", "gentoo"):
        (root / name).symlink_to(original / name)
    for directory in sorted((original / "nix").iterdir()):
        copy = root / "nix" / directory.name
        copy.mkdir(parents=True)
        wheels = sorted(directory.iterdir())
        for wheel in wheels:
            # Nobody on that host opens them, so ten names may share one file.
            for number in range(10):
                project, _, rest = wheel.name.partition("-")
                os.link(wheel, copy / (f"{project}_{number}-{rest}" if number else wheel.name))
    stamp.write_text(json.dumps(wanted))
    return True


def make_copy(root: Path, original: Path) -> None:
    """Make a tree of links to the files of the one at *original*, into which one may publish."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(original, root, copy_function=os.link)


def make_with_stack(root: Path, original: Path, recipe: Recipe) -> bool:
    """Make a tree at *root* that is the one at *original*, and holds the scientific stack in gentoo/avx2.

    The stack's wheels are small, but need each other as the real ones do (`stack.json`: what their METADATA
    said in November 2026). They are for the running Python. Beside them lie `NEEDING` more, each of which
    needs another one.
    """
    stamp = root / "recipe.json"
    text = STACK.read_text()
    wanted = {
        **asdict(recipe),
        "original": str(original),
        "stack": zlib.crc32(text.encode()),
        "needing": len(NEEDING),
    }
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return False
    shutil.rmtree(root, ignore_errors=True)
    (root / "gentoo").mkdir(parents=True)
    for directory in [*original.glob("*"), *original.glob("gentoo/*")]:
        if directory.is_dir() and directory.name not in ("gentoo", "avx2"):
            (root / directory.relative_to(original)).symlink_to(directory)
    shutil.copytree(original / "gentoo/avx2", root / "gentoo/avx2", copy_function=os.link)
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    for name, needs in json.loads(text).items():
        project, version = name.split("-")
        build = "400000avx2" if recipe.stamped else None
        tag = "py3-none-any" if needs["pure"] else f"{python}-{python}-linux_{recipe.machine}"
        headers = [f"Requires-Python: {needs['python']}"] if needs["python"] else []
        headers += [f"Requires-Dist: {each}" for each in needs["requires"]]
        headers += [f"Provides-Extra: {each}" for each in needs["extras"]]
        path = (
            root / "gentoo/avx2" / ("-".join([project, version, *([build] if build else []), tag]) + ".whl")
        )
        path.write_bytes(wheel(project, version, tag, build, "gentoo/avx2", headers))
    for number, name in enumerate(NEEDING):
        headers = [f"Requires-Dist: {NEEDING[7 * number % len(NEEDING)]}>=1"]
        path = root / f"gentoo/avx2/{name}-1.0-400000avx2-py3-none-any.whl"
        path.write_bytes(wheel(name, "1.0", "py3-none-any", "400000avx2", "gentoo/avx2", headers))
    stamp.write_text(json.dumps(wanted))
    return True


def _fill(directory: Directory, recipe: Recipe) -> None:
    """Write this directory's share of wheels."""
    wanted = SHARES[directory.label] * recipe.size // sum(SHARES.values())
    build = f"{directory.rank * 1000}{directory.arch}" if recipe.stamped else None
    names = _names(recipe, directory.label)
    for project, version, tag in itertools.islice(names, wanted):
        parts = [project, version, *([build] if build else []), tag]
        path = os.path.join(directory.path, "-".join(parts) + ".whl")
        with open(path, "xb") as file:
            file.write(wheel(project, version, tag, build, directory.label))


def _names(recipe: Recipe, label: str) -> Iterator[tuple[str, str, str]]:
    """Projects, versions and tags without end, each combination once: first those of the project asked for.

    Projects and their versions are the same in all directories, so that most ties happen.
    """
    native = f"linux_{recipe.machine}"
    for minor, patch, python in itertools.product((24, 25, 26), (0, 2, 4), _PYTHONS):
        yield ASKED_FOR, f"1.{minor}.{patch}", f"cp{python}-cp{python}-{native}"
    shared = random.Random(recipe.seed)
    own = random.Random(f"{recipe.seed} {label}")
    projects = _projects(shared, recipe.size // 20 + 50)
    weights = list(itertools.accumulate(1 / (place + 10) for place in range(len(projects))))
    seen: set[tuple[str, str, str]] = set()
    while True:
        project, versions, pure = own.choices(projects, cum_weights=weights)[0]
        python = own.choice(_PYTHONS)
        tag = "py3-none-any" if pure else f"cp{python}-cp{python}-{native}"
        combination = (project, own.choice(versions), tag)
        if combination not in seen:
            seen.add(combination)
            yield combination


def _projects(randomly: random.Random, count: int) -> list[tuple[str, list[str], bool]]:
    """*count* projects, each with its name, its versions, and whether its wheels are pure Python."""
    found: dict[str, tuple[str, list[str], bool]] = {}
    while len(found) < count:
        words = randomly.sample(_WORDS, randomly.choice((1, 2, 2, 2, 3)))
        name = randomly.choice(("", "", "", "py", "lib")) + randomly.choice(("_", "_", "")).join(words)
        if name == ASKED_FOR or name in found:
            continue
        versions = {
            f"{randomly.randrange(4)}.{randomly.randrange(12)}.{randomly.randrange(6)}"
            for _ in range(randomly.randrange(4, 24))
        }
        if randomly.random() < 0.1:
            versions.add(f"{randomly.randrange(4, 6)}.0.0rc1")
        found[name] = (name, sorted(versions), randomly.random() < 0.3)
    return list(found.values())


def wheel(
    project: str,
    version: str,
    tag: str,
    build: str | None,
    label: str,
    headers: Sequence[str] = ("Requires-Python: >=3.9",),
) -> bytes:
    """The bytes of a sound wheel: METADATA, WHEEL, RECORD and a module that says where it was built for.

    *headers*: more lines of METADATA.
    """
    info = f"{project}-{version}.dist-info"
    pure = "true" if tag.endswith("-any") else "false"
    build_line = f"Build: {build}\n" if build else ""
    contents = {
        f"{project}.py": f"built_for = {label!r}\n",
        f"{info}/METADATA": (
            "\n".join(["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}", *headers]) + "\n"
        ),
        f"{info}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: tree.py\nRoot-Is-Purelib: {pure}\n{build_line}Tag: {tag}\n"
        ),
    }
    record = []
    for name, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(text)}\n")
    contents[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    return _zip({name.encode(): text.encode() for name, text in contents.items()})


def _zip(contents: dict[bytes, bytes]) -> bytes:
    """A zip archive of stored entries. The zipfile module takes three times as long, for 50,000 of them."""
    body, index = b"", b""
    for name, data in contents.items():
        # version needed, flags, method, time, date (1980-01-01), CRC, sizes, length of name, of extra
        common = struct.pack(
            "<HHHHHLLLHH", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), 0
        )
        mode = 0o100644 << 16
        index += b"PK\1\2" + struct.pack("<H", (3 << 8) + 20) + common
        index += struct.pack("<HHHLL", 0, 0, 0, mode, len(body)) + name
        body += b"PK\3\4" + common + name + data
    end = struct.pack("<HHHHLLH", 0, 0, len(contents), len(contents), len(index), len(body), 0)
    return body + index + b"PK\5\6" + end


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--size", type=int, default=50_000, help="wheels in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--unstamped", action="store_true", help="no build tags")
    options = parser.parse_args()
    recipe = Recipe(size=options.size, seed=options.seed, stamped=not options.unstamped)
    start = time.perf_counter()
    made = make(options.directory.absolute(), recipe)
    took = f"made in {time.perf_counter() - start:.1f} s" if made else "there already"
    print(f"{options.directory}: {recipe.size} wheels, {took}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
