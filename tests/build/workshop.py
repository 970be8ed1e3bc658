"""A place to build in, with sources that do what a test wants, and with no index."""

from __future__ import annotations

import importlib.util
import io
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tests.builders import make_tree, wheel_files
from wheelhouse_resolver.build.builder import run_job
from wheelhouse_resolver.build.job import BuildOptions, Job
from wheelhouse_resolver.build.record import BuildRecord
from wheelhouse_resolver.site import Site

__all__ = ["C_EXTENSION", "Workshop", "backend"]

#: When everything in these sources was last changed (s since the epoch).
TIME = 1_600_000_000

#: The files of a C extension that says what it was compiled for, built by setuptools.
C_EXTENSION = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
""",
    "setup.py": """\
from setuptools import Extension, setup

setup(name="fast", version="1.0", ext_modules=[Extension("fast", ["fast.c"])])
""",
    "fast.c": """\
#include <Python.h>

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "fast", 0, -1, 0};

PyMODINIT_FUNC PyInit_fast(void)
{
    PyObject *module = PyModule_Create(&definition);
#ifdef __AVX2__
    PyModule_AddStringConstant(module, "arch", "avx2");
#else
    PyModule_AddStringConstant(module, "arch", "baseline");
#endif
    return module;
}
""",
}

#: A backend of the source's own, that puts NAME-VERSION together from the directory `content`.
_BACKEND = """\
import os, pathlib, shutil, zipfile

def _pack(directory, name):
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for path in sorted(pathlib.Path("content").rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(str(path.relative_to("content")))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    return name

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    (info,) = [name for name in os.listdir("content") if name.endswith(".dist-info")]
    shutil.copytree(os.path.join("content", info), os.path.join(directory, info))
    return info

def build_wheel(directory, config_settings=None, metadata_directory=None):
"""


def backend(body: str = "", *, wheel: str = "{wheel}") -> str:
    """The text of a backend that runs *body* when it builds, and makes a wheel of that file name."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{_BACKEND}{lines}    return _pack(directory, {wheel!r})\n"


class Workshop:
    """Where a test builds: *house* is the wheelhouse, *sources* the sdists and wheels that pip finds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sources = directory / "sources"
        self.recipes = directory / "recipes"
        self.work = directory / "work"
        self.output = directory / "output"
        for each in (self.sources, self.recipes):
            each.mkdir()
        tables = {"build": {"recipes": (str(self.recipes),)}}
        self.site: Site = make_tree(directory / "house", {})._replace(tables=tables)

    def sdist(self, name: str, version: str, files: Mapping[str, str | bytes]) -> Path:
        """An sdist of *files*."""
        path = self.sources / f"{name}-{version}.tar.gz"
        info = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        with tarfile.open(path, "w:gz") as archive:
            for filename, text in {**files, "PKG-INFO": info}.items():
                data = text.encode() if isinstance(text, str) else text
                member = tarfile.TarInfo(f"{name}-{version}/{filename}")
                member.size, member.mtime = len(data), TIME
                archive.addfile(member, io.BytesIO(data))
        return path

    def package(
        self,
        name: str = "demo",
        version: str = "1.0",
        *,
        body: str = "",
        requires: tuple[str, ...] = (),
        wheel: str | None = None,
        files: Mapping[str, str | bytes] | None = None,
        **metadata: Any,
    ) -> Path:
        """An sdist of a pure-Python package whose own backend runs *body* when it builds.

        requires: what it needs to be built. wheel: the file name of what it makes. files: of the package.
        *metadata*: as for `wheel_files`.
        """
        made = wheel or f"{name}-{version}-py3-none-any.whl"
        content = wheel_files(made, files=files, **metadata)
        project = f"[build-system]\nrequires = {list(requires)!r}\n"
        project += 'build-backend = "backend"\nbackend-path = ["."]\n'
        inside = {f"content/{path}": data for path, data in content.items()}
        text = backend(body, wheel=made)
        return self.sdist(name, version, {**inside, "pyproject.toml": project, "backend.py": text})

    def recipe(self, name: str, text: str) -> Path:
        """A recipe of the site."""
        path = self.recipes / f"{name}.toml"
        path.write_text(text)
        return path

    def job(self, requirement: str = "demo", *, arch: str = "generic", layer: str | None = None) -> Job:
        """A job for the Python of the tests."""
        return Job(
            requirement=requirement,
            project=canonicalize_name(requirement.partition("=")[0]),
            python=sys.executable,
            python_version=f"{sys.version_info[0]}.{sys.version_info[1]}",
            arch=arch,
            layer=layer,
        )

    def options(self, **changes: Any) -> BuildOptions:
        """Options to build with: no index, no verification unless a test says so."""
        found: dict[str, Any] = {
            "site": self.site,
            "work": str(self.work),
            "output": str(self.output),
            "find_links": (str(self.sources), *seeds()),
            "offline": True,
            "verify": False,
            **changes,
        }
        return BuildOptions(**found)

    def build(self, job: Job | str = "demo", **changes: Any) -> BuildRecord:
        """The record of a build."""
        return run_job(job if isinstance(job, Job) else self.job(job), self.options(**changes))

    def log(self, record: BuildRecord) -> str:
        """What stands in the log of a build."""
        return Path(record.log).read_text(errors="replace")

    def left(self) -> list[str]:
        """The names of what builds left in the work directory, but for the logs."""
        return sorted(path.name for path in self.work.iterdir() if path.name != "logs")

    def placed(self) -> list[str]:
        """The names in the output directory."""
        return sorted(path.name for path in self.output.iterdir()) if self.output.is_dir() else []


def seeds() -> tuple[str, ...]:
    """The directory of the wheels of pip and setuptools that virtualenv brings along."""
    spec = importlib.util.find_spec("virtualenv")
    assert spec is not None
    assert spec.origin is not None
    return (str(Path(spec.origin).parent / "seed/wheels/embed"),)
