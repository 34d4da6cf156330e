"""Byte patterns: each found in an example built from its published layout, and not in its near misses."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.capture.protocols.messenger_bytes import SIGNATURES, FirstPayload, messenger_signatures

NOISE = bytes((37 * n + 11) % 251 for n in range(600))


def up(data: bytes) -> FirstPayload:
    return FirstPayload(True, len(data), data)


def down(data: bytes) -> FirstPayload:
    return FirstPayload(False, len(data), data)


def obfuscated() -> bytes:
    head = bytes(range(100, 156)) + b"\xdd" * 4 + b"\x02\x00" + b"\x11\x22"
    stream = Cipher(algorithms.AES(head[8:40]), modes.CTR(head[40:56])).encryptor().update(head)
    return head[:56] + stream[56:]


DISCOVERY = b"\x00\x01\x00\x46" + b"\x00\x00\xac\xe3" + bytes(66)
RECEIVER_REPORT, SENDER_REPORT = b"\x81\xc9\x00\x07" + NOISE[:74], b"\x81\xc8\x00\x0c" + NOISE[:94]
ZOOM_ID = NOISE[:18]
EXAMPLES = {
    "whatsapp-hello": ("tcp", [up(b"WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20" + NOISE[:32])]),
    "telegram-obfuscated": ("tcp", [up(obfuscated() + NOISE[:100])]),
    "telegram-plain": ("tcp", [up(b"\xef\x0a" + bytes(8) + NOISE[:32])]),
    "threema-sizes": ("tcp", [up(NOISE[:48]), down(NOISE[:80]), up(NOISE[:191])]),
    "viber-hello": ("tcp", [up(b"\x18\x00\x00\x00\x00\x00\xfc\xff\x05\x80" + bytes(14))]),
    "viber-frames": (
        "tcp",
        [up(b"\x20\x00\x00\x0a\0\0\0" + NOISE[:25]), up(b"\x10\x00\x00\x0b\0\0\0" + NOISE[:9]),
         down(b"\x0c\x00\x00\x0e\0\0\0" + NOISE[:5])],
    ),
    "kakaotalk-loco": ("tcp", [up(bytes.fromhex("000100000c00000002000000") + NOISE[:256])]),
    "wechat-mmtls": ("tcp", [up(b"\x16\xf1\x03\x00\x20" + NOISE[:32])]),
    "line-legacy": ("tcp", [up(b"\x80\x02\x00\x06" + NOISE[:8]), down(b"\x80\x02\x00\x04" + NOISE[:56])]),
    "line-call": ("udp", [up(b"\xb6\x12\x00\x68" + NOISE[:104]), down(b"\xb6\x07\x00\x04" + NOISE[:4])]),
    "discord-discovery": ("udp", [up(DISCOVERY)]),
    "discord-keepalive": ("udp", [up(b"\x13\x37\xca\xfe\x0e\0\0\0")]),
    "telegram-reflector": ("udp", [up(NOISE[:16] + b"\xff" * 12 + b"\xfe\xff\xff\xff" + bytes(7) + b"\x7b")]),
    "kakaotalk-voice": ("udp", [up(RECEIVER_REPORT), down(RECEIVER_REPORT), up(SENDER_REPORT)]),
    "viber-datagrams": (
        "udp", [up(b"\xed\xf6\x01\x00\x05\x00" + NOISE[:251]), up(b"\xed\xf6\x09\x00" + NOISE[:16])],
    ),
    "zoom-session": (
        "udp", [up(b"\x01\x00" + ZOOM_ID + NOISE[:103]), down(b"\x02\x00" + ZOOM_ID + NOISE[:24])],
    ),
    "zoom-media": ("udp", [up(b"\x05" + NOISE[:7] + b"\x10" + NOISE[:40])] * 3),
    "imo-datagrams": ("udp", [up(NOISE[:200]), down(b"\x00\x09\x03\x21\x9a\x02" + bytes(5))]),
    "mumble-ping": ("udp", [up(bytes(4) + NOISE[:8]), down(b"\x00\x01\x05\x00" + NOISE[:8] + NOISE[:12])]),
    "signal-rtp-data": ("udp", [up(b"\x80\x65\x00\x01" + NOISE[:4] + b"\0\0\0\x0d" + NOISE[:30])]),
    "facetime-probe": ("udp", [up(b"\0\1\0\2" + NOISE[:12]), down(b"\0\1\0\1" + NOISE[:12])]),
    "tox-nodes": (
        "udp", [up(b"\2" + NOISE[:112]), down(b"\4" + NOISE[50:150] + NOISE[:20]), down(b"\2" + NOISE[50:162])],
    ),
    "tox-bootstrap": ("udp", [up(b"\xf0" + NOISE[:77]), down(b"\xf0\x3b\x9a\xca\x02tox-bootstrapd")]),
    "opendht": ("udp", [up(b"\x84\xa1y\xa1q\xa1q\xa4ping\xa1t\xc4\x04\0\0\0\1\xa1v\xa4RNG1")]),
    "wechat-voip": ("udp", [up(b"\xa1" + NOISE[:74]), down(b"\xa3" + NOISE[:94]), up(b"\xd6" + NOISE[:199])]),
    "zalo-call": ("udp", [up(b"\1\1\0\0" + NOISE[:30]), down(b"\2\1\0\0" + NOISE[:50])]),
    "whatsapp-warp": ("udp", [up(b"\x90\x78" + NOISE[:10] + b"\xde\xbe\x00\x01" + NOISE[:40])]),
}  # fmt: skip


def test_every_pattern_has_an_example():
    assert {(t, n) for t, names in SIGNATURES.items() for n in names} == {
        (EXAMPLES[n][0], n) for n in EXAMPLES
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_found_and_nothing_else(name):
    transport, payloads = EXAMPLES[name]
    assert messenger_signatures(payloads, transport) == {name}
    other = "udp" if transport == "tcp" else "tcp"
    assert name not in messenger_signatures(payloads, other)


@pytest.mark.parametrize("name", EXAMPLES)
def test_cut_payloads_raise_nothing_and_find_nothing_new(name):
    transport, payloads = EXAMPLES[name]
    for cut in range(max(p.length for p in payloads)):
        found = messenger_signatures([p._replace(data=p.data[:cut]) for p in payloads], transport)
        assert found <= {name}


@pytest.mark.parametrize(
    ("transport", "payloads"),
    [
        ("tcp", []),
        ("tcp", [up(b"")]),
        ("tcp", [up(b"WANTED")]),
        ("tcp", [down(b"WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20")]),  # from the server
        ("tcp", [up(b"WA\x06\x03\x00\x00\x24\x13\x22\x0a\x20")]),
        ("tcp", [up(NOISE[:64])]),
        ("tcp", [up(b"\x16\x03\x01\x02\x00" + NOISE)]),
        ("tcp", [up(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n" + NOISE)]),
        ("tcp", [up(NOISE[:48]), up(NOISE[:80]), up(NOISE[:191])]),
        ("tcp", [up(NOISE[:48]), down(NOISE[:81]), up(NOISE[:191])]),
        ("tcp", [up(b"\x18\x00\x00\x00\x00\x00\xfc\xff\x05\x80" + bytes(15))]),  # one byte too long
        ("tcp", [up(b"\x16\xf1\x03\x02\x20" + NOISE[:32])]),
        ("udp", [up(b"\x00\x01\x00\x46" + NOISE[:70])]),
        ("udp", [up(DISCOVERY[:-1])]),
        ("udp", [up(b"\x13\x37\xca\xfe\x0e\0\0\0\0")]),
        ("udp", [up(RECEIVER_REPORT)]),
        ("udp", [up(b"\xb6\x12\x00\x68" + NOISE[:104])]),
        ("udp", [up(b"\x01\x00" + ZOOM_ID + NOISE[:103]), down(b"\x02\x00" + NOISE[1:19] + NOISE[:24])]),
        ("udp", [up(bytes(4) + NOISE[:8]), down(b"\x00\x01\x05\x00" + NOISE[1:9] + NOISE[:12])]),
        ("udp", [up(bytes(12)), down(bytes(24))]),
        ("udp", [up(b"\x80\x65\x00\x01" + NOISE[:4] + b"\0\0\0\x0e" + NOISE[:30])]),
        ("udp", [up(b"\2" + NOISE[:112]), up(b"\4" + NOISE[50:170])]),  # nobody answers
        ("udp", [up(b"\2" + NOISE[:112]), down(b"\4" + NOISE[50:171])]),  # a byte that belongs to no node
        ("udp", [up(b"\2" + bytes(112)), down(b"\4" + bytes(120))]),  # no keys
        ("udp", [up(b"\xf0" + NOISE[:77]), down(b"\xf0" + bytes(20))]),  # no text
        ("udp", [up(b"\x84\xa1y\xa1q\xa1v\xa4RNG2" + NOISE[:9])]),
        ("udp", [up(b"\0\1\0\2" + NOISE[:12]), up(b"\0\1\0\1" + NOISE[:12])]),
        ("udp", [up(b"\xa1" + NOISE[:74]), down(b"\xa1" + NOISE[:74])]),  # one kind only
        ("udp", [up(b"\1\1\0\0" + NOISE[:30]), up(b"\2\1\0\0" + NOISE[:50])]),
        ("tcp", [up(b"\x80\x02\x00\x06" + NOISE[:8]), up(b"\x80\x02\x00\x04" + NOISE[:56])]),
        ("udp", [up(bytes(40))] * 8),
        ("udp", [up(b"\xff" * 40)] * 8),
        ("sctp", [up(NOISE)]),
    ],
)
def test_near_misses(transport, payloads):
    assert not messenger_signatures(payloads, transport)


def test_routing_data_before_the_hello():
    routed = b"ED\x00\x01\x00\x00\x04\x08\x05\x08\x02" + b"WA\x02\x01\x00\x00\xee\x12\xeb\x01"
    assert messenger_signatures([up(routed)], "tcp") == {"whatsapp-hello"}
    assert messenger_signatures([up(b"ED\x00\x01\xff\xff\xff" + routed)], "tcp") == frozenset()


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2000), st.binary(max_size=200)), max_size=10))
def test_anything_may_come(parts):
    payloads = [FirstPayload(direction, length, data) for direction, length, data in parts]
    for transport in ("tcp", "udp"):
        assert messenger_signatures(payloads, transport) <= SIGNATURES[transport].keys()
