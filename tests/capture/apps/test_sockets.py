"""Direct legs of a call inherit the label of the relay legs on the same socket, and nothing else does."""

import pytest

from wirecover.capture.apps.matcher import Evidence, Label
from wirecover.capture.apps.sockets import (
    MAX_GAP_NS,
    MAX_SOCKET_FLOWS,
    SocketFlow,
    ice_session,
    labels_by_socket,
)

SECOND = 1_000_000_000


def label(app="telegram", kind="address", confidence=85):
    return Label(app, confidence, (Evidence(app, f"{app}-x", kind, "v", 3, confidence),), ())


def flow(number, server, *, given=None, port=40906, first=0, last=10 * SECOND, may=True, client="10.0.0.2"):
    return SocketFlow(number, client, port, server, 3478, first, last, 100 + number, given, may)


RELAY = flow(0, "91.108.9.35", given=label())


def test_the_direct_leg_inherits_with_its_reason():
    (got,) = labels_by_socket([RELAY, flow(1, "198.51.100.7")]).items()
    assert got == (
        1,
        Label(
            "telegram",
            70,
            (Evidence("telegram", "telegram-same-socket", "socket", "10.0.0.2:40906", 100, 70),),
            (),
        ),
    )


def test_also_when_the_other_party_spoke_first():
    towards = SocketFlow(1, "198.51.100.7", 5000, "10.0.0.2", 40906, 0, SECOND, 9, None, True)
    assert labels_by_socket([RELAY, towards])[1].app == "telegram"


@pytest.mark.parametrize(
    "other",
    [
        flow(1, "198.51.100.7", port=40907),  # another socket
        flow(1, "198.51.100.7", client="10.0.0.3"),
        flow(1, "198.51.100.7", may=False),  # known to be something else
        flow(1, "198.51.100.7", first=11 * SECOND + MAX_GAP_NS, last=12 * SECOND + MAX_GAP_NS),  # much later
        flow(1, "198.51.100.7", first=-9 * SECOND - MAX_GAP_NS, last=-SECOND - MAX_GAP_NS),  # much earlier
        flow(1, "91.108.9.35", port=5, client="10.0.0.9"),  # only the relay is the same
    ],
)
def test_does_not_inherit(other):
    assert labels_by_socket([RELAY, other]) == {}


def test_labels_that_disagree_are_not_passed_on():
    flows = [RELAY, flow(1, "192.0.2.1", given=label("viber", "stun_realm")), flow(2, "198.51.100.7")]
    assert labels_by_socket(flows) == {}


def test_a_broader_label_does_not_disagree():
    flows = [
        flow(0, "157.240.1.1", given=label("meta", "stun_attribute", 82)),
        flow(1, "192.0.2.1", given=label("whatsapp", "signature", 70)),
        flow(2, "198.51.100.7"),
    ]
    assert labels_by_socket(flows) == {}
    assert labels_by_socket(flows, {"whatsapp": ("meta",)})[2].app == "meta"


@pytest.mark.parametrize("kind", ["sni", "dns", "certificate", "alpn"])
def test_a_name_is_not_passed_on(kind):
    assert labels_by_socket([flow(0, "192.0.2.1", given=label(kind=kind)), flow(1, "198.51.100.7")]) == {}


def test_a_weak_label_is_not_passed_on():
    assert labels_by_socket([flow(0, "192.0.2.1", given=label(confidence=60)), flow(1, "198.51.100.7")]) == {}


def test_a_socket_with_very_many_flows_passes_nothing_on():
    many = [flow(n, f"198.51.{n // 200}.{n % 200}") for n in range(1, MAX_SOCKET_FLOWS + 1)]
    assert len(labels_by_socket([RELAY, *many[:-1]])) == MAX_SOCKET_FLOWS - 1
    assert labels_by_socket([RELAY, *many]) == {}


def test_the_surest_relay_leg_is_named_whatever_the_order():
    flows = [RELAY, flow(1, "91.108.13.23", given=label(confidence=90)), flow(2, "198.51.100.7")]
    assert labels_by_socket(flows) == labels_by_socket(flows[::-1])
    assert labels_by_socket(flows)[2].evidence[0].frame == 101


