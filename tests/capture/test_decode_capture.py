"""decode(): a capture in, tables out. Crafted conversations, scope, damage, determinism, hostile input."""

import hashlib
import json
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import captures as files
from support import conversations as talk
from support import tls_bytes as tls
from support.traffic import ACK, MS, SECOND, START, Connection, Frame, packet, tcp, write_capture

from wirecover.capture import decode as decode_module
from wirecover.capture.decode import decode
from wirecover.capture.errors import CaptureError
from wirecover.capture.files.reader import CaptureReader
from wirecover.capture.flows.handshake import ClientFacts
from wirecover.capture.manifest import Manifest
from wirecover.capture.protocols.tls import parse_client_hello
from wirecover.capture.scope import EVERYTHING, Scope
from wirecover.capture.tables import TABLES

CAPTURES = Path(__file__).parent.parent / "captures"
Rows = list[dict[str, Any]]

PROGRAM = """
import sys
from pathlib import Path
from wirecover.capture.decode import decode
print(decode(Path(sys.argv[1]), Path(sys.argv[2])).tables["packets"])
"""


class Decoded:
    def __init__(self, capture: Path, folder: Path, scope: Scope = EVERYTHING) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.manifest = decode(capture, folder, scope)

    def __getitem__(self, table: str) -> Rows:
        rows: Rows = pq.read_table(self.folder / f"{table}.parquet").to_pylist()
        return rows

    @property
    def capture(self) -> dict[str, Any]:
        return self["captures"][0]

    def damage(self) -> dict[tuple[str, str], int]:
        return {(row["kind"], row["detail"]): row["count"] for row in self["damage"]}


@pytest.fixture
def decoded(tmp_path: Path) -> Callable[..., Decoded]:
    def run(frames: Sequence[Frame], scope: Scope = EVERYTHING, link: int = 1) -> Decoded:
        capture = write_capture(tmp_path / "capture.pcap", frames, link)
        return Decoded(capture, tmp_path / f"out{len(list(tmp_path.iterdir()))}", scope)

    return run


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Decoded:
    folder = tmp_path_factory.mktemp("everything")
    return Decoded(write_capture(folder / "all.pcap", talk.everything()), folder / "out")


def flow_to(found: Decoded, server: str) -> dict[str, Any]:
    (flow,) = [flow for flow in found["flows"] if flow["server_ip"] == server]
    return flow


def of_flow(rows: Rows, flow: dict[str, Any]) -> Rows:
    return [row for row in rows if row["flow_no"] == flow["flow_no"]]


# --- what is in the tables ---------------------------------------------------------------------------


def test_every_table_has_its_schema(everything: Decoded) -> None:
    for name, schema in TABLES.items():
        assert pq.read_schema(everything.folder / f"{name}.parquet").equals(schema, check_metadata=False), (
            name
        )
    assert {path.name for path in everything.folder.iterdir()} == {"manifest.json"} | {
        f"{name}.parquet" for name in TABLES
    }


def test_the_manifest_says_what_is_there(everything: Decoded) -> None:
    manifest = everything.manifest
    exhibit = everything.folder.parent / "all.pcap"
    assert (manifest.name, manifest.bytes, manifest.complete) == ("all.pcap", exhibit.stat().st_size, True)
    assert manifest.sha256 == hashlib.sha256(exhibit.read_bytes()).hexdigest()
    for name, digest in manifest.files.items():
        assert hashlib.sha256((everything.folder / name).read_bytes()).hexdigest() == digest
    assert manifest.files.keys() == {f"{name}.parquet" for name in TABLES}
    assert manifest.tables == {name: len(everything[name]) for name in TABLES}
    assert Manifest.read(everything.folder) == manifest
    assert (
        json.loads((everything.folder / "manifest.json").read_text(encoding="utf-8"))["sha256"]
        == manifest.sha256
    )


