"""Telegram's transports: https://core.telegram.org/mtproto/mtproto-transports"""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from wirecover.capture.protocols.mtproto import parse_obfuscated_header, plain_transport


def header(tag: bytes, data_centre: int, first: bytes = b"\x01\x02\x03\x04\x05\x06\x07\x08") -> bytes:
    plain = first + bytes(range(60, 108)) + tag + data_centre.to_bytes(2, "little", signed=True) + b"\x55\xaa"
    sealed = Cipher(algorithms.AES(plain[8:40]), modes.CTR(plain[40:56])).encryptor().update(plain)
    return plain[:56] + sealed[56:]


def sealed(tag: bytes, message: bytes) -> bytes:
    """An obfuscated header and the message behind it."""
    plain = bytes(range(1, 9)) + bytes(range(60, 108)) + tag * 4 + b"\2\0\x55\xaa" + message
    stream = Cipher(algorithms.AES(plain[8:40]), modes.CTR(plain[40:56])).encryptor().update(plain)
    return plain[:56] + stream[56:]


@pytest.mark.parametrize(
    ("tag", "transport"),
    [(b"\xef", "abridged"), (b"\xee", "intermediate"), (b"\xdd", "padded intermediate")],
)
@pytest.mark.parametrize("data_centre", [1, 5, -4, 10002, -10001])
def test_obfuscated(tag, transport, data_centre):
    found = parse_obfuscated_header(header(tag * 4, data_centre) + b"what follows is not looked at")
    assert found is not None
    assert (found.transport, found.data_centre) == (transport, data_centre)


@pytest.mark.parametrize("data_centre", [0, 6, -537, 20_000])
def test_a_number_that_is_no_data_centre_is_not_told(data_centre):
    found = parse_obfuscated_header(header(b"\xef" * 4, data_centre))
    assert found is not None and found.data_centre is None


@pytest.mark.parametrize("tag", [b"\xef", b"\xee", b"\xdd"])
@pytest.mark.parametrize(("key", "has_key"), [(bytes(8), False), (b"\0\0\0\1\0\0\0\0", True)])
def test_the_first_message_names_a_key_or_not(tag, key, has_key):
    length = b"\x0a" if tag == b"\xef" else (40).to_bytes(4, "little")
    data = sealed(tag, length + key + bytes(32))
    for cut in range(len(data) + 1):
        found = parse_obfuscated_header(data[:cut])
        if cut < 64:
            assert found is None
        else:
            assert found.has_key is (has_key if cut >= 64 + len(length) + 8 else None)


def test_a_long_first_message():
    data = sealed(b"\xef", b"\x7f\x00\x01\x00" + b"\1" * 8)
    assert parse_obfuscated_header(data).has_key


@pytest.mark.parametrize(
    "data",
    [
        b"",
        header(b"\xef" * 4, 2)[:63],
        header(b"\xef\xef\xef\xee", 2),
        header(b"\xef" * 4, 2, first=b"\xef" + bytes(7)),
        header(b"\xef" * 4, 2, first=b"GET /abc"),
        header(b"\xef" * 4, 2, first=b"abcd" + bytes(4)),
        bytes(64),
        bytes(range(64)),
    ],
)
def test_not_obfuscated(data):
    assert parse_obfuscated_header(data) is None


@pytest.mark.parametrize(
    ("data", "transport"),
    [
        (b"\xef\x05" + bytes(8) + bytes(12), "abridged"),
        (b"\xee" * 4 + (20).to_bytes(4, "little") + bytes(20), "intermediate"),
        (b"\xdd" * 4 + (24).to_bytes(4, "little") + bytes(24), "padded intermediate"),
        (b"\xef\x05" + b"\x01" + bytes(19), None),  # an auth_key_id: content is sealed, nothing certain
        (b"\xef\x7f" + bytes(20), None),
        (b"\xef\x06" + bytes(20), None),  # cut
        (b"\xee" * 4 + (21).to_bytes(4, "little") + bytes(20), None),
        (b"\xee" * 4, None),
        (b"\xef", None),
        (b"", None),
    ],
)
def test_plain(data, transport):
    assert plain_transport(data) == transport
