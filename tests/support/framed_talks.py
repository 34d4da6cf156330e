"""Streams of messengers that frame themselves, made after their published layouts, with what was put into them.

Each talk opens as its protocol does, then carries messages at known times with bodies of known sizes, several of them
in one segment or one over several segments. They show whether frames are followed, not what an application sends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from support.traffic import SECOND, START, Connection, Frame

KEY = bytes.fromhex("8877665544332211")
NOISE = Random(20261122).randbytes(1 << 16)


@dataclass(frozen=True)
class Planted:
    """One message: its time, direction and the bytes of its body."""

    ts: int
    up: bool
    length: int


def be3(body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + body


def le2(body: bytes) -> bytes:
    return len(body).to_bytes(2, "little") + body


def le4(body: bytes) -> bytes:
    return len(body).to_bytes(4, "little") + body


def viber(body: bytes) -> bytes:
    return (len(body) + 2).to_bytes(2, "little") + body


def mmtls(body: bytes) -> bytes:
    return b"\x17\xf1\x04" + len(body).to_bytes(2, "big") + body


def mtproto(body: bytes) -> bytes:
    return le4(KEY + body[8:])


Opening = list[tuple[bool, bytes]]
TALKS: dict[str, tuple[str, int, Opening, Callable[[bytes], bytes]]] = {
    "whatsapp-noise": ("whatsapp", 5222, [
        (True, b"WA\x06\x03" + be3(b"\x12" + NOISE[:35])), (False, be3(b"\x1a" + NOISE[:349])),
        (True, be3(b"\x22" + NOISE[:200])),
    ], be3),
    "threema-csp": ("threema", 5222, [
        (True, NOISE[:48]), (False, NOISE[:80]), (True, NOISE[:191]), (False, NOISE[:32]),
    ], le2),
    "kakaotalk-loco": ("kakaotalk", 9282, [
        (True, bytes.fromhex("000100000c00000002000000") + NOISE[:256]),
    ], le4),
    "mtproto": ("telegram", 443, [
        (True, b"\xee" * 4 + mtproto(NOISE[:200])), (False, mtproto(NOISE[:120])),
    ], mtproto),
    "viber": ("viber", 4244, [
        (True, b"\x18\x00\x00\x00\x00\x00\xfc\xff\x05\x80" + bytes(14)), (False, viber(NOISE[:30])),
    ], viber),
    "wechat-mmtls": ("wechat", 8080, [
        (True, b"\x16\xf1\x04\x00\x6f" + NOISE[:111]), (False, b"\x16\xf1\x04\x00\xa6" + NOISE[:166]),
    ], mmtls),
}  # fmt: skip
"""Protocol -> label, port, opening, framing of a body."""
SIZES = (201, 176, 420, 233, 1_800, 310, 12_345, 164, 777, 251, 503, 15_001)


def talk(protocol: str, at: int = START, client: str = "10.0.0.2") -> tuple[list[Frame], list[Planted]]:
    """The frames of a connection and the messages in it."""
    _, port, opening, wrap = TALKS[protocol]
    line = Connection(client, "192.0.2.10", 40000, port, ts=at).open()
    for up, data in opening:
        line.say(up, data)
    random, planted = Random(protocol), []
    for turn in range(40):
        line.ts = at + 5 * SECOND + turn * 7 * SECOND + random.randrange(4 * SECOND)
        up = random.random() < 0.5
        some = [SIZES[random.randrange(len(SIZES))] for _ in range(1 + turn % 3)]
        begin = line.ts
        line.say(up, b"".join(wrap(NOISE[at : at + size]) for at, size in enumerate(some)))
        planted += [Planted(begin, up, size) for size in some]
    return line.close().frames, planted