def test_the_capture_row(everything: Decoded) -> None:
    row, frames = everything.capture, talk.everything()
    assert (row["packets"], row["first_ts"], row["last_ts"]) == (len(frames), frames[0].ts, frames[-1].ts)
    for name in (
        "truncated",
        "malformed",
        "duplicate",
        "out_of_order",
        "out_of_scope",
        "undecoded",
        "fragment",
    ):
        assert row[f"{name}_packets"] == 0, name
    assert (row["format"], row["compression"], row["complete"], everything["damage"]) == (
        "pcap",
        None,
        True,
        [],
    )
    assert [(one["link_name"], one["packets"]) for one in everything["interfaces"]] == [
        ("EN10MB", len(frames))
    ]


def test_a_flow_of_every_service(everything: Decoded) -> None:
    services = [
        (flow["flow_no"], flow["server_ip"], flow["server_port"], flow["service"])
        for flow in everything["flows"]
    ]
    assert sorted(services) == [
        (0, "10.0.0.1", 53, "dns"), (1, "192.0.2.10", 443, "tls"), (2, "192.0.2.20", 443, "tls"),
        (3, "198.51.100.4", 3478, "stun"), (4, "192.0.2.30", 443, "quic"), (5, "198.51.100.7", 45000, "dtls"),
    ]  # fmt: skip
    assert {flow["client_ip"] for flow in everything["flows"]} == {talk.CLIENT}
    assert flow_to(everything, "192.0.2.30")["client_by"] == "hello"


