"""The policy module: a `_manylinux.py` that makes an interpreter refuse manylinux wheels.

For layers whose C library cannot run them. PEP 600 names the function, PEPs 513, 571 and 599 the attributes;
pip up to 20.2 knows only these, so both are written.
"""

from __future__ import annotations

__all__ = ["FILENAME", "POLICY_MODULE"]

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
