from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from wheelhouse_resolver.utils.process import interrupted_by


def test_signals_interrupt_once_and_afterwards_mean_what_they_meant_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    reached = []

    def interrupted() -> None:
        with interrupted_by(signal.SIGTERM, signal.SIGHUP):
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(10)
            finally:
                os.kill(os.getpid(), signal.SIGHUP)
                reached.append("cleared up")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == ["cleared up"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_is_ignored_stays_so() -> None:
    """As `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupted_by(signal.SIGHUP):
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_forked_process_ends_with_its_parent() -> None:
    code = (
        "import os, signal, time\n"
        "from wheelhouse_resolver.utils.process import end_with_parent\n"
        "parent = os.getpid()\n"
        "if os.fork() == 0:\n"
        "    end_with_parent(parent)\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(600)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        assert process.stdout.read() == ""  # not before the child, which has it open, has ended
