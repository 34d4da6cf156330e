"""Rotated series: which exhibits are one, which flows go on, and that order and day of the ingest decide nothing."""

import random
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from wirecover.capture.files.reader import CaptureReader
from wirecover.capture.flows import table
from wirecover.casefile import schema
from wirecover.casefile.case import Case

CAPTURES = Path(__file__).parent.parent / "captures"
LARGE, SMALL = "harbour-xmpp-turn-h3.pcapng", "harbour-xmpp-turn-h3-client1.pcap.gz"
SECOND = 10**9
MINUTE = 60 * SECOND
Record = tuple[bytes, int, int]
"""Captured bytes, length on the wire, time."""


def records(path: Path) -> list[Record]:
    found = []
    with CaptureReader(path) as reader:
        for batch in reader:
            columns = (batch.offset, batch.captured, batch.original, batch.ts)
            for at, kept, wire, ts in zip(*(column.tolist() for column in columns), strict=True):
                found.append((bytes(batch.buffer[at : at + kept]), wire, ts))
    return found


def write(path: Path, part: Sequence[Record]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)
    path.write_bytes(
        header
        + b"".join(
            struct.pack("<IIII", ts // SECOND, ts % SECOND, len(data), wire) + data for data, wire, ts in part
        )
    )
    return path


FACTS = """
    SELECT transport, least((client_ip, client_port), (server_ip, server_port)),
           greatest((client_ip, client_port), (server_ip, server_port)), epoch_ns(first_ts), epoch_ns(last_ts),
           packets_up + packets_down, bytes_up + bytes_down, payload_up + payload_down, syn_seen, fin_seen, rst_seen,
           service, app
    FROM {flows}"""
WHOLE = f"""
    {FACTS.format(flows="joined_flows")} UNION ALL
    {FACTS.format(flows="flow_sightings WHERE flow_id NOT IN (SELECT flow_id FROM flow_parts)")} ORDER BY ALL"""


def facts(case: Case, query: str) -> list[Any]:
    with closing(case.connect()) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize(("name", "seed"), [(SMALL, 1), (LARGE, 3)])
def test_a_capture_cut_into_files_gives_the_flows_of_the_whole(name: str, seed: int, tmp_path: Path) -> None:
    everything = records(CAPTURES / name)
    uncut = Case.create(tmp_path / "uncut", training=True)
    uncut.ingest([write(tmp_path / "whole.pcap", everything)])
    expected = facts(uncut, WHOLE)
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(1, len(everything)), chance.randint(2, 5)))
    pieces = [everything[a:b] for a, b in zip([0, *cuts], [*cuts, len(everything)], strict=True)]
    files = [write(tmp_path / "in" / f"{chance.getrandbits(64):x}.pcap", piece) for piece in pieces]
    by_time = [path.name for path in files]
    chance.shuffle(files)
    alone = Case.create(tmp_path / "alone", training=True)
    for path in files:  # one after the other, as on different days
        alone.ingest([path])
    assert [part for (part,) in facts(alone, "SELECT name FROM series ORDER BY part")] == by_time
    assert facts(alone, WHOLE) == expected
    [(counted,)] = facts(alone, "SELECT count(*) FROM flow_sightings WHERE counted AND NOT continues")
    assert counted == len(expected)
    if name == LARGE:
        return
    together = Case.create(tmp_path / "together", training=True)
    together.ingest([tmp_path / "in"])
    for view in ("series", "flow_parts", "joined_flows", "names_over_series"):
        assert facts(alone, f"FROM {view} ORDER BY ALL") == facts(together, f"FROM {view} ORDER BY ALL")


