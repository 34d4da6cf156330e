"""The custody log: one row an act upon the case, each holding the hash of the one before.

The hash is over the canonical JSON (sorted keys, no spaces, UTF-8) of all other columns, so an act that is
changed, dropped or put in between breaks the chain from there on. The chain does not protect its own end:
that takes a seal outside the case.
"""

import getpass
import json
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import duckdb

from wirecover.capture.version import tool_version

GENESIS: Final = "0" * 64


def canonical(value: object) -> str:
    """JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def actor() -> str:
    """Login name of who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user in the password database, or no such database
        return "unknown"


def act_digest(seq: int, ts: int, who: str, verb: str, arguments: str, tool: str, previous: str) -> str:
    """SHA-256 of one act; `ts` in nanoseconds since 1970, UTC."""
    facts = {
        "seq": seq, "ts": ts, "actor": who, "verb": verb, "arguments": arguments, "tool_version": tool,
        "prev_sha256": previous,
    }  # fmt: skip
    return sha256(canonical(facts).encode("utf-8", "surrogatepass")).hexdigest()


def append_act(
    connection: duckdb.DuckDBPyConnection, verb: str, arguments: Mapping[str, Any], *, at: int | None = None
) -> str:
    """Append one act, inside the caller's transaction if there is one; returns its hash.

    `at` is the time of the act in nanoseconds since 1970, UTC; the machine's clock when not given.
    """
    when = time.time_ns() if at is None else at
    last = connection.execute("SELECT seq, sha256 FROM custody_log ORDER BY seq DESC LIMIT 1").fetchall()
    seq, previous = (last[0][0] + 1, last[0][1]) if last else (1, GENESIS)
    # A file name may hold bytes that are not text (lone surrogates); the log keeps them escaped.
    text = canonical(arguments).encode("utf-8", "backslashreplace").decode()
    row = (seq, when, actor(), verb, text, tool_version(), previous)
    digest = act_digest(*row)
    connection.execute(
        "INSERT INTO custody_log VALUES (?, make_timestamp_ns(?), ?, ?, ?, ?, ?, ?)", [*row, digest]
    )
    return digest


def broken_acts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What does not hold in the chain, one line each; empty when it holds from the first act to the last."""
    rows = connection.execute(
        "SELECT seq, epoch_ns(ts), actor, verb, arguments, tool_version, prev_sha256, sha256 "
        "FROM custody_log ORDER BY seq"
    ).fetchall()
    problems: list[str] = []
    previous = GENESIS
    for place, (seq, ts, who, verb, arguments, tool, claimed, digest) in enumerate(rows, start=1):
        if seq != place:
            problems.append(f"act {place} is missing or out of place (found number {seq})")
            break
        if claimed != previous:
            problems.append(f"act {seq} ({verb}) does not follow from the act before it")
        if act_digest(seq, ts, who, verb, arguments, tool, claimed) != digest:
            problems.append(f"act {seq} ({verb}) was changed")
        previous = digest
    if not rows:
        problems.append("the log is empty: even the making of the case is not in it")
    return problems
