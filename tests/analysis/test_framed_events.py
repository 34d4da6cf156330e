"""Message events from frames in clear: exact sizes, each once, before bursts and never beside them."""

import json
from contextlib import closing

import pytest
from support.framed_talks import TALKS, talk
from support.traffic import Connection, write_capture

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.message_events import MessageEvents, Parameters
from wirecover.casefile.case import Case
from wirecover.casefile.derived import EVENTS

UP, DOWN = True, False
A = "10.0.0.1"
DEFAULT = Parameters()


@pytest.fixture
def events(plain):
    def extract(traffic, parameters=DEFAULT, **how):
        found = MessageEvents().run(traffic.connect(**how), parameters)
        assert found.events.schema == EVENTS
        return plain(found.events)

    return extract


def framed(traffic, rows, protocol="whatsapp-noise", more=(), **columns):
    """A flow with one packet for each time and direction, and these frames in them."""
    packets: dict[tuple[float, bool], int] = {}
    for seconds, up, length, *_ in rows:
        packets[seconds, up] = packets.get((seconds, up), 0) + length + 3
    flow = traffic.flow(
        A, [*((at, up, size) for (at, up), size in packets.items()), *more],
        **{"service": None, "app": "whatsapp", "syn_seen": True, "span": (-0.2, 500), **columns},
    )  # fmt: skip
    traffic.framing(flow, rows, protocol)
    return flow


HANDSHAKE = [(0.0, UP, 36, "handshake"), (0.1, DOWN, 350, "handshake"), (0.2, UP, 201, "handshake")]


def test_each_frame_is_an_event_of_its_exact_size(traffic, events):
    framed(traffic, [*HANDSHAKE, (20, UP, 180), (20.1, UP, 220), (33, DOWN, 12_000)])
    rows = events(traffic)
    assert [(row["up"], row["bytes"], row["kind"], row["source"]) for row in rows] == [
        (UP, 180, "text-like", "framing"), (UP, 220, "text-like", "framing"), (DOWN, 12_000, "media-like", "framing"),
    ]  # fmt: skip
    assert rows[0]["first_frame"] == rows[0]["last_frame"]


def test_frames_that_end_in_one_packet_are_events_of_their_own(traffic, events):
    framed(traffic, [*HANDSHAKE, (20, UP, 180), (20, UP, 180), (20, UP, 400)])
    rows = events(traffic)
    assert sorted(row["bytes"] for row in rows) == [180, 180, 400]
    assert len({row["event_id"] for row in rows}) == 3 and len({row["first_frame"] for row in rows}) == 1


def test_what_follows_the_handshake_is_connecting(traffic, events):
    framed(traffic, [*HANDSHAKE, (0.4, UP, 300), (9, UP, 300)])
    assert [row["kind"] for row in events(traffic)] == ["connect-like", "text-like"]


def test_handshakes_and_receipts_of_the_transport_are_no_events(traffic, events):
    framed(traffic, [*HANDSHAKE, (9, DOWN, 400, "ack"), (15, UP, 90)])
    assert events(traffic) == []  # the last one is below the floor


def test_the_same_flow_gives_no_bursts(traffic, events):
    """0.1 s apart: bursts would make one event of 1,203 bytes."""
    framed(traffic, [*HANDSHAKE, (20, DOWN, 500), (20.1, DOWN, 700)])
    assert [(row["bytes"], row["packets"]) for row in events(traffic)] == [(500, 1), (700, 1)]


def test_other_flows_still_give_bursts(traffic, events):
    framed(traffic, [*HANDSHAKE, (20, DOWN, 500)])
    traffic.flow(A, [(50, UP, 300, [23]), (50.1, UP, 300, [23])], app="signal", client_port=41_000)
    assert [(row["bytes"], row["source"]) for row in events(traffic)] == [(500, "framing"), (600, "records")]


def test_framing_that_broke_off_early_gives_way_to_bursts(traffic, events):
    lost = [(100.0 + at, UP, 700) for at in range(0, 40, 4)]
    framed(traffic, [*HANDSHAKE, (20, UP, 500)], more=lost)
    rows = events(traffic)
    assert {row["source"] for row in rows} == {"payload"}
    assert len(rows) == 13  # and what would have been the handshake, for nobody says that it is one
    kept = events(traffic, Parameters(unframed_percent=100))
    assert [row["bytes"] for row in kept] == [500]


def test_a_little_behind_the_last_frame_changes_nothing(traffic, events):
    framed(traffic, [*HANDSHAKE, (20, UP, 5_000)], more=[(30.0, UP, 300)])
    assert [(row["bytes"], row["source"]) for row in events(traffic)] == [(5_000, "framing")]


def test_sizes_that_threema_gives_to_echo_and_acknowledgement(traffic, events):
    opening = [(0.0, UP, 48, "handshake"), (0.1, DOWN, 112, "handshake"), (0.2, UP, 191, "handshake")]
    rows = [
        *opening,
        (30, UP, 32),
        (30.1, DOWN, 32),
        (41, UP, 156),
        (41.2, DOWN, 36),
        (55, DOWN, 240),
        (55.1, UP, 36),
    ]
    framed(traffic, rows, "threema-csp", app="threema")
    assert [(row["up"], row["kind"]) for row in events(traffic)] == [
        (UP, "keepalive"), (DOWN, "keepalive"), (UP, "text-like"), (DOWN, "receipt-like"), (DOWN, "text-like"),
        (UP, "receipt-like"),
    ]  # fmt: skip


