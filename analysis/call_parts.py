"""The parts of flows that may belong to calls, in temporary tables of the connection, and their groups.

`sql/call_marks.sql`, `call_pieces.sql` and `call_keys.sql` are the method; `call_join.py` makes groups of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.analysis.call_apps import CALL_APPS
from wirecover.analysis.call_join import NO_TIES, Column, Ties, chained, groups, islands
from wirecover.analysis.call_sip import KEYS_QUERY, LONGEST_CALL, Dialog
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import SECOND, ask, nanoseconds, sql_text
from wirecover.analysis.sightings import Sightings, check_tolerance

PLAIN_METHODS: Final = (
    "binding", "shared-secret", "allocate", "refresh", "send", "data", "create-permission", "channel-bind",
    "connect", "connection-bind", "connection-attempt", "goog-ping",
)  # fmt: skip
"""STUN and TURN methods of the standards (RFC 8489, 8656, 6062) and of WebRTC."""
_GROUPED: Final = "wirecover_call_groups"


@dataclass(frozen=True, slots=True)
class JoinParameters:
    """How parts of flows are found and joined. Times in seconds."""

    split_s: float = 45.0
    """A flow without set-up or media for longer has two parts."""
    join_s: float = 10.0
    """Parts with a common address, session or stream belong together when they lie no farther apart."""
    together_s: float = 3.0
    """Set-up parts of one address to one server, realm or application that begin within this time are one set-up."""
    transaction_s: float = 10.0
    """Copies of one STUN message are seen at most so far apart."""
    run_s: float = 2.0
    """Shortest run of packets both ways, without known headers, that is looked at."""
    pause_s: float = 3.0
    """Longest pause inside such a run."""
    fewest_per_s: int = 6
    """Packets a second each way. Recorded calls had 8 and 9 (Messenger) to 50 (Teams)."""
    most_ratio: int = 5
    """Bytes of one way are at most so many times those of the other."""

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        times = (self.split_s, self.join_s, self.together_s, self.transaction_s, self.run_s, self.pause_s)
        if min(times) < 0 or max(times) > 3600:
            raise AnalysisError("times of the joining must lie between 0 and 3,600 seconds")
        if not self.join_s < self.split_s:
            raise AnalysisError("join_s must be below split_s")
        if not 1 <= self.fewest_per_s <= 1000 or not 1 <= self.most_ratio <= 1000:
            raise AnalysisError("fewest_per_s and most_ratio must lie between 1 and 1,000")
        check_tolerance(self.transaction_s)


REASONS: Final = (
    "one address", "one socket", "one far address", "one ICE session", "one STUN message in both",
    "one conversation in several exhibits", "one media stream in both", "set up at the same moment",
    "named in the signalling", "taken up where the other ended",
)  # fmt: skip
"""Why parts are tied, by number."""
_SETUP, _RESUMED = 7, 9


def prepare_groups(
    connection: duckdb.DuckDBPyConnection,
    sightings: Sightings,
    parameters: JoinParameters,
    dialogs: Mapping[str, Dialog],
) -> str:
    """Make the temporary tables `call_marks`, `call_pieces` and one of the groups, whose name is returned.

    It has a row for each part: piece, call_no (the smallest piece of its group), reason (a text, NULL when it stands
    alone).
    """
    parameters.check()
    marks = {
        "call_apps": sorted(CALL_APPS), "split_ns": nanoseconds(parameters.split_s),
        "run_ns": nanoseconds(parameters.run_s), "pause_ns": nanoseconds(parameters.pause_s),
        "fewest_per_s": parameters.fewest_per_s, "most_ratio": parameters.most_ratio,
    }  # fmt: skip
    _make(connection, "call_marks", sightings.query("call_marks"), marks)
    _make(connection, "call_pieces", sightings.query("call_pieces"), {"plain": list(PLAIN_METHODS)})
    keyed = {"transaction_ns": nanoseconds(parameters.transaction_s)}
    _make(connection, "call_keys", sql_text("call_keys"), keyed)
    if dialogs:
        _add_dialogs(connection, dialogs)
    pieces = ask(connection, _PIECES)
    ties = _key_ties(connection, pieces, nanoseconds(parameters.join_s))
    ties = ties.joined(_moment_ties(pieces, nanoseconds(parameters.together_s)))
    number = groups(pieces.num_rows, ties)
    number = groups(pieces.num_rows, ties.joined(_resumed(pieces, number)))
    _keep(connection, number, ties, pieces.num_rows)
    return _GROUPED


def _add_dialogs(connection: duckdb.DuckDBPyConnection, dialogs: Mapping[str, Dialog]) -> None:
    """The keys of media that SIP dialogs name."""
    connection.register("call_dialogs", pa.table({
        "call_id": [one.call_id for one in dialogs.values()],
        "from_ns": [one.invite_ns for one in dialogs.values()],
        "to_ns": [one.end_ns or one.last_ns + LONGEST_CALL for one in dialogs.values()],
    }))  # fmt: skip
    try:
        connection.execute(f"INSERT INTO call_keys {KEYS_QUERY}").fetchall()
    finally:
        connection.unregister("call_dialogs")


def _make(connection: duckdb.DuckDBPyConnection, name: str, text: str, values: dict[str, Any]) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {text}", values).fetchall()


# Times are held inside bounds in which their differences fit: a crafted clock must not stop the run.
_PIECES: Final = """
SELECT piece, start_ns.greatest(-(1::BIGINT << 61)).least(1::BIGINT << 61) AS start_ns,
       end_ns.greatest(-(1::BIGINT << 61)).least(1::BIGINT << 61) AS end_ns, capture_id, client_ip, server_ip, realm,
       CASE WHEN app_confidence >= 50 THEN app END AS app, media_ns IS NULL AS idle,
       coalesce(media_ns, 0).greatest(-(1::BIGINT << 61)).least(1::BIGINT << 61) AS media_ns,
       coalesce(media_end_ns, 0).greatest(-(1::BIGINT << 61)).least(1::BIGINT << 61) AS media_end_ns,
       stun > 0 AS stun
