"""One conversation in several exhibits: which flows are the same, and which of them counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.casefile import schema

SECOND = 1_000_000_000
TOLERANCE = 2 * SECOND


@dataclass(frozen=True)
class Flow:
    """Times in seconds."""

    flow_id: int
    capture: int
    first: float
    last: float
    packets: int = 10
    key: str = "1:a"
    app: str | None = None
    confidence: int | None = None
    service: str | None = None

    @property
    def span(self) -> tuple[int, int]:
        return round(self.first * SECOND), round(self.last * SECOND)


def catalogue(
    flows: Sequence[Flow], spans: dict[int, tuple[float, float]], *, seed: int | None = None
) -> duckdb.DuckDBPyConnection:
    """The two views over plain tables; `seed` shuffles the rows."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    schema.apply(connection, empty=True)
    for table in ("captures", "flows"):
        connection.execute(f"CREATE TABLE copy_of AS SELECT * FROM {table}")
        connection.execute(f"DROP VIEW {table}")
        connection.execute(f"ALTER TABLE copy_of RENAME TO {table}")
    rows = list(flows)
    if seed is not None:
        Random(seed).shuffle(rows)
    for one in rows:
        connection.execute(
            "INSERT INTO flows (flow_id, capture_id, transport, client_ip, first_ts, last_ts, packets_up, "
            "packets_down, community_id, app, app_confidence, service) VALUES (?, ?, 'tcp', '10.0.0.1', "
            "make_timestamp_ns(?::BIGINT), make_timestamp_ns(?::BIGINT), ?, 0, ?, ?, ?, ?)",
            [one.flow_id, one.capture, *one.span, one.packets, one.key, one.app, one.confidence, one.service],
        )
    for capture, (start, end) in spans.items():
        connection.execute(
            "INSERT INTO captures (capture_id, first_ts, last_ts) "
            "VALUES (?, make_timestamp_ns(?::BIGINT), make_timestamp_ns(?::BIGINT))",
            [capture, round(start * SECOND), round(end * SECOND)],
        )
    return connection


def counted(flows: Sequence[Flow], spans: dict[int, tuple[float, float]], **how: int) -> set[int]:
    with catalogue(flows, spans, **how) as connection:
        found = connection.execute("SELECT flow_id FROM flow_sightings WHERE counted").fetchall()
        total = connection.execute("SELECT count(*), count(DISTINCT flow_id) FROM flow_sightings").fetchone()
    assert total == (len(flows), len(flows))
    return {flow_id for (flow_id,) in found}


LONG = {1: (0.0, 100.0), 2: (0.8, 100.8)}


def test_the_record_with_more_packets_counts() -> None:
    flows = [Flow(11, 1, 5, 50, packets=90), Flow(21, 2, 5.8, 50.8, packets=100)]
    with catalogue(flows, LONG) as connection:
        rows = connection.execute(
            "SELECT flow_id, counted, conversation_id, exhibits FROM flow_sightings ORDER BY flow_id"
        ).fetchall()
        assert rows == [(11, False, 21, 2), (21, True, 21, 2)]
        (pair,) = connection.execute(
            "SELECT flow_id, other_flow_id, epoch_ns(from_ts), epoch_ns(to_ts) FROM flow_pairs WHERE yields"
        ).fetchall()
    assert pair == (11, 21, round(3.8 * SECOND), round(52.8 * SECOND))


def test_equal_records_are_settled_by_the_exhibit() -> None:
    assert counted([Flow(21, 2, 5, 50), Flow(11, 1, 5, 50)], LONG) == {11}


def test_a_short_exchange_is_one_although_the_clocks_set_it_apart() -> None:
    flows = [Flow(11, 1, 5, 5.1, packets=2), Flow(21, 2, 5.8, 5.9, packets=2)]
    assert counted(flows, LONG) == {11}
    assert counted([flows[0], replace(flows[1], first=8.0, last=8.1)], LONG) == {11, 21}


def test_the_tolerance_can_be_chosen_for_a_connection() -> None:
    flows = [Flow(11, 1, 5, 5.1), Flow(21, 2, 10, 10.1)]
    with catalogue(flows, LONG) as connection:
        question = "SELECT count(*) FROM flow_sightings WHERE counted"
        assert connection.execute(question).fetchall() == [(2,)]
        connection.execute(f"SET VARIABLE clock_tolerance_ns = {6 * SECOND}")
        assert connection.execute(question).fetchall() == [(1,)]


