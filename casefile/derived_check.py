"""Are the derived tables those that the logged analyses wrote: their digests against the last logged ones."""

from collections.abc import Iterator
from typing import Any, Final

import duckdb

from wirecover.casefile.custody import ENDINGS
from wirecover.casefile.derived import DERIVED
from wirecover.casefile.digest import stored_digest
from wirecover.casefile.log_check import LogState
from wirecover.casefile.log_file import Record

_ENDED: Final = ENDINGS - {"abandoned"}


def analyses(records: list[Record]) -> list[Record]:
    """The lines by which detectors wrote their rows, in order, without those that were withdrawn."""
    kept: list[Record] = []
    for one in records:
        if one.verb != "analyze" or "tables" not in one.arguments:
            continue
        if one.phase == "withdrawn":
            if kept:
                kept.pop()
        elif one.phase in {"noted", "done"}:
            kept.append(one)
    return kept


def logged_digests(record: Record) -> dict[str, str]:
    """Table -> digest, as one such line says."""
    tables: Any = record.arguments.get("tables")
    return {str(name): str(digest) for name, digest in tables.items()} if isinstance(tables, dict) else {}


def derived_problems(connection: duckdb.DuckDBPyConnection, state: LogState) -> Iterator[str]:
    """What does not hold, one line for each table."""
    done = analyses(state.acts)
    want = logged_digests(done[-1]) if done else {}
    for table in DERIVED:
        found = stored_digest(connection, table)
        if table in want:
            if found == want[table]:
                continue
            earlier = len(done) > 1 and logged_digests(done[-2]).get(table) == found
            ended = any(one.act == done[-1].act and one.phase in _ENDED for one in state.acts)
            if earlier and not ended:  # killed between its line in the log and the commit of its rows
                yield f"{table}: as before act {done[-1].seq}, which was killed; analyze again"
            else:
                yield f"{table}: not the rows that the last logged analysis wrote"
        elif connection.execute(f"SELECT count(*) FROM {table}").fetchall() != [(0,)]:  # noqa: S608
            yield f"{table}: holds rows that no logged analysis wrote"
