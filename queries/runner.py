"""Running a named query on a case."""

from collections.abc import Mapping

import pyarrow as pa

from wirecover.casefile.case import Case
from wirecover.queries.errors import QueryError
from wirecover.queries.library import Query, find
from wirecover.queries.parameters import Value
from wirecover.queries.sandbox import run_sql


def run(
    case: Case,
    name: str,
    params: Mapping[str, object] | None = None,
    *,
    timeout_s: float = 600.0,
    memory: str = "2GB",
) -> pa.Table:
    """The answer of a named query. Runs in the sandbox, so it cannot write; QueryError says what went
    wrong.
    """
    query = find(name)
    try:
        return run_sql(
            case.path,
            query.sql,
            timeout_s=timeout_s,
            memory=memory,
            bound=bound_values(query, dict(params or {})),
        )
    except QueryError as error:
        raise type(error)(f"{query.name}: {error}") from error


def bound_values(query: Query, given: dict[str, object]) -> dict[str, tuple[str, Value]]:
    """Every parameter of a query with its type and value, defaults included."""
    values = query.values(given)
    return {one.name: (one.sql_type, values[one.name]) for one in query.parameters}
