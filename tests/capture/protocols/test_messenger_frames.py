"""Framed streams of messengers: built from their published layouts, cut anywhere, damaged, and mistaken for others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.capture.protocols.messenger_frames import Frame, FramedTalk, open_talk

NOISE = bytes((37 * n + 11) % 251 for n in range(5000))
KEY = bytes.fromhex("8877665544332211")
Side = list[tuple[bool, bytes]]


def be3(body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + body


def le2(body: bytes) -> bytes:
    return len(body).to_bytes(2, "little") + body


def le4(body: bytes) -> bytes:
    return len(body).to_bytes(4, "little") + body


def abridged(body: bytes) -> bytes:
    words = len(body) // 4
    return (bytes([words]) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")) + body


def record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 0xF1, 4]) + len(body).to_bytes(2, "big") + body


def viber(body: bytes) -> bytes:
    return (len(body) + 2).to_bytes(2, "little") + body


WHATSAPP: Side = [
    (True, b"ED\0\1\0\0\4rout" + b"WA\x06\x03" + be3(b"\x12" + NOISE[:35])),
    (False, be3(b"\x1a" + NOISE[:349])),
    (True, be3(b"\x22" + NOISE[:200])),
    (False, be3(NOISE[:70]) + be3(NOISE[:4000])),
    (True, be3(NOISE[:30])),
]
THREEMA: Side = [
    (True, NOISE[:48]),
    (False, NOISE[:80]),
    (True, NOISE[:191]),
    (False, NOISE[:32]),
    (True, le2(NOISE[:60])),
    (False, le2(NOISE[:36]) + le2(NOISE[:90])),
    (True, le2(NOISE[:20])),
]
LOCO: Side = [
    (True, bytes.fromhex("000100000c00000002000000") + NOISE[:256]),
    (True, le4(NOISE[:300])),
    (False, le4(NOISE[:80])),
    (False, le4(NOISE[:1300])),
]
MMTLS: Side = [
    (True, record(0x16, NOISE[:111])),
    (False, record(0x16, NOISE[:166]) + record(0x17, NOISE[:40])),
    (True, record(0x17, NOISE[:700])),
]
VIBER: Side = [
    (True, b"\x18\x00\x00\x00\x00\x00\xfc\xff\x05\x80" + bytes(14)),
    (False, viber(NOISE[:30])),
    (True, viber(NOISE[:90]) + viber(NOISE[:8])),
]
ABRIDGED: Side = [
    (True, b"\xef" + abridged(KEY + NOISE[:96])),
    (False, abridged(KEY + NOISE[:2000])),
    (False, b"\xf1\x00\x11\x22"),  # a receipt
    (True, abridged(KEY + NOISE[:24])),
]
INTERMEDIATE: Side = [
    (True, b"\xee" * 4 + le4(bytes(8) + NOISE[:32])),
    (False, le4(bytes(8) + NOISE[:80])),
    (True, le4(KEY + NOISE[:96])),
    (False, le4(KEY + NOISE[:50])),
]
TALKS = {
    "whatsapp-noise": (WHATSAPP, [36, 350, 201, 70, 4000, 30]),
    "threema-csp": (THREEMA, [48, 80, 191, 32, 60, 36, 90, 20]),
    "kakaotalk-loco": (LOCO, [300, 80, 1300]),
    "wechat-mmtls": (MMTLS, [111, 166, 40, 700]),
    "viber": (VIBER, [22, 30, 90, 8]),
    "mtproto": (ABRIDGED, [104, 2008, 4, 32]),
}


def play(parts: Side, frames: list[Frame] | None = None) -> FramedTalk:
    talk = open_talk(parts[0][1], len(parts[0][1]))
    assert talk is not None
    for up, data in parts:
        found = talk.feed(up, data)
        if frames is not None:
            frames += found
    return talk


@pytest.mark.parametrize("protocol", TALKS)
def test_every_frame_is_measured(protocol):
    parts, lengths = TALKS[protocol]
    frames: list[Frame] = []
    talk = play(parts, frames)
    assert talk.protocol == protocol
    assert [frame.length for frame in frames] == lengths
    assert talk.sure and not talk.broken


@pytest.mark.parametrize("protocol", ["whatsapp-noise", "kakaotalk-loco", "wechat-mmtls", "viber", "mtproto"])
@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_pieces_do_not_matter(protocol, step):
    """However a stream is cut, the same frames end in it (Threema's opening is known by the size of its packet)."""
    parts, lengths = TALKS[protocol]
    talk = open_talk(parts[0][1], len(parts[0][1]))
    assert talk is not None
    found = []
    for up, data in parts:
        for start in range(0, len(data), step):
            found += talk.feed(up, data[start : start + step])
    assert [frame.length for frame in found] == lengths
    assert not talk.broken


def test_kinds_and_facts_of_whatsapp():
    frames: list[Frame] = []
    talk = play(WHATSAPP, frames)
    assert [frame.kind for frame in frames] == ["handshake"] * 3 + ["message"] * 3
    assert talk.facts == [("version", "6.3"), ("routing_bytes", "4")]


def test_mtproto_tells_the_key_id_when_both_sides_name_it():
    talk = play(ABRIDGED)
    assert talk.facts == [("transport", "abridged"), ("auth_key_id", "8877665544332211")]
    frames: list[Frame] = []
    talk = play(INTERMEDIATE, frames)
    assert talk.facts[1:] == [("auth_key_id", "none: key exchange"), ("auth_key_id", KEY.hex())]
    assert [frame.kind for frame in frames] == ["handshake", "handshake", "message", "message"]


@pytest.mark.parametrize(
    "parts",
    [
        [WHATSAPP[0], (False, be3(b"\x1b" + NOISE[:349]))],  # not the server's hello
        [(True, b"WA\x06\x03" + be3(b"\x13" + NOISE[:35]))],
        [(True, b"WANTED: a protocol")],
        [(True, b"ED\0\1\xff\xff\xff" + NOISE)],
        [*THREEMA[:2], (True, NOISE[:20]), THREEMA[3]],  # too short for a log-in
        [THREEMA[0], (True, NOISE[:191])],
        [*THREEMA[:4], (True, le2(NOISE[:19]))],
        [LOCO[0], (True, le4(NOISE[:16]))],
        [LOCO[0], (True, b"\xff\xff\xff\xff")],
        [MMTLS[0], (True, b"\x16\x03\x01\x00\x05hello")],
        [VIBER[0], (False, b"\x03\x00\x00")],
        [(True, b"\xef" + abridged(KEY + NOISE[:96]) + b"\x00")],
        [INTERMEDIATE[0], (False, b"\x02\0\0\0")],
    ],
)
def test_what_breaks_the_framing(parts):
    talk = play(parts)
    assert talk.broken and not talk.sure
    assert talk.feed(True, NOISE) == []


@pytest.mark.parametrize(
    "parts",
    [
        [(True, b"\xef" + abridged(KEY + NOISE[:96])), (False, abridged(NOISE[:104]))],  # another id
        THREEMA[:5],
        WHATSAPP[:1],
        [(True, VIBER[0][1]), (True, NOISE[:40])],
    ],
)
def test_too_little_to_be_sure(parts):
    assert not play(parts).sure


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        NOISE[:47],
        NOISE[:100],
        b"\xef\x01\x02",
        b"SSH-2.0-x",
    ],
)
def test_other_openings(data):
    assert open_talk(data, len(data)) is None


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(sorted(TALKS)),
    st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=12),
)
def test_anything_may_follow(protocol, rest):
    first = TALKS[protocol][0][0][1]
    talk = open_talk(first, len(first))
    assert talk is not None
    for up, data in [(True, first), *rest]:
        for frame in talk.feed(up, data):
            assert 0 <= frame.length <= 1 << 24


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=400), st.binary(max_size=400))
def test_random_streams_are_never_sure(up, down):
    """Random bytes behind no opening of a messenger."""
    talk = open_talk(up, len(up))
    if talk is not None:
        talk.feed(True, up)
        talk.feed(False, down)
        assert not talk.sure
