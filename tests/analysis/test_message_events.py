"""Message events: what counts as a burst, and what is not a message."""

import json
from random import Random

import pytest

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.message_events import MessageEvents, Parameters
from wirecover.casefile.derived import EVENTS, FINDING_FRAMES, FINDINGS

UP, DOWN = True, False
A = "10.0.0.1"
DEFAULT = Parameters()


@pytest.fixture
def events(plain):
    def extract(traffic, parameters=DEFAULT, **how):
        found = MessageEvents().run(traffic.connect(**how), parameters)
        assert found.events.schema == EVENTS
        assert found.findings.schema == FINDINGS
        assert found.frames.schema == FINDING_FRAMES
        return plain(found.events)

    return extract


def kinds(rows):
    return [row["kind"] for row in rows]


def test_packets_closer_than_the_gap_are_one_burst(traffic, events):
    traffic.flow(A, [(10.0, UP, 200), (10.4, UP, 300), (10.9, UP, 150), (11.3, UP, 160)])
    first, second = events(traffic)
    # 10.4 to 10.9 is exactly the gap: no longer closer than it
    assert (first["bytes"], first["packets"], first["first_frame"], first["last_frame"]) == (500, 2, 1, 2)
    assert (second["bytes"], second["first_frame"], second["last_frame"]) == (310, 3, 4)
    assert first["ts"] == traffic.ns(10.4)
    assert first["first_ts"] == traffic.ns(10.0)


def test_directions_do_not_mix(traffic, events):
    traffic.flow(A, [(10.0, UP, 200), (10.1, DOWN, 300), (10.2, UP, 200)])
    rows = events(traffic)
    assert sorted((row["up"], row["bytes"]) for row in rows) == [(False, 300), (True, 400)]


def test_size_decides_between_text_and_media_and_the_floor(traffic, events):
    traffic.flow(A, [(1, UP, 149), (11, UP, 150), (20, UP, 9_999), (33, UP, 10_000)])
    rows = events(traffic)
    assert [(row["bytes"], row["kind"]) for row in rows] == [
        (150, "text-like"),
        (9_999, "text-like"),
        (10_000, "media-like"),
    ]


def test_a_record_split_over_packets_counts_by_the_type_it_ends_with(traffic, events):
    # handshake record over two packets, then application data over two packets
    traffic.flow(
        A, [(1, DOWN, 1400, None), (1.1, DOWN, 900, [22]), (9, DOWN, 1400, None), (9.1, DOWN, 500, [23])]
    )
    (row,) = events(traffic)
    assert row["bytes"] == 1900
    assert row["first_frame"] == 3


def test_alerts_and_change_cipher_spec_are_no_events(traffic, events):
    traffic.flow(A, [(1, UP, 400, [22]), (20, UP, 400, [20, 22]), (40, UP, 400, [21])])
    assert events(traffic) == []


def test_tls13_finished_is_left_out_and_what_follows_is_connecting(traffic, events):
    flow = traffic.flow(
        A,
        [
            (0.0, UP, 517, [22]), (0.1, DOWN, 3000, [22, 20, 23]), (0.2, UP, 400, [20, 23]),
            (0.3, DOWN, 600, [23]), (30, UP, 300, [23]),
        ],
        syn_seen=True, span=(-0.1, 30),
    )  # fmt: skip
    traffic.hello(flow, 0.0, 0.1)
    rows = events(traffic)
    assert [(row["bytes"], row["kind"]) for row in rows] == [(600, "connect-like"), (300, "text-like")]
    assert rows[0]["confidence"] < rows[1]["confidence"]


def test_tls12_first_request_after_the_handshake_is_kept(traffic, events):
    flow = traffic.flow(
        A,
        [(0.0, UP, 517, [22]), (0.1, DOWN, 3000, [22]), (0.2, UP, 120, [22, 20, 22]),
         (0.3, DOWN, 51, [20, 22]), (9.0, UP, 700, [23])],
    )  # fmt: skip
    traffic.hello(flow, 0.0, 0.1, "TLS 1.2")
    (row,) = events(traffic)
    assert (row["bytes"], row["kind"]) == (700, "text-like")


def test_a_late_change_cipher_spec_cannot_hide_what_came_before(traffic, events):
    flow = traffic.flow(A, [(0, UP, 500, [22]), (50, UP, 700, [23]), (90, UP, 6, [20]), (120, UP, 700, [23])])
    traffic.hello(flow, 0, 0.1, "TLS 1.2")
    assert kinds(events(traffic)) == ["text-like", "text-like"]


