"""From packets to the rows of SIP, subscribers, certificates outside TLS, cut hellos and recognised protocols."""

import struct
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from support import conversations as talk
from support import gtpc_messages as gtp
from support import quic_packets as quic
from support import tls_bytes as tls
from support.traffic import MS, START, Connection, Frame, packet, udp, write_capture

from wirecover.capture.decode import decode

Rows = list[dict[str, Any]]
DER = talk.certificate("peer.example")


class Read:
    def __init__(self, folder: Path, frames: list[Frame]) -> None:
        out = folder / "out"
        out.mkdir()
        decode(write_capture(folder / "a.pcap", frames), out)
        self._out = out

    def __getitem__(self, table: str) -> Rows:
        rows: Rows = pq.read_table(self._out / f"{table}.parquet").to_pylist()
        return rows

    def damage(self) -> set[tuple[str, str]]:
        return {(row["kind"], row["detail"]) for row in self["damage"]}


def line(sport: int, cport: int = 40001, server: str = "192.0.2.10") -> Connection:
    return Connection("10.0.0.2", server, cport, sport)


# ---- SIP -------------------------------------------------------------------------------------------------


def sip(start: str, number: int, body: str = "") -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{start}\r\nFrom: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: c1\r\n"
        f"CSeq: {number} INVITE\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


SDP = "v=0\r\nc=IN IP4 192.0.2.101\r\nm=audio 49172 RTP/AVP 0\r\n"
INVITE, OK = sip("INVITE sip:bob@example.org SIP/2.0", 1, SDP), sip("SIP/2.0 200 OK", 1, SDP)
TEXT = sip("MESSAGE sip:bob@example.org SIP/2.0", 2).replace(b"2 INVITE", b"2 MESSAGE")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_every_sip_message_of_a_flow(tmp_path: Path, transport: str) -> None:
    way = line(5060)
    turns = [(True, INVITE), (False, OK), *[(True, TEXT + b"THE TEXT")] * 10, (True, b"\r\n\r\n")]
    turns[2:12] = [(True, TEXT.replace(b"Content-Length: 0", b"Content-Length: 8") + b"THE TEXT")] * 10
    if transport == "udp":
        frames = talk.datagrams(way, *turns)
    else:
        way.open()
        for up, data in turns:
            way.say(up, data, 300)
        frames = way.frames
    found = Read(tmp_path, frames)
    rows = found["sip_messages"]
    assert [(row["method"], row["status"]) for row in rows] == [
        ("INVITE", None), ("INVITE", 200), *[("MESSAGE", None)] * 10
    ]  # fmt: skip
    assert rows[0]["from_uri"] == "sip:alice@example.org"
    assert rows[0]["source"] == "10.0.0.2:40001"
    assert rows[1]["source"] == "192.0.2.10:5060"
    assert [(row["ip"], row["port"]) for row in found["sdp_media"]] == [("192.0.2.101", 49172)] * 2
    assert found["flows"][0]["service"] == "sip"
    assert found["packets"] == []  # lengths of readable protocols are not kept
    for path in (tmp_path / "out").iterdir():
        assert b"THE TEXT" not in path.read_bytes()


# ---- subscribers -----------------------------------------------------------------------------------------


def attribute(kind: int, value: bytes) -> bytes:
    return bytes([kind, 2 + len(value)]) + value


def radius(code: int, identifier: int, *attributes: bytes) -> bytes:
    body = b"".join(attributes)
    return struct.pack(">BBH", code, identifier, 20 + len(body)) + bytes(16) + body


def accounting(status: int, *more: bytes) -> bytes:
    name = attribute(1, b"alice")
    return radius(4, status, name, attribute(40, struct.pack(">I", status)), attribute(44, b"s1"), *more)


ADDRESS = attribute(8, bytes((10, 64, 0, 7)))


