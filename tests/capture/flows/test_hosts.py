"""The book of hosts: whose a fact is, when it was told, and what happens when there are too many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Reply,
    DHCP6_Solicit,
    DHCP6OptClientFQDN,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptServerId,
)
from scapy.layers.dns import DNS, DNSRR
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP
from support.traffic import Frame, batch_of, ethernet

from wirecover.capture.flows import hosts
from wirecover.capture.flows.hosts import DATAGRAM_SERVICES, STREAM_SERVICES, HostBook, NamedAddress, Row
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.protocols.dns import parse_dns
from wirecover.capture.tables import HOSTS

MAC = "02:00:5e:10:00:01"
RAW_MAC = bytes.fromhex(MAC.replace(":", ""))
SECOND = 10**9
SSDP = b"M-SEARCH * HTTP/1.1\r\nUSER-AGENT: Player/1\r\n\r\n"


class Notes:
    """A book with what it wrote early and what it complained of."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.early: list[Row] = []
        self.book = HostBook(self.ledger, self.early.append)

    def facts(self) -> set[tuple[str | None, str | None, str, str, str]]:
        return {row[:5] for row in self.book.rows()}

    def complaints(self) -> list[tuple[str, str, int]]:
        return [(kind, detail, count) for kind, _, _, count, detail in self.ledger.rows()]


def dhcp(kind: int, *options: object, xid: int = 1, **header: object) -> bytes:
    layers = BOOTP(chaddr=RAW_MAC, xid=xid, **header) / DHCP(
        options=[("message-type", kind), *options, "end"]
    )
    return bytes(layers)


DISCOVER = dhcp(1, ("hostname", b"Annas-iPhone"))
REQUEST = dhcp(3, ("hostname", b"Annas-iPhone"), ("requested_addr", "192.0.2.7"), xid=2)
ACK = dhcp(5, ("server_id", "192.0.2.1"), op=2, yiaddr="192.0.2.7", xid=2)


def lease(notes: Notes, *, answer_after: int = SECOND) -> tuple[NamedAddress, ...]:
    book = notes.book
    assert book.take_datagram("dhcp", "0.0.0.0", "255.255.255.255", DISCOVER, 1, 100) == ()
    assert book.take_datagram("dhcp", "0.0.0.0", "255.255.255.255", REQUEST, 3, 200) == ()
    return book.take_datagram("dhcp", "192.0.2.1", "255.255.255.255", ACK, 4, 200 + answer_after)


def test_what_a_dhcp_client_said_belongs_to_the_address_it_got() -> None:
    notes = Notes()
    assert lease(notes) == (NamedAddress("192.0.2.7", "Annas-iPhone", "dhcp"),)
    rows = list(notes.book.rows())
    assert rows == [
        ("192.0.2.1", None, "role", "dhcp-server", "dhcp", 4, 200 + SECOND, 200 + SECOND),
        ("192.0.2.7", MAC, "dhcp-lease", "192.0.2.1", "dhcp", 4, 200 + SECOND, 200 + SECOND),
        ("192.0.2.7", MAC, "dhcp-requested-ip", "192.0.2.7", "dhcp", 3, 200, 200),
        ("192.0.2.7", MAC, "hostname", "Annas-iPhone", "dhcp", 1, 100, 200),
        ("192.0.2.7", MAC, "mac", MAC, "dhcp", 4, 200 + SECOND, 200 + SECOND),
    ]
    assert len(rows[0]) == len(HOSTS)


def test_without_an_answer_in_time_the_address_is_not_known() -> None:
    notes = Notes()
    assert lease(notes, answer_after=100 * SECOND) == ()
    assert (None, MAC, "hostname", "Annas-iPhone", "dhcp") in notes.facts()
    assert ("192.0.2.7", MAC, "mac", MAC, "dhcp") in notes.facts()
    alone = Notes()
    alone.book.take_datagram("dhcp", "0.0.0.0", "255.255.255.255", DISCOVER, 1, 100)
    assert alone.facts() == {(None, MAC, "hostname", "Annas-iPhone", "dhcp")}


def test_a_client_that_has_an_address_keeps_it() -> None:
    notes = Notes()
    notes.book.take_datagram(
        "dhcp", "192.0.2.7", "192.0.2.1", dhcp(8, ("hostname", b"x"), ciaddr="192.0.2.7"), 1, 1
    )
    assert notes.facts() == {("192.0.2.7", MAC, "hostname", "x", "dhcp")}


