"""Endpoints of the case (an address on an application): their event trains and when they were connected."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import duckdb
import numpy as np

from wirecover.analysis.coincidence import Train
from wirecover.analysis.evidence import ask, nanoseconds, rows
from wirecover.analysis.message_events import Parameters as EventParameters
from wirecover.analysis.sightings import MESSAGE_FLOWS, Sightings
from wirecover.analysis.spans import Spans, merged


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address on one application, with its message-like events of each direction."""

    app: str
    """Empty: traffic without an application label."""
    address: str
    up: Train
    down: Train
    connected: Spans
    """When at least one flow of the application was open, with short gaps closed."""

    @property
    def events(self) -> int:
        """Message-like events of both directions."""
        return len(self.up) + len(self.down)


# Events of one direction that lie closer than the burst gap are one event, over all flows of the endpoint: one
# that speaks over two connections at once is not counted twice.
_TRAINS_QUERY = """
WITH events AS (
    SELECT app, client_ip, up, ns FROM {table} WHERE kind IN ('text-like', 'media-like')
),
marked AS (
    SELECT *, coalesce(lead(ns) OVER train - ns >= $gap_ns, true) AS ends
    FROM events WINDOW train AS (PARTITION BY app, client_ip, up ORDER BY ns)
)
SELECT app, client_ip, up, ns FROM marked WHERE ends ORDER BY app, client_ip, up, ns
"""

_CONNECTED_QUERY = """
SELECT coalesce(app, ''), client_ip, epoch_ns(first_ts), epoch_ns(last_ts) FROM flow_sightings WHERE {condition}
"""


def endpoints(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    sightings: Sightings,
    events: EventParameters,
    *,
    presence_gap: int,
) -> list[Endpoint]:
    """All endpoints with message-like events, by application and address; `table` as `prepare` names it."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    values = {"include_unlabelled": events.include_unlabelled}
    query = sightings.into(_CONNECTED_QUERY.format(condition=MESSAGE_FLOWS))
    for app, address, first, last in rows(connection, query, values):
        spans[app, address].append((first, last + 1))
    trains: dict[tuple[str, str], dict[bool, Train]] = defaultdict(dict)
    answer = ask(connection, _TRAINS_QUERY.format(table=table), {"gap_ns": nanoseconds(events.burst_gap_s)})
    if answer.num_rows == 0:
        return []
    keys = [answer[name].combine_chunks().dictionary_encode() for name in ("app", "client_ip")]
    codes = [key.indices.to_numpy() for key in keys]
    up, ns = answer["up"].to_numpy(), answer["ns"].to_numpy()
    change = (np.diff(codes[0]) != 0) | (np.diff(codes[1]) != 0) | (up[1:] != up[:-1])
    edges = [0, *(np.flatnonzero(change) + 1).tolist(), len(ns)]
    for start, end in pairwise(edges):
        app, address = (
            key.dictionary[int(code[start])].as_py() for key, code in zip(keys, codes, strict=True)
        )
        trains[app, address][bool(up[start])] = ns[start:end]
    none = np.zeros(0, dtype=np.int64)
    return [
        Endpoint(
            app=app,
            address=address,
            up=sides.get(True, none),
            down=sides.get(False, none),
            connected=merged(spans[app, address], presence_gap),
        )
        for (app, address), sides in sorted(trains.items())
    ]
