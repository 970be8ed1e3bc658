"""Wheels, trees and environments for the tests: the one place where they are made."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wheelhouse_resolver.host.target_python import TargetPython, other_version, running_python
from wheelhouse_resolver.site.model import Site

__all__ = [
    "BUILTIN_LABELS",
    "REAL_LAYOUT",
    "clean_environ",
    "make_archive",
    "make_tree",
    "make_wheel",
    "pack",
    "pip_report",
    "plain_python",
    "record_of",
    "run_cli",
    "run_pip",
    "wheel_files",
    "with_metadata",
]

#: All directories of the built-in layout.
BUILTIN_LABELS = (
    "generic",
    *(
        f"{layer}/{arch}"
        for layer in ("nix", "gentoo")
        for arch in ("generic", "sse3", "avx", "avx2", "avx512")
    ),
)

#: The layout of a real site, as its site file says it; the root is left to who uses it.
REAL_LAYOUT = """\
[[layer]]
name = "nix"

[[layer]]
name = "gentoo2020"
directories = ["gentoo2020", "gentoo"]
env = { EBVERSIONGENTOO = "2020" }

[[layer]]
name = "gentoo2023"
archs = ["avx2", "avx512"]
names = { avx2 = "x86-64-v3", avx512 = "x86-64-v4" }
env = { EBVERSIONGENTOO = "2023" }

[search]
avx512 = ["avx512", "avx2"]
avx2 = ["avx2"]
avx = ["avx"]
"""

#: What earlier than this zip cannot say; every entry gets it, so that wheels are reproducible.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def wheel_files(
    filename: str,
    *,
    requires_python: str | None = None,
    requires_dist: Sequence[str] = (),
    extras: Sequence[str] = (),
    files: Mapping[str, str | bytes] | None = None,
) -> dict[str, bytes]:
    """The files of a sound wheel of that *filename*, RECORD included.

    Its module says where it was built for: `MARK = "<files' content or the file name>"`.
    """
    parts = filename.removesuffix(".whl").split("-")
    name, version, tags = parts[0], parts[1], parts[-3:]
    build = parts[2] if len(parts) == 6 else None
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Python: {requires_python}"] if requires_python else []
    metadata += [f"Requires-Dist: {each}" for each in requires_dist]
    metadata += [f"Provides-Extra: {each}" for each in extras]
    pure = "true" if tags[2] == "any" else "false"
    wheel = ["Wheel-Version: 1.0", "Generator: builders", f"Root-Is-Purelib: {pure}"]
    wheel += [f"Build: {build}"] if build else []
    wheel += [
        f"Tag: {py}-{abi}-{platform}"
        for py in tags[0].split(".")
        for abi in tags[1].split(".")
        for platform in tags[2].split(".")
    ]
    info = f"{name}-{version}.dist-info"
    content: dict[str, bytes] = {}
    module = name.lower().replace(".", "_")
    for path, text in (files or {f"{module}.py": f"MARK = {filename!r}\n"}).items():
        content[path] = text.encode() if isinstance(text, str) else text
    content[f"{info}/METADATA"] = ("\n".join(metadata) + "\n").encode()
    content[f"{info}/WHEEL"] = ("\n".join(wheel) + "\n").encode()
    content[f"{info}/RECORD"] = record_of(content, f"{info}/RECORD")
    return content


def with_metadata(filename: str, **headers: str | None) -> dict[str, bytes]:
    """The files of a wheel of that *filename* whose METADATA has other *headers*; None: has it not."""
    files = wheel_files(filename)
    (path,) = [each for each in files if each.endswith("/METADATA")]
    lines = files[path].decode().splitlines()
    for header, value in headers.items():
        lines = [line for line in lines if not line.startswith(f"{header}:")]
        lines += [f"{header}: {value}"] if value is not None else []
    files[path] = "\n".join([*lines, ""]).encode()
    (record,) = [each for each in files if each.endswith("/RECORD")]
    files[record] = record_of({path: data for path, data in files.items() if path != record}, record)
    return files


def record_of(files: Mapping[str, bytes], record: str) -> bytes:
    """The RECORD, itself named *record*, of *files*."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path, data in files.items():
        if path != record:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            writer.writerow((path, f"sha256={digest}", len(data)))
    writer.writerow((record, "", ""))
    return text.getvalue().encode()