def test_accounting_from_start_to_stop(tmp_path: Path) -> None:
    frames = talk.datagrams(
        line(1813),
        *[(True, accounting(1, ADDRESS))],
        *[(True, accounting(3, ADDRESS))] * 6,
        (True, accounting(2)),
    )
    rows = Read(tmp_path, frames)["subscribers"]
    with_address, without = sorted(rows, key=lambda row: row["ip"] is None)
    assert (with_address["ip"], with_address["kind"], with_address["identity"]) == (
        "10.64.0.7",
        "user-name",
        "alice",
    )
    assert (with_address["frame"], with_address["last_frame"], with_address["ended"]) == (1, 8, True)
    assert with_address["last_ts"] - with_address["first_ts"] == 7 * MS
    assert (without["frame"], without["ended"]) == (8, True)


def test_the_answer_gives_the_address_that_the_request_asked_for(tmp_path: Path) -> None:
    frames = talk.datagrams(
        line(1812), (True, radius(1, 5, attribute(1, b"alice"))), (True, radius(1, 6, attribute(1, b"bob"))),
        (False, radius(2, 5, ADDRESS)), (False, radius(3, 6)),
    )  # fmt: skip
    rows = Read(tmp_path, frames)["subscribers"]
    assert [(row["ip"], row["identity"], row["frame"]) for row in rows] == [
        (None, "bob", 2),
        ("10.64.0.7", "alice", 3),
    ]


@pytest.mark.parametrize(("ask", "answer", "version"), [
    (gtp.create_1(), gtp.created_1(), "gtpv1"), (gtp.create_2(), gtp.created_2(), "gtpv2"),
])  # fmt: skip
def test_a_mobile_session(tmp_path: Path, ask: bytes, answer: bytes, version: str) -> None:
    if version == "gtpv1":
        over = struct.pack(">BBHIHBB", 0x32, 20, 4, 0x3333, 9, 0, 0)
    else:
        over = gtp.message_2(36, 0x3333, 78)
    way = Connection("198.51.100.1", "198.51.100.2", 2123, 2123)
    if version == "gtpv1":
        way = Connection("198.51.100.1", "198.51.100.2", 2123, 2123)
        answer = answer.replace(b"\x11" + struct.pack(">I", 0x3333), b"\x11" + struct.pack(">I", 0x3333))
    rows = Read(tmp_path, talk.datagrams(way, (True, ask), (False, answer), (True, over)))["subscribers"]
    known = {(row["ip"], row["kind"]): row for row in rows}
    row = known["10.64.0.9", "imsi"]
    assert (row["identity"], row["source"], row["frame"], row["last_frame"]) == (gtp.IMSI, version, 1, 3)
    assert (row["ended"], row["gateway"]) == (True, "198.51.100.1")
    assert row["session"].split() == [
        "c:00001111",
        "u:00002222",
        "c:00003333",
        "u:00004444",
        "apn:internet.example",
    ]
    assert known["10.64.0.9", "msisdn"]["identity"] == gtp.MSISDN
    assert (("2001:db8:5::/64", "imsi") in known) == (version == "gtpv2")


def test_a_refused_session_gives_no_address(tmp_path: Path) -> None:
    way = Connection("198.51.100.1", "198.51.100.2", 2123, 2123)
    rows = Read(tmp_path, talk.datagrams(way, (True, gtp.create_2()), (False, gtp.created_2(73))))[
        "subscribers"
    ]
    assert {row["ip"] for row in rows} == {None}


# ---- certificates outside TLS ----------------------------------------------------------------------------


def ike(der: bytes, first: int = 0x11) -> bytes:
    body = struct.pack(">BBH", 0, 0, 5 + len(der)) + b"\4" + der
    return bytes([first]) * 8 + bytes(8) + struct.pack(">BBBBII", 37, 0x20, 35, 8, 1, 28 + len(body)) + body


