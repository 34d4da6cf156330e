"""A case of an earlier version kept its custody log as a table: its acts become the first lines of the file.

The acts keep their times, names and arguments. Their former hashes cannot be kept as the chain (other fields,
another form); each line holds the one it had (`former`), and the act `adopt` says whether that chain held.
"""

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import duckdb

from wirecover.casefile.custody import GENESIS, Act, adopt_line, canonical
from wirecover.casefile.log_file import locked_log

if TYPE_CHECKING:
    from wirecover.casefile.custody import Witness

_ROWS: Final = (
    "SELECT seq, epoch_ns(ts), actor, verb, arguments, tool_version, prev_sha256, sha256 "
    "FROM custody_log ORDER BY seq"
)


def adopt_former_log(case: "Witness", connection: duckdb.DuckDBPyConnection) -> bool:
    """Move a former log into the file, if the catalogue has one. Whether it had."""
    is_table = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'main' AND table_name = 'custody_log' "
        "AND database_name = current_database()"
    ).fetchall()
    if is_table == [(0,)]:
        return False
    rows = connection.execute(_ROWS).fetchall()
    broken = _broken(rows)
    with locked_log(case.path, "adopt", create=True) as log:
        if log.last is None or log.last.verb != "adopt":
            for row in rows[log.head.seq :]:  # a run that was killed here goes on where it stood
                adopt_line(log, row)
            facts = {"acts": len(rows), "sha256": rows[-1][7] if rows else GENESIS, "broken": broken}
            adopt_line(log, None, case=case, act=Act("adopt", facts))
    connection.execute("DROP TABLE custody_log")
    return True


def _broken(rows: list[tuple[Any, ...]]) -> list[int]:
    """Numbers of the acts whose hash or place in the former chain did not hold."""
    found: list[int] = []
    previous = GENESIS
    for place, (seq, ts, who, verb, arguments, tool, claimed, digest) in enumerate(rows, start=1):
        facts = {
            "seq": seq, "ts": ts, "actor": who, "verb": verb, "arguments": arguments, "tool_version": tool,
            "prev_sha256": claimed,
        }  # fmt: skip
        made = sha256(canonical(facts).encode("utf-8", "surrogatepass")).hexdigest()
        if seq != place or claimed != previous or made != digest:
            found.append(seq)
        previous = digest
    return found
