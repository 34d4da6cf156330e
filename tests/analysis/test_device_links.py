"""Links between addresses: made by identifiers, weakened by what the exhibits hold against them, never a merger."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inventories import endpoint, fact

from wirecover.analysis.device_links import (
    COUNTER,
    MOST_ADDRESSES,
    REASONS,
    STRENGTHS,
    find_links,
    made_of_hardware,
    recordings,
)

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"
MAC, OTHER_MAC, MADE_UP = "00:1b:21:00:00:01", "00:1b:21:00:00:02", "02:00:0a:4d:01:0d"
ONE_RECORDING = {7: 0, 8: 1}


def links(*endpoints, recording=None):
    return find_links(endpoints, recording or ONE_RECORDING)[0]


def pairs(found):
    return [(link.reason, link.one.endpoint.ip, link.other.endpoint.ip) for link in found]


def test_one_hardware_address_under_two_addresses():
    found = links(
        endpoint(A, fact("mac", MAC, "arp", at=5, frame=55), last=10),
        endpoint(B, fact("mac", MAC, "dhcp", at=50, frame=77), first=50),
        endpoint(C, fact("mac", OTHER_MAC, "arp")),
    )
    [link] = found
    assert pairs(found) == [("mac", A, B)]
    assert (link.one.place.frame, link.other.place.frame, link.one.source, link.other.source) == (
        55,
        77,
        "arp",
        "dhcp",
    )
    assert (link.strength, link.value, link.addresses, link.counter) == ("hardware", MAC, 2, ())


def test_a_made_up_hardware_address_says_so():
    [link] = links(endpoint(A, fact("mac", MADE_UP)), endpoint("fd00::1", fact("mac", MADE_UP, "ndp", at=1)))
    assert link.counter == ("made-up-hardware-address",)


@pytest.mark.parametrize(("attribute", "reason"), [
    ("dhcp-client-id", "dhcp-client-id"), ("duid", "duid"), ("upnp-uuid", "upnp-uuid"), ("imei", "imei"),
    ("imsi", "imsi"), ("msisdn", "msisdn"), ("user-name", "user-name"), ("client-certificate", "client-certificate"),
    ("Telegram key id", "auth-key"), ("hostname", "name"), ("device-name", "name"),
])  # fmt: skip
def test_each_identifier_has_its_reason_and_strength(attribute, reason):
    [link] = links(
        endpoint(A, fact(attribute, "x")), endpoint(B, fact(attribute, "x", at=1), first=200, last=300)
    )
    assert (link.reason, link.strength) == (reason, REASONS[reason][0])
    assert link.strength in STRENGTHS


@pytest.mark.parametrize(
    "attribute", ["vendor-class", "user-agent", "ja4", "app", "role", "sip-from", "dhcp-fingerprint"]
)
def test_what_many_devices_share_makes_no_link(attribute):
    assert links(endpoint(A, fact(attribute, "x")), endpoint(B, fact(attribute, "x"))) == []


def test_names_are_compared_without_case_or_final_dot():
    assert pairs(
        links(endpoint(A, fact("hostname", "Ada-Phone")), endpoint(B, fact("fqdn", "ada-phone.", "dhcp", 3)))
    ) == [("name", A, B)]


def test_what_speaks_against_one_device():
    left = [fact("mac", MAC, "arp"), fact("dhcp-client-id", "1"), fact("vendor-class", "MSFT 5.0"),
            fact("hostname", "ada"), fact("ja4", "t13_a_b", "tcp"), fact("role", "dhcp-server")]  # fmt: skip
    right = [fact("mac", OTHER_MAC, "arp"), fact("dhcp-client-id", "2"), fact("vendor-class", "android-dhcp-14"),
             fact("hostname", "ben"), fact("ja4", "t13_c_d", "tcp")]  # fmt: skip
    shared = [fact("upnp-uuid", "u", "ssdp")]
    crowd = [
        endpoint(f"10.0.1.{number}", fact("upnp-uuid", "u", "ssdp", at=9), flows=0) for number in range(3)
    ]
    found = links(
        endpoint(A, *left, *shared), endpoint(B, *right, fact("upnp-uuid", "u", "ssdp", at=1)), *crowd
    )
    [link] = [one for one in found if one.other.endpoint.ip == B]
    assert set(link.counter) == set(COUNTER) - {"made-up-hardware-address"}
    assert link.counter == tuple(key for key in COUNTER if key in link.counter), "in one order"


def test_two_versions_at_one_time_are_what_a_device_does():
    [link] = links(endpoint(A, fact("mac", MAC)), endpoint("fd00::1", fact("mac", MAC, "ndp", at=1)))
    assert link.counter == ()


def test_three_addresses_are_a_chain_in_order_of_time():
    found = links(*(endpoint(ip, fact("mac", MAC, at=at)) for ip, at in ((A, 9), (B, 1), (C, 5))))
    assert pairs(found) == [("mac", B, C), ("mac", C, A)]
    assert {link.addresses for link in found} == {3}


def test_an_identifier_of_many_addresses_makes_no_links():
    crowd = [
        endpoint(f"10.0.2.{number}", fact("mac", MAC, at=number)) for number in range(MOST_ADDRESSES + 1)
    ]
    assert find_links(crowd, ONE_RECORDING) == ([], 1)
    found, crowded = find_links(crowd[:-1], ONE_RECORDING)
    assert (len(found), crowded) == (MOST_ADDRESSES - 1, 0)


def test_the_hardware_address_that_routers_share_on_purpose_is_left_out():
    assert links(*(endpoint(ip, fact("mac", "00:00:5e:00:01:07")) for ip in (A, B))) == []


def test_one_address_in_two_recordings():
    one = endpoint(A, fact("mac", MAC, "arp", at=1, frame=4), fact("mac", MAC, "arp", at=900, capture=8, frame=6),
                   fact("hostname", "ada", at=1), fact("hostname", "ben", at=900, capture=8))  # fmt: skip
    [link] = links(one)
    assert link.same_address and (link.one.place.capture, link.other.place.capture) == (7, 8)
    assert link.counter == ("names-differ",)
    assert links(one, recording={7: 0, 8: 0}) == [], "in one recording it says nothing"


def test_networks_are_different_endpoints():
    [link] = links(
        endpoint(A, fact("mac", MAC), network="vxlan 5"),
        endpoint(A, fact("mac", MAC, at=1), network="vxlan 6"),
    )
    assert not link.same_address


@pytest.mark.parametrize(("ip", "mac"), [
    ("fe80::aff:fe4d:10d", MADE_UP), ("2001:db8::21b:21ff:fe00:1", MAC), ("2001:db8::1", None), (A, None),
    ("100::21b:21ff:fe00:1", None), ("no address", None),
])  # fmt: skip
def test_addresses_made_of_hardware_addresses(ip, mac):
    assert made_of_hardware(ip) == mac


def test_an_address_made_of_the_hardware_address_of_another():
    made = endpoint("2001:db8::21b:21ff:fe00:1", first=30)
    assert pairs(links(endpoint(A, fact("mac", MAC, at=40)), made)) == [("eui64", A, made.ip)]
    again = endpoint("2001:db8:1::21b:21ff:fe00:1", first=35)
    assert pairs(links(made, again)) == [("eui64", made.ip, again.ip)]
    assert links(made) == [], "it tells nothing alone"
    told = endpoint(made.ip, fact("mac", MAC, "ndp", at=41), first=30)
    assert pairs(links(endpoint(A, fact("mac", MAC, at=40)), told)) == [("mac", A, made.ip)], "once"


def test_recordings_are_exhibits_that_overlap_or_are_a_series():
    spans = {1: (0, 10), 2: (5, 20), 3: (30, 40), 4: (50, 60), 5: (70, 80)}
    assert recordings(spans, {4: 3, 3: 3}) == {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}


IDENTIFIERS = st.tuples(st.sampled_from(["mac", "hostname", "duid", "imsi"]), st.sampled_from([MAC, OTHER_MAC]),
                        st.integers(0, 50), st.sampled_from([7, 8]))  # fmt: skip


@given(st.lists(st.lists(IDENTIFIERS, max_size=4), max_size=5), st.randoms(use_true_random=False))
def test_links_join_what_shares_an_identifier_in_any_order(told, shuffler: random.Random):
    made = [
        endpoint(f"10.0.3.{number}", *(fact(attribute, value, at=at, capture=capture)
                                       for attribute, value, at, capture in facts))
        for number, facts in enumerate(told)
    ]  # fmt: skip
    found = links(*made)
    for link in found:
        for side in (link.one, link.other):
            assert any(one.value == link.value and one.place == side.place for one in side.endpoint.facts)
    keys = [(link.reason, link.value, link.one.endpoint.key, link.one.place, link.other.endpoint.key, link.other.place)
            for link in found]  # fmt: skip
    assert len(keys) == len(set(keys))
    shuffler.shuffle(made)
    assert {link.counter for link in links(*made)} == {link.counter for link in found}
    assert sorted(pairs(links(*made))) == sorted(pairs(found))
