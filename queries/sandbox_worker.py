"""The process that runs a query on a case and can do nothing else. Started by sandbox.py; speaks through
pipes.

Why nothing can be written or read besides the case, by construction:
  * the catalogue is attached read-only, by this process, before any foreign text is seen;
  * evidence is bound as Arrow datasets that this process opened, so DuckDB needs no path to it, no allowed
    directory (those allow writing too) and no replacement scan;
  * then external access is switched off and the configuration locked, which DuckDB does not undo;
  * where the system has limits, this process may make no file longer than zero bytes and take no more memory
    than DuckDB's own limit and what the libraries need (DuckDB counts its buffers, not every string).
The check of the statement's kind comes on top and only serves a clearer message: a SELECT can hide a COPY.

stdin: one JSON object (Request of sandbox.py). stdout: the result as an Arrow IPC stream. stderr: the
one-line reason when the exit code is not 0.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import duckdb
import pyarrow as pa

from wirecover.capture.errors import WirecoverError
from wirecover.casefile import schema
from wirecover.casefile.catalogue import exhibit_keys, explain
from wirecover.casefile.layout import CATALOGUE
from wirecover.queries.binding import reader
from wirecover.queries.errors import QueryError

EXIT_REASON: Final = 3
"""Exit code of a run whose stderr holds the reason for the user."""
LIBRARY_BYTES: Final = 1 << 30
"""What DuckDB, Arrow and Python may take besides DuckDB's own limit."""
ROWS_PER_BATCH: Final = 1 << 16
_ALLOWED: Final = frozenset({"SELECT", "EXPLAIN", "MULTI"})  # MULTI: what a PIVOT is turned into


def main() -> int:
    """Run one request; the exit code."""
    request: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    try:
        _limit_process(request["memory"])
        with connect(Path(request["case"]), request["memory"], request["threads"]) as connection:
            answer(connection, request, sys.stdout.buffer)
    except (duckdb.Error, MemoryError) as error:  # in setting up: what the query does is reported below
        sys.stderr.write(f"the case cannot be bound: {_one_line(error)}")
        return EXIT_REASON
    except WirecoverError as error:
        sys.stderr.buffer.write(str(error).encode("utf-8", "backslashreplace"))
        return EXIT_REASON
    return 0


def connect(case: Path, memory: int, threads: int) -> duckdb.DuckDBPyConnection:
    """A connection on which every name of the schema stands and nothing outside it can be reached."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "temp_directory": "", "memory_limit": f"{memory}B", "threads": threads,
            "python_enable_replacements": "false", "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )  # fmt: skip
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    path = str((case / CATALOGUE).resolve()).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{path}' AS catalogue (READ_ONLY)")
    except duckdb.Error as error:
        raise explain(error, case) from error
    schema.bind_own_tables(connection, "catalogue")
    tables = schema.datasets(case.resolve(), exhibit_keys(connection))
    schema.bind_datasets(connection, tables, temporary=False)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _limit_process(memory: int) -> None:
    """Second wall, where the system has it: no file may grow, no core is dumped, memory ends somewhere."""
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (memory + LIBRARY_BYTES, memory + LIBRARY_BYTES))


def answer(connection: duckdb.DuckDBPyConnection, request: Mapping[str, Any], out: BinaryIO) -> None:
    """Run the statement and stream its rows; QueryError with the reason when it fails or takes too long."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        connection.interrupt()

    timer = threading.Timer(request["timeout_s"], expire)
    timer.daemon = True
    timer.start()
    try:
        _check_kind(connection, request["sql"])
        bound = {name: (kind, value) for name, (kind, value) in request["bound"].items()}
        _stream(reader(connection, request["sql"], bound, ROWS_PER_BATCH), out, request["max_bytes"])
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        if expired.is_set():
            raise QueryError(f"stopped: the query ran longer than {request['timeout_s']:g} s") from error
        raise QueryError(_one_line(error)) from error
    finally:
        timer.cancel()


def _check_kind(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"exactly one statement is run at a time, this is {len(statements)}")
    kind = statements[0].type.name
    if kind not in _ALLOWED:
        raise QueryError(f"only questions are allowed here (SELECT, DESCRIBE, EXPLAIN ...), not {kind}")


def _stream(rows: pa.RecordBatchReader, out: BinaryIO, max_bytes: int) -> None:
    sent = 0
    with pa.ipc.new_stream(out, rows.schema) as stream:
        for batch in rows:
            sent += batch.nbytes
            if sent > max_bytes:
                raise QueryError(
                    f"the result is larger than {max_bytes >> 20} MiB: ask for less, or add a LIMIT"
                )
            stream.write_batch(batch)
    out.flush()


def _one_line(error: Exception) -> str:
    """The first line of DuckDB's message, with its hint if there is one, and without its pointer into the
    text.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    hints = [
        line for line in lines[1:] if line.startswith(("Candidate", "Did you mean", "Possible solution"))
    ]
    return " ".join([*lines[:1], *hints[:1]]) or type(error).__name__


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not sys.exit: tearing DuckDB down may print to stderr, which holds the reason and nothing else.
    os._exit(code)
