from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults.test_disk import mounted
from wheelhouse_resolver.builder.process.commands import (
    Finished,
    children,
    is_full,
    run_logged,
    subreaper,
    tail_of,
)
from wheelhouse_resolver.builder.process.memory import exceeds, size_of


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def run(code: str, log: Path, timeout: float | None = None) -> Finished:
    return run_logged([sys.executable, "-c", code], log=log, environ=os.environ, timeout=timeout)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_it_prints_is_appended_to_the_log(log: Path) -> None:
    log.write_text("before\n")
    done = run("import sys; print('out'); print('err', file=sys.stderr)", log)
    assert (done.ok, done.code, done.problem) == (True, 0, "")
    assert log.read_text().splitlines()[0] == "before"
    assert sorted(log.read_text().splitlines()[1:]) == ["err", "out"]
    assert "before" not in done.tail


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise SystemExit(3)", "exited with 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
    ],
)
def test_how_it_failed(code: str, problem: str, log: Path) -> None:
    done = run(code, log)
    assert not done.ok
    assert done.problem == problem


def test_no_secret_of_its_environment_or_of_pips_configuration_stays_in_the_log(
    log: Path, tmp_path: Path
) -> None:
    """pip prints the URL of an index with all that follows the `?`."""
    (tmp_path / "pip.conf").write_text("[global]\nextra-index-url = https://me:pip-secret@h/simple\n")
    secrets = {
        "PIP_INDEX_URL": "https://h/simple?key=query-secret",
        "PIP_PROXY": "me:a/b@proxy:3128",
        "DEPLOY_TOKEN": "named-secret",
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
    }
    code = "import os; print(dict(os.environ), open(os.environ['PIP_CONFIG_FILE']).read())"
    log.write_text("before: named-secret\n")
    for last, why in (("", "PATH"), ("; raise SystemExit(f'{os.environ}')", "exited with 1")):
        done = run_logged([sys.executable, "-c", code + last], log=log, environ={**os.environ, **secrets})
        assert why in done.tail + done.why
        before, after = log.read_text().split("\n", 1)
        assert before == "before: named-secret"
        for text in (after, done.tail, done.why):
            assert not [secret for secret in ("-secret", "a/b@") if secret in text]
        assert "https://h/simple?****************'" in after


def test_one_that_cannot_be_started(log: Path, tmp_path: Path) -> None:
    done = run_logged([tmp_path / "missing"], log=log, environ={})
    assert done.code == 127
    assert "No such file or directory" in done.tail
    assert "No such file or directory" in log.read_text()