def test_certificates_in_ike(tmp_path: Path) -> None:
    other = talk.certificate("other.example")
    for folder, port, mark in (("a", 500, b""), ("b", 4500, bytes(4))):
        (tmp_path / folder).mkdir()
        frames = talk.datagrams(
            line(port), (True, mark + ike(DER)), (False, mark + ike(other)), (True, b"\xff")
        )
        found = Read(tmp_path / folder, frames)
        (row,) = found["tls_handshakes"]
        assert (row["carrier"], len(row["certificate_sha1s"]), row["sni"]) == ("ike", 2, None)
        assert {one["subject"] for one in found["certificates"]} == {"CN=peer.example", "CN=other.example"}
        assert found["flows"][0]["service"] == "ike"
        assert [(one["service"], one["value"]) for one in found["recognitions"]] == [("ike", "IKEv2")]
        names = {(one["ip"], one["name"]) for one in found["names"]}
        assert names == {("10.0.0.2", "peer.example"), ("192.0.2.10", "other.example")}


def test_certificates_in_opc_ua(tmp_path: Path) -> None:
    head = b"HELF" + struct.pack("<I", 32) + bytes(24)
    body = (
        bytes(4) + struct.pack("<i", 4) + b"http" + struct.pack("<i", len(DER)) + DER + struct.pack("<i", -1)
    )
    way = line(4840).open().say(True, head).say(False, head.replace(b"HEL", b"ACK"))
    way.say(True, b"OPNF" + struct.pack("<I", 8 + len(body)) + body, 200)
    found = Read(tmp_path, way.frames)
    (row,) = found["tls_handshakes"]
    assert (row["carrier"], len(row["certificate_sha1s"])) == ("opcua", 1)
    assert found["flows"][0]["service"] == "opcua"


# ---- TLS -------------------------------------------------------------------------------------------------


def test_a_hello_that_is_cut_still_names_its_server(tmp_path: Path) -> None:
    whole = talk.hello(b"www.cut.example", b"h2")
    stream = tls.record(22, whole, 0x0301)
    for folder, keep in (("gap", 0), ("end", 1), ("snap", 2)):
        (tmp_path / folder).mkdir()
        way = line(443).open().say(True, stream[:-40])
        if keep == 0:
            way.up += 40
            way.say(True, talk.application(50)).say(False, talk.application(50))
        frames = way.frames
        if keep == 2:
            first = line(443).open().say(True, stream)
            frames = [one.cut(len(one.data) - 40) if len(one.data) > 200 else one for one in first.frames]
        found = Read(tmp_path / folder, frames)
        (row,) = found["tls_handshakes"]
        assert (row["sni"], row["client_complete"], row["ja3"], row["ja4"]) == (
            "www.cut.example",
            False,
            None,
            None,
        )
        assert ("odd-tcp", "cut short") in found.damage()


def test_what_the_client_offers_and_sends(tmp_path: Path) -> None:
    ech = b"\0" + struct.pack(">HHBH", 1, 3, 77, 4) + b"keys" + struct.pack(">H", 4) + b"data"
    parts = (
        tls.server_name(b"public.example")
        + tls.extension(0xFE0D, ech)
        + tls.extension(42)
        + tls.extension(35, b"t")
    )
    parts += tls.extension(41, b"\0\1x")
    for folder, port, session in (("shape", 443, b""), ("parser", 444, bytes(40))):
        (tmp_path / folder).mkdir()
        hello = tls.message(1, tls.client_hello(parts, session_id=session[:32]))
        if session:  # irregular: the kernel leaves it to the parser
            hello = tls.message(1, tls.client_hello(parts + tls.extension(35, b"t"), session_id=session[:32]))
        found = Read(tmp_path / folder, line(port).open().say(True, tls.record(22, hello, 0x0301)).frames)
        (row,) = found["tls_handshakes"]
        assert (row["sni"], row["sni_kind"], row["ech"]) == ("public.example", "asked-or-outer", "outer")
        assert (row["ech_config_id"], row["ech_kdf"], row["ech_aead"]) == (77, 1, 3)
        assert (row["psk_offered"], row["early_data"], row["ticket_offered"]) == (True, True, True)
        assert row["client_complete"] is True