def test_bytes_taken_out_at_a_seam_are_counted(tmp_path: Path) -> None:
    everything = records(CAPTURES / LARGE)
    half = len(everything) // 2
    case = Case.create(tmp_path / "case", training=True)
    parts = everything[:half], everything[half + 300 :]
    case.ingest([write(tmp_path / f"{n}.pcap", part) for n, part in enumerate(parts)])
    over_ipv4 = "transport = 'tcp' AND client_ip LIKE '10.%'"
    found = facts(case, f"SELECT client_ip, client_port, bytes_between FROM joined_flows WHERE {over_ipv4}")
    taken = [_tcp_payload(record) for record in everything[half : half + 300]]
    assert sum(between for *_, between in found) > 500
    for ip, port, between in found:
        assert between == sum(payload for ends, payload in taken if (ip, port) in ends)


def _tcp_payload(record: Record) -> tuple[set[tuple[str, int]], int]:
    """Both ends of an IPv4 packet of TCP, and the bytes it carries."""
    data = record[0]
    if data[12:14] != b"\x08\x00" or data[23] != 6:
        return set(), 0
    at = 14 + (data[14] & 15) * 4
    ends = {
        (".".join(map(str, data[start : start + 4])), int.from_bytes(data[port : port + 2], "big"))
        for start, port in ((26, at), (30, at + 2))
    }
    return ends, int.from_bytes(data[16:18], "big") - (at - 14) - (data[at + 12] >> 4) * 4


# --- made-up exhibits ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """Times in seconds."""

    capture: int
    first: float
    last: float
    name: str = ""
    snaplen: int = 262_144
    silence: float = 0
    declared: str | None = None


@dataclass(frozen=True)
class Flow:
    flow_id: int
    capture: int
    first: float
    last: float
    opens: bool = False
    closed: bool = False
    payload: int = 100
    transport: str = "tcp"
    client: tuple[str, int] = ("10.0.0.1", 40_000)
    client_by: str = "port"
    app: str | None = None
    confidence: int | None = None
    ends: tuple[int, int, int, int] | None = None
    """First and next sequence number of client and server."""


@pytest.fixture(scope="module")
def catalogue() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        schema.apply(connection, empty=True)
        for table in ("captures", "interfaces", "quality", "flows", "flow_ends"):
            connection.execute(f"CREATE TABLE copy_of AS SELECT * FROM {table}")
            connection.execute(f"DROP VIEW {table}")
            connection.execute(f"ALTER TABLE copy_of RENAME TO {table}")
        yield connection