@pytest.mark.slow
def test_one_that_hangs_is_stopped_with_all_that_it_started(log: Path, tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid)); time.sleep(600)"
    )
    start = time.monotonic()
    done = run(code, log, timeout=3)
    assert done.timeout == 3
    assert not done.ok
    assert "longer than 3 s" in done.problem
    assert time.monotonic() - start < 60
    deadline = time.monotonic() + 10
    while is_alive(int((tmp_path / "pid").read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.slow
def test_one_that_ignores_being_told_to_stop_is_killed(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse_resolver.builder.process.commands._GRACE", 0.2)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    done = run(code, log, timeout=2)
    assert (done.timeout, done.code) == (2, -signal.SIGKILL)


#: Starts a process with a session of its own, which no signal to a group reaches, and its child.
ESCAPE = """
import subprocess, sys, time
subprocess.run([sys.executable, "-c", '''
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    child = subprocess.Popen(["sleep", "600"])
    with open(sys.argv[1] + "~", "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    os.rename(sys.argv[1] + "~", sys.argv[1])
    child.wait()
''', PID])
import os
while not os.path.exists(PID):
    time.sleep(0.01)
"""


def escaping(pid: Path, then: str = "") -> str:
    """Code that leaves processes behind, whose numbers stand in the file *pid*, and goes on."""
    return ESCAPE.replace("PID", repr(str(pid))) + then


@pytest.mark.parametrize(
    "then",
    [pytest.param("", id="ended"), pytest.param("time.sleep(600)", id="timed-out", marks=pytest.mark.slow)],
)
def test_what_has_left_the_group_is_killed_too_and_what_was_there_is_not(
    then: str, log: Path, tmp_path: Path
) -> None:
    others = subprocess.Popen(["sleep", "600"])
    try:
        with subreaper():
            run(escaping(tmp_path / "pids", then), log, timeout=5)
            left = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
            assert len(left) == 2
            assert not any(map(is_alive, left))
            assert others.poll() is None
    finally:
        others.kill()
        others.wait()


def test_a_library_adopts_and_kills_nothing(log: Path, tmp_path: Path) -> None:
    run(escaping(tmp_path / "pids"), log)
    with subreaper():
        pass
    assert children() == frozenset()
    left = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(map(is_alive, left))
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def test_of_very_much_output_only_the_end_is_read(log: Path) -> None:
    code = "import sys\nfor _ in range(2000): sys.stdout.write('x' * 9_999 + '\\n')\nprint('the end')"
    done = run(code, log)
    assert done.tail.endswith("the end")
    assert len(done.tail) < 100_000
    assert log.stat().st_size > 19_000_000


def test_the_tail_of_a_log(log: Path) -> None:
    log.write_bytes(b"first\n" + b"\xff\n" * 30 + b"last")
    assert tail_of(log, lines=2) == "\ufffd\nlast"
    assert tail_of(log, offset=log.stat().st_size) == ""


@pytest.mark.parametrize(
    ("free", "files", "free_files", "full"),
    [(9, 9, 9, False), (0, 9, 9, True), (9, 9, 0, True), (9, 0, 0, False)],
    ids=["room", "no-room", "no-more-files", "files-not-counted"],
)
def test_a_disk_is_full_when_it_takes_no_data_or_no_file(
    free: int, files: int, free_files: int, full: bool, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(f_bavail=free, f_files=files, f_favail=free_files)
    monkeypatch.setattr("os.statvfs", lambda _: disk)
    assert is_full(log.parent) == full
    done = run("raise SystemExit('oh no')", log)
    assert done.why == "exited with 1: oh no" + (": No space left on device" if full else "")
    assert run("", log).why == ""


@pytest.mark.parametrize("place", ["log", "directory", "TMPDIR"])
def test_a_full_disk_is_why_wherever_it_is(place: str, tmp_path: Path) -> None:
    for disk in mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs"):
        free = tmp_path / "free"
        free.mkdir()
        places = {each: disk.path if each == place else free for each in ("log", "directory", "TMPDIR")}
        fill = f"open({str(disk.path / 'big')!r}, 'wb', buffering=0).write(bytes(1 << 20))"
        done = run_logged(
            [sys.executable, "-c", f"{fill}; print('ensurepip failed', flush=True); raise SystemExit(1)"],
            log=places["log"] / "log.txt",
            environ={**os.environ, "TMPDIR": str(places["TMPDIR"])},
            cwd=places["directory"],
        )
        assert done.why.endswith("No space left on device"), done


def test_no_disk_is_not_full(tmp_path: Path) -> None:
    assert not is_full(tmp_path / "missing")


def test_what_is_over_the_limit_is_stopped_and_what_is_not_is_not(log: Path) -> None:
    code = "import time; held = b'x' * ({} << 20); time.sleep({})"
    limit = 200 << 20
    command = [sys.executable, "-c", code.format(400, 60)]
    done = run_logged(command, log=log, environ=os.environ, memory=limit, timeout=50)
    assert (done.ok, done.timeout, done.memory) == (False, None, limit)
    assert done.problem == "stopped: it used more than 200 MB of memory"
    command = [sys.executable, "-c", code.format(50, 0.5)]
    assert run_logged(command, log=log, environ=os.environ, memory=limit).ok


def test_what_processes_share_counts_once() -> None:
    """Forked children have their parent's pages."""
    code = (
        "import os\nheld = b'x' * (100 << 20)\n"
        "if os.fork() and os.fork(): print('ready', flush=True)\n"  # children make none of their own
        "input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert exceeds(80 << 20, {process.pid})
        assert not exceeds(200 << 20, {process.pid})
        process.kill()


def test_a_command_ends_when_we_are_killed(log: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    inner = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import os, sys\nfrom wheelhouse_resolver.builder.process.commands import run_logged\n"
        f"run_logged([sys.executable, '-c', {inner!r}], log={str(log)!r}, environ=os.environ)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        deadline = time.monotonic() + 30
        while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    number = int(pid.read_text())
    while is_alive(number) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(number)


@pytest.mark.parametrize(
    ("text", "size"), [("1K", 1 << 10), ("8", 8 << 20), ("8M", 8 << 20), ("2T", 2 << 40)]
)
def test_sizes_are_in_the_words_of_slurm(text: str, size: int) -> None:
    assert size_of(text) == size