PAIR = frozenset({"l/wc", "SuU3"})


def leg(
    number, port, *, session=PAIR, given=None, first=0, last=10 * SECOND, may=True, server="198.51.100.7"
):
    return SocketFlow(number, "10.0.0.2", port, server, 35393, first, last, 100 + number, given, may, session)


def test_a_leg_of_the_same_ice_session_inherits_even_what_was_inherited():
    got = labels_by_socket([RELAY, leg(1, 40906), leg(2, 42405)])
    assert {number: (one.app, one.confidence) for number, one in got.items()} == {
        1: ("telegram", 70),
        2: ("telegram", 60),
    }
    assert got[2].evidence == (
        Evidence("telegram", "telegram-same-ice-session", "ice", "SuU3:l/wc", 101, 60),
    )


@pytest.mark.parametrize(
    "other",
    [
        leg(2, 42405, session=frozenset({"l/wc", "Other"})),
        leg(2, 42405, session=None),
        leg(2, 42405, may=False),
        leg(2, 42405, first=11 * SECOND + MAX_GAP_NS, last=12 * SECOND + MAX_GAP_NS),
    ],
)
def test_no_leg_of_the_session(other):
    assert set(labels_by_socket([RELAY, leg(1, 40906), other])) == {1}


def test_a_session_with_two_labels_passes_nothing_on():
    flows = [leg(1, 1, given=label()), leg(2, 2, given=label("signal")), leg(3, 3)]
    assert labels_by_socket(flows) == {}


def test_a_weak_label_goes_no_further():
    assert labels_by_socket([leg(1, 1, given=label(confidence=59)), leg(2, 2)]) == {}


@pytest.mark.parametrize(
    ("username", "expected"),
    [
        ("SuU3:l/wc", PAIR),
        ("l/wc:SuU3", PAIR),
        ("l/wc:SuU", None),  # a fragment has four characters at least
        ("l/wc", None),
        ("l/wc:l/wc", None),
        ("user name:pass", None),
        ("", None),
        (":", None),
        ("abcd:efgh:ijkl", None),
    ],
)
def test_which_user_names_are_those_of_ice(username, expected):
    assert ice_session(username) == expected


REPORTS = label("kakaotalk", "signature", 77)


def half(
    number, port, *, given=None, media=True, first=0, last=10 * SECOND, server="1.201.1.174", peer=23000
):
    return SocketFlow(
        number,
        "10.0.0.2",
        port,
        server,
        peer + port % 100,
        first,
        last,
        100 + number,
        given,
        True,
        None,
        media,
    )


def test_media_beside_reports_with_a_label():
    got = labels_by_socket([half(0, 11320), half(1, 11321, given=REPORTS, media=False)])
    reason = Evidence("kakaotalk", "kakaotalk-media-beside-reports", "rtcp", "11321 23021", 101, 62)
    assert got == {0: Label("kakaotalk", 62, (reason,), ())}


@pytest.mark.parametrize(
    "flows",
    [
        [half(0, 11320, media=False), half(1, 11321, given=REPORTS)],  # no RTP in it
        [half(0, 11318), half(1, 11321, given=REPORTS)],  # not the next lower ports
        [half(0, 11321), half(1, 11322, given=REPORTS)],  # reports go between odd ports
        [half(0, 11320), half(1, 11321, given=REPORTS, server="1.201.1.175")],
        [half(0, 11320), half(1, 11321, given=REPORTS, peer=23002)],  # one end is another pair
        [half(0, 11320), half(1, 11321, given=label("kakaotalk", "dns", 90))],  # a name, not its packets
        [half(0, 11320), half(1, 11321, given=label("kakaotalk", "signature", 60))],  # too weak to go on
        [half(0, 11320), half(1, 11321, given=REPORTS, first=71 * SECOND, last=80 * SECOND)],
        [
            half(0, 11320, given=label("viber", "signature")),
            half(1, 11321, given=REPORTS),
        ],  # has one of its own
    ],
)
def test_no_media_beside_reports(flows):
    assert labels_by_socket(flows) == {}