def test_these_sizes_say_nothing_in_another_protocol(traffic, events):
    framed(traffic, [*HANDSHAKE, (30, UP, 32), (41, UP, 36)])
    assert events(traffic) == []


def test_frames_of_one_size_at_a_constant_interval_are_keepalives(traffic, events):
    beats = [(30.0 * turn, UP, 160) for turn in range(1, 13)]
    framed(traffic, [*HANDSHAKE, *beats, (77.0, UP, 160), (77.0, UP, 300)])
    kinds = [row["kind"] for row in events(traffic)]
    assert (kinds.count("keepalive"), kinds.count("text-like")) == (12, 2)


def test_frames_that_nearly_always_answer_are_receipts(traffic, events):
    rows = list(HANDSHAKE)
    for turn in range(8):
        at = 40.0 * turn + turn**2 + 10
        rows += [(at, DOWN, 210 + 9 * turn), (at + 0.05, UP, 190)]
    framed(traffic, rows)
    kinds = [row["kind"] for row in events(traffic)]
    assert (kinds.count("receipt-like"), kinds.count("text-like")) == (8, 8)


def test_confidence_says_that_the_boundaries_are_known(traffic, events):
    framed(traffic, [*HANDSHAKE, (20, UP, 400)])
    framed(traffic, [*HANDSHAKE, (20, UP, 400, "record")], "wechat-mmtls", app="wechat", client_port=40_002)
    traffic.flow(
        A, [(20, UP, 400)], service=None, app="line", syn_seen=True, span=(0, 20), client_port=40_001
    )
    percent = {row["source"] + str(row["flow_id"]): row["confidence"] for row in events(traffic)}
    assert sorted(percent.values()) == [60, 80, 90]


def test_what_two_exhibits_recorded_counts_once(new_traffic, events):
    once, both = new_traffic(), new_traffic()
    rows = [*HANDSHAKE, *((20.0 + 3 * turn, UP, 200 + turn) for turn in range(9))]
    framed(once, rows, capture=7)
    framed(both, rows, capture=7)
    framed(both, rows, capture=8)
    assert len(events(both)) == len(events(once)) == 9


def test_order_of_rows_does_not_matter(traffic, events):
    framed(traffic, [*HANDSHAKE, *((20.0 + turn // 3, UP, 160 + turn % 5) for turn in range(30))])
    first = events(traffic)
    assert len({row["event_id"] for row in first}) == len(first) == 30
    assert all(events(traffic, shuffle=seed) == first for seed in (1, 2, 3))


def test_the_finding_says_where_the_events_come_from(traffic, plain):
    framed(traffic, [*HANDSHAKE, (20, UP, 400)])
    [finding] = plain(MessageEvents().run(traffic.connect(), DEFAULT).findings)
    assert finding["details"]["sources"] == {"framing": {"bursts_or_frames": 1, "flows": 1}}
    assert "unframed_percent" in json.dumps(finding["parameters"])


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_share_that_makes_no_sense(traffic, percent):
    with pytest.raises(AnalysisError, match="unframed_percent"):
        MessageEvents().run(traffic.connect(), Parameters(unframed_percent=percent))


def case_of(folder, frames):
    case = Case.create(folder / "case", training=True)
    case.ingest([write_capture(folder / "a.pcap", frames)])
    return case


def test_planted_messages_come_out_with_their_sizes(tmp_path):
    """Every protocol, from the bytes of a capture to events."""
    frames, planted = [], {}
    for number, protocol in enumerate(TALKS):
        client = f"10.0.0.{number + 2}"
        some, told = talk(protocol, client=client)
        frames += some
        planted[client] = sorted((one.up, one.length) for one in told)
    frames.sort(key=lambda one: one.ts)
    with closing(case_of(tmp_path, frames).connect()) as connection:
        found = MessageEvents().run(connection, DEFAULT).events
        connection.register("found", found)
        rows = connection.sql(
            "SELECT client_ip, e.up, e.bytes FROM found e JOIN flows USING (flow_id) "
            "WHERE kind IN ('text-like', 'media-like') AND source = 'framing' ORDER BY ALL"
        ).fetchall()
        connection.unregister("found")
    assert set(found["source"].to_pylist()) == {"framing"}
    assert set(found["kind"].to_pylist()) <= {"text-like", "media-like", "connect-like"}
    for client, expected in planted.items():
        assert [(up, size) for ip, up, size in rows if ip == client] == expected


def test_plain_tls_gives_no_frames(tmp_path):
    from support import conversations as talk_tls
    from support import tls_bytes as tls

    line = Connection("10.0.0.2", "192.0.2.10", 40000, 443).open()
    line.say(True, tls.record(22, talk_tls.hello(b"g.whatsapp.net", b"h2"), 0x0301))
    line.say(False, talk_tls.application(900))
    with closing(case_of(tmp_path, line.close().frames).connect()) as connection:
        assert connection.sql("SELECT count(*) FROM messenger_frames").fetchall() == [(0,)]
        sources = MessageEvents().run(connection, DEFAULT).events["source"].to_pylist()
    assert "framing" not in sources