def test_a_tls_12_handshake_over_several_segments(everything: Decoded) -> None:
    flow = flow_to(everything, "192.0.2.10")
    (row,) = of_flow(everything["tls_handshakes"], flow)
    assert (row["carrier"], row["sni"], row["alpn_offered"], row["alpn_selected"]) == (
        "tcp",
        "www.twelve.example",
        ["h2"],
        "h2",
    )
    assert (row["version"], row["cipher"]) == ("TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
    assert (row["client_frame"], row["server_frame"]) == (6, 7)  # two of DNS, three to open
    assert (row["client_ts"], row["server_ts"]) == (talk.everything()[5].ts, talk.everything()[6].ts)
    ders = [talk.certificate("www.twelve.example", 40), talk.certificate("ca.example")]
    assert row["certificate_sha256s"] == [hashlib.sha256(der).hexdigest() for der in ders]
    assert row["certificate_sha1s"] == [hashlib.sha1(der).hexdigest() for der in ders]
    assert (row["resumed"], row["hello_retry"], row["quic_version"], row["ech"]) == (False, False, None, None)
    assert len(ders[0]) > 1000  # so that the chain really was cut


def test_certificates_once_each(everything: Decoded) -> None:
    rows = everything["certificates"]
    assert [row["san"][0] for row in rows] == ["www.twelve.example", "ca.example"]
    assert all(row["self_signed"] and row["public_key_bits"] == 256 for row in rows)
    assert {row["flow_no"] for row in rows} == {1}
    assert 7 < rows[0]["frame"] < 12


def test_a_tls_13_handshake(everything: Decoded) -> None:
    flow = flow_to(everything, "192.0.2.20")
    (row,) = of_flow(everything["tls_handshakes"], flow)
    assert (row["sni"], row["version"], row["cipher"]) == (
        "www.thirteen.example",
        "TLS 1.3",
        "TLS_AES_128_GCM_SHA256",
    )
    assert (row["alpn_offered"], row["alpn_selected"], row["resumed"]) == (["h2", "http/1.1"], None, False)
    assert row["ja4"].startswith("t13d0206h2_")
    assert row["certificate_sha256s"] is None


def test_records_and_payload_of_each_packet(everything: Decoded) -> None:
    flow = flow_to(everything, "192.0.2.20")
    rows = of_flow(everything["packets"], flow)
    server = len(talk.server_13())
    hello = len(talk.hello(b"www.thirteen.example", b"h2", b"http/1.1"))
    assert [(row["up"], row["record_bytes"], row["record_types"]) for row in rows] == [
        (True, [hello], [22]), (False, [server, 1, 900], [22, 20, 23]), (True, [1, 53, 88], [20, 23, 23]),
        (False, [400], [23]),
    ]  # fmt: skip
    assert [row["payload_bytes"] for row in rows] == [5 + hello, 15 + server + 901, 15 + 142, 405]
    assert [row["frame"] for row in rows] == list(range(flow["first_frame"] + 3, flow["first_frame"] + 7))


def test_payload_rows_of_cleartext_services_are_not_kept(everything: Decoded) -> None:
    assert {row["flow_no"] for row in everything["packets"]} & {0} == set()


def test_dns_and_the_names_it_gives(everything: Decoded) -> None:
    messages = everything["dns_messages"]
    columns = ("frame", "is_response", "query_name", "query_type", "rcode", "answers")
    assert [tuple(row[name] for name in columns) for row in messages] == [
        (1, False, "www.twelve.example", "A", None, 0), (2, True, "www.twelve.example", "A", "NOERROR", 2),
    ]  # fmt: skip
    assert [(row["name"], row["type"], row["data"], row["ttl"]) for row in everything["dns_answers"]] == [
        ("www.twelve.example", "CNAME", "edge.cdn.example", 60), ("edge.cdn.example", "A", "192.0.2.10", 60),
    ]  # fmt: skip
    names = {(row["ip"], row["name"], row["source"], row["frame"]) for row in everything["names"]}
    assert {
        ("192.0.2.10", "www.twelve.example", "dns", 2), ("192.0.2.10", "www.twelve.example", "sni", 6),
    } <= names  # fmt: skip
    assert ("192.0.2.20", "www.thirteen.example") in {
        (ip, name) for ip, name, source, _ in names if source == "sni"
    }
    assert {ip for ip, _, source, _ in names if source == "certificate"} == {"192.0.2.10"}


def test_stun(everything: Decoded) -> None:
    ask, reply = everything["stun_messages"]
    assert (ask["source"], ask["method"], ask["class"], ask["mapped"]) == (
        "10.0.0.2:42000",
        "binding",
        "request",
        None,
    )
    assert (reply["source"], reply["class"], reply["mapped"]) == (
        "198.51.100.4:3478",
        "success",
        "203.0.113.9:50000",
    )
    assert ask["transaction_id"] == reply["transaction_id"] == talk.RANDOM_ID.hex()


def test_quic_and_dtls(everything: Decoded) -> None:
    (quic,) = of_flow(everything["tls_handshakes"], flow_to(everything, "192.0.2.30"))
    assert (quic["carrier"], quic["sni"], quic["alpn_offered"], quic["version"]) == (
        "quic",
        "www.quic.example",
        ["h3"],
        "TLS 1.3",
    )
    assert (quic["server_frame"] - quic["client_frame"], quic["ja4"][:4]) == (1, "q13d")
    (dtls,) = of_flow(everything["tls_handshakes"], flow_to(everything, "198.51.100.7"))
    assert (dtls["carrier"], dtls["version"], dtls["server_frame"] - dtls["client_frame"]) == (
        "dtls",
        "DTLS 1.2",
        1,
    )


# --- the same again, and otherwise --------------------------------------------------------------------


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "a.pcap", talk.everything())
    runs = [Decoded(capture, tmp_path / name) for name in ("one", "two")]
    assert runs[0].manifest == runs[1].manifest