def test_other_ports_other_captures_and_unknown_tuples_are_no_pair() -> None:
    flows = [
        Flow(11, 1, 5, 50), Flow(21, 2, 5, 50, key="1:b"),
        Flow(12, 1, 20, 30), Flow(13, 1, 5, 50, key="1:c"),
    ]  # fmt: skip
    assert counted(flows, LONG) == {11, 12, 13, 21}


def test_parts_of_a_rotated_series_all_count() -> None:
    spans = {1: (0.0, 100.0), 2: (100.0002, 200.0), 3: (199.9995, 300.0)}
    flows = [Flow(11, 1, 5, 100), Flow(21, 2, 100.0002, 200), Flow(31, 3, 199.9995, 250, packets=3)]
    assert counted(flows, spans) == {11, 21, 31}
    # a connection that is cut a moment after it began, or before it ends
    brief = [Flow(11, 1, 99.9, 100), Flow(21, 2, 100.0002, 100.3)]
    assert counted(brief, spans) == {11, 21}


def test_a_series_and_an_exhibit_of_the_whole_time() -> None:
    spans = {1: (0.0, 100.0), 2: (100.0, 200.0), 3: (0.5, 200.5)}
    parts = [Flow(11, 1, 0, 100, packets=60), Flow(21, 2, 100, 200, packets=40)]
    assert counted([*parts, Flow(31, 3, 0.5, 200.5, packets=99)], spans) == {31}
    # the exhibit of the whole time lost half: its preferred part counts, and so does the other part
    assert counted([*parts, Flow(31, 3, 0.5, 200.5, packets=50)], spans) == {11, 21}


def test_three_vantage_points_are_one_conversation() -> None:
    spans = {n: (0.3 * n, 100 + 0.3 * n) for n in (1, 2, 3)}
    flows = [Flow(10 * n, n, 5 + 0.3 * n, 50 + 0.3 * n, packets=100 - n % 2) for n in (1, 2, 3)]
    with catalogue(flows, spans) as connection:
        rows = connection.execute(
            "SELECT flow_id, counted, conversation_id, exhibits FROM flow_sightings ORDER BY flow_id"
        ).fetchall()
    assert rows == [(10, False, 20, 3), (20, True, 20, 3), (30, False, 20, 3)]


def test_a_port_used_again_is_another_conversation() -> None:
    flows = [
        Flow(11, 1, 0, 10, packets=100), Flow(12, 1, 10.5, 20, packets=50),
        Flow(21, 2, 0.8, 10.8, packets=99), Flow(22, 2, 11.3, 20.8, packets=51),
    ]  # fmt: skip
    assert counted(flows, LONG) == {11, 22}
    assert counted(flows[:3], LONG) == {11, 12}


def test_the_surest_label_is_lent_to_the_record_that_counts() -> None:
    flows = [
        Flow(11, 1, 5, 50, packets=100, app="meta", confidence=40),
        Flow(21, 2, 5, 50, packets=60, app="whatsapp", confidence=95, service="tls"),
        Flow(12, 1, 5, 50, packets=9, key="1:b", app="signal", confidence=90, service="tls"),
        Flow(22, 2, 5, 50, packets=99, key="1:b"),
        Flow(13, 1, 5, 50, packets=9, key="1:c"),
        Flow(14, 1, 5, 50, packets=9, key="1:d"), Flow(24, 2, 5, 50, packets=8, key="1:d", app="line"),
    ]  # fmt: skip
    with catalogue(flows, LONG) as connection:
        rows = connection.execute(
            "SELECT flow_id, counted, app, app_confidence, service FROM flow_sightings ORDER BY flow_id"
        ).fetchall()
    assert rows == [
        (11, True, "whatsapp", 95, "tls"), (12, False, "signal", 90, "tls"), (13, True, None, None, None),
        (14, True, "line", None, None), (21, False, "whatsapp", 95, "tls"), (22, True, "signal", 90, "tls"),
        (24, False, "line", None, None),
    ]  # fmt: skip


