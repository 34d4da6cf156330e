"""The detectors on the bundled capture of real programs, against what those programs wrote down."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from wirecover.analysis.calls import Calls
from wirecover.analysis.co_timing import CoTiming
from wirecover.analysis.message_events import MessageEvents
from wirecover.casefile.case import Case

CAPTURES = Path(__file__).parents[1] / "captures"
NAME = "harbour-xmpp-turn-h3"
SERVICES = ("signal", "whatsapp")  # lab stand-ins; one TLS flow for each person
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def truth():
    return json.loads((CAPTURES / f"{NAME}.truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    case = Case.create(tmp_path_factory.mktemp("bundled") / "case", training=True)
    case.ingest([CAPTURES / f"{NAME}.pcapng"])
    with closing(case.connect()) as opened:
        yield opened


@pytest.fixture(scope="module")
def events(connection):
    """(address, application, up, time, kind, bytes) of each event."""
    connection.register("found", MessageEvents().run(connection, MessageEvents.parameters).events)
    return connection.sql(
        "SELECT f.client_ip, f.app, e.up, epoch_ns(e.ts), e.kind, e.bytes "
        "FROM found e JOIN flows f USING (flow_id)"
    ).fetchall()


def addresses(truth, name):
    """None for somebody who was offline or beyond the recorded line."""
    return {
        address
        for one in truth["endpoints"]
        if one["name"] == name and one["side"] == "client"
        for address in (one["ipv4"], one["ipv6"])
        if address
    }


def ends(truth):
    """(service, person, up, time, bytes) for each end of each message on the stand-ins."""
    for message in truth["messages"]:
        if message["service"] in SERVICES:
            for person, up, key in (
                (message["from"], True, "sent_ns"),
                (message["to"], False, "received_ns"),
            ):
                if message[key] is not None and addresses(truth, person):
                    yield message["service"], person, up, message[key], message["application_bytes"]


def test_messages_above_the_floor_are_events_at_their_time(truth, events):
    missed = []
    total = 0
    for service, person, up, at, size in ends(truth):
        if size < 150:  # with its record header it may or may not reach the floor
            continue
        total += 1
        near = [one for one in events if one[0] in addresses(truth, person) and one[1:3] == (service, up)
                and abs(one[3] - at) < SECOND and one[4] in ("text-like", "media-like")]  # fmt: skip
        if not near:
            missed.append((service, person, up, at))
    assert total > 50
    assert missed == []


def test_message_like_events_are_messages_or_receipts(truth, events):
    times = [
        value for one in truth["messages"] for key, value in one.items() if key.endswith("_ns") and value
    ]
    strays = [one for one in events if one[1] in SERVICES and one[4] in ("text-like", "media-like")
              and min(abs(one[3] - at) for at in times) > SECOND]  # fmt: skip
    assert strays == []


def test_heartbeats_are_keepalives(events):
    beats = [one for one in events if one[1] in SERVICES and one[4] == "keepalive"]
    assert len(beats) > 50
    assert max(one[5] for one in beats) < 150


@pytest.fixture(scope="module")
def verdicts(truth, connection):
    """(application, two persons) -> details of the finding, at the parameters as delivered."""
    person = {at: one["name"] for one in truth["endpoints"] for at in addresses(truth, one["name"])}
    found = CoTiming().run(connection, CoTiming.parameters).findings
    return {
        (row["app"], frozenset((person[row["subject"]], person[row["object"]]))): json.loads(row["details"])
        for row in found.select(["app", "subject", "object", "details"]).to_pylist()
        if row["object"]
    }


def writing(truth):
    """Pairs of recorded persons of whom one at least read what the other wrote, with their application."""
    return {
        (one["service"], frozenset((one["from"], one["to"])))
        for one in truth["messages"]
        if one["received_ns"] and addresses(truth, one["from"]) and addresses(truth, one["to"])
    }


def test_pairs_who_write_exceed_chance_and_the_others_do_not(truth, verdicts):
    coupled = {pair for pair, details in verdicts.items() if details["exceeds_chance"]}
    assert coupled == writing(truth)
    assert len(coupled) == 3


WITHOUT_CONTACT = [
    ("signal", "dora", "ivo"),  # each converses with somebody else
    ("signal", "egon", "ivo"),
    ("signal", "dora", "fay"),  # fay writes to somebody offline
    ("signal", "egon", "fay"),
    ("signal", "ivo", "fay"),
    ("xmpp", "ada", "cleo"),  # so does cleo
    ("whatsapp", "fay", "ivo"),  # and ivo here
    # cleo and ivo there: without receipts ivo has too few events to be tested with her
]


@pytest.mark.parametrize(("app", "one", "other"), WITHOUT_CONTACT)
def test_pairs_without_contact_are_tested_and_within_chance(verdicts, app, one, other):
    details = verdicts[app, frozenset((one, other))]
    assert not details["exceeds_chance"]
    assert float(details["p_value"]) > 0.05, "not even before the correction"


def test_the_observation_is_long_enough_to_tell(verdicts):
    """A negative answer is worth something only where a positive one was possible."""
    conclusive = {pair for pair, details in verdicts.items() if details["could_exceed_chance"]}
    assert ("signal", frozenset(("egon", "ivo"))) in conclusive, "both converse, not with each other"
    assert {app for app, one, other in WITHOUT_CONTACT if (app, frozenset((one, other))) in conclusive} >= {
        "signal",
        "xmpp",
    }


def test_a_second_exhibit_of_the_same_traffic_changes_no_count(connection, tmp_path):
    second = f"{NAME}-client1.pcap.gz"
    case = Case.create(tmp_path / "case", training=True)
    case.ingest([CAPTURES / f"{NAME}.pcapng", CAPTURES / second])
    with closing(case.connect()) as both:
        ((shared, records),) = both.sql(
            "SELECT count(*) FILTER (counted AND exhibits = 2), count(*) FILTER (NOT counted) FROM flow_sightings"
        ).fetchall()
        ((smaller,),) = both.sql(
            f"SELECT count(*) FROM flows JOIN captures USING (capture_id) WHERE name = '{second}'"
        ).fetchall()
        assert shared == records == smaller > 5
        answers = []
        for opened in (connection, both):
            found = MessageEvents().run(opened, MessageEvents.parameters).findings
            rows = found.select(["subject", "app", "details"]).to_pylist()
            details = {(row["subject"], row["app"]): json.loads(row["details"]) for row in rows}
            answers.append({key: value["counts"] for key, value in details.items()})
    assert answers[0] == answers[1]
    assert {value["exhibits"] for value in details.values()} == {1, 2}


CALL_TOLERANCE = 2 * SECOND
"""Media begins after the callee accepts (keys and paths are agreed first), and the set-up is seen on the wire."""


def test_every_call_is_found_once_with_its_sides_and_times(connection, truth):
    connection.register("found_calls", Calls().run(connection, Calls.parameters).calls)
    found = connection.sql(
        "SELECT caller_ip, callee_ip, state, media, relayed, app, epoch_ns(setup_ts), epoch_ns(answer_ts), "
        "epoch_ns(end_ts) FROM found_calls ORDER BY setup_ts"
    ).fetchall()
    planted = sorted(truth["calls"], key=lambda call: call["setup_ns"])
    assert len(found) == len(planted) == 3
    for (caller, callee, state, media, relayed, app, *times), call in zip(found, planted, strict=True):
        answered = call["state"] == "answered"
        assert (caller, callee, app) == (call["caller_ip"], call["callee_ip"], "xmpp")
        assert state == ("answered" if answered else "unanswered")
        assert (media, relayed) == ((call["media"], call["relayed"]) if answered else ("unknown", None))
        for seen, name in zip(times, ("setup_ns", "answered_ns", "ended_ns"), strict=True):
            assert (seen is None) == (call[name] is None)
            assert seen is None or abs(seen - call[name]) <= CALL_TOLERANCE