def test_two_processes_give_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of a process (its hash seed, its secret, what its memory held) is in the result."""
    capture = CAPTURES / "harbour-xmpp-turn-h3.pcapng"
    texts = []
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        subprocess.run([sys.executable, "-c", PROGRAM, str(capture), str(tmp_path / number)], check=True,
                       env={"PYTHONHASHSEED": number, "PATH": "", "HOME": str(Path.home())})  # fmt: skip
        texts.append((tmp_path / number / "manifest.json").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]


def contents(found: Decoded) -> dict[str, list[str]]:
    return {name: sorted(map(repr, found[name])) for name in TABLES}


def differences(
    one: dict[str, list[str]], other: dict[str, list[str]]
) -> dict[str, tuple[list[str], list[str]]]:
    return {
        name: (sorted(set(one[name]) - set(other[name]))[:3], sorted(set(other[name]) - set(one[name]))[:3])
        for name in one
        if one[name] != other[name]
    }


def smtp() -> list[Frame]:
    """A mail session: its first packets alone do not say yet what it is; then STARTTLS, then more."""
    line = Connection(sport=25).open()
    line.say(False, b"220 mail.example ESMTP\r\n").say(True, b"EHLO me\r\n").say(False, b"250 STARTTLS\r\n")
    line.say(True, b"STARTTLS\r\n").say(False, b"220 go\r\n")
    line.say(True, tls.record(22, talk.hello(b"mail.example"))).say(False, tls.record(22, talk.server_13()))
    return line.say(True, talk.application(300)).say(False, talk.application(500)).close().frames


def dns_over_tcp(count: int = 60) -> list[Frame]:
    """Many lookups on one connection: more than 2 KiB each way."""
    line = Connection(talk.CLIENT, talk.RESOLVER, 50000, 53).open()
    for number in range(count):
        name = f"host-{number}.of-a-longer-name.example"
        line.say(True, tls.vector(talk.dns_query(number, name)))
        line.say(False, tls.vector(talk.dns_answer(number, name, "edge." + name, bytes((192, 0, 2, number)))))
    return line.close().frames


def mid_stream() -> list[Frame]:
    """The first packets of a connection are missing; then its server speaks, then it is opened anew."""
    line = Connection(sport=60000, cport=50000)
    line.say(False, talk.application(50)).say(True, talk.application(60)).close()
    line.up, line.down = 500_000, 900_000
    return talk.tls_13(line, b"again.example").frames


@pytest.mark.parametrize("size", [64, 700, 4000])
@pytest.mark.parametrize("make", [lambda: list(talk.everything()), smtp, dns_over_tcp, mid_stream],
                         ids=["everything", "smtp", "dns over tcp", "mid stream"])  # fmt: skip
def test_the_size_of_the_buffer_changes_nothing(
    make: Callable[[], list[Frame]], size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = write_capture(tmp_path / "a.pcap", make())
    large = contents(Decoded(capture, tmp_path / "large"))
    monkeypatch.setattr(decode_module, "CaptureReader", partial(CaptureReader, buffer_bytes=size))
    assert differences(contents(Decoded(capture, tmp_path / "small")), large) == {}


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.name)
def test_the_size_of_the_buffer_changes_nothing_of_a_real_capture(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = contents(Decoded(capture, tmp_path / "large"))
    monkeypatch.setattr(decode_module, "CaptureReader", partial(CaptureReader, buffer_bytes=40_000))
    assert differences(contents(Decoded(capture, tmp_path / "small")), large) == {}


def test_all_lookups_of_a_long_dns_connection_are_read(decoded: Callable[..., Decoded]) -> None:
    found = decoded(dns_over_tcp(60))
    assert len(found["dns_messages"]) == 120
    assert found["damage"] == []


def test_records_of_a_session_that_turned_to_tls_stay_with_it(decoded: Callable[..., Decoded]) -> None:
    stranger = Frame(
        packet("10.9.9.9", "10.8.8.8", 6, tcp(1234, 4321, 1, 1, ACK, b"\x99nothing known")),
        START + 60 * SECOND,
    )
    found = decoded([*smtp(), stranger])
    other = flow_to(found, "10.8.8.8")
    assert [row["record_bytes"] for row in of_flow(found["packets"], other)] == [None]
    mail = next(flow for flow in found["flows"] if flow["server_port"] == 25)
    (handshake,) = of_flow(found["tls_handshakes"], mail)
    assert handshake["sni"] == "mail.example"
    records = [row["record_bytes"] for row in of_flow(found["packets"], mail) if row["record_bytes"]]
    assert records[-2:] == [[300], [500]]


def test_a_certificate_read_out_of_turn_names_the_server(decoded: Callable[..., Decoded]) -> None:
    """The first segment of the server's flight comes last."""
    line = Connection(talk.CLIENT, "192.0.2.10").open()
    line.say(True, tls.record(22, talk.hello(b"www.twelve.example", tls13=False)))
    flight = tls.record(22, talk.server_12()) + tls.record(
        22, talk.certificates(talk.certificate("www.twelve.example", 150))
    )
    first, size = line.down, 1000
    for at in range(size, len(flight), size):
        line.segment(False, first + at, line.up, ACK, flight[at : at + size])
    line.segment(False, first, line.up, ACK, flight[:size])
    line.segment(True, line.up, first + len(flight), ACK)
    found = decoded(line.frames)
    assert {row["ip"] for row in found["names"] if row["source"] == "certificate"} == {"192.0.2.10"}
    assert {row["up"] for row in found["packets"] if row["frame"] > 4} == {False}