@pytest.fixture
def empty(catalogue: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    catalogue.execute("BEGIN TRANSACTION")
    yield catalogue
    catalogue.execute("ROLLBACK")


def fill(connection: duckdb.DuckDBPyConnection, files: Sequence[File], flows: Sequence[Flow] = ()) -> None:
    stamp = "make_timestamp_ns(?::BIGINT)"
    for one in files:
        connection.execute(
            f"INSERT INTO captures (capture_id, name, first_ts, last_ts) VALUES (?, ?, {stamp}, {stamp})",
            [
                one.capture,
                one.name or f"{one.capture}.pcap",
                round(one.first * SECOND),
                round(one.last * SECOND),
            ],
        )
        connection.execute(
            "INSERT INTO interfaces (capture_id, interface_id, link_type, snaplen, ts_resolution_ns) "
            "VALUES (?, 0, 1, ?, 1)",
            [one.capture, one.snaplen],
        )
        if one.silence:
            connection.execute(
                'INSERT INTO quality (capture_id, metric, "count", "value") VALUES (?, \'silence\', 1, ?)',
                [one.capture, round(one.silence * SECOND)],
            )
        if one.declared:
            connection.execute("INSERT INTO declared_series VALUES (?, ?)", [one.declared, one.capture])
    for flow in flows:
        connection.execute(
            "INSERT INTO flows (flow_id, capture_id, transport, client_ip, client_port, server_ip, server_port, "
            "client_by, first_ts, last_ts, packets_up, packets_down, bytes_up, bytes_down, payload_up, payload_down, "
            "syn_seen, fin_seen, rst_seen, community_id, app, app_confidence) "
            f"VALUES (?, ?, ?, ?, ?, 'server', 443, ?, {stamp}, {stamp}, 3, 2, 30, 20, ?, 0, ?, ?, false, '1:x', ?, ?)",
            [flow.flow_id, flow.capture, flow.transport, *flow.client, flow.client_by, round(flow.first * SECOND),
             round(flow.last * SECOND), flow.payload, flow.opens, flow.closed, flow.app, flow.confidence],
        )  # fmt: skip
        if flow.ends:
            connection.execute(
                "INSERT INTO flow_ends (flow_id, capture_id, up_first_seq, up_next_seq, down_first_seq, down_next_seq) "
                "VALUES (?, ?, ?, ?, ?, ?)", [flow.flow_id, flow.capture, *flow.ends],
            )  # fmt: skip


def chains(connection: duckdb.DuckDBPyConnection) -> list[list[int]]:
    rows = connection.execute(
        "SELECT list(capture_id ORDER BY part) FROM series GROUP BY series_id ORDER BY series_id"
    ).fetchall()
    return [list(ids) for (ids,) in rows]


def test_files_that_adjoin_are_one_series_whatever_their_names(empty: duckdb.DuckDBPyConnection) -> None:
    fill(empty, [File(3, 0, 60, "z.pcap"), File(1, 60.1, 120, "a.pcap"), File(2, 119.5, 180, "m.pcap")])
    assert chains(empty) == [[3, 1, 2]]
    rows = empty.execute("SELECT part, previous_capture_id, gap_ns FROM series ORDER BY part").fetchall()
    assert rows == [(1, None, None), (2, 3, SECOND // 10), (3, 1, -SECOND // 2)]


@pytest.mark.parametrize(
    "other",
    [File(2, 50, 110), File(2, 0, 60), File(2, 125, 180), File(2, 60, 120, snaplen=96), File(2, 57.9, 61)],
    ids=["overlaps", "same time", "too late", "other recorder", "overlaps by the tolerance"],
)
def test_what_is_no_series(empty: duckdb.DuckDBPyConnection, other: File) -> None:
    fill(empty, [File(1, 0, 60), other])
    assert chains(empty) == []


def test_a_recorder_that_was_silent_before_may_be_silent_at_the_seam(
    empty: duckdb.DuckDBPyConnection,
) -> None:
    fill(empty, [File(1, 0, 60, silence=50), File(2, 150, 200)])
    assert chains(empty) == [[1, 2]]


def test_two_recorders_at_work_at_the_same_time_are_two_series(empty: duckdb.DuckDBPyConnection) -> None:
    files = [
        File(10 * n + k, 60 * n + k / 10, 60 * n + 59.5 + k / 10, f"{'ab'[k]}{n}.pcap")
        for n in range(5)
        for k in (0, 1)
    ]
    fill(empty, files)
    assert chains(empty) == [[0, 10, 20, 30, 40], [1, 11, 21, 31, 41]]


def test_a_declared_series_needs_no_adjoining_times(empty: duckdb.DuckDBPyConnection) -> None:
    fill(
        empty,
        [
            File(1, 5000, 5060, declared="tap"),
            File(2, 0, 60, snaplen=96, declared="tap"),
            File(3, 5061, 5090),
        ],
    )
    assert chains(empty) == [[2, 1]]
    assert empty.execute("SELECT DISTINCT reason FROM series").fetchall() == [("declared: tap",)]


def test_a_long_series_has_one_first_part(empty: duckdb.DuckDBPyConnection) -> None:
    fill(empty, [File(1000 - n, 60 * n, 60 * n + 60) for n in range(130)])
    [chain] = chains(empty)
    assert chain == [1000 - n for n in range(130)]


MINUTES = [File(n, 60 * n, 60 * n + 60) for n in range(5)]


def joined(connection: duckdb.DuckDBPyConnection) -> list[list[int]]:
    rows = connection.execute(
        "SELECT list(flow_id ORDER BY part) FROM flow_parts GROUP BY connection_id ORDER BY ALL"
    )
    return [list(ids) for (ids,) in rows.fetchall()]


@pytest.mark.parametrize(
    ("flows", "expected"),
    [
        ([Flow(1, 0, 5, 60, opens=True), Flow(2, 1, 60, 119), Flow(3, 3, 200, 230)], [[1, 2, 3]]),
        ([Flow(1, 0, 5, 60, opens=True), Flow(2, 1, 61, 90, opens=True)], []),
        ([Flow(1, 0, 5, 60, opens=True, payload=0), Flow(2, 1, 61, 90, opens=True)], [[1, 2]]),
        ([Flow(1, 0, 5, 60, closed=True), Flow(2, 1, 60.5, 61)], [[1, 2]]),
        ([Flow(1, 0, 5, 6, closed=True), Flow(2, 3, 190, 191)], []),
        ([Flow(1, 0, 5, 6, transport="udp"), Flow(2, 4, 290, 291, transport="udp")], [[1, 2]]),
        ([Flow(1, 0, 5, 60, ends=(0, 1000, 0, 50)), Flow(2, 1, 60, 90, ends=(1000, 2000, 60, 70))], [[1, 2]]),
        ([Flow(1, 0, 5, 60, ends=(0, 1000, 0, 50)), Flow(2, 1, 60, 90, ends=(2**31, 0, 60, 70))], []),
        ([Flow(1, 0, 5, 60, ends=(0, 2**32 - 5, 0, 1)), Flow(2, 1, 60, 90, ends=(15, 20, 1, 2))], [[1, 2]]),
    ],
    ids=["goes on", "opened anew", "opening cut", "last words", "closed", "udp", "numbers fit", "they do not", "wraps"],
)  # fmt: skip
def test_which_flows_go_on(
    empty: duckdb.DuckDBPyConnection, flows: list[Flow], expected: list[list[int]]
) -> None:
    fill(empty, MINUTES, flows)
    assert joined(empty) == expected


def test_silence_ends_a_flow_over_files_as_it_does_inside_one() -> None:
    [view] = [
        text for text in schema.view_statements() if text.startswith("CREATE OR REPLACE VIEW flow_parts ")
    ]
    for limit in (table.OTHER_IDLE, table.CLOSED_IDLE, table.TCP_IDLE):
        assert f" {limit}" in view


def test_bytes_between_are_those_of_both_directions(empty: duckdb.DuckDBPyConnection) -> None:
    parts = [Flow(1, 0, 5, 60, ends=(0, 2**32 - 5, 0, 50)), Flow(2, 1, 60, 90, ends=(15, 20, 40, 70))]
    fill(empty, MINUTES, parts)
    rows = empty.execute("SELECT bytes_between, repeats FROM flow_parts ORDER BY part").fetchall()
    assert rows == [(None, None), (20, True)]


def test_the_label_of_one_part_is_that_of_all_and_says_where_it_is_from(
    empty: duckdb.DuckDBPyConnection,
) -> None:
    turned = ("server", 443)
    flows = [
        Flow(1, 0, 5, 60, opens=True, client_by="syn", app="signal", confidence=90), Flow(2, 1, 60, 119),
        Flow(3, 2, 121, 179, client=turned, client_by="first"),
    ]  # fmt: skip
    fill(empty, MINUTES, flows)
    rows = empty.execute(
        "SELECT flow_id, app, app_confidence, connection_id, continues FROM flow_sightings ORDER BY flow_id"
    ).fetchall()
    assert rows == [(1, "signal", 90, 1, False), (2, "signal", 90, 1, True), (3, None, None, 1, True)]
    [row] = empty.execute(
        "SELECT client_ip, client_port, app, app_flow_id, app_reason, packets_up, packets_down FROM joined_flows"
    ).fetchall()
    assert row == ("10.0.0.1", 40_000, "signal", 1, "label of flow 1 in 0.pcap", 3 + 3 + 2, 2 + 2 + 3)