def test_own_protocol_of_an_application_opens_with_its_syn(traffic, events):
    traffic.flow(
        A, [(0.1, UP, 300), (0.3, DOWN, 300), (60, UP, 300)], service=None, syn_seen=True, span=(0, 60)
    )
    rows = events(traffic)
    assert sorted(kinds(rows)) == ["connect-like", "connect-like", "text-like"]


def test_keepalives_of_one_size_are_named_and_not_counted(traffic, events):
    beats = [(60.0 * n, UP, 180) for n in range(1, 20)]
    talk = [(60.0 * n + 17.3 + n * 1.7, UP, 200 + 31 * n) for n in (2, 5, 6, 11)]
    traffic.flow(A, beats + talk)
    rows = events(traffic)
    assert kinds(rows).count("keepalive") == 19
    assert kinds(rows).count("text-like") == 4
    assert {row["bytes"] for row in rows if row["kind"] == "keepalive"} == {180}


def test_a_keepalive_beside_something_as_small_is_no_message(traffic, events):
    """Two rhythms that meet: a ping every 30 s, and now and then a few bytes in the same moment."""
    beats = [(30.0 * number, UP, 131) for number in range(30)]
    traffic.flow(A, [*beats, (90.2, UP, 23), (240.1, UP, 40)])
    assert kinds(events(traffic)) == ["keepalive"] * 30


def test_a_message_beside_a_keepalive_stays_a_message(traffic, events):
    beats = [(30.0 * number, UP, 131) for number in range(30)]
    traffic.flow(A, [*beats, (90.2, UP, 200), (155.0, UP, 131), (155.2, UP, 23)])
    assert kinds(events(traffic)).count("text-like") == 2  # the second one keeps no time


def test_answers_of_one_size_are_receipts_and_messages_stay(traffic, events):
    rows = []
    for number in range(8):
        at = 40.0 * number + number**2
        rows += [(at, DOWN, 210 + 9 * number), (at + 0.05, UP, 190)]
    traffic.flow(A, [*rows, (500.0, UP, 190)])
    found = kinds(events(traffic))
    assert (found.count("receipt-like"), found.count("text-like")) == (8, 9)


def test_messages_padded_to_the_size_of_receipts_are_not_taken_for_them(traffic, events):
    rows = []
    for number in range(16):
        at = 40.0 * number + number**2
        first, then = ((DOWN, 281), (UP, 190)) if number % 2 else ((UP, 190), (DOWN, 281))
        rows += [(at, *first), (at + 0.05, *then)]
    traffic.flow(A, rows)
    assert set(kinds(events(traffic))) == {"text-like"}


def test_a_message_of_the_size_of_a_keepalive_is_told_by_its_time(traffic, events):
    traffic.flow(A, [(60.0 * n, UP, 180) for n in range(20)] + [(60.0 * 7 + 23, UP, 180)])
    rows = events(traffic)
    assert [row["ts"] for row in rows if row["kind"] == "text-like"] == [traffic.ns(60 * 7 + 23)]
    assert kinds(rows).count("keepalive") == 20


def test_keepalives_with_padding_are_named(traffic, events):
    random = Random(1)
    traffic.flow(
        A, [(30.0 * n + random.uniform(-0.2, 0.2), UP, 200 + random.randrange(0, 12)) for n in range(40)]
    )
    assert set(kinds(events(traffic))) == {"keepalive"}


def test_polling_over_new_connections_is_named(traffic, events):
    for n in range(12):
        at = 300.0 * n
        traffic.flow(A, [(at, UP, 250)], syn_seen=True, service=None, span=(at - 0.1, at + 1))
    assert set(kinds(events(traffic))) == {"keepalive"}


def test_equal_sizes_at_human_intervals_are_no_keepalive(traffic, events):
    random = Random(2)
    at, packets = 0.0, []
    for _ in range(60):
        at += random.lognormvariate(3, 1.2) + 1
        packets.append((at, UP, 222))
    traffic.flow(A, packets)
    assert set(kinds(events(traffic))) == {"text-like"}


def test_four_equal_bursts_are_too_few_for_a_rhythm(traffic, events):
    traffic.flow(A, [(60.0 * n, UP, 200) for n in range(4)])
    assert set(kinds(events(traffic))) == {"text-like"}