def browser(number: int) -> bytes:
    """Hellos of two browsers: other random values, GREASE and names; one of four has more protocols."""
    grease = 0x0A0A | number % 16 << 12 | number % 16 << 4
    parts = tls.extension(grease) + tls.server_name(b"host-%d.example" % number) + tls.groups(grease, 29, 23)
    parts += tls.alpn(b"h2") if number % 4 else tls.alpn(b"http/1.1", b"h2")
    parts += tls.signature_algorithms(0x0403, 0x0804) + tls.supported_versions(grease, 0x0304)
    parts += tls.extension(51, tls.vector(b"\0\x1d" + tls.vector(bytes([number]) * 32)))
    body = tls.client_hello(
        parts, ciphers=(grease, 0x1301, 0xC02F)[: 2 + number % 2], session_id=bytes([number]) * 32
    )
    return tls.record(22, tls.message(1, body[:2] + bytes([255 - number]) * 32 + body[34:]), 0x0301)


@pytest.mark.parametrize("size", [1400, 100])
def test_what_is_said_of_a_hello_is_what_its_parser_says(size: int, decoded: Callable[..., Decoded]) -> None:
    """Whole hellos go by their shape, cut ones through the parser, each; nothing of that may show."""
    frames: list[Frame] = []
    for number in range(40):
        line = (
            Connection(cport=41000 + number, ts=START + number * SECOND)
            .open()
            .say(True, browser(number), size)
        )
        frames += line.say(False, tls.record(22, talk.server_13()), size).frames
    rows = sorted(decoded(frames)["tls_handshakes"], key=lambda row: row["flow_no"])
    assert len(rows) == 40
    for number, row in enumerate(rows):
        facts = ClientFacts.of(parse_client_hello(browser(number)[9:]), "tcp")
        assert (row["sni"], row["ja3"], row["ja4"]) == (f"host-{number}.example", facts.ja3, facts.ja4)
        assert (tuple(row["alpn_offered"]), row["client_version"], row["ech"]) == (
            facts.alpn,
            facts.version,
            facts.ech,
        )
        assert (row["version"], row["cipher"], row["resumed"]) == ("TLS 1.3", "TLS_AES_128_GCM_SHA256", False)
    assert len({(row["ja4"], tuple(row["alpn_offered"])) for row in rows}) > 2


# --- scope --------------------------------------------------------------------------------------------