def pack(
    path: Path,
    files: Mapping[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]],
    compression: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Write *files* as they are, sound or not, into the zip file at *path*; a `ZipInfo` says how itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items() if isinstance(files, Mapping) else files:
            if isinstance(name, str):
                name = zipfile.ZipInfo(name, _EPOCH)
                name.external_attr = 0o644 << 16
                name.compress_type = compression
            archive.writestr(name, data)
    return path


def make_wheel(directory: Path, filename: str, **options: Any) -> Path:
    """Write a sound wheel of that *filename* into *directory*; *options* as for `wheel_files`."""
    return pack(directory / filename, wheel_files(filename, **options))


def make_tree(
    root: Path, wheels: Mapping[str, Sequence[str]], *, labels: Sequence[str] = BUILTIN_LABELS
) -> Site:
    """A wheelhouse of the built-in layout at *root* with *wheels*: label -> file names.

    Each wheel's module has `MARK = "<label>/<file name>"`, so that what was installed can be told.
    """
    for label in labels:
        (root / label).mkdir(parents=True, exist_ok=True)
    if root.stat().st_uid == os.geteuid():
        root.chmod(root.stat().st_mode | 0o555)  # the directory of a test is for its owner alone
    for label, filenames in wheels.items():
        for filename in filenames:
            module = filename.split("-")[0].lower().replace(".", "_")
            mark = f"{label}/{filename}"
            make_wheel(root / label, filename, files={f"{module}.py": f"MARK = {mark!r}\n"})
    # Not `Site.default(root)`, which refuses the roots that some tests are about.
    return Site.default("/")._replace(root=str(root), options=("--root", str(root)))


def clean_environ(**more: str) -> dict[str, str]:
    """The environment without anything that configures pip, uv, us or a layer, and with *more*.

    Its active environment is that of the tests.
    """
    prefixes = ("PIP_", "UV_", "WHEELHOUSE_", "RSNT_", "EB", "NIX")
    environ = {k: v for k, v in os.environ.items() if not k.startswith(prefixes)}
    for name in ("EPREFIX", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "XDG_CONFIG_HOME"):
        environ.pop(name, None)
    # The user's own pip.conf must not take part; a file that PIP_CONFIG_FILE names replaces it.
    return {
        **environ,
        "VIRTUAL_ENV": sys.prefix,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "UV_NO_CONFIG": "1",
        **more,
    }


def plain_python(version: str) -> TargetPython:
    """A CPython of that *version* (`3.9` is 3.9.0) on this machine, whatever Pythons this machine has."""
    return other_version(running_python(), version)


def run_cli(
    *arguments: str | os.PathLike[str],
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run our command line as a user does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "wheelhouse_resolver", *(os.fspath(each) for each in arguments)],
        env=clean_environ() if environ is None else dict(environ),
        cwd=cwd,
        input=stdin,
        text=True,
        capture_output=True,
    )


def run_pip(
    *arguments: str | os.PathLike[str],
    environ: Mapping[str, str] | None = None,
    pip: Sequence[str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run pip: that of the tests' Python, or the command *pip*."""
    command = [sys.executable, "-m", "pip"] if pip is None else list(pip)
    return subprocess.run(
        [*command, *(os.fspath(each) for each in arguments)],
        env=clean_environ() if environ is None else dict(environ),
        text=True,
        capture_output=True,
    )


def pip_report(
    *arguments: str | os.PathLike[str],
    environ: Mapping[str, str] | None = None,
    pip: Sequence[str] | None = None,
) -> dict[str, str]:
    """What `pip install --dry-run` would install: project -> URL. Empty when pip finds no solution."""
    done = run_pip(
        "install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-", *arguments,
        environ=environ, pip=pip,
    )  # fmt: skip
    if done.returncode != 0:
        return {}
    report = json.loads(done.stdout)
    return {item["metadata"]["name"]: item["download_info"]["url"] for item in report["install"]}


def make_archive(directory: Path, filename: str) -> Path:
    """Write a source archive of that *filename* whose setup.py refuses to run, as some sites place them."""
    stem = filename.removesuffix(".zip").removesuffix(".tar.gz")
    name, _, version = stem.rpartition("-")
    files = {
        f"{stem}/setup.py": b"raise SystemExit('load the module')\n",
        f"{stem}/PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
    }
    if filename.endswith(".zip"):
        return pack(directory / filename, files)
    with tarfile.open(directory / filename, "w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return directory / filename
