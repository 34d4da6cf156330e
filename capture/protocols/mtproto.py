"""The outermost layer of Telegram's MTProto transports: which transport, and nothing of what it carries.

Source: https://core.telegram.org/mtproto/mtproto-transports
An obfuscated connection begins with 64 bytes of which 8 to 39 are an AES-256-CTR key and 40 to 55 its
counter: every observer has them, and deciphering the same 64 bytes shows the transport's tag (56 to 59) and
the data centre (60 and 61). Behind a proxy with a secret the key is not in the packet, and nothing can be
told. Of what follows only the first frame's length and the id of its key are looked at, and of the id only whether
there is one: 0 is a key exchange (a new device or a renewal).
"""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

HEADER_BYTES: Final = 64
TRANSPORTS: Final = {b"\xef" * 4: "abridged", b"\xee" * 4: "intermediate", b"\xdd" * 4: "padded intermediate"}
_PLAIN_STARTS: Final = (b"HEAD", b"POST", b"GET ", b"OPTI", b"\xee" * 4, b"\xdd" * 4, b"\x16\x03\x01\x02")
_OPENED: Final = HEADER_BYTES + 4 + 8
"""Header, length and key id of the first message; nothing beyond is deciphered."""
_DATA_CENTRES: Final = frozenset(
    sign * (test + number) for sign in (1, -1) for test in (0, 10_000) for number in range(1, 6)
)
"""Negative: media servers; from 10,001 on: the test network. Some clients leave random bytes in this place."""


@dataclass(frozen=True, slots=True)
class ObfuscatedHeader:
    """What the first 64 bytes of an obfuscated connection say."""

    transport: str
    data_centre: int | None
    """Negative: a media server of that data centre; above 10,000: the test network; None: no such number is there."""
    has_key: bool | None = None
    """The first message names a key; False: it is a key exchange; None: it is not in these bytes."""


def parse_obfuscated_header(data: bytes) -> ObfuscatedHeader | None:
    """The header at the start of what a client sends; None when it is none, or a proxy's secret hides it."""
    if len(data) < HEADER_BYTES or data[0] == 0xEF or data[:4] in _PLAIN_STARTS or not any(data[4:8]):
        return None
    decryptor = Cipher(algorithms.AES(data[8:40]), modes.CTR(data[40:56])).decryptor()
    plain = decryptor.update(data[:_OPENED])
    transport = TRANSPORTS.get(plain[56:60])
    data_centre = int.from_bytes(plain[60:62], "little", signed=True)
    if transport is None:  # by chance 3 of 2**32 random openings have a tag
        return None
    known = data_centre if data_centre in _DATA_CENTRES else None
    return ObfuscatedHeader(transport, known, _has_key(transport, plain[HEADER_BYTES:]))


def _has_key(transport: str, data: bytes) -> bool | None:
    """Whether the frame that `data` begins names a key."""
    size = 4 if transport != "abridged" or data[:1] in (b"\x7f", b"\xff") else 1
    key = data[size : size + 8]
    return any(key) if len(key) == 8 else None


def plain_transport(data: bytes) -> str | None:
    """The transport of a first payload without obfuscation, when its first frame is an unencrypted message.

    Such a message (a key exchange) has an auth_key_id of zero, which is what tells it from anything else.
    """
    if data[:1] == b"\xef" and len(data) > 2:
        return (
            "abridged" if data[1] < 0x7F and data[2:10] == bytes(8) and len(data) >= 2 + 4 * data[1] else None
        )
    transport = TRANSPORTS.get(data[:4])
    length = int.from_bytes(data[4:8], "little")
    return transport if data[8:16] == bytes(8) and 20 <= length <= len(data) - 8 else None