def test_nothing_outside_the_window_is_kept(decoded: Callable[..., Decoded]) -> None:
    inside = talk.tls_13(Connection(ts=START + 100 * SECOND), b"inside.example").frames
    before = talk.tls_13(Connection(server="192.0.2.99", ts=START), b"outside.example").frames
    after = talk.dns_lookup("outside.example", "outside.example", bytes(4), START + 200 * SECOND)
    found = decoded([*before, *inside, *after], Scope(spans=((inside[0].ts, inside[-1].ts),)))
    assert found.capture["out_of_scope_packets"] == len(before) + len(after)
    assert (found.capture["first_ts"], found.capture["last_ts"]) == (inside[0].ts, inside[-1].ts)
    assert [flow["first_frame"] for flow in found["flows"]] == [len(before) + 1]
    for path in found.folder.iterdir():
        text = path.read_bytes()
        assert b"outside" not in text, path.name
        assert b"192.0.2.99" not in text, path.name


def commented() -> tuple[bytes, Scope]:
    """A pcapng with a comment on a packet inside the window and one on a packet outside it."""
    early, late = START // 1000, START // 1000 + 3600 * 10**6
    frame = packet("10.0.0.2", "192.0.2.1", 6, tcp(1, 2, 3, 4, ACK, b"x"))
    blocks = files.shb() + files.idb()
    blocks += files.epb(
        frame, early, options=files.option(1, b"secret of the outside") + files.option(0, b"")
    )
    blocks += files.epb(frame, late, options=files.option(1, b"known inside") + files.option(0, b""))
    return blocks, Scope(spans=((START + SECOND, None),))


def test_comments_on_packets_outside_the_window_are_not_kept(tmp_path: Path) -> None:
    data, scope = commented()
    (tmp_path / "a.pcapng").write_bytes(data)
    found = Decoded(tmp_path / "a.pcapng", tmp_path / "out", scope)
    assert found.capture["out_of_scope_packets"] == 1
    assert [(row["frame"], row["text"]) for row in found["comments"]] == [(2, "known inside")]


# --- captures that are not as they should be ------------------------------------------------------------


def test_a_capture_without_packets(decoded: Callable[..., Decoded]) -> None:
    found = decoded([])
    assert (found.capture["packets"], found.capture["first_ts"], found.capture["complete"]) == (0, None, True)
    assert {name: rows for name, rows in found.manifest.tables.items() if rows} == {
        "captures": 1,
        "interfaces": 1,
    }


def test_what_is_no_capture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(b"nothing of the kind, but long enough to look at")
    (tmp_path / "out").mkdir()
    with pytest.raises(CaptureError):
        decode(tmp_path / "a.pcap", tmp_path / "out")


def test_a_capture_that_ends_inside_a_packet(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "a.pcap", talk.everything())
    capture.write_bytes(capture.read_bytes()[:-7])
    found = Decoded(capture, tmp_path / "out")
    assert (found.manifest.complete, found.capture["complete"]) == (False, False)
    assert len(found["damage"]) == len(found.manifest.damage) == 1
    assert len(found["tls_handshakes"]) == 4


def test_headers_that_are_broken_are_counted_by_reason(decoded: Callable[..., Decoded]) -> None:
    good = packet("10.0.0.2", "192.0.2.1", 17, struct.pack("!HHHH", 1, 2, 8, 0))
    found = decoded([Frame(good[:10]), Frame(good[:20]), Frame(good[:38]), Frame(good[:38]), Frame(good)])
    assert found.capture["malformed_packets"] == 4
    assert found.damage() == {
        ("malformed-packet", "link header is cut"): 1,
        ("malformed-packet", "IPv4 header is cut or its length is below 20"): 1,
        ("malformed-packet", "UDP header is cut or its length is below 8"): 2,
    }


def test_frames_of_other_protocols_are_counted_and_are_no_fragments(decoded: Callable[..., Decoded]) -> None:
    arp = Frame(b"\xff" * 12 + b"\x08\x06" + bytes(28))
    fragment = Frame(packet("10.0.0.2", "192.0.2.1", 17, struct.pack("!HHHH", 1, 2, 900, 0), fragment=0x2000))
    for frames in ([fragment] * 500, [arp] * 500):  # the second run's columns may lie where the first's lay
        found = decoded(frames)
    assert (found.capture["undecoded_packets"], found.capture["fragment_packets"]) == (500, 0)


