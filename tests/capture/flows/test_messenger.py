"""Messenger streams through the whole decoder: rows with the right frames, and what a gap or another protocol does."""

import socket
import struct
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support import conversations as talk
from support.traffic import MS, SECOND, START, Connection, Frame, write_capture

from wirecover.capture.decode import decode

NOISE = bytes((37 * n + 11) % 251 for n in range(5000))
SERVER = "192.0.2.10"


def be3(body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + body


@pytest.fixture
def decoded(tmp_path):
    def run(frames: list[Frame]):
        capture = write_capture(tmp_path / "a.pcap", sorted(frames, key=lambda one: one.ts))
        out = tmp_path / "out"
        out.mkdir()
        decode(capture, out)
        return lambda table: pq.read_table(out / f"{table}.parquet").to_pylist()

    return run


def whatsapp(line: Connection) -> Connection:
    line.open().say(True, b"WA\x06\x03" + be3(b"\x12" + NOISE[:35]))
    line.say(False, be3(b"\x1a" + NOISE[:349])).say(True, be3(b"\x22" + NOISE[:200]))
    return line.say(False, be3(NOISE[:4000])).say(True, be3(NOISE[:30]) + be3(NOISE[:60]))


def test_frames_stand_where_their_last_byte_came(decoded):
    line = whatsapp(Connection("10.0.0.2", SERVER, 40000, 5222)).close()
    tables = decoded(line.frames)
    rows = tables("messenger_frames")
    assert [(row["up"], row["kind"], row["length"]) for row in rows] == [
        (True, "handshake", 36), (False, "handshake", 350), (True, "handshake", 201), (False, "message", 4000),
        (True, "message", 30), (True, "message", 60),
    ]  # fmt: skip
    long = [number for number, frame in enumerate(line.frames, 1) if len(frame.data) > 1400]
    assert rows[3]["frame"] == long[-1] + 1  # 4,003 bytes in three segments: the last, shorter one
    assert {row["protocol"] for row in rows} == {"whatsapp-noise"}
    facts = tables("messenger_facts")
    assert [(row["attribute"], row["value"]) for row in facts] == [("version", "6.3")]
    [flow] = tables("flows")
    assert flow["app"] == "whatsapp"
    assert {row["kind"] for row in tables("app_evidence")} >= {"framing", "signature", "port"}


def test_nothing_is_written_behind_a_gap(decoded):
    line = whatsapp(Connection("10.0.0.2", SERVER, 40000, 5222))
    line.up += 700  # bytes that were never recorded
    line.say(True, be3(NOISE[:90])).say(False, be3(NOISE[:50])).say(True, be3(NOISE[:90])).close()
    tables = decoded(line.frames)
    assert max(row["length"] for row in tables("messenger_frames") if row["up"]) == 201
    assert 90 not in [row["length"] for row in tables("messenger_frames")]
    [flow] = tables("flows")
    assert flow["app"] == "whatsapp"  # what was seen before the gap stands


def test_another_protocol_that_begins_alike_gives_no_rows(decoded):
    line = Connection("10.0.0.2", SERVER, 40000, 80).open()
    line.say(True, b"WA\x01\x02 is no header here, only text of some length\r\n").say(False, b"220 hello\r\n")
    other = Connection("10.0.0.2", SERVER, 40001, 443).open().say(True, NOISE[:48]).say(False, NOISE[:500])
    tables = decoded([*line.close().frames, *other.close().frames])
    assert tables("messenger_frames") == [] and tables("messenger_facts") == []


def test_the_address_that_discord_tells(decoded):
    line = Connection("10.0.0.2", SERVER, 40000, 50004)
    ask = b"\0\1\0\x46" + b"\0\0\xac\xe3" + bytes(66)
    answer = b"\0\2\0\x46" + b"\0\0\xac\xe3" + b"203.0.113.9".ljust(64, b"\0") + b"\xc3\x50"
    tables = decoded(talk.datagrams(line, (True, ask), (False, answer)))
    [fact] = tables("messenger_facts")
    assert (fact["frame"], fact["protocol"], fact["value"]) == (2, "discord", "203.0.113.9:50000")


def lookups(gap_ns: int) -> list[Frame]:
    """Two names for one address, `gap_ns` apart, and a flow right after the second."""
    address = socket.inet_aton(SERVER)
    first = talk.dns_lookup("www.shop.example", "a.example", address, START, 9000)
    second = talk.dns_lookup("g.whatsapp.net", "a.example", address, START + gap_ns, 9001)
    line = Connection(talk.CLIENT, SERVER, 40000, 443, ts=START + gap_ns + 100 * MS)
    return [*first, *second, *line.open().say(True, NOISE[:400]).close().frames]


@pytest.mark.parametrize(("gap", "app"), [(20 * SECOND, "whatsapp"), (2 * SECOND, None)])
def test_the_name_asked_for_right_before_the_flow(decoded, gap, app):
    tables = decoded(lookups(gap))
    [flow] = [row for row in tables("flows") if row["transport"] == "tcp"]
    assert flow["app"] == app
    if app:
        assert flow["app_confidence"] == 68  # 96, less 10 for DNS, less 20 for other names; 2 for the port


def check(line: Connection, username: bytes) -> list[Frame]:
    attribute = struct.pack("!HH", 6, len(username)) + username + bytes(-len(username) % 4)
    ask = struct.pack("!HHI", 1, len(attribute), 0x2112A442) + talk.RANDOM_ID + attribute
    return talk.datagrams(line, (True, ask), (True, ask))


def test_legs_of_one_ice_session_share_the_label(decoded):
    relay = Connection("10.0.0.2", "91.108.9.35", 41000, 1400)
    binding = struct.pack("!HHI", 1, 0, 0x2112A442) + talk.RANDOM_ID
    frames = talk.datagrams(relay, (True, binding))
    frames += check(Connection("10.0.0.2", "198.51.100.7", 41000, 5000), b"abcd:EFGH")
    frames += check(Connection("10.0.0.2", "198.51.100.7", 42000, 5000), b"abcd:EFGH")
    frames += check(Connection("10.0.0.2", "198.51.100.7", 43000, 5000), b"abcd:IJKL")
    tables = decoded(frames)
    apps = {row["client_port"]: (row["app"], row["app_confidence"]) for row in tables("flows")
            if row["server_ip"] == "198.51.100.7"}  # fmt: skip
    assert apps == {41000: ("telegram", 70), 42000: ("telegram", 60), 43000: (None, None)}
    assert "ice" in {row["kind"] for row in tables("app_evidence")}


def test_what_did_not_suffice_is_kept_beside_a_flow_without_a_label(decoded):
    line = Connection("10.0.0.2", SERVER, 40000, 9999).open()  # framed like Viber, on no port of it
    for data in (b"\x20\x00\x00\x0a\0\0\0" + NOISE[:25], b"\x10\x00\x00\x0b\0\0\0" + NOISE[:9]):
        line.say(True, data)
    tables = decoded(line.say(False, b"\x0c\x00\x00\x0e\0\0\0" + NOISE[:5]).close().frames)
    assert tables("flows")[0]["app"] is None
    [hint] = tables("app_evidence")
    assert (hint["rule_id"], hint["kind"], hint["confidence"]) == ("viber-frames", "signature", 20)


def test_conflicts_are_kept(decoded):
    from support import tls_bytes as tls

    line = Connection("10.0.0.2", SERVER, 40000, 443).open()
    line.say(True, tls.record(22, talk.hello(b"g.whatsapp.net", b"smp/1"), 0x0301))
    line.say(False, tls.record(22, talk.server_13()) + tls.record(20, b"\1") + talk.application(900))
    tables = decoded(line.close().frames)
    [flow] = tables("flows")
    evidence = {(row["app"], row["kind"]) for row in tables("app_evidence")}
    assert {("whatsapp", "sni"), ("simplex", "alpn")} <= evidence
    assert flow["app_confidence"] < 96


def test_the_result_does_not_depend_on_this_file_alone(tmp_path: Path):
    """The same capture twice: the same bytes."""
    capture = write_capture(tmp_path / "a.pcap", whatsapp(Connection("10.0.0.2", SERVER, 40000, 5222)).frames)
    digests = []
    for name in ("x", "y"):
        tmp_path.joinpath(name).mkdir()
        digests.append(decode(capture, tmp_path / name).files)
    assert digests[0] == digests[1]
