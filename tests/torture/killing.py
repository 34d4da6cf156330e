"""Killing a process at a chosen point of what it does, as kill -9 would: no handler runs, nothing is flushed.

Every job runs in a forked child of this process, which has imported all that is needed and has opened nothing: a
fork costs milliseconds where a start costs a second. A point is the n-th line of Python that runs in the modules
that write (counted by a trace, so that every line of them can be the last one), or a moment, which also falls
into DuckDB's and Arrow's own writing.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


def watched(name: str) -> bool:
    """Whether the lines of a module are counted: those of casefile/ and report/files.py are."""
    path = Path(name)
    return path.parent.name == "casefile" or (path.parent.name == "report" and path.name == "files.py")


class Counter:
    """Counts lines, and ends the process at one of them."""

    def __init__(self, last: int | None) -> None:
        self.lines = 0
        self.last = last

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "call":
            return self.trace if watched(frame.f_code.co_filename) else None
        if event == "line":
            self.lines += 1
            if self.lines == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace


def child(work: Callable[[], object]) -> tuple[int, bytes]:
    """Run in a forked child; (exit status as os.waitpid gives it, what it wrote into its pipe)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            answer = work()
            os.write(writing, repr(answer).encode())
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it was, the parent must see it
            os.write(writing, traceback.format_exc().encode())
        finally:
            os._exit(status)
    os.close(writing)
    parts: list[bytes] = []
    while part := os.read(reading, 1 << 16):
        parts.append(part)
    os.close(reading)
    return os.waitpid(pid, 0)[1], b"".join(parts)


def count_lines(work: Callable[[], object]) -> int:
    """How many lines of the watched modules run when nobody kills."""

    def counted() -> int:
        counter = Counter(None)
        sys.settrace(counter.trace)
        work()
        sys.settrace(None)
        return counter.lines

    return int(done(child(counted)))


def done(result: tuple[int, bytes]) -> str:
    """The answer of a child that must not have failed."""
    status, said = result
    assert status == 0, said.decode()
    return said.decode()


def kill_at_line(work: Callable[[], object], line: int) -> bool:
    """Kill at the n-th line; whether it came that far."""

    def traced() -> None:
        sys.settrace(Counter(line).trace)
        work()

    return _killed(child(traced))


def kill_after(work: Callable[[], object], seconds: float) -> bool:
    """Kill at a moment; whether it was still running."""

    def timed() -> None:
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()
        work()

    return _killed(child(timed))


def duration(work: Callable[[], object]) -> float:
    """Seconds that it takes when nobody kills."""

    def timed() -> float:
        start = time.monotonic()
        work()
        return time.monotonic() - start

    return float(done(child(timed)))


def _killed(result: tuple[int, bytes]) -> bool:
    status, said = result
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, status
        return True
    assert status == 0, said.decode()
    return False
