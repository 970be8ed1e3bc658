"""The temporary directory of a build, and removing those of builds that were killed.

Many builds, on many nodes, may share the directory that these are in. So the name of each identifies its
owner, a process; others remove it only when its owner has certainly ended.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from wheelhouse_resolver.builder.process.memory import stat_fields
from wheelhouse_resolver.errors import OutputError

#: The names of these directories, but for those that are kept. Only a node's name may have a `-` in it.
_NAME = re.compile(r"build-(.+)-(\w*)-(\d*)-(\d+)-(\d*)-[^-]+")


class Owner(NamedTuple):
    """A process, identified across nodes and time.

    node:  the node's name. boot: the beginning of the kernel's boot id; empty where it is unknown.
    space: its namespace of process numbers: those of a container mean nothing outside.
    pid:   its number. start: when it started (clock ticks since the node did), as numbers are used again.
    """

    node: str
    boot: str
    space: str
    pid: int
    start: str

    def __str__(self) -> str:
        return "-".join(map(str, self))


def this_process() -> Owner:
    """The running process."""
    boot = space = ""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip().replace("-", "")[:12]
    with suppress(OSError):
        space = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
    return Owner(os.uname().nodename, boot, space, os.getpid(), _start_of(os.getpid()))


def _start_of(pid: int) -> str:
    """When the process *pid* started (`starttime` of proc(5)); empty when there is none."""
    return "".join(stat_fields(pid)[19:20])


def is_over(owner: Owner, observer: Owner, start: str) -> bool:
    """Whether *owner* has certainly ended, as the process *observer* sees it. Pure.

    *start*: of the process that now has the owner's number on the observer's node; empty: there is none.
    """
    if owner.node != observer.node or not owner.boot or not observer.boot:
        return False
    if owner.boot != observer.boot:
        return True
    return owner.space == observer.space and owner.start != start


def clear_leftovers(directory: str) -> list[str]:
    """Remove what killed builds have left in *directory*, as far as possible; returns the names."""
    here = this_process()
    cleared = []
    with suppress(OSError):
        for name in sorted(os.listdir(directory)):
            if found := _NAME.fullmatch(name):
                node, boot, space, pid, start = found.groups()
                if is_over(Owner(node, boot, space, int(pid), start), here, _start_of(int(pid))):
                    remove_tree(os.path.join(directory, name))
                    cleared.append(name)
    return cleared


@contextmanager
def scratch_directory(parent: str, *, keep: bool = False) -> Iterator[str]:
    """A new directory in *parent*, removed when the block ends, unless *keep*. Raises `OutputError`.

    What killed processes left in *parent* is removed first.
    """
    try:
        os.makedirs(parent, exist_ok=True)
        clear_leftovers(parent)
        path = tempfile.mkdtemp(prefix=f"{'kept' if keep else 'build'}-{this_process()}-", dir=parent)
    except OSError as error:
        raise OutputError.from_os(parent, error) from error
    try:
        yield os.path.realpath(path)
    finally:
        if not keep:
            remove_tree(path)


def remove_tree(path: str) -> None:
    """Remove the directory at *path* and all in it, read-only directories too; what resists stays."""
    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        for above, names, _ in os.walk(path):
            for name in [".", *names]:
                with suppress(OSError):
                    each = os.path.join(above, name)
                    if not os.path.islink(each):
                        os.chmod(each, stat.S_IRWXU)
        shutil.rmtree(path, ignore_errors=True)
