"""The bundled recording against its truth file, read with dpkt alone: none of wirecover's decoder is used."""

import gzip
import hashlib
import io
import ipaddress
import json
import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dpkt
import pytest

CAPTURES = Path(__file__).parent.parent / "captures"
NAME = "harbour-xmpp-turn-h3"
ROUTER, CLIENT = CAPTURES / f"{NAME}.pcapng", CAPTURES / f"{NAME}-client1.pcap.gz"
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One IP packet as dpkt reads it; ts in nanoseconds."""

    ts: int
    source: str
    target: str
    protocol: int
    source_port: int
    target_port: int
    payload: bytes


def frames_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Nanosecond times: dpkt's readers give floats, too coarse for them, so the headers are read here."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
        assert data[:4] == b"\x4d\x3c\xb2\xa1", "a little-endian pcap with nanoseconds"
        at = 24
        while at < len(data):
            seconds, fraction, captured, original = struct.unpack_from("<IIII", data, at)
            assert captured == original
            yield seconds * SECOND + fraction, data[at + 16 : at + 16 + captured]
            at += 16 + captured
        return
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:
            high, low, captured, original = struct.unpack_from("<IIII", data, at + 12)
            assert captured == original
            yield high << 32 | low, data[at + 28 : at + 28 + captured]
        at += length


def seen_in(path: Path) -> list[Seen]:
    packets = []
    for ts, frame in frames_of(path):
        ip = dpkt.ethernet.Ethernet(frame).data
        if not isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6):
            continue
        upper = ip.data
        if isinstance(upper, dpkt.tcp.TCP | dpkt.udp.UDP):
            source, target = str(ipaddress.ip_address(ip.src)), str(ipaddress.ip_address(ip.dst))
            number = 6 if isinstance(upper, dpkt.tcp.TCP) else 17
            packets.append(Seen(ts, source, target, number, upper.sport, upper.dport, bytes(upper.data)))
    return packets


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((CAPTURES / f"{NAME}.truth.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def router() -> list[Seen]:
    return seen_in(ROUTER)


@pytest.fixture(scope="module")
def client() -> list[Seen]:
    return seen_in(CLIENT)


def addresses(truth: dict[str, Any], name: str) -> set[str]:
    row = next(row for row in truth["endpoints"] if row["name"] == name)
    return {row["ipv4"], row["ipv6"]} - {None}


def recorded(truth: dict[str, Any]) -> set[str]:
    """Addresses whose traffic passes the recorded line."""
    names = [row["name"] for row in truth["endpoints"] if row["side"] == "client"]
    return set().union(*(addresses(truth, name) for name in names))


def server_names(packets: list[Seen]) -> set[tuple[str, str, int]]:
    """(client, SNI, port) of each ClientHello that stands whole in one TCP segment."""
    found = set()
    for packet in packets:
        if packet.protocol != 6 or packet.payload[:1] != b"\x16" or packet.payload[5:6] != b"\x01":
            continue
        hello = dpkt.ssl.TLSClientHello(packet.payload[9:])
        for kind, value in hello.extensions:
            if kind == 0:
                found.add((packet.source, value[5:].decode("ascii"), packet.source_port))
    return found


def test_files_are_small_and_are_those_the_truth_names(truth: dict[str, Any]) -> None:
    assert {row["file"] for row in truth["captures"]} == {ROUTER.name, CLIENT.name}
    for row in truth["captures"]:
        data = (CAPTURES / row["file"]).read_bytes()
        assert len(data) == row["bytes"] < (3_000_000 if row["file"] == ROUTER.name else 800_000)
        assert hashlib.sha256(data).hexdigest() == row["sha256"]


def test_dpkt_reads_both_files_to_the_end(router: list[Seen], client: list[Seen]) -> None:
    with ROUTER.open("rb") as file:
        frames = [frame for _, frame in dpkt.pcapng.Reader(file)]
    assert frames == [frame for _, frame in frames_of(ROUTER)]
    assert len(router) > 1000
    unpacked = io.BytesIO(gzip.decompress(CLIENT.read_bytes()))
    assert len(list(dpkt.pcap.Reader(unpacked))) == len(list(frames_of(CLIENT)))
    assert 500 < len(client) < len(router)


def test_addresses_are_the_labs_and_no_others(truth: dict[str, Any], router: list[Seen]) -> None:
    sources = {packet.source for packet in router}
    known = set().union(*(addresses(truth, row["name"]) for row in truth["endpoints"]))
    assert {row["ipv4"] for row in truth["endpoints"] if row["side"] == "client"} <= sources
    lab = [ipaddress.ip_network(text) for text in ("10.77.0.0/16", "fd77:77::/32")]
    for source in sources - known:
        address = ipaddress.ip_address(source)
        assert any(address in network for network in lab) or address.is_link_local


def test_every_tls_handshake_of_the_truth_shows_its_server_name(
    truth: dict[str, Any], router: list[Seen]
) -> None:
    expected = {
        (row["client_ip"], row["sni"], row["client_port"])
        for row in truth["handshakes"]
        if row["carrier"] == "tcp" and row["client_ip"] in recorded(truth)
    }
    assert {sni for _, sni, _ in expected} >= {"chat.signal.org", "g.whatsapp.net", "harbour.example"}
    assert server_names(router) == expected


def test_quic_handshakes_open_with_the_version_the_client_used(
    truth: dict[str, Any], router: list[Seen]
) -> None:
    first: dict[tuple[str, int], str] = {}
    for packet in router:
        if packet.protocol == 17 and packet.target_port == 443:
            assert packet.payload, "an empty datagram"
            first.setdefault((packet.source, packet.source_port), f"0x{packet.payload[1:5].hex()}")
    quic = [row for row in truth["handshakes"] if row["carrier"] == "quic"]
    assert {row["quic_version"] for row in quic} == {"0x00000001", "0x6b3343cf"}
    assert first == {(row["client_ip"], row["client_port"]): row["quic_version"] for row in quic}


def test_tls12_servers_show_the_certificates_of_the_truth(truth: dict[str, Any], router: list[Seen]) -> None:
    """The first server flight is put together by arrival: the lab loses and reorders nothing."""
    shown: dict[tuple[str, int], bytes] = {}
    for packet in router:
        if packet.protocol == 6 and packet.payload:
            key = (packet.target, packet.target_port)
            shown[key] = shown.get(key, b"") + packet.payload
    clear = [row for row in truth["handshakes"] if row["version"] == "TLSv1.2"]
    assert len(clear) >= 3
    for row in clear:
        stream = shown[row["client_ip"], row["client_port"]]
        assert row["certificate_sha256"] in certificate_hashes(stream)


def certificate_hashes(stream: bytes) -> set[str]:
    """SHA-256 of every DER SEQUENCE that a 3-byte length announces: enough to find a given certificate."""
    hashes = set()
    for at in range(len(stream) - 5):
        if stream[at + 3 : at + 5] == b"\x30\x82":
            length = int.from_bytes(stream[at : at + 3], "big")
            if length == int.from_bytes(stream[at + 5 : at + 7], "big") + 4:
                hashes.add(hashlib.sha256(stream[at + 3 : at + 3 + length]).hexdigest())
    return hashes


def test_each_message_left_its_sender_within_a_second(truth: dict[str, Any], router: list[Seen]) -> None:
    ports = {"xmpp": {5222, 5223}, "signal": {443}, "whatsapp": {443}}
    servers = {service: addresses(truth, service) for service in ports}
    sent: dict[tuple[str, str], list[Seen]] = {}
    for packet in router:
        for service, numbers in ports.items():
            if packet.target in servers[service] and packet.target_port in numbers and packet.payload:
                sent.setdefault((packet.source, service), []).append(packet)
    passing = [row for row in truth["messages"] if addresses(truth, row["from"]) & recorded(truth)]
    assert len(passing) > 250
    for message in passing:
        candidates = [
            packet
            for address in addresses(truth, message["from"])
            for packet in sent.get((address, message["service"]), [])
        ]
        candidates.sort(key=lambda packet: packet.ts)
        at = bisect_left(candidates, message["sent_ns"], key=lambda packet: packet.ts)
        assert at < len(candidates), message["id"]
        assert candidates[at].ts - message["sent_ns"] < SECOND, message["id"]
        close = [packet for packet in candidates[at:] if packet.ts - message["sent_ns"] < SECOND]
        assert sum(len(packet.payload) for packet in close) > message["application_bytes"], message["id"]


def test_the_person_beyond_the_router_is_in_no_capture(
    truth: dict[str, Any], router: list[Seen], client: list[Seen]
) -> None:
    far = {row["name"] for row in truth["endpoints"] if row["side"] == "outside"}
    assert far == {"jule"} and not addresses(truth, "jule") & recorded(truth)
    assert not {end for packet in router + client for end in (packet.source, packet.target)} & addresses(
        truth, "jule"
    )
    assert sum(row["from"] == "jule" and row["received_ns"] is not None for row in truth["messages"]) > 20


def test_the_recording_is_long_enough_to_tell_pairs_from_chance(router: list[Seen]) -> None:
    """Shifts of 6 s, twice the tolerance of the co-timing detector, over 12 pairs at 0.05 need 24 minutes."""
    assert router[-1].ts - router[0].ts > 24 * 60 * SECOND


def test_who_writes_to_whom(truth: dict[str, Any]) -> None:
    """Three pairs that converse, one that only one side writes in, and a lone writer on each service."""
    ways: dict[tuple[str, str, str], list[int | None]] = {}
    for row in truth["messages"]:
        ways.setdefault((row["service"], row["from"], row["to"]), []).append(row["received_ns"])
    conversing = {(service, *sorted((a, b))) for service, a, b in ways if (service, b, a) in ways}
    assert conversing == {("xmpp", "ada", "ben"), ("signal", "dora", "egon"), ("signal", "ivo", "jule")}
    unread = {way for way, received in ways.items() if not any(received)}
    assert unread == {("xmpp", "cleo", "erik"), ("signal", "fay", "hana"), ("whatsapp", "ivo", "hana")}
    assert set(ways) - unread - {
        (service, *way) for service, a, b in conversing for way in ((a, b), (b, a))
    } == {("whatsapp", "cleo", "fay")}
    assert min(len(received) for received in ways.values()) >= 20
    assert all(all(received) for way, received in ways.items() if way not in unread)


def test_call_media_takes_the_path_the_truth_tells(truth: dict[str, Any], router: list[Seen]) -> None:
    assert {call["state"] for call in truth["calls"]} == {"answered", "not answered"}
    for call in truth["calls"]:
        for leg in call["legs"]:
            assert leg_media(call, leg, router) >= leg["media"]["sent"]["packets"] * 0.98
            if call["state"] == "answered":
                assert leg["media"]["sent"]["packets"] > 100


def leg_media(call: dict[str, Any], leg: dict[str, Any], router: list[Seen]) -> int:
    """RTP packets this side sent, found by the SSRC it says it used: 4 bytes deeper inside ChannelData."""
    own = leg["turn"]["client_ip"] if leg["turn"] else leg["path"]["local"][0]
    port = leg["turn"]["client_port"] if leg["turn"] else leg["path"]["local"][1]
    ssrc, skip = leg["media"]["sent"]["ssrc"].to_bytes(4, "big"), 4 if call["relayed"] else 0
    return sum(
        packet.payload[skip + 8 : skip + 12] == ssrc and packet.payload[skip] == 0x90
        for packet in router
        if packet.protocol == 17 and (packet.source, packet.source_port) == (own, port)
    )


def test_dns_questions_of_the_truth_are_asked_in_the_capture(
    truth: dict[str, Any], router: list[Seen]
) -> None:
    asked: dict[tuple[str, str, int], int] = {}
    for packet in router:
        if packet.protocol == 17 and packet.target_port == 53:
            question = dpkt.dns.DNS(packet.payload).qd[0]
            key = (packet.source, question.name.lower(), question.type)
            asked[key] = asked.get(key, 0) + 1
    kinds = {"A": 1, "AAAA": 28, "SRV": 33, "HTTPS": 65}
    logged: dict[tuple[str, str, int], int] = {}
    for row in truth["dns"]:
        key = (row["client_ip"], row["name"].lower(), kinds[row["type"]])
        logged[key] = logged.get(key, 0) + 1
    assert asked == logged


def test_client_capture_is_the_same_traffic_seen_from_one_side(
    truth: dict[str, Any], router: list[Seen], client: list[Seen]
) -> None:
    own = addresses(truth, "ada")
    there = [packet for packet in client if {packet.source, packet.target} & own]
    here = [packet for packet in router if {packet.source, packet.target} & own]
    assert sorted(packet.payload for packet in there) == sorted(packet.payload for packet in here)


def test_section_header_names_no_machine() -> None:
    """Only a comment (1) and the recording program (4); shb_hardware (2) and shb_os (3) are gone."""
    data = ROUTER.read_bytes()
    length, at, codes = struct.unpack_from("<I", data, 4)[0], 24, []
    while at < length - 4:
        code, size = struct.unpack_from("<HH", data, at)
        codes.append(code)
        at += 4 + size + (-size % 4)
    assert codes == [1, 4, 0]


def test_truth_holds_no_text_of_messages(truth: dict[str, Any]) -> None:
    for message in truth["messages"]:
        assert set(message) == {
            *("id", "service", "kind", "from", "to", "body_bytes", "application_bytes"),
            *("sent_ns", "server_ack_ns", "received_ns", "receipt_ns"),
        }


def test_the_stand_ins_are_declared(truth: dict[str, Any]) -> None:
    declared = {name for row in truth["servers"] if row["stand_in_for"] for name in row["names"]}
    assert declared == {"chat.signal.org", "g.whatsapp.net"}
    assert all(row["ipv4"].startswith("10.77.") for row in truth["servers"])
    for row in truth["handshakes"]:
        assert bool(row["stand_in_for"]) == (row["sni"] in declared)
