"""Foreign SQL on a case: in a process of its own, read-only, with limits on time, memory and size of the
answer.

The wall itself is in sandbox_worker.py; this side starts it, reads the answer, and ends it if it does not
end.
"""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import pyarrow as pa

from wirecover.queries.errors import QueryError, QueryUseError
from wirecover.queries.parameters import Value

GRACE_S: Final = 15.0
"""What a worker gets on top of the query's time: to start, to bind the case, and to obey its own timer."""
MAX_BYTES: Final = 2 << 30
_REASON_BYTES: Final = 1 << 14
_EXIT_REASON: Final = 3
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B", re.ASCII | re.IGNORECASE)


def run_sql(
    case_path: Path,
    text: str,
    *,
    timeout_s: float = 60.0,
    memory: str = "2GB",
    threads: int = 2,
    max_bytes: int = MAX_BYTES,
    bound: Mapping[str, tuple[str, Value]] | None = None,
) -> pa.Table:
    """The rows of one statement. QueryError, in one line, when it is refused, fails, or exceeds a limit.

    `bound` gives parameters as name -> (DuckDB type, value). Rows come in the order that the statement asks
    for, and in any order when it asks for none.
    """
    request = {
        "case": str(case_path),
        "sql": text,
        "timeout_s": timeout_s,
        "memory": bytes_of(memory),
        "threads": threads,
        "max_bytes": max_bytes,
        "bound": {name: list(pair) for name, pair in (bound or {}).items()},
    }
    # -P: no module is taken from the current folder, which may be one that a suspect filled
    command = [sys.executable, "-P", "-m", "wirecover.queries.sandbox_worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as worker:
        watchdog = threading.Timer(timeout_s + GRACE_S, worker.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            return _converse(worker, json.dumps(request).encode())
        finally:
            watchdog.cancel()
            worker.kill()


def bytes_of(size: str) -> int:
    """A size like 512MB or 2GiB in bytes."""
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise QueryUseError(f"{size!r} is no size like 512MB or 2GiB")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** "KMGT".find(match[2].upper()) * base) if match[2] else int(match[1])


def _converse(worker: subprocess.Popen[bytes], request: bytes) -> pa.Table:
    assert worker.stdin is not None and worker.stdout is not None and worker.stderr is not None
    reason: list[bytes] = []
    listener = threading.Thread(target=_drain, args=(worker.stderr, reason), daemon=True)
    listener.start()
    try:
        worker.stdin.write(request)
        worker.stdin.close()
    except BrokenPipeError:
        pass  # the worker died before it read: its exit code, below, says so
    table: pa.Table | None = None
    broken = ""
    try:
        table = pa.ipc.open_stream(worker.stdout).read_all()
    except (pa.ArrowException, OSError) as error:
        broken = str(error).splitlines()[0]
    code = worker.wait()
    listener.join()
    said = b"".join(reason).decode("utf-8", "replace").strip()
    if code == _EXIT_REASON:
        raise QueryError(said or "the query failed")
    if code != 0:
        last = said.splitlines()[-1] if said else "no message"
        raise QueryError(f"the query's process ended unexpectedly (exit code {code}): {last}")
    if table is None:
        raise QueryError(f"the query's answer is incomplete: {broken}")
    return table


def _drain(pipe: IO[bytes], kept: list[bytes]) -> None:
    """Read a pipe to its end, keeping no more than its last few kilobytes."""
    size = 0
    while chunk := pipe.read1(4096) if hasattr(pipe, "read1") else pipe.read(4096):
        kept.append(chunk)
        size += len(chunk)
        while size - len(kept[0]) > _REASON_BYTES:
            size -= len(kept.pop(0))
