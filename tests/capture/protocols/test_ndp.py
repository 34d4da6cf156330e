"""Neighbour discovery (RFC 4861), against messages of another encoder."""

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptSrcLLAddr,
)
from support.parser_outcomes import ANY, Malformed, check_outcomes

from wirecover.capture.protocols.ndp import parse_neighbour

MAC = "02:00:5e:10:00:01"
TARGET = "2001:db8::5"


def test_an_advertisement_states_its_target() -> None:
    message = bytes(ICMPv6ND_NA(tgt=TARGET, R=1) / ICMPv6NDOptDstLLAddr(lladdr=MAC))
    found = check_outcomes(parse_neighbour, message, cut=ANY, longer=None)
    assert (found.type, found.target, found.target_mac, found.source_mac) == (136, TARGET, MAC, None)
    assert found.from_router
    bare = parse_neighbour(message[:24])
    assert bare is not None and bare.target_mac is None


def test_a_solicitation_states_its_sender() -> None:
    message = bytes(ICMPv6ND_NS(tgt=TARGET) / ICMPv6NDOptSrcLLAddr(lladdr=MAC))
    found = parse_neighbour(message)
    assert found is not None
    assert (found.type, found.target, found.source_mac, found.from_router) == (135, TARGET, MAC, False)


def test_routers() -> None:
    asked = parse_neighbour(bytes(ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=MAC)))
    told = parse_neighbour(bytes(ICMPv6ND_RA() / ICMPv6NDOptMTU() / ICMPv6NDOptSrcLLAddr(lladdr=MAC)))
    assert asked is not None and (asked.source_mac, asked.from_router, asked.target) == (MAC, False, None)
    assert told is not None and (told.source_mac, told.from_router, told.target) == (MAC, True, None)


@pytest.mark.parametrize(
    "message", [b"\x80\0" + bytes(30), b"\x88\1" + bytes(30), b"\x88\0" + bytes(22) + b"\2\0" + bytes(6)]
)
def test_what_is_refused(message: bytes) -> None:
    with pytest.raises(Malformed):
        parse_neighbour(message)


def test_options_are_bounded() -> None:
    with pytest.raises(Malformed, match="too many options"):
        parse_neighbour(bytes(ICMPv6ND_NS(tgt=TARGET)) + b"\x0e\x01\0\0\0\0\0\0" * 65)