def test_behind_a_relay_the_sender_is_not_the_client() -> None:
    notes = Notes()
    notes.book.take_datagram(
        "dhcp", "192.0.2.254", "192.0.2.1", dhcp(1, ("hostname", b"x"), giaddr="192.0.2.254"), 1, 1
    )
    assert notes.facts() == {(None, MAC, "hostname", "x", "dhcp")}


def test_dhcp_of_ipv6() -> None:
    notes = Notes()
    client = DHCP6OptClientId(duid=DUID_LL(lladdr=MAC))
    asked = DHCP6_Solicit(trid=1) / client / DHCP6OptClientFQDN(fqdn="anna.example.org.")
    given = DHCP6OptIA_NA(iaid=1, ianaopts=[DHCP6OptIAAddress(addr="2001:db8::7", validlft=99)])
    reply = DHCP6_Reply(trid=2) / client / DHCP6OptServerId(duid=DUID_LL(lladdr="02:00:5e:10:00:99")) / given
    book = notes.book
    book.take_datagram("dhcpv6", "fe80::7", "ff02::1:2", bytes(asked), 1, 1)
    names = book.take_datagram("dhcpv6", "fe80::1", "fe80::7", bytes(reply), 2, 2)
    assert names == (
        NamedAddress("2001:db8::7", "anna.example.org", "dhcp"), NamedAddress("fe80::7", "anna.example.org", "dhcp"),
    )  # fmt: skip
    facts = notes.facts()
    for ip in ("2001:db8::7", "fe80::7"):
        assert (ip, None, "duid-mac", MAC, "dhcpv6") in facts
        assert (ip, None, "fqdn", "anna.example.org", "dhcpv6") in facts
    assert ("fe80::1", None, "role", "dhcpv6-server", "dhcpv6") in facts
    assert not any(attribute == "mac" for _, _, attribute, _, _ in facts)


def test_names_of_mdns_and_llmnr() -> None:
    data = bytes(DNS(qr=1, aa=1, qd=[], an=[DNSRR(rrname="anna.local", type="A", rdata="192.0.2.7")]))
    message = parse_dns(data)
    assert message is not None
    for service in ("mdns", "llmnr"):
        notes = Notes()
        whole = notes.book.take_datagram(service, "192.0.2.9", "224.0.0.251", data, 1, 1)
        parsed = notes.book.take_message(service, "192.0.2.9", message, data, 2, 5)
        assert whole == parsed == (NamedAddress("192.0.2.7", "anna.local", service),)
        assert list(notes.book.rows()) == [("192.0.2.7", None, "hostname", "anna.local", service, 1, 1, 5)]


def test_a_repeated_datagram_is_read_once_and_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[bytes] = []
    read = hosts._READ["ssdp"]
    monkeypatch.setitem(hosts._READ, "ssdp", lambda data: reads.append(data) or read(data))
    notes = Notes()
    for frame in range(1, 4):
        notes.book.take_datagram("ssdp", "192.0.2.7", "239.255.255.250", SSDP, frame, frame * 10)
    assert len(reads) == 1
    assert list(notes.book.rows()) == [("192.0.2.7", None, "user-agent", "Player/1", "ssdp", 1, 10, 30)]
    monkeypatch.setattr(hosts, "MAX_MEMO", 3)
    for i in range(9):
        notes.book.take_datagram("ssdp", f"192.0.2.{i}", "239.255.255.250", SSDP, i, i)
        assert len(notes.book._memo) <= 3


