"""Signs that an address was shared or changed hands: each only where it is there."""

import pytest
from support.inventories import endpoint, fact

from wirecover.analysis.shared_devices import WARNINGS, Limits, find_warnings, recordings_apart

A = "10.0.0.1"
MAC, OTHER_MAC = "00:1b:21:00:00:01", "00:1b:21:00:00:02"


@pytest.fixture
def signs(traffic):
    connection = traffic.connect()

    def find(*facts, apart=1, ip=A, limits=None, hops=()):
        for frame, last, detail in hops:
            connection.execute(
                "INSERT INTO quality (capture_id, metric, subject, count, detail, first_ts, first_frame, last_frame) "
                "VALUES (7, 'hop-counts', ?, 2, ?, make_timestamp_ns(5), ?, ?)", [ip, detail, frame, last],
            )  # fmt: skip
        one = endpoint(ip, *facts)
        return find_warnings(connection, [one], {one.key: apart}, limits or Limits())

    return find


def test_a_plain_address_has_none(signs):
    assert (
        signs(fact("mac", MAC), fact("hostname", "ada"), fact("ja4", "t13_a_b", "tcp"), fact("app", "signal"))
        == []
    )


CHANGES = [
    ("mac", MAC, OTHER_MAC, "hardware"), ("dhcp-client-id", "1", "2", "client-ids"),
    ("hostname", "ada", "ben", "names"), ("imsi", "206", "207", "subscribers"),
]  # fmt: skip


@pytest.mark.parametrize(("attribute", "one", "other", "what"), CHANGES)
def test_two_values_at_overlapping_times_or_one_after_the_other(signs, attribute, one, other, what):
    after = signs(
        fact(attribute, one, at=0, until=10, frame=3), fact(attribute, other, at=20, until=30, frame=5)
    )
    assert [(sign.warning, sign.values) for sign in after] == [
        (f"{what}-changed", tuple(sorted((one, other))))
    ]
    assert [place.frame for place in after[0].places] == [3, 5]
    together = signs(fact(attribute, one, at=0, until=40), fact(attribute, other, at=20, until=30))
    assert [sign.warning for sign in together] == [f"{what}-together"]
    assert signs(fact(attribute, one, at=0, until=10), fact(attribute, one, at=20, until=30, frame=2)) == []


def test_a_name_with_and_without_its_domain_is_one(signs):
    assert signs(fact("hostname", "Ada"), fact("fqdn", "ada.lan")) == []


def test_names_that_others_tell_do_not_count(signs):
    assert signs(fact("hostname", "ada"), fact("device-name", "shop", "http")) == []


def test_two_systems(signs):
    [sign] = signs(
        fact("user-agent", "A (Windows NT 10.0)", "http", frame=4),
        fact("vendor-class", "android-dhcp-14", at=9),
    )
    assert (sign.warning, sign.values, [place.frame for place in sign.places]) == (
        "systems",
        ("android", "windows"),
        [4, 1],
    )


def test_many_programs_and_fingerprints(signs):
    agents = [fact("user-agent", f"P/{number}", "http", at=number) for number in range(6)]
    hellos = [fact("ja4", f"t13d_{number:012x}_b", "tcp", at=number) for number in range(12)]
    same = [fact("ja4", f"t13d_a_{number:012x}", "tcp", at=number) for number in range(40)]
    assert [sign.warning for sign in signs(*agents, *hellos)] == ["user-agents", "fingerprints"]
    assert signs(*agents[1:], *hellos[1:]) == []
    assert signs(*same) == [], "one list of cipher suites"


def test_a_translation_and_a_router(signs):
    found = signs(fact("public address", "203.0.113.7", "identity: stun"), fact("role", "dhcp-server"))
    assert [sign.warning for sign in found] == ["translated", "router"]


def test_times_to_live_are_those_of_the_quality_ledger(signs):
    [sign] = signs(hops=[(3, 90, "times to live of its 4 SYNs: 63, 127")])
    assert (sign.warning, sign.values) == ("hop-counts", ("times to live of its 4 SYNs: 63, 127",))
    assert [(place.capture, place.frame) for place in sign.places] == [(7, 3)]


def test_a_private_address_in_recordings_apart(signs):
    assert [sign.warning for sign in signs(apart=2)] == ["other-recording"]
    assert signs(apart=2, ip="8.8.8.8") == []


def test_recordings_that_share_a_conversation_or_a_series_are_one(traffic):
    connection = traffic.connect()
    connection.execute(
        "CREATE TEMP TABLE both_ends (ip VARCHAR, network VARCHAR, conversation_id BIGINT, capture_id BIGINT)"
    )
    rows = [
        (A, 1, 7),
        (A, 2, 7),
        (A, 2, 8),
        (A, 3, 8),
        (A, 4, 9),
        ("10.0.0.2", 5, 7),
        ("10.0.0.2", 6, 9),
        (A, 7, 10),
    ]
    connection.executemany("INSERT INTO both_ends VALUES (?, NULL, ?, ?)", rows)
    assert recordings_apart(connection, "both_ends", {}) == {(A, None): 3, ("10.0.0.2", None): 2}
    assert recordings_apart(connection, "both_ends", {9: 7, 7: 7}) == {(A, None): 2, ("10.0.0.2", None): 1}


def test_every_warning_is_met_by_a_test_above():
    met = {"hop-counts", "systems", "user-agents", "fingerprints", "translated", "router", "other-recording"}
    met |= {f"{what}-{how}" for *_, what in CHANGES for how in ("together", "changed")}
    assert met == set(WARNINGS)
