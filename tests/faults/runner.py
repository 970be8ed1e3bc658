"""Runs our command line many times in processes that can be killed, without the cost of starting Python.

This module, run as a program, has everything imported and forks a child for each command that it is sent.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import errno
import fcntl
import io
import json
import mmap
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.factories import clean_environ

__all__ = ["Ran", "Runner"]

#: What changes or syncs files, and so where a kill or a fault can matter. What is written to files counts as
#: well, and so does renameat2, which is not in `os`.
_STEPS = (
    "link",
    "unlink",
    "rename",
    "replace",
    "symlink",
    "mkdir",
    "rmdir",
    "fchmod",
    "chmod",
    "chown",
    "fsync",
    "open",
    "write",
)


class Ran(NamedTuple):
    """What became of one run, and how long it took.

    code:  its exit code, or minus the signal.
    steps: how many that change or sync a file it has taken, if they were counted.
    """

    code: int
    seconds: float
    out: str
    err: str
    steps: int

    @property
    def killed(self) -> bool:
        """Whether it was killed before it was done."""
        return self.code == -signal.SIGKILL


class Runner:
    """The process that forks."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.runner"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2], env=clean_environ(HOME=self._home.name),
        )  # fmt: skip

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        self._home.cleanup()

    def run(self, *arguments: str | os.PathLike[str], **options: Any) -> Ran:
        """Run one command; *options* as for `together`."""
        return self.together([arguments], **options)[0]

    def together(
        self,
        commands: Sequence[Sequence[str | os.PathLike[str]]],
        *,
        kill_after: float | None = None,
        kill_at: int | None = None,
        fail_at: int | None = None,
        fail_with: int = errno.EIO,
        without: Sequence[str] = (),
        file_size: int | None = None,
        user: int | None = None,
        group: int | None = None,
        umask: int = 0o022,
    ) -> list[Ran]:
        """Run all *commands* at once and wait for them.

        kill_after: SIGKILL them after so many seconds.
        kill_at:    SIGKILL each before its so-manieth step that changes or syncs a file, counted from 0; half
                    of what that one would write is written. -1: only count the steps.
        fail_at:    let that step fail instead, with the error number *fail_with*.
        without:    abilities that the filesystem lacks: `nameless` files, `links`, `renames`, `locks`.
        file_size:  the largest file that they may write (bytes).
        user:       who they are (only root may say). group: theirs, if not that of the user's number.
        umask:      what their files are not to be.
        """
        task = {
            "commands": [[os.fspath(word) for word in command] for command in commands],
            "kill_after": kill_after, "kill_at": kill_at,
            "fail_at": fail_at, "fail_with": fail_with, "without": list(without),
            "file_size": file_size, "user": user, "group": user if group is None else group,
            "umask": umask,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return [Ran(*each) for each in json.loads(self._process.stdout.readline())]


def _cripple(without: Sequence[str]) -> None:
    def refusing(number: int) -> Callable[..., Any]:
        def refuse(*_: object, **__: object) -> Any:
            raise OSError(number, os.strerror(number))

        return refuse

    if "nameless" in without:
        real_open = os.open

        def open_named(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            return real_open(path, flags, *arguments, **options)

        os.open = open_named
    if "links" in without:
        os.link = refusing(errno.EPERM)
    if "renames" in without:
        ctypes.CDLL = lambda *_, **__: object()  # type: ignore[misc, assignment]
    if "locks" in without:
        fcntl.flock = refusing(errno.ENOLCK)


class _Steps:
    """Counts the steps of this process, and kills it or lets it fail at one. *count*: eight shared bytes."""

    def __init__(self, task: dict[str, Any], count: mmap.mmap) -> None:
        self._kill_at, self._fail_at, self._error = task["kill_at"], task["fail_at"], task["fail_with"]
        self._count = count

    def fails(self, before: Callable[[], object] = lambda: None) -> bool:
        """Count one step; whether it is to fail. *before*: what is still done if it is this one's turn."""
        now = int.from_bytes(self._count[:8], "little")
        self._count[:8] = (now + 1).to_bytes(8, "little")
        if now in (self._kill_at, self._fail_at):
            before()
        if now == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return bool(now == self._fail_at)

    def error(self, path: object = None) -> OSError:
        """The error of the step that fails."""
        return OSError(self._error, os.strerror(self._error), path)

    def counted(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """*step*, counted."""

        def run(*arguments: Any, **options: Any) -> Any:
            if self.fails():
                raise self.error(arguments[0] if isinstance(arguments[0], str) else None)
            return step(*arguments, **options)

        return run

    def install(self) -> None:
        """Count all steps from now on."""
        steps, libc, real_open = self, ctypes.CDLL(None, use_errno=True), open

        class Counted(io.FileIO):
            def write(self, data: Any) -> int:
                if steps.fails(lambda: super(Counted, self).write(memoryview(data)[: len(data) // 2])):
                    raise steps.error()
                return super().write(data)

        def counted_open(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if mode not in ("wb", "w+b"):
                return real_open(file, mode, *arguments, **options)
            raw = Counted(file, mode)
            return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

        class Libc:
            @staticmethod
            def renameat2(*arguments: Any) -> int:
                if steps.fails():
                    ctypes.set_errno(steps._error)
                    return -1
                return int(libc.renameat2(*arguments))

        for name in _STEPS:
            setattr(os, name, self.counted(getattr(os, name)))
        builtins.open = counted_open
        if isinstance(ctypes.CDLL, type):  # the filesystem can exchange names
            ctypes.CDLL = lambda *_, **__: Libc  # type: ignore[misc, assignment]


def _child(task: dict[str, Any], arguments: list[str], out: int, err: int, count: mmap.mmap) -> int:
    from wheelhouse_resolver.cli.main import main

    os.dup2(out, 1)
    os.dup2(err, 2)
    if task["file_size"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (task["file_size"], task["file_size"]))
    if task["user"] is not None:
        os.setgroups([])
        os.setgid(task["group"])
        os.setuid(task["user"])
    os.umask(task["umask"])
    _cripple(task["without"])
    if task["kill_at"] is not None or task["fail_at"] is not None:
        _Steps(task, count).install()
    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _run(task: dict[str, Any]) -> list[tuple[int, float, str, str, int]]:
    count = mmap.mmap(-1, 8)
    started = time.monotonic()
    children: dict[int, int] = {}
    files = [(tempfile.TemporaryFile(), tempfile.TemporaryFile()) for _ in task["commands"]]  # noqa: SIM115
    for number, arguments in enumerate(task["commands"]):
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = _child(task, arguments, files[number][0].fileno(), files[number][1].fileno(), count)
            except BaseException:  # noqa: BLE001 - the tests are to see it
                traceback.print_exc()
            finally:
                os._exit(code)
        children[child] = number
    if task["kill_after"] is not None:
        time.sleep(max(0.0, task["kill_after"] - (time.monotonic() - started)))
        for child in children:
            os.kill(child, signal.SIGKILL)
    ended: dict[int, tuple[int, float]] = {}
    while len(ended) < len(children):
        child, status = os.wait()
        ended[children[child]] = (os.waitstatus_to_exitcode(status), time.monotonic() - started)
    found = []
    for number, pair in enumerate(files):
        texts = []
        for file in pair:
            file.seek(0)
            texts.append(file.read().decode())
            file.close()
        found.append((*ended[number], texts[0], texts[1], int.from_bytes(count[:8], "little")))
    count.close()
    return found


def _warm_up() -> None:
    """Import all that the commands use: another user may not reach the place where Python is."""
    import platformdirs  # noqa: F401 - what it says is remembered between runs, but not for other users

    from tests.factories import make_tree, make_wheel
    from wheelhouse_resolver.cli.main import main

    with tempfile.TemporaryDirectory() as directory, open(os.devnull, "w") as nowhere:
        base = Path(directory)
        make_tree(base / "house", {"generic": ["demo-1.0-py3-none-any.whl"]})
        wheel = make_wheel(base, "demo-1.0-cp311-cp311-linux_x86_64.whl")
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            for command in (
                ["publish", str(wheel), "--to", "gentoo/avx2"],
                ["publish", str(base)],
                ["restamp", "--retag"],
                ["restamp", "--undo"],
                ["view", "--variants", "--output", str(base / "view")],
                ["index", "--output", str(base / "index")],
                ["withdraw", "demo-1.0-1000generic-py3-none-any.whl"],
                ["restore", "demo-1.0-1000generic-py3-none-any.whl"],
                ["pip-conf", "--all", "--output-dir", str(base / "conf")],
                ["pip-conf", "--all", "--form", "xdg", "--output-dir", str(base / "conf")],
                ["lock", "demo", "--output", str(base / "pylock.toml")],
            ):
                main([*command, "--root", str(base / "house")])
            site = base / "site.toml"
            site.write_text(f'root = "{base}/house"\n[index]\ndirectory = "{base}/index"\n')
            main(["withdraw", "demo-1.0-1000generic-py3-none-any.whl", "--config", str(site)])


def _serve() -> None:
    _warm_up()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_run(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
