"""The phases of a build: each is timed and logged, with what went wrong in it."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from wheelhouse_resolver.builder.process.commands import is_full, run_logged, tail_of
from wheelhouse_resolver.builder.process.log_tail import FULL
from wheelhouse_resolver.builder.process.memory import size_of
from wheelhouse_resolver.builder.records.record import BuildRecord, Phase, describe
from wheelhouse_resolver.builder.resources import seconds_of
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.utils.redact import presentable

_INTERRUPTED = "interrupted"


class PhaseFailed(WheelhouseError, RuntimeError):
    """A phase cannot continue."""

    _message = "{problem}"
    problem: str


class Limits(NamedTuple):
    """What commands may take.

    timeout: each of them (s). memory: each, with all that it starts (bytes). None: no limit.
    time:    all of them (s), until the *deadline* (of `time.monotonic`).
    """

    timeout: float | None = None
    memory: int | None = None
    time: float = math.inf
    deadline: float = math.inf

    @classmethod
    def of(cls, timeout: float | None, memory: str, limit: str) -> Limits:
        """From now on; *memory* and the *limit* on the time as a scheduler takes them, empty: none."""
        seconds = seconds_of(limit) if limit else math.inf
        return cls(timeout, size_of(memory) if memory else None, seconds, time.monotonic() + seconds)


class Phases:
    """A running build.

    record: what is known of it so far.
    limits: of its commands.
    shown:  the file that names the current phase to those who watch.
    """

    def __init__(self, record: BuildRecord, limits: Limits, shown: str) -> None:
        self.record = record
        self.limits = limits
        self.shown = shown

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time one phase, and note in the record what goes wrong in it.

        Raises `PhaseFailed` for every error of the block, and `OSError` when the log is gone.
        """
        with contextlib.suppress(OSError), open(self.shown, "w", encoding="utf-8") as file:
            file.write(name)
        offset = os.path.getsize(self.record.log)
        self.say(f"=== {name}")
        start = time.monotonic()
        problem = _INTERRUPTED
        try:
            yield
            problem = ""
        except Exception as error:
            problem = describe(error)
            if not isinstance(error, (WheelhouseError, OSError)):
                for line in traceback.format_exc().splitlines():
                    self.say(line)
            raise PhaseFailed(problem) from error
        finally:
            phase = Phase(name=name, seconds=round(time.monotonic() - start, 3), ok=not problem)
            self.record = replace(self.record, phases=(*self.record.phases, phase))
            if problem:
                tail = tail_of(self.record.log, offset)
                full = FULL in tail or is_full(os.path.dirname(self.record.log))
                if full and problem != _INTERRUPTED and FULL not in problem:
                    problem = f"{problem}: {FULL}"
                self.record = replace(self.record, problem=f"{name}: {problem}", tail=tail)
                self.say(f"=== {name} failed: {problem}")

    def say(self, line: str) -> None:
        """Add *line*, without secrets, to the log. On a full disk it is lost; what is written next fails."""
        text = f"{presentable(line)}\n".encode()
        with contextlib.suppress(OSError), open(self.record.log, "ab") as file:
            file.write(text)

    def run(self, command: Sequence[str], what: str, environ: Mapping[str, str], cwd: str) -> None:
        """Run *command*, called *what*, in the directory *cwd*. Raises `PhaseFailed` if it fails."""
        self.say(f"$ {shlex.join(command)}")
        limits = self.limits
        left = limits.deadline - time.monotonic()
        timeout = min(math.inf if limits.timeout is None else limits.timeout, max(0.0, left))
        done = run_logged(
            command,
            log=self.record.log,
            environ=environ,
            cwd=cwd,
            timeout=None if timeout == math.inf else timeout,
            memory=limits.memory,
        )
        if done.timeout is not None and done.timeout != limits.timeout:
            raise PhaseFailed(f"{what} stopped: the build took longer than {limits.time:.0f} s")
        if not done.ok:
            raise PhaseFailed(f"{what} {done.why}")
