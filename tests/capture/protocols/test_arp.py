"""ARP (RFC 826, RFC 5227), against packets of another encoder."""

import pytest
from scapy.layers.l2 import ARP
from support.parser_outcomes import RECORD, check_outcomes

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.arp import parse_arp

MAC, OTHER = "02:00:5e:10:00:01", "02:00:5e:10:00:02"


def test_a_reply_states_its_sender() -> None:
    packet = bytes(ARP(op=2, hwsrc=MAC, psrc="192.0.2.1", hwdst=OTHER, pdst="192.0.2.2"))
    found = check_outcomes(parse_arp, packet, cut=None, longer=RECORD)
    assert found == parse_arp(packet + bytes(18))
    assert (found.operation, found.sender_mac, found.sender_ip) == (2, MAC, "192.0.2.1")
    assert found.target_ip == "192.0.2.2"


def test_a_probe_has_no_address_yet() -> None:
    found = parse_arp(bytes(ARP(op=1, hwsrc=MAC, psrc="0.0.0.0", pdst="192.0.2.2")))
    assert found is not None and found.sender_ip is None and found.sender_mac == MAC


def test_a_broadcast_address_is_no_ones() -> None:
    found = parse_arp(bytes(ARP(op=2, hwsrc="ff:ff:ff:ff:ff:ff", psrc="192.0.2.1", pdst="192.0.2.2")))
    assert found is not None and found.sender_mac is None


@pytest.mark.parametrize(("at", "value"), [(1, 32), (2, 0x86), (4, 8), (5, 16)])
def test_other_hardware_and_protocols_are_refused(at: int, value: int) -> None:
    packet = bytearray(bytes(ARP(op=2, hwsrc=MAC, psrc="192.0.2.1", hwdst=OTHER, pdst="192.0.2.2")))
    packet[at] = value
    with pytest.raises(Malformed):
        parse_arp(bytes(packet))