def test_a_client_certificate_is_told_apart(tmp_path: Path) -> None:
    way = line(443).open().say(True, tls.record(22, talk.hello(b"a.example", tls13=False), 0x0301))
    server = (
        tls.record(22, talk.server_12())
        + tls.record(22, talk.certificates(DER))
        + tls.record(22, tls.message(14))
    )
    client = talk.certificate("client.example")
    way.say(False, server).say(True, tls.record(22, talk.certificates(client)) + tls.record(20, b"\1"))
    (row,) = Read(tmp_path, way.frames)["tls_handshakes"]
    assert len(row["certificate_sha256s"]) == 1
    assert len(row["client_certificate_sha256s"]) == 1
    assert row["certificate_sha256s"] != row["client_certificate_sha256s"]
    assert row["sni_kind"] == "asked"


def test_a_certificate_over_many_records(tmp_path: Path) -> None:
    message = talk.server_12() + talk.certificates(talk.certificate("many.example", 60)) + tls.message(14)
    records = b"".join(tls.record(22, message[at : at + 100]) for at in range(0, len(message), 100))
    way = line(443).open().say(True, tls.record(22, talk.hello(b"many.example", tls13=False), 0x0301))
    (row,) = Read(tmp_path, way.say(False, records, 333).frames)["tls_handshakes"]
    assert len(row["certificate_sha1s"]) == 1


def test_ssl_2_on_both_sides(tmp_path: Path) -> None:
    ask = struct.pack(">BHHHH", 1, 2, 3, 0, 16) + b"\1\0\x80" + bytes(16)
    reply = struct.pack(">BBBHHHH", 4, 0, 1, 2, len(DER), 3, 16) + DER + b"\1\0\x80" + bytes(16)
    way = line(443).open().say(True, struct.pack(">H", 0x8000 | len(ask)) + ask)
    way.say(False, struct.pack(">H", 0x8000 | len(reply)) + reply, 150)
    (row,) = Read(tmp_path, way.frames)["tls_handshakes"]
    assert (row["version"], row["cipher"], row["ja3s"], row["resumed"]) == ("SSL 2.0", None, None, False)
    assert len(row["certificate_sha1s"]) == 1


def test_tlcp(tmp_path: Path) -> None:
    ask = tls.message(1, tls.client_hello(None, ciphers=(0xE013,), version=0x0101))
    reply = tls.message(2, tls.server_hello(None, cipher=0xE013, version=0x0101))
    way = line(443).open().say(True, tls.record(22, ask, 0x0101))
    flight = tls.record(22, reply, 0x0101) + tls.record(22, talk.certificates(DER, DER), 0x0101)
    found = Read(tmp_path, way.say(False, flight).say(True, tls.record(23, bytes(70), 0x0101)).frames)
    (row,) = found["tls_handshakes"]
    assert (row["version"], row["cipher"], len(row["certificate_sha1s"])) == (
        "TLCP 1.1",
        "ECC_SM4_CBC_SM3",
        2,
    )
    assert found["packets"][-1]["record_bytes"] == [70]


def test_a_syn_that_comes_late_begins_no_other_flow(tmp_path: Path) -> None:
    way = line(80).open().say(True, b"GET / HTTP/1.0\r\n\r\n").say(False, b"HTTP/1.0 200 OK\r\n\r\n").close()
    syn, *rest = way.frames
    late = [*rest, Frame(syn.data, rest[-1].ts + MS)]
    assert len(Read(tmp_path, late)["flows"]) == 1