def test_link_types_that_are_not_decoded_are_named_each(tmp_path: Path) -> None:
    data = files.shb() + files.idb(link_type=195) + files.idb(link_type=300)
    data += b"".join(files.epb(bytes(60), START // 1000, interface=one) for one in (0, 1, 1, 1))
    (tmp_path / "a.pcapng").write_bytes(data)
    found = Decoded(tmp_path / "a.pcapng", tmp_path / "out")
    assert found.damage() == {
        ("unknown-link-type", "IEEE802_15_4_WITHFCS"): 1,
        ("unknown-link-type", "unknown-300"): 3,
    }


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("version", [b"\x05\x04", b"\x0a\x0a", b"\x7f\x17", b"\x00\x00", b"\x01\x01"])
def test_a_hello_of_no_known_version_is_damage_not_the_end(
    kind: int, version: bytes, decoded: Callable[..., Decoded]
) -> None:
    message = talk.hello(b"a.example") if kind == 1 else talk.server_13()
    line = Connection().open()
    line.say(kind == 1, tls.record(22, message[:4] + version + message[6:]))
    after = talk.tls_13(Connection(cport=40007, ts=START + SECOND), b"good.example")
    found = decoded([*line.frames, *after.frames])
    assert "good.example" in [row["sni"] for row in found["tls_handshakes"]]


def hostile(tmp_path: Path, frames: Sequence[Frame]) -> subprocess.CompletedProcess[str]:
    """Decode in a process of its own, which a stray write may kill."""
    parts = [files.pcap_header(magic=0xA1B23C4D, snaplen=8 << 20)]
    for frame in frames:
        second, part = divmod(frame.ts, SECOND)
        parts.append(struct.pack("<IIII", second, part, len(frame.data), frame.wire) + frame.data)
    (tmp_path / "a.pcap").write_bytes(b"".join(parts))
    (tmp_path / "out").mkdir()
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "a.pcap"), str(tmp_path / "out")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def offloaded(line: Connection, payload: bytes, seq: int) -> Frame:
    """IP length 0, as on a host that leaves segmentation to its card: the frame's own length counts."""
    data = bytearray(
        packet(line.client, line.server, 6, tcp(line.cport, line.sport, seq, line.down, ACK, b""))
    )
    data[16:18] = b"\0\0"
    line.ts += MS
    return Frame(bytes(data) + payload, line.ts)


def test_a_frame_longer_than_any_ip_packet_writes_nothing_outside_the_tables(tmp_path: Path) -> None:
    """3 MB of empty TLS records in one segment."""
    line = Connection().open()
    payload = b"\x16\x03\x03\x00\x01\x0b" + b"\x15\x03\x03\x00\x00" * 600_000
    done = hostile(tmp_path, [*line.frames, offloaded(line, payload, line.up)])
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr[-500:]


def test_a_long_frame_that_came_early_writes_nothing_outside_either(tmp_path: Path) -> None:
    """6 MB held back for one missing byte, then that byte."""
    line = Connection().open()
    payload = b"\x16\x03\x03\x40\x00\x0b" + bytes(6_000_000)
    frames = [offloaded(line, payload[1:], line.up + 1), offloaded(line, payload[:1], line.up)]
    done = hostile(tmp_path, [*line.frames, *frames])
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr[-500:]


def test_a_hello_of_many_empty_extensions_writes_nothing_outside_its_shape(tmp_path: Path) -> None:
    message = tls.message(1, tls.client_hello(tls.extension(0x4242) * 1900))
    done = hostile(tmp_path, Connection().open().say(True, tls.record(22, message), 20_000).frames)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr[-500:]


def test_schemas_hold_no_unsigned_numbers() -> None:
    """Spark reads them badly (tables.py)."""
    for schema in TABLES.values():
        assert not any(pa.types.is_unsigned_integer(field.type) for field in schema)