def test_time_stamps_at_the_ends_of_the_range_do_not_break_the_views() -> None:
    far = 9_223_372_000.0
    spans = {1: (-far, far), 2: (-far, far)}
    assert counted([Flow(11, 1, -far, far), Flow(21, 2, -far, far, packets=9)], spans) == {11}


def test_a_chain_longer_than_the_rounds_counts_nothing_twice() -> None:
    # each record overlaps the next one and is preferred to it
    spans = {n: (n * 10.0, n * 10.0 + 16) for n in range(120)}
    flows = [Flow(n, n, *spans[n], packets=1000 - n) for n in range(120)]
    found = counted(flows, spans)
    assert {n for n in range(40) if n % 2 == 0} <= found
    assert not any(n + 1 in found for n in found)


def same(one: Flow, other: Flow, spans: dict[int, tuple[float, float]]) -> bool:
    """The rule in plain words, once more."""

    def together(left: tuple[int, int], right: tuple[int, int]) -> bool:
        overlap = min(left[1], right[1]) - max(left[0], right[0])
        return overlap >= min(TOLERANCE, min(left[1] - left[0], right[1] - right[0]) // 2)

    if one.capture == other.capture or one.key != other.key:
        return False
    ends = [tuple(round(time * SECOND) for time in spans[flow.capture]) for flow in (one, other)]
    if not together(*ends):  # type: ignore[arg-type]
        return False
    near = any(abs(a - b) <= TOLERANCE for a, b in zip(one.span, other.span, strict=True))
    return near or together(one.span, other.span)


def plain(flows: Sequence[Flow], spans: dict[int, tuple[float, float]]) -> set[int]:
    """Most packets first: a flow counts unless one that counts already is the same conversation."""
    kept: list[Flow] = []
    for flow in sorted(flows, key=lambda one: (-one.packets, one.capture, one.flow_id)):
        if not any(same(flow, one, spans) for one in kept):
            kept.append(flow)
    return {one.flow_id for one in kept}


moments = st.integers(0, 60).map(lambda tenths: tenths / 2)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Flow], dict[int, tuple[float, float]]]:
    spans = {}
    for capture in range(1, draw(st.integers(2, 5)) + 1):
        start = draw(moments)
        spans[capture] = (start, start + draw(moments))
    flows = []
    for number in range(draw(st.integers(1, 12))):
        capture = draw(st.sampled_from(sorted(spans)))
        start = draw(moments)
        flows.append(
            Flow(number, capture, start, start + draw(moments), draw(st.integers(1, 4)),
                 draw(st.sampled_from(["1:a", "1:b"])))
        )  # fmt: skip
    return flows, spans


@pytest.fixture(scope="module")
def reused() -> duckdb.DuckDBPyConnection:
    return catalogue([], {})


@settings(max_examples=60, deadline=None)
@given(case=cases(), seed=st.integers(0, 99))
def test_the_views_agree_with_the_plain_rule_whatever_the_order(
    reused: duckdb.DuckDBPyConnection, case: tuple[list[Flow], dict[int, tuple[float, float]]], seed: int
) -> None:
    flows, spans = case
    reused.execute("DELETE FROM flows; DELETE FROM captures")
    shuffled = list(flows)
    Random(seed).shuffle(shuffled)
    reused.executemany(
        "INSERT INTO flows (flow_id, capture_id, transport, first_ts, last_ts, packets_down, community_id) "
        "VALUES (?, ?, 'tcp', make_timestamp_ns(?::BIGINT), make_timestamp_ns(?::BIGINT), ?, ?)",
        [[one.flow_id, one.capture, *one.span, one.packets, one.key] for one in shuffled],
    )
    reused.executemany(
        "INSERT INTO captures (capture_id, first_ts, last_ts) "
        "VALUES (?, make_timestamp_ns(?::BIGINT), make_timestamp_ns(?::BIGINT))",
        [[capture, round(a * SECOND), round(b * SECOND)] for capture, (a, b) in spans.items()],
    )
    found = reused.execute("SELECT flow_id, counted, conversation_id FROM flow_sightings").fetchall()
    assert {flow_id for flow_id, counts, _ in found if counts} == plain(flows, spans)
    numbered = {one.flow_id: one for one in flows}
    for flow_id, counts, conversation in found:
        assert counts == (conversation == flow_id)
        if not counts:
            assert same(numbered[flow_id], numbered[conversation], spans)
