"""Makes the pictures of the catalogue that the documentation shows, with the Chromium of this machine.

Without one, it says so and leaves those that are there. The wheels are made up, and always the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from wheelhouse_resolver import Site
from wheelhouse_resolver.catalogue.config import CatalogueTable
from wheelhouse_resolver.catalogue.run import write_catalogue

PICTURES = Path(__file__).resolve().parent / "_static"

#: When all wheels were placed: 2026-11-02.
PLACED = 1_793_600_000

#: Project -> its summary, and which version is where, for which Pythons.
PROJECTS = {
    "h5py": ("Read and write HDF5 files from Python", {"3.15.1": ["gentoo/avx2", "gentoo/avx512"]}),
    "mpi4py": ("Python bindings for MPI", {"4.1.1": ["gentoo/generic"], "4.0.3": ["gentoo/generic"]}),
    "numpy": (
        "Fundamental package for array computing in Python",
        {
            "2.4.1": ["gentoo/avx2", "gentoo/avx512"],
            "2.3.5": ["gentoo/sse3", "gentoo/avx", "gentoo/avx2", "gentoo/avx512", "nix/avx2"],
            "1.26.4": ["gentoo/sse3", "gentoo/avx2", "nix/avx2"],
        },
    ),
    "pandas": ("Data structures for data analysis, time series, and statistics", {"2.3.3": ["gentoo/avx2"]}),
    "petsc4py": ("PETSc for Python", {"3.24.1": ["gentoo/avx2", "gentoo/avx512"]}),
    "requests": ("HTTP for Humans", {"2.32.5": ["generic"], "2.31.0": ["generic"]}),
    "scipy": (
        "Algorithms for scientific computing",
        {"1.16.3": ["gentoo/avx2", "gentoo/avx512"]},
    ),
    "torch": ("Tensors and dynamic neural networks", {"2.9.1": ["gentoo/avx2"], "2.8.0": ["gentoo/avx2"]}),
}


def write_wheel(root: Path, label: str, name: str, version: str, python: str) -> None:
    """Write a wheel of the made-up kind into the directory *label*."""
    site = Site.default(root)
    (rank,) = [each.rank for each in site.directories() if each.label == label]
    build, info = f"{rank * 1000}{label.rpartition('/')[2]}", f"{name}-{version}.dist-info"
    tags = "py3-none-any" if label == "generic" else f"{python}-{python}-linux_x86_64"
    path = root / label / f"{name}-{version}-{build}-{tags}.whl"
    needs = ["numpy>=1.26"] if name in ("h5py", "pandas", "petsc4py", "scipy") else []
    metadata = [f"Name: {name}", f"Version: {version}", f"Summary: {PROJECTS[name][0]}"]
    metadata += [f"Requires-Dist: {each}" for each in needs]
    metadata += ["Requires-Python: >=3.11", "License-Expression: BSD-3-Clause"]
    metadata += [f"Project-URL: homepage, https://example.org/{name}"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "")
        archive.writestr(f"{info}/METADATA", "\n".join(["Metadata-Version: 2.4", *metadata, ""]))
    os.utime(path, (PLACED, PLACED))


def main() -> int:
    """Make them."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        sys.stderr.write("note: no Chromium here: the pictures of the catalogue stay as they are\n")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        root, output = Path(scratch, "wheelhouse"), Path(scratch, "catalogue")
        for directory in Site.default(root).directories():
            os.makedirs(directory.path)
        for name, (_, versions) in PROJECTS.items():
            for version, labels in versions.items():
                for label in labels:
                    for python in ("cp311",) if version == "1.26.4" else ("cp312", "cp313"):
                        write_wheel(root, label, name, version, python)
        write_catalogue(Site.default(root), str(output), CatalogueTable("", "Wheels of the cluster"))
        for name, page, height in (
            ("catalogue", "index.html", 760),
            ("catalogue-project", "projects/numpy.html", 1100),
        ):
            picture = PICTURES / f"{name}.png"
            subprocess.run(
                [
                    *(chromium, "--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"),
                    *(f"--user-data-dir={scratch}/profile", f"--window-size=1200,{height}"),
                    *(f"--screenshot={picture}", (output / page).as_uri()),
                ],
                check=True,
                capture_output=True,
                timeout=120,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
