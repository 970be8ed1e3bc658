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

from wheelhouse_resolver.builder.process.orphans import JOBS, start_of, stop_processes_of
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
    return Owner(os.uname().nodename, boot, space, os.getpid(), start_of(os.getpid()))


def is_over(owner: Owner, observer: Owner, start: str) -> bool:
    """Whether *owner* has certainly ended, as the process *observer* sees it. Pure.

    *start*: of the process that now has the owner's number on the observer's node; empty: there is none.
    """
    if owner.node != observer.node or not owner.boot or not observer.boot:
        return False
    if owner.boot != observer.boot:
        return True
    return owner.space == observer.space and owner.start != start


def leftovers(directory: str) -> list[str]:
    """The paths in *directory*, which is resolved, of what killed builds have left there, sorted."""
    here = this_process()
    found = []
    with suppress(OSError):
        directory = os.path.realpath(directory)
        for name in sorted(os.listdir(directory)):
            if parts := _NAME.fullmatch(name):
                node, boot, space, pid, start = parts.groups()
                if is_over(Owner(node, boot, space, int(pid), start), here, start_of(int(pid))):
                    found.append(os.path.join(directory, name))
    return found


def clear_leftovers(directory: str) -> list[str]:
    """Stop what killed builds have left running, and remove what they have left in *directory*.

    As far as possible: what has jobs of a scheduler stays until these are cancelled. Returns the names.
    """
    cleared: list[str] = []
    # A build that we stop may leave a directory of its own.
    while new := [path for path in leftovers(directory) if os.path.basename(path) not in cleared]:
        stop_processes_of(new)
        for path in new:
            if not os.path.exists(os.path.join(path, JOBS)):
                remove_tree(path)
        cleared += map(os.path.basename, new)
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
