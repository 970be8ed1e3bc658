"""What has been started ends with the program, and is cleaned up, whatever ends it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.factories import clean_environ, make_tree, make_wheel
from tests.faults.trees import leftovers

#: Without semaphores, audit looks at one wheel after another.
needs_workers = pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="/dev/shm is not writable")


def start(*arguments: str | os.PathLike[str], **environ: str) -> subprocess.Popen[str]:
    """Start a command in a session of its own, as on a terminal of its own."""
    command = [sys.executable, "-m", "wheelhouse_resolver", *(os.fspath(each) for each in arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, env=clean_environ(**environ), stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def children_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes whose parent is *process*."""
    found = []
    for each in filter(str.isdecimal, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(process.pid):
            found.append(int(each))
    return found


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def auditing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An audit that waits in its workers: for a filesystem that does not answer, say."""
    make_tree(tmp_path, {"generic": [f"demo{number}-1.0-py3-none-any.whl" for number in range(4)]})
    code = (
        "import sys, time\n"
        "from wheelhouse_resolver.audit import files\n"
        "files.check_file = lambda *_, **__: time.sleep(600)\n"
        "from wheelhouse_resolver.cli.main import entry_point\n"
        f"sys.argv[1:] = ['audit', '--jobs', '2', '--root', {str(tmp_path)!r}]\n"
        "entry_point()\n"
    )
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=clean_environ(), stdout=pipe, stderr=pipe, text=True,
        start_new_session=True,
    )  # fmt: skip
    wait_until(lambda: len(children_of(process)) == 2)
    time.sleep(0.2)  # until they are at work
    with process:
        yield process
        process.kill()


@needs_workers
def test_an_audit_whose_worker_is_killed_says_so(auditing: subprocess.Popen[str]) -> None:
    os.kill(children_of(auditing)[0], signal.SIGKILL)
    out, err = auditing.communicate(timeout=60)
    assert (auditing.returncode, out) == (2, "")
    assert err == (
        "error: a process that looks into wheels was killed\n"
        "hint: it may have needed too much memory; --jobs 1 looks at one wheel after another\n"
    )


@pytest.mark.slow
@needs_workers
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_audit_ends_with_its_workers_and_says_so(
    number: signal.Signals, auditing: subprocess.Popen[str]
) -> None:
    workers = children_of(auditing)
    if number is signal.SIGINT:
        os.killpg(auditing.pid, number)  # as a terminal does
    else:
        auditing.send_signal(number)
    _, err = auditing.communicate(timeout=60)
    assert auditing.returncode == (-number if number is signal.SIGKILL else 128 + number)
    said = re.fullmatch(r"interrupted: looked at \d+ of \d+ wheels; nothing was changed, run it again\n", err)
    assert said or (number is signal.SIGKILL and err == "")
    wait_until(lambda: all(map(has_ended, workers)))


#: How to start the program on a filesystem that has no files without a name.
_NAMED = (
    "import os\n"
    "real = os.open\n"
    "def named(path, flags, *more, **options):\n"
    "    if flags & os.O_TMPFILE == os.O_TMPFILE:\n"
    "        raise OSError(95, 'Operation not supported')\n"
    "    return real(path, flags, *more, **options)\n"
    "os.open = named\n"
    "from wheelhouse_resolver.cli.main import entry_point\n"
    "entry_point()\n"
)

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def drafts_of(process: subprocess.Popen[str], root: Path) -> list[str]:
    """The files below *root* that it has open."""
    found: list[str] = []
    with contextlib.suppress(OSError):
        directory = f"/proc/{process.pid}/fd"
        found = [os.readlink(f"{directory}/{each}") for each in os.listdir(directory)]
    return [path for path in found if path.startswith(f"{root}/") and not os.path.isdir(path)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "nameless"),
    [*((each, False) for each in _ENDING), *((each, True) for each in (*_ENDING, signal.SIGKILL))],
)
def test_a_publish_that_is_ended_leaves_no_draft(
    number: signal.Signals, nameless: bool, tmp_path: Path
) -> None:
    root, inbox = tmp_path / "tree", tmp_path / "inbox"
    make_tree(root, {})
    wheels = [
        make_wheel(inbox, f"demo{each}-1.0-py3-none-any.whl", files={"data": os.urandom(4_000_000)})
        for each in range(12)
    ]
    program = ["-m", "wheelhouse_resolver"] if nameless else ["-c", _NAMED]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, *program, "publish", *wheels, "--root", root],
        env=clean_environ(), stdout=pipe, stderr=pipe, text=True, start_new_session=True,
    )  # fmt: skip
    wait_until(lambda: drafts_of(process, root) or process.poll() is not None)
    assert not (nameless and leftovers(root))
    process.send_signal(number)
    with process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == (-number if number is signal.SIGKILL else 128 + number)
    said = re.fullmatch(r"interrupted: (nothing done|\d+ placed); run it again to continue\n", err)
    assert said or (number is signal.SIGKILL and err == "")
    assert leftovers(root) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_verification_that_is_ended_leaves_neither_process_nor_environment(
    number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    ready = tmp_path / "ready"
    module = f"import pathlib, time\npathlib.Path({str(ready)!r}).touch()\ntime.sleep(600)\n"
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": module.encode()})
    make_tree(tmp_path / "tree", {})
    process = start(
        "verify", wheel, "--offline", "--root", tmp_path / "tree", "--python", sys.executable,
        TMPDIR=str(tmp_path / "tmp"),
    )  # fmt: skip
    wait_until(lambda: ready.exists() or process.poll() is not None)
    started = children_of(process)
    assert started
    process.send_signal(number)
    with process:
        process.communicate(timeout=60)
    assert process.returncode == 128 + number
    wait_until(lambda: all(map(has_ended, started)))
    assert [path.name for path in (tmp_path / "tmp").iterdir() if not path.name.endswith(".log")] == []