def test_unlabelled_flows_only_when_asked(traffic, events):
    traffic.flow(A, [(1, UP, 500)], app=None)
    traffic.flow(A, [(1, UP, 500)], app=None, service="http")
    assert events(traffic) == []
    assert len(events(traffic, Parameters(include_unlabelled=True))) == 1


def test_udp_media_and_dns_are_left_to_others(traffic, events):
    traffic.flow(A, [(1, UP, 500)], transport="udp", service="dtls")
    traffic.flow(A, [(1, UP, 500)], service="dns")
    traffic.flow(A, [(1, UP, 500)], transport="udp", service="quic")
    assert len(events(traffic)) == 1


def test_record_types_may_be_absent(traffic, events):
    traffic.flow(A, [(1, UP, 500), (30, DOWN, 700)])
    assert len(events(traffic, without="record_types")) == 2


def test_confidence_follows_the_stated_points(traffic, events):
    traffic.flow(A, [(1, UP, 150)])  # began before the capture, types unknown
    traffic.flow(A, [(40, UP, 149, [22]), (50, UP, 300, [23])], app_confidence=50)
    first, second = events(traffic)
    assert first["confidence"] == 40 + 10 - 15
    assert second["confidence"] == 40 + 20 + 10 - 15


def test_no_case_no_events(traffic):
    found = MessageEvents().run(traffic.connect(), Parameters())
    assert found.events.num_rows == found.findings.num_rows == 0
    assert found.notes


def test_one_fact_for_each_endpoint_and_application(traffic):
    traffic.flow(A, [(1, UP, 500), (9, DOWN, 20_000), (30, UP, 20)])
    traffic.flow("10.0.0.2", [(1, UP, 500)], app="whatsapp")
    found = MessageEvents().run(traffic.connect(), Parameters())
    first, second = sorted(found.findings.to_pylist(), key=lambda row: row["subject"])
    assert (first["subject"], first["app"], first["kind"]) == (A, "signal", "fact")
    assert "1 message-like burst going out and 1 coming in" in first["statement"]
    assert "1 burst below the size floor" in first["statement"]
    assert second["app"] == "whatsapp"
    assert first["likelihood_ratio"] is None
    frames = [row["frame"] for row in found.frames.to_pylist() if row["finding_id"] == first["finding_id"]]
    assert sorted(set(frames)) == [1, 3]


def test_the_order_of_rows_does_not_matter(traffic):
    random = Random(3)
    for client in range(3):
        packets = [(random.uniform(0, 900), random.random() < 0.5, random.randrange(900)) for _ in range(200)]
        traffic.flow(f"10.0.0.{client}", packets)
    straight = MessageEvents().run(traffic.connect(), Parameters())
    for seed in (1, 2):
        other = MessageEvents().run(traffic.connect(shuffle=seed), Parameters())
        assert other.findings.equals(straight.findings)
        assert other.frames.equals(straight.frames)
        assert other.events.equals(straight.events)
    ids = straight.events["event_id"].to_pylist()
    assert len(set(ids)) == len(ids) > 0
    assert min(ids) >= 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"burst_gap_s": 0},
        {"floor_bytes": -1},
        {"media_bytes": 10},
        {"keepalive_members": 2},
        {"connect_s": -1},
        {"receipt_s": -1},
        {"receipt_percent": 0},
    ],
)
def test_parameters_that_make_no_sense_are_refused(traffic, wrong):
    with pytest.raises(AnalysisError):
        MessageEvents().run(traffic.connect(), Parameters(**wrong))


def test_the_cap_on_findings_is_stated_and_events_are_kept(traffic, monkeypatch):
    traffic.flow(A, [(1, UP, 500), (9, DOWN, 500)])
    traffic.flow("10.0.0.2", [(1, UP, 500)])
    monkeypatch.setattr("wirecover.analysis.message_events.MOST_FINDINGS", 1)
    found = MessageEvents().run(traffic.connect(), DEFAULT)
    assert found.findings["subject"].to_pylist() == [A]
    assert found.events.num_rows == 3
    assert found.notes == ("1 address with the fewest bursts not listed.",)