def test_dns_that_the_recorder_cut(tmp_path: Path) -> None:
    way = line(53, server="192.0.2.53")
    frames = talk.datagrams(
        way,
        (True, talk.dns_query(7, "chat.example")),
        (False, talk.dns_answer(7, "chat.example", "cdn.example", b"\xc0\0\2\7")),
    )
    found = Read(tmp_path, [one.cut(len(one.data) - 3) for one in frames])
    asked = [(one["query_name"], one["is_response"], one["answers"]) for one in found["dns_messages"]]
    assert asked == [("chat.example", True, 1)]  # of the question's own type and class too little is left
    assert [(one["type"], one["data"]) for one in found["dns_answers"]] == [("CNAME", "cdn.example")]
    assert ("malformed-dns", "message is cut") in found.damage()


def test_dns_that_was_sent_short_is_not_read(tmp_path: Path) -> None:
    answer = talk.dns_answer(7, "chat.example", "cdn.example", b"\xc0\0\2\7")[:-3]
    found = Read(tmp_path, talk.datagrams(line(53, server="192.0.2.53"), (False, answer)))
    assert not found["dns_messages"] and not found["dns_answers"]
    assert found.damage() == {("malformed-dns", "message is cut")}


@pytest.mark.parametrize("snaplen", [38, 40, 47])
def test_of_packets_cut_behind_their_ports_flows_are_counted(tmp_path: Path, snaplen: int) -> None:
    way = line(80).open().say(True, b"GET / HTTP/1.0\r\n\r\n").say(False, b"HTTP/1.0 200 OK\r\n\r\n").close()
    asked = talk.datagrams(line(9999), (True, bytes(40)), (False, bytes(40)))
    frames = [one.cut(snaplen) for one in (*way.frames, *asked)]
    found = Read(tmp_path, frames)
    sent = len(way.frames)
    rows = [
        (one["transport"], one["server_port"], one["packets_up"] + one["packets_down"])
        for one in found["flows"]
    ]
    assert rows == [("tcp", 80, sent), ("udp", 9999, 2)]
    assert found["flows"][0]["payload_up"] == 0 and not found["flows"][0]["syn_seen"]
    assert found["captures"][0]["malformed_packets"] == 0
    cut = sent + (2 if snaplen < 42 else 0)
    (told,) = (one for one in found["damage"] if one["kind"] == "packets-not-read")
    assert (told["count"], told["detail"]) == (cut, "the recorder cut the transport header behind its ports")


def test_a_short_header_that_the_recorder_did_not_cut_is_malformed(tmp_path: Path) -> None:
    short = Frame(packet("10.0.0.2", "192.0.2.10", 6, b"\x9c\x41\0\x50\0\0"))
    found = Read(tmp_path, [short, Frame(packet("10.0.0.2", "192.0.2.10", 6, bytes(20))).cut(37)])
    assert not found["flows"]
    assert found["captures"][0]["malformed_packets"] == 2


# ---- relays, proxies, tunnels ----------------------------------------------------------------------------


def channel(data: bytes) -> bytes:
    return b"\x40\x01" + tls.vector(data)


def dtls_hello(name: bytes) -> bytes:
    body = tls.client_hello(tls.server_name(name), ciphers=(0xC02B,), version=0xFEFD, cookie=b"")
    return talk.dtls_record(22, 0, talk.dtls_message(1, 0, body))


def binding(number: int) -> bytes:
    return struct.pack("!HHI", 1, 0, 0x2112A442) + bytes(11) + bytes([number])


def test_dtls_in_a_turn_channel(tmp_path: Path) -> None:
    chatter = [(True, binding(number)) for number in range(6)] + [(True, channel(b"\x80" + bytes(30)))] * 6
    found = Read(tmp_path, talk.datagrams(line(3478), *chatter, (True, channel(dtls_hello(b"call.example")))))
    (row,) = found["tls_handshakes"]
    assert (row["carrier"], row["sni"]) == ("dtls", "call.example")
    assert found["flows"][0]["service"] == "stun"


def test_three_bytes_of_another_protocol_are_no_socks(tmp_path: Path) -> None:
    """RFC 9174: SESS_TERM is 05 01 00, as is a greeting of SOCKS 5."""
    way = line(4556).open().say(True, b"dtn!\4\0").say(False, b"dtn!\4\0").say(True, b"\7" + bytes(24))
    found = Read(tmp_path, way.say(True, b"\5\1\0").say(False, b"\5\1\0").frames)
    assert [(one["service"], one["app"]) for one in found["flows"]] == [(None, None)]


