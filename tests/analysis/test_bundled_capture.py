"""The detectors on the bundled capture of real programs, against what those programs wrote down."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from wirecover.analysis.co_timing import CoTiming, Parameters
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
    return {
        address
        for one in truth["endpoints"]
        if one["name"] == name
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


def test_the_planted_pair_coincides_and_the_lone_writer_does_not(truth, connection):
    # 4 minutes hold few shifts at the default tolerance of 3 s; one second is enough inside one machine
    found = (
        CoTiming().run(connection, Parameters(delta_s=1.0)).findings.select(["subject", "object", "details"])
    )
    verdicts = {
        frozenset((row["subject"], row["object"])): json.loads(row["details"])
        for row in found.to_pylist()
        if row["object"]
    }
    dora, egon, fay = (addresses(truth, name) for name in ("dora", "egon", "fay"))
    coupled = [pair for pair, details in verdicts.items() if details["exceeds_chance"]]
    assert len(coupled) == 1
    assert coupled[0] & dora and coupled[0] & egon
    lone = [details for pair, details in verdicts.items() if pair & fay]
    assert lone and not any(details["exceeds_chance"] for details in lone)
