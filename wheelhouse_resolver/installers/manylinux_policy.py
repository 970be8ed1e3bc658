"""The policy module: a `_manylinux.py` that makes an interpreter refuse manylinux wheels.

For layers whose C library cannot run them. PEP 600 names the function, PEPs 513, 571 and 599 the attributes;
pip up to 20.2 knows only these, so both are written.
"""

from __future__ import annotations

import os

from wheelhouse_resolver.utils.filesystem import make_directory, write_text

#: The name that pip and uv import.
FILENAME = "_manylinux.py"

POLICY_MODULE = '''\
"""Makes pip and uv refuse manylinux wheels on this interpreter (PEP 600)."""

manylinux1_compatible = False  # pip up to 20.2 reads these three
manylinux2010_compatible = False
manylinux2014_compatible = False


def manylinux_compatible(tag_major, tag_minor, tag_arch):
    """No manylinux wheel can be used, whatever glibc (tag_major.tag_minor) it asks for."""
    return False
'''


def write_policy_module(directory: str) -> tuple[str, bool]:
    """Write the policy module into *directory*, which is made if missing.

    Returns its path, and whether its content has changed. Raises `OutputError`.
    """
    make_directory(directory, shared=True)
    path = os.path.join(directory, FILENAME)
    return path, write_text(path, POLICY_MODULE, shared=True)