def indication(kind: int, data: bytes) -> bytes:
    """A Send (0x16) or Data (0x17) indication with the peer's address before the data."""
    peer = b"\x00\x12\x00\x08\x00\x01\x21\x10\x2b\x12\xa4\x43"
    body = peer + struct.pack("!HH", 0x13, len(data)) + data + bytes(-len(data) % 4)
    return struct.pack("!HHI", kind, len(body), 0x2112A442) + bytes(range(12)) + body


@pytest.mark.parametrize("kind", [0x16, 0x17])
def test_dtls_in_turn_indications(tmp_path: Path, kind: int) -> None:
    chatter = [(True, binding(number)) for number in range(6)]
    hello = indication(kind, dtls_hello(b"call.example"))
    media = [(True, indication(kind, b"\x80" + bytes(30)))] * 3
    found = Read(tmp_path, talk.datagrams(line(3478), *chatter, (True, hello), *media))
    (row,) = found["tls_handshakes"]
    assert (row["carrier"], row["sni"], row["client_frame"]) == ("dtls", "call.example", 7)
    assert found["flows"][0]["service"] == "stun"
    assert [one["frame"] for one in found["stun_messages"]] == list(range(1, 11))


def test_a_turn_request_with_data_is_no_indication(tmp_path: Path) -> None:
    found = Read(tmp_path, talk.datagrams(line(3478), (True, indication(0x03, dtls_hello(b"call.example")))))
    assert not found["tls_handshakes"]
    assert len(found["stun_messages"]) == 1


def test_dtls_in_turn_indications_over_tcp(tmp_path: Path) -> None:
    way = line(3478).open().say(True, binding(1)).say(True, indication(0x16, dtls_hello(b"tcp.example")))
    (row,) = Read(tmp_path, way.frames)["tls_handshakes"]
    assert (row["carrier"], row["sni"]) == ("dtls", "tcp.example")


def test_dtls_and_media_behind_lengths(tmp_path: Path) -> None:
    media = [struct.pack(">BBHII", 0x80, 96, 7 + n, 160 * n, 0xABCDEF01) + bytes(40) for n in range(3)]
    way = line(3478).open()
    for one in (binding(1), dtls_hello(b"tcp.example"), *media):
        way.say(True, tls.vector(one))
    found = Read(tmp_path, way.frames)
    (row,) = found["tls_handshakes"]
    assert row["sni"] == "tcp.example"
    assert [(one["service"], one["value"]) for one in found["recognitions"]] == [("rtp", "ssrc 0xabcdef01")]


@pytest.mark.parametrize("port", [1080, 9999])
def test_what_a_proxy_was_asked_for(tmp_path: Path, port: int) -> None:
    way = line(port).open().say(True, b"\5\1\0").say(False, b"\5\0")
    way.say(True, b"\5\1\0\3\x0bexample.org\1\xbb").say(False, b"\5\0\0\1" + bytes(6))
    way.say(True, tls.record(22, talk.hello(b"example.org", b"h2"), 0x0301))
    found = Read(tmp_path, way.frames)
    assert found["flows"][0]["service"] == "socks"
    assert [(one["service"], one["value"], one["frame"]) for one in found["recognitions"]] == [
        ("socks", "example.org:443", 6)
    ]  # fmt: skip
    assert found["tls_handshakes"][0]["sni"] == "example.org"