def resent(traffic, packets, again, **columns):
    """A flow of TLS records, one a packet, with some packets sent again: those end no record."""
    flow = traffic.flow(A, sorted([*packets, *again], key=lambda one: one[0]), **columns)
    sent_again = {(at, way, size) for at, way, size, _ in again}
    for row in traffic.packets:
        seconds = (row["ts"] - traffic.ns(0)) / 1e9
        if row["flow_id"] == flow and (seconds, row["up"], row["payload_bytes"]) in sent_again:
            row["record_bytes"] = row["record_types"] = None
    return flow


TEXTS = [(10.0 * n, UP, 200 + 37 * n, [23]) for n in range(1, 9)]
AGAIN = [(10.0 * n + 0.2, UP, 200 + 37 * n, None) for n in (2, 5)] + [(77.0, UP, 459, None)]


def test_what_was_sent_again_does_not_count_in_the_size(traffic, events):
    resent(traffic, TEXTS, AGAIN, retransmits=3)
    rows = events(traffic)
    assert [row["bytes"] for row in rows] == [size for _, _, size, _ in TEXTS]
    assert [row["ts"] for row in rows] == [traffic.ns(at) for at, _, _, _ in TEXTS]
    # nor does a late copy make an event of its own
    assert len(rows) == len(TEXTS)


def test_without_records_or_with_loss_the_payload_counts(traffic, new_traffic, events):
    payload = sum(size for _, _, size, _ in (*TEXTS, *AGAIN))
    for columns in ({"retransmits": 3, "missing_bytes": 1400}, {"retransmits": 0}, {}):
        case = new_traffic()
        resent(case, TEXTS, AGAIN, **columns)
        assert sum(row["bytes"] for row in events(case)) == payload, columns
    resent(traffic, [(at, way, size, None) for at, way, size, _ in TEXTS], AGAIN, retransmits=3)
    assert sum(row["bytes"] for row in events(traffic)) == payload


def test_lost_record_boundaries_hide_no_traffic(traffic, events):
    # one segment sent again cannot explain five packets without a record: the walk lost its way
    lost = [(100.0 + 10 * n, UP, 900, None) for n in range(5)]
    resent(traffic, TEXTS, lost, retransmits=1)
    assert sum(row["bytes"] for row in events(traffic)) == sum(one[2] for one in (*TEXTS, *lost))


def test_a_record_over_two_bursts_counts_where_it_ends(traffic, events):
    flow = traffic.flow(
        A, [(10, UP, 1400, None), (11, UP, 605, [23]), (30, UP, 305, [23]), (30.2, UP, 305, None)],
        retransmits=1,
    )  # fmt: skip
    for row in traffic.packets:
        if row["flow_id"] == flow and row["payload_bytes"] == 605:
            row["record_bytes"] = [2000]
    rows = events(traffic)
    assert [(row["bytes"], row["ts"]) for row in rows] == [(2005, traffic.ns(11)), (305, traffic.ns(30))]


def test_other_burst_gaps_are_shown_beside_the_chosen_one(traffic):
    traffic.flow(A, [(10, UP, 300), (10.3, UP, 300), (10.9, UP, 300), (12.4, UP, 300), (20, DOWN, 300)])
    for chosen in (0.5, 0.25, 0.7):
        found = MessageEvents().run(traffic.connect(), Parameters(burst_gap_s=chosen))
        (row,) = found.findings.to_pylist()
        shown = {
            one["burst_gap_s"]: (one["up"], one["down"])
            for one in json.loads(row["details"])["by_burst_gap_s"]
        }
        assert shown == {0.25: (4, 1), 0.5: (3, 1), 1.0: (2, 1), 2.0: (1, 1)} | {chosen: shown[chosen]}
        counts = json.loads(row["details"])["counts"]["text-like"]
        assert shown[chosen] == (counts["up"], counts["down"])
        assert found.events.num_rows == sum(shown[chosen])


def test_other_burst_gaps_are_not_tried_on_much_traffic(traffic, monkeypatch):
    traffic.flow(A, [(10, UP, 300), (20, UP, 300), (30, UP, 300)])
    monkeypatch.setattr("wirecover.analysis.message_events.MOST_PACKETS", 2)
    connection = traffic.connect()
    found = MessageEvents().run(connection, DEFAULT)
    assert json.loads(found.findings["details"][0].as_py())["by_burst_gap_s"].startswith(
        "other burst gaps not tried"
    )
    tables = connection.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'wirecover_bursts%'")
    assert tables.fetchall() == [(1,)]
