"""Running a named query on a case."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import pyarrow as pa

from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, Entry, record
from wirecover.casefile.digest import table_digest
from wirecover.casefile.redact import parameter_facts, statement_facts
from wirecover.queries.errors import QueryError
from wirecover.queries.library import Query, find
from wirecover.queries.parameters import Value
from wirecover.queries.sandbox import run_sql

Deliver = Callable[[pa.Table], str | None]
"""What is done with an answer while its act in the custody log is still open: shown, or written to a file, of
which it gives the SHA-256."""


def run(
    case: Case,
    name: str,
    params: Mapping[str, object] | None = None,
    *,
    timeout_s: float = 600.0,
    memory: str = "2GB",
    deliver: Deliver | None = None,
    export: str | None = None,
) -> pa.Table:
    """The answer of a named query, logged. Runs in the sandbox, so it cannot write; QueryError says what went
    wrong. `export` is the name of the file that `deliver` writes, if it writes one.
    """
    query = find(name)
    bound = bound_values(query, dict(params or {}))
    facts = {"name": query.name, "parameters": parameter_facts(case.path, bound), "out": export}
    act = Act("query", facts, (f"query:{query.name}", *_tables(query.reads)), export=export is not None)
    try:
        with record(case, act) as entry:
            table = run_sql(case.path, query.sql, timeout_s=timeout_s, memory=memory, bound=bound)
            return _delivered(table, entry, deliver, export)
    except QueryError as error:
        raise type(error)(f"{query.name}: {error}") from error


def ask(
    case: Case,
    statement: str,
    *,
    timeout_s: float = 60.0,
    memory: str = "2GB",
    deliver: Deliver | None = None,
    export: str | None = None,
) -> pa.Table:
    """The answer of a statement of the user's own, logged by its shape; else as `run`."""
    facts = statement_facts(case.path, statement) | {"out": export}
    with record(case, Act("sql", facts, export=export is not None)) as entry:
        return _delivered(
            run_sql(case.path, statement, timeout_s=timeout_s, memory=memory), entry, deliver, export
        )


def _delivered(table: pa.Table, entry: Entry, deliver: Deliver | None, export: str | None) -> pa.Table:
    entry.result(table_digest(table), rows=table.num_rows)
    written = None if deliver is None else deliver(table)
    if written is not None:
        entry.facts["files"] = [[export, written]]
    return table


def _tables(names: Iterable[str]) -> Iterator[str]:
    return (f"table:{name}" for name in names)


def bound_values(query: Query, given: dict[str, object]) -> dict[str, tuple[str, Value]]:
    """Every parameter of a query with its type and value, defaults included."""
    values = query.values(given)
    return {one.name: (one.sql_type, values[one.name]) for one in query.parameters}
