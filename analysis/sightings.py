"""Conversations that several exhibits recorded: each counts once, and is said to be seen in several.

The rule is that of the views flow_pairs and flow_sightings (casefile/schema.sql): same five-tuple, same time,
different exhibits; the record with most packets counts. Here its answer is kept in temporary tables of the
connection, for all detectors of a run.
"""

import re
from dataclasses import dataclass

import duckdb

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import nanoseconds, rows, sql_text
from wirecover.analysis.findings import counted

MESSAGE_FLOWS = (
    "(transport = 'tcp' OR service = 'quic') AND coalesce(service, '') <> 'dns' "
    "AND (app IS NOT NULL OR ($include_unlabelled AND service IN ('tls', 'quic')))"
)
"""Which flows may carry messages; the same condition stands in sql/message_bursts.sql."""


_SEEN_QUERY = """
SELECT client_ip, coalesce(app, ''), list_sort(list(DISTINCT capture_id)),
       count(*) FILTER (counted AND exhibits > 1)
FROM flow_sightings WHERE {condition} GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Sightings:
    """Names of two temporary tables."""

    flows: str
    """flow_sightings as it is."""
    pairs: str
    """Of flow_pairs, the rows in which the flow yields to the other."""

    def into(self, text: str) -> str:
        """A query on flow_sightings and flow_pairs, on these tables."""
        text = re.sub(r"\bflow_sightings\b", self.flows, text)
        return re.sub(r"\bflow_pairs\b", self.pairs, text)

    def query(self, name: str) -> str:
        """The text of `analysis/sql/<name>.sql`, on these tables."""
        return self.into(sql_text(name))


@dataclass(frozen=True, slots=True)
class Seen:
    """In which exhibits the traffic of an address on an application stands."""

    captures: tuple[int, ...] = ()
    shared_flows: int = 0
    """Flows that count and that other exhibits recorded too."""

    def joined(self, other: "Seen") -> "Seen":
        """The traffic of both; a flow between the two would be in it twice, which messages to servers are not."""
        return Seen(tuple(sorted({*self.captures, *other.captures})), self.shared_flows + other.shared_flows)

    def text(self, before: str = " (", after: str = ")") -> str:
        """'seen in 2 exhibits (3 flows that several of them recorded count once)'."""
        text = f"seen in {counted(len(self.captures), 'exhibit')}"
        if self.shared_flows:
            once = "counts once" if self.shared_flows == 1 else "count once"
            text += (
                f"{before}{counted(self.shared_flows, 'flow')} that several of them recorded {once}{after}"
            )
        return text


def check_tolerance(seconds: float) -> None:
    """Raises AnalysisError when clocks cannot be said to differ by so much."""
    if not 0 <= seconds <= 3600:
        raise AnalysisError("clock_tolerance_s must lie between 0 and 3,600 seconds")


def prepare_sightings(connection: duckdb.DuckDBPyConnection, tolerance_s: float) -> Sightings:
    """The tables for clocks that may differ by `tolerance_s`, made when the connection has none yet."""
    check_tolerance(tolerance_s)
    tolerance = nanoseconds(tolerance_s)
    made = Sightings(f"wirecover_sightings_{tolerance}", f"wirecover_yields_{tolerance}")
    known = "SELECT 1 FROM duckdb_tables() WHERE table_name = $name AND temporary"
    if rows(connection, known, {"name": made.flows}):
        return made
    connection.execute(f"SET VARIABLE clock_tolerance_ns = {tolerance}")
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {made.pairs} AS FROM flow_pairs WHERE yields")
        connection.execute(f"CREATE TEMP TABLE {made.flows} AS FROM flow_sightings")
    finally:
        connection.execute("RESET VARIABLE clock_tolerance_ns")
    return made


def seen_by_endpoint(
    connection: duckdb.DuckDBPyConnection, sightings: Sightings, *, include_unlabelled: bool
) -> dict[tuple[str, str], Seen]:
    """The exhibits of message-carrying flows, by address and application (empty: unlabelled)."""
    query = sightings.into(_SEEN_QUERY.format(condition=MESSAGE_FLOWS))
    values = {"include_unlabelled": include_unlabelled}
    return {
        (client, app): Seen(tuple(captures), shared)
        for client, app, captures, shared in rows(connection, query, values)
    }
