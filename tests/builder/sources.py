"""Source distributions, archives and repositories that build without an index: their backend comes along."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.builder.extensions import level_source
from tests.factories import clean_environ
from tests.requires import need

__all__ = ["make_repository", "make_sdist", "pack_source", "sdist_files"]

#: The time of every file in a source (s since the epoch).
TIME = 1_600_000_000

#: Packs every module beside it; compiles `_NAME.c`, if there is one, with the flags of the environment.
#: What it was told to do is in `backend.json`: `prepare` and `build` are run as Python, `tag` is that of the
#: wheel. With `say`, `NAME_built.json` in the wheel has the environment and the config-settings of the build.
_BACKEND = """\
import base64, hashlib, json, os, pathlib, shlex, subprocess, sys, sysconfig, time, zipfile

TOLD = json.loads(pathlib.Path("backend.json").read_text())
NAME, VERSION = TOLD["name"], TOLD["version"]
INFO = f"{NAME}-{VERSION}.dist-info"
SOURCE = pathlib.Path(f"_{NAME}.c")

def _tag():
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    tag = TOLD["tag"] or (f"OWN-OWN-{platform}" if SOURCE.exists() else "py3-none-any")
    return tag.replace("OWN", "cp{}{}".format(*sys.version_info[:2]))

def _metadata():
    lines = ["Metadata-Version: 2.2", f"Name: {NAME}", f"Version: {VERSION}"]
    lines += [f"Provides-Extra: {each}" for each in TOLD["extras"]]
    return "\\n".join([*lines, *(f"Requires-Dist: {each}" for each in TOLD["requires"]), ""])

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    exec(TOLD["prepare"])
    os.mkdir(os.path.join(directory, INFO))
    pathlib.Path(directory, INFO, "METADATA").write_text(_metadata())
    return INFO

def build_wheel(directory, config_settings=None, metadata_directory=None):
    exec(TOLD["build"])
    files = {}
    if TOLD["say"]:
        told = {"environ": dict(os.environ), "settings": config_settings}
        files[f"{NAME}_built.json"] = json.dumps(told).encode()
    for path in pathlib.Path(".").glob("*.py"):
        if path.name not in ("backend.py", "setup.py"):
            files[path.name] = path.read_bytes()
    if SOURCE.exists():
        library = f"_{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"
        flags = shlex.split(os.environ.get("CFLAGS", "")) + shlex.split(os.environ.get("LDFLAGS", ""))
        include = "-I" + sysconfig.get_path("include")
        command = ["gcc", "-shared", "-fPIC", include, str(SOURCE), "-o", library, *flags]
        subprocess.run(command, check=True)
        files[library] = pathlib.Path(library).read_bytes()
    pure = str(_tag().endswith("-any")).lower()
    wheel = f"Wheel-Version: 1.0\\nGenerator: sources\\nRoot-Is-Purelib: {pure}\\nTag: {_tag()}\\n"
    files[f"{INFO}/METADATA"] = _metadata().encode()
    files[f"{INFO}/WHEEL"] = wheel.encode()
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")
    files[f"{INFO}/RECORD"] = "\\n".join([*rows, f"{INFO}/RECORD,,", ""]).encode()
    filename = f"{NAME}-{VERSION}-{_tag()}.whl"
    with zipfile.ZipFile(os.path.join(directory, filename), "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return filename
"""


def sdist_files(
    name: str = "demo",
    version: str = "1.0",
    *,
    files: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
    build_requires: Sequence[str] = (),
    extension: bool = False,
    **told: object,
) -> dict[str, str]:
    """The files of a source that its own backend makes a wheel of.

    files:     besides the module NAME.py and what the backend needs.
    requires:  of the wheel. build_requires: of the backend, which needs none.
    extension: with the C extension `_NAME`, which tells the level that it was compiled for.
    told:      the backend. `prepare`, `build`: Python that it runs before the metadata is made, or the wheel.
               `tag`: of the wheel, in which `OWN` is the building Python's, as `cp311`. `extras`: of it.
               `say=False`: nothing of the build is in the wheel.
    """
    data = {
        "name": name, "version": version, "requires": [*requires],
        "prepare": "", "build": "", "tag": "", "extras": [], "say": True, **told,
    }  # fmt: skip
    project = f"[build-system]\nrequires = {json.dumps([*build_requires])}\n"
    return {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": project + 'build-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": _BACKEND,
        "backend.json": json.dumps(data),
        f"{name}.py": f"VERSION = {version!r}\n",
        **({f"_{name}.c": level_source(f"_{name}")} if extension else {}),
        **(files or {}),
    }


def pack_source(path: Path, files: Mapping[str, str], *, top: str) -> Path:
    """Write *files* below the directory *top* into the archive at *path*: `.zip` or a kind of `.tar`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name, text in files.items():
                packed.writestr(zipfile.ZipInfo(f"{top}/{name}", (2020, 1, 1, 0, 0, 0)), text)
        return path
    compression = path.suffix.removeprefix(".")
    with tarfile.open(path, "w" if compression == "tar" else f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, text in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size, member.mtime = len(text.encode()), TIME
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def make_sdist(directory: Path, name: str = "demo", version: str = "1.0", **options: Any) -> Path:
    """The source distribution NAME-VERSION.tar.gz in *directory*; *options* as for `sdist_files`."""
    inside = sdist_files(name, version, **options)
    return pack_source(directory / f"{name}-{version}.tar.gz", inside, top=f"{name}-{version}")


def make_repository(directory: Path, files: Mapping[str, str], *tags: str) -> str:
    """A git repository of *files* in *directory*, with one commit that has those *tags*; returns its hash."""

    need("git")

    def git(*arguments: str) -> str:
        author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        command = ["git", *author, "-C", str(directory), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environ())
        return done.stdout.strip()

    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message=all")
    for tag in tags:
        git("tag", tag)
    return git("rev-parse", "HEAD")