FROM call_pieces ORDER BY piece
"""


def _key_ties(connection: duckdb.DuckDBPyConnection, pieces: pa.Table, gap: int) -> Ties:
    """Ties by common keys, while the parts overlap in time."""
    keys = ask(connection, "SELECT piece, key, reason FROM call_keys ORDER BY key, piece")
    if keys.num_rows == 0:
        return NO_TIES
    piece = keys["piece"].to_numpy()
    code = keys["key"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    reason = keys["reason"].combine_chunks().dictionary_encode()
    numbers = np.array([REASONS.index(text) for text in reason.dictionary.to_pylist()], np.int64)
    start, end = (pieces[name].to_numpy()[piece] for name in ("start_ns", "end_ns"))
    island = islands(piece, code, start, end, gap)
    return chained(piece, island, start, numbers[reason.indices.to_numpy()])


def _flags(table: pa.Table, name: str) -> NDArray[np.bool_]:
    return np.asarray(table[name].combine_chunks().to_numpy(zero_copy_only=False), np.bool_)


def _codes(table: pa.Table, names: tuple[str, ...]) -> tuple[Column, NDArray[np.bool_]]:
    """One number for each distinct row of these columns, and where none of them is NULL."""
    code = np.zeros(table.num_rows, np.int64)
    whole = np.ones(table.num_rows, np.bool_)
    for name in names:
        column = table[name].combine_chunks()
        whole &= ~np.asarray(column.is_null())
        encoded = column.dictionary_encode(null_encoding="encode").indices.to_numpy(zero_copy_only=False)
        _, code = np.unique(code * (int(encoded.max(initial=0)) + 1) + encoded, return_inverse=True)
    return code.astype(np.int64), whole


def _moment_ties(pieces: pa.Table, gap: int) -> Ties:
    """Set-ups of one address that begin together, with the earliest part with media among them.

    Two parts with media are never tied by this: behind one address there may be several devices.
    """
    if pieces.num_rows == 0:
        return NO_TIES
    start = pieces["start_ns"].to_numpy()
    idle, sets_up = _flags(pieces, "idle"), _flags(pieces, "stun")
    ties = NO_TIES
    for common in ("server_ip", "realm", "app"):
        code, whole = _codes(pieces, ("capture_id", "client_ip", common))
        chosen = np.flatnonzero(whole & sets_up)
        island = islands(chosen, code[chosen], start[chosen], start[chosen], gap)
        ties = ties.joined(_one_with_media(chosen, island, start[chosen], idle[chosen]))
    return ties


def _one_with_media(piece: Column, island: Column, start: Column, idle: NDArray[np.bool_]) -> Ties:
    """Each island's parts without media, tied to its earliest part with media if it has one, else to one another."""
    order = np.lexsort((piece, start, idle, island))
    pieces, numbers, still = piece[order], island[order], idle[order]
    if len(pieces) == 0:
        return NO_TIES
    first = np.concatenate([[True], numbers[1:] != numbers[:-1]])
    heads = pieces[np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))]
    keep = ~first & still
    return Ties(heads[keep], pieces[keep], np.full(int(keep.sum()), _SETUP, np.int64))