def test_connect_and_wireguard(tmp_path: Path) -> None:
    way = line(8080).open().say(True, b"CONNECT chat.example:443 HTTP/1.1\r\n\r\n")
    noise = bytes((i * 37 + 11) % 256 for i in range(256))
    wire = line(51820, 40009)
    wire.ts = way.ts
    frames = way.frames + talk.datagrams(
        wire, (True, b"\1\0\0\0abcd" + noise[:140]), (False, b"\2\0\0\0wxyzabcd" + noise[:80])
    )
    found = Read(tmp_path, frames)
    assert [(one["service"], one["value"]) for one in found["recognitions"]] == [
        ("http-connect", "chat.example:443"), ("wireguard", None)
    ]  # fmt: skip
    assert [one["service"] for one in found["flows"]] == ["http-connect", "wireguard"]


def test_one_side_alone_counts_only_if_nothing_answers(tmp_path: Path) -> None:
    ask, reply = b"\x38" + bytes(range(1, 9)) + bytes(5), b"\x40" + bytes(range(11, 19)) + b"\1\0\0\0\0"
    reply += ask[1:9] + bytes(4)
    for folder, turns, frame in (
        ("alone", [(True, ask)] * 3, 1),
        ("answered", [(True, ask), (False, reply)], 2),
    ):
        (tmp_path / folder).mkdir()
        found = Read(tmp_path / folder, talk.datagrams(line(1194), *turns))
        (row,) = found["recognitions"]
        assert ("not answered" in row["reason"]) == (folder == "alone")
        assert (row["frame"], found["flows"][0]["service"]) == (frame, "openvpn")


# ---- QUIC ------------------------------------------------------------------------------------------------


def test_what_a_quic_connection_shows(tmp_path: Path) -> None:
    parameters = b"\x01\x04\x80\x00\x75\x30" + b"\x0f\x00" + b"\x71\x29\x06Chrome"
    hello = tls.client_hello(
        tls.server_name(b"q.example") + tls.extension(57, parameters) + tls.supported_versions(0x0304)
    )
    way = line(443)
    up = quic.initial(quic.crypto(0, tls.message(1, hello)), pad_to=1200)
    down = quic.initial(
        quic.crypto(0, talk.server_13()), side="server", dcid=b"", scid=b"\7" * 8, pad_to=1200
    )
    for folder, turns in (("whole", ((True, up), (False, down))), ("asked", ((True, up),))):
        (tmp_path / folder).mkdir()
        (row,) = Read(tmp_path / folder, talk.datagrams(way, *turns))["quic_handshakes"]
        assert (row["version"], row["user_agent"], row["idle_timeout_ms"]) == ("v1", "Chrome", 30000)
        assert row["transport_parameters"] == ["0x1=30000", "0xf:0", "0x3129:6"]
        assert len(row["original_dcid"]) >= 16
        assert row["server_scid"] == ("07" * 8 if folder == "whole" else None)


def test_after_version_negotiation_the_new_hello_counts(tmp_path: Path) -> None:
    first, second = (
        tls.message(1, tls.client_hello(tls.server_name(name))) for name in (b"a.example", b"b.example")
    )
    asked = quic.initial(quic.crypto(0, first), scid=b"client12", version=0xFF00001D, pad_to=1200)
    listed = quic.negotiation((quic.V1,), dcid=b"client12", scid=quic.DCID)
    again = quic.initial(quic.crypto(0, second), scid=b"client12", pad_to=1200)
    found = Read(tmp_path, talk.datagrams(line(443), (True, asked), (False, listed), (True, again)))
    (row,) = found["tls_handshakes"]
    assert (row["sni"], row["client_frame"], row["quic_version"]) == ("b.example", 3, "v1")
    (more,) = found["quic_handshakes"]
    assert (more["server_versions"], more["version"], more["client_scid"]) == (
        ["v1"],
        "v1",
        b"client12".hex(),
    )


def test_nothing_is_written_twice_or_left_open(tmp_path: Path) -> None:
    frames = [Frame(packet("10.0.0.2", "192.0.2.9", 17, udp(5060, 5060, b"SIP/2.0 2")), START)]
    found = Read(tmp_path, frames)
    assert found["sip_messages"] == []
    assert len(found["flows"]) == 1