def test_heads_of_http() -> None:
    notes = Notes()
    request = b"GET /secret HTTP/1.1\r\nHost: example.org\r\nUser-Agent: curl/8\r\nCookie: sec"
    notes.book.take_stream_head("http", "192.0.2.7", request, 1, 1, "192.0.2.80")
    notes.book.take_stream_head("http", "192.0.2.80", b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nsecret", 2, 2)
    notes.book.take_stream_head("http", "192.0.2.80", b"HTTP/1.1 2", 3, 3)
    notes.book.take_stream_head("http-connect", "192.0.2.7", b"nothing of the kind\r\n\r\n", 4, 4)
    assert notes.facts() == {
        ("192.0.2.7", None, "user-agent", "curl/8", "http"),
        ("192.0.2.80", None, "http-host", "example.org", "http"),
        ("192.0.2.80", None, "server", "nginx", "http"),
    }
    assert notes.complaints() == [("malformed-http-connect", "start line is not one of HTTP/1.x", 1)]


def test_hardware_addresses_come_from_their_owners() -> None:
    notes = Notes()
    arp = ethernet(bytes(ARP(op=2, hwsrc=MAC, psrc="192.0.2.7", pdst="192.0.2.1")), 0x0806)
    probe = ethernet(bytes(ARP(op=1, hwsrc=MAC, psrc="0.0.0.0", pdst="192.0.2.8")), 0x0806)
    base = IPv6(src="fe80::1", dst="ff02::1", hlim=255)
    advert = ethernet(
        bytes(base / ICMPv6ND_NA(tgt="fe80::7", R=1) / ICMPv6NDOptDstLLAddr(lladdr=MAC)), 0x86DD
    )
    solicit = ethernet(bytes(base / ICMPv6ND_NS(tgt="fe80::7") / ICMPv6NDOptSrcLLAddr(lladdr=MAC)), 0x86DD)
    forged = ethernet(
        bytes(
            IPv6(src="fe80::bad", dst="ff02::1", hlim=64) / ICMPv6ND_NS() / ICMPv6NDOptSrcLLAddr(lladdr=MAC)
        ),
        0x86DD,
    )
    frames = [
        Frame(data, 10 * i)
        for i, data in enumerate([arp, probe, advert, solicit, forged, arp, arp, arp[:30]], 1)
    ]
    batch, links = batch_of(frames, slack=64), np.array([1], np.int32)
    notes.book.take_batch(batch, decode_batch(batch, links), links)
    assert list(notes.book.rows()) == [
        ("192.0.2.7", MAC, "mac", MAC, "arp", 1, 10, 70),
        ("fe80::1", MAC, "mac", MAC, "ndp", 4, 40, 40),
        ("fe80::7", MAC, "mac", MAC, "ndp", 3, 30, 30),
        ("fe80::7", MAC, "role", "ipv6-router", "ndp", 3, 30, 30),
    ]
    assert notes.complaints() == [("malformed-arp", "packet is cut", 1)]


def test_the_earliest_frame_counts_whatever_the_order() -> None:
    notes = Notes()
    for frame, ts in ((5, 50), (6, 20), (7, 90), (8, 20)):
        notes.book.note_mac("192.0.2.7", MAC, "arp", frame, ts)
    notes.book.note_mac("0.0.0.0", MAC, "arp", 9, 9)
    notes.book.note_mac("192.0.2.7", None, "arp", 9, 9)
    assert list(notes.book.rows()) == [("192.0.2.7", MAC, "mac", MAC, "arp", 6, 20, 90)]


def test_too_many_facts_are_written_early_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "MAX_FACTS", 10)
    notes = Notes()
    for i in range(25):
        notes.book.note_mac(f"192.0.2.{i}", MAC, "arp", i, i)
        notes.book.note_mac("192.0.2.0", MAC, "arp", i, i)  # told all the time: stays
    rows = [*notes.early, *notes.book.rows()]
    assert notes.book.spilled == len(notes.early) == 15
    assert len({row[0] for row in rows}) == len(rows) == 25
    assert ("192.0.2.0", MAC, "mac", MAC, "arp", 0, 0, 24) in notes.book.rows()


@pytest.mark.parametrize("service", sorted(DATAGRAM_SERVICES))
def test_damage_is_counted(service: str) -> None:
    good = {"dhcp": ACK, "dhcpv6": bytes(DHCP6_Solicit()), "ssdp": SSDP, "nbdgm": b"\x11" + bytes(20)}
    notes = Notes()
    data = good.get(service, bytes(12))[:-1]
    assert notes.book.take_datagram(service, "192.0.2.7", "192.0.2.255", data, 7, 7) == ()
    assert sum(count for kind, _, count in notes.complaints() if kind == "malformed-" + service) == 1


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    service=st.sampled_from(sorted(DATAGRAM_SERVICES)),
    start=st.sampled_from(
        [b"", DISCOVER[:240], b"\x01\0\0\1\0\1\0\x0a\0\3\0\1\2\0^\x10\0\1", SSDP[:30], bytes(12)]
    ),
    rest=st.binary(max_size=300),
)
def test_nothing_a_host_sends_breaks_the_book(service: str, start: bytes, rest: bytes) -> None:
    notes = Notes()
    for frame in (1, 2):
        notes.book.take_datagram(service, "192.0.2.7", "192.0.2.255", start + rest, frame, frame)
    for stream in sorted(STREAM_SERVICES):
        notes.book.take_stream_head(stream, "192.0.2.7", start + rest, 3, 3)
    for link in (1, 101, 113, 276):
        for kind in (0x0806, 0x86DD):
            notes.book.take_frame(link, ethernet(start + rest, kind), 4, 4)
    rows = list(notes.book.rows())
    assert rows == list(notes.book.rows())
    assert all(row[3] and row[3].isprintable() and len(row[3]) < 3000 for row in rows)
