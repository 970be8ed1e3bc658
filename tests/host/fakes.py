"""Pythons of the tests' own making: what the program takes for one needs to be neither slow nor here."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from tests.host.binaries import script

__all__ = ["BASE", "fake_python", "make_environment"]

#: The binary of the tests' Python, below any virtual environment.
BASE = os.path.realpath(sys.executable)


def fake_python(path: Path, version: str = "3.9.18", implementation: str = "cpython", abi: str = "") -> Path:
    """A script that answers as a Python of that *version* on this machine would; *abi*: such as `t`."""
    machine = os.uname()
    short = "".join(version.split(".")[:2])
    said = {
        "seen": [],
        "executable": str(path),
        "base_prefix": str(path.parent.parent),
        "version": version,
        "implementation": implementation,
        "soabi": f"cpython-{short}{abi}-{machine.machine}-linux-gnu",
        "platform": f"linux-{machine.machine}",
        "libc": "glibc 2.17",
        "manylinux": ["2.17"],
        "markers": {
            "implementation_name": implementation,
            "implementation_version": version,
            "os_name": "posix",
            "platform_machine": machine.machine,
            "platform_python_implementation": "CPython",
            "platform_release": machine.release,
            "platform_system": "Linux",
            "platform_version": machine.version,
            "python_full_version": version,
            "python_version": ".".join(version.split(".")[:2]),
            "sys_platform": "linux",
        },
    }
    return script(path, f"#!/bin/sh\necho {shlex.quote(json.dumps(said))}\n")


def make_environment(path: Path, *names: str) -> Path:
    """A virtual environment of the tests' Python, without pip, as `venv` lays it out; its `bin/python`."""
    (path / "bin").mkdir(parents=True)
    version = "{}.{}".format(*sys.version_info[:2])
    (path / f"lib/python{version}/site-packages").mkdir(parents=True)
    (path / "pyvenv.cfg").write_text(f"home = {os.path.dirname(BASE)}\nversion = {version}\n")
    for name in names or ("python", "python3"):
        (path / "bin" / name).symlink_to(BASE)
    return path / "bin" / "python"