HANDOVER: Final = 5 * SECOND


def _resumed(pieces: pa.Table, group: Column) -> Ties:
    """Groups of one address and application of which one takes up media where the only other one ended.

    A new network path or a restarted connection: media begins at most `HANDOVER` after (or before) the earlier
    media ended, the new set-up began while the old one was at it, and no third group of the address was active.
    """
    media, media_end = pieces["media_ns"].to_numpy(), pieces["media_end_ns"].to_numpy()
    code, whole = _codes(pieces, ("capture_id", "client_ip", "app"))
    rows = np.flatnonzero(whole & ~_flags(pieces, "idle"))
    if len(rows) == 0:
        return NO_TIES
    order = rows[np.lexsort((rows, group[rows], code[rows]))]
    edge = np.flatnonzero(
        np.concatenate([
            [True], (code[order][1:] != code[order][:-1]) | (group[order][1:] != group[order][:-1])
        ])
    )  # fmt: skip
    key, number = code[order][edge], group[order][edge]
    setup = np.minimum.reduceat(pieces["start_ns"].to_numpy()[order], edge)
    first, last = np.minimum.reduceat(media[order], edge), np.maximum.reduceat(media_end[order], edge)
    by_time = np.lexsort((number, first, key))
    key, number, setup, first, last = (values[by_time] for values in (key, number, setup, first, last))
    one, two = np.arange(len(key) - 1), np.arange(1, len(key))
    fits = (key[one] == key[two]) & (number[one] != number[two])
    fits &= (setup[two] > first[one]) & (setup[two] <= last[one])
    fits &= (first[two] - last[one] <= HANDOVER) & (last[one] - first[two] <= HANDOVER)
    alone = np.ones(
        len(one), np.bool_
    )  # a neighbour before or behind that reaches into the change makes it doubtful
    alone[1:] &= (key[one[1:] - 1] != key[one[1:]]) | (last[one[1:] - 1] < setup[two[1:]])
    alone[:-1] &= (key[two[:-1] + 1] != key[two[:-1]]) | (setup[two[:-1] + 1] > last[one[:-1]] + HANDOVER)
    kept = fits & alone
    return Ties(number[one][kept], number[two][kept], np.full(int(kept.sum()), _RESUMED, np.int64))


def _keep(connection: duckdb.DuckDBPyConnection, number: Column, ties: Ties, size: int) -> None:
    """The groups as a temporary table, each part with the first reason (in the order of REASONS) that ties it."""
    best = np.full(size, len(REASONS), np.int64)
    for side in (ties.left, ties.right):
        np.minimum.at(best, side, ties.reason)
    texts = [REASONS[one] if one < len(REASONS) else None for one in best.tolist()]
    table = pa.table({
        "piece": pa.array(np.arange(size)), "call_no": pa.array(number),
        "reason": pa.array(texts, pa.string()),
    })  # fmt: skip
    connection.register("incoming_groups", table)
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_GROUPED} AS SELECT * FROM incoming_groups")  # noqa: S608
    finally:
        connection.unregister("incoming_groups")
