"""QUIC packets built byte by byte, protected with keys derived by another way than the code under test.

The derivation here is `cryptography`'s HKDF; wirecover's is HMAC by hand. The numbers are given by the
caller.
"""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

VECTORS = Path(__file__).parent.parent / "vectors"
DCID = bytes.fromhex("8394c8f03e515708")
V1 = 1
V2 = 0x6B3343CF
DRAFT_29 = 0xFF00001D
SALTS = {
    V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
    V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9",
    DRAFT_29: "afbfec289993d24c9e9786f19c6111e04390a899",
    0xFF000017: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    0x51303530: "504574efd066fe2f9d945cfcdbd3a7f0d3b56b45",
    0x54303531: "7a4edef4e7ccee5fa4506c19124fc8ccda6e033d",
}


def vector_bytes(name: str) -> bytes:
    """A test vector: hex lines, `#` starts a comment."""
    lines = (VECTORS / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def varint(value: int, size: int | None = None) -> bytes:
    size = size or next(size for size in (1, 2, 4, 8) if value < 1 << (8 * size - 2))
    return (value | {1: 0, 2: 1, 4: 2, 8: 3}[size] << (8 * size - 2)).to_bytes(size, "big")


def crypto(offset: int, data: bytes) -> bytes:
    return b"\x06" + varint(offset) + varint(len(data)) + data


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    info = size.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return HKDFExpand(SHA256(), size, info).derive(secret)


def _secret(salt: bytes, dcid: bytes, side: str) -> bytes:
    initial = HKDF.extract(SHA256(), salt, dcid)
    return _expand(initial, f"{side} in".encode(), 32)


def protect(header: bytes, payload: bytes, number: int, secret: bytes, label: bytes = b"quic") -> bytes:
    """Seal and mask a packet whose header ends in its packet number, as RFC 9001 sections 5.3 and 5.4 say."""
    size = (header[0] & 3) + 1
    iv = int.from_bytes(_expand(secret, label + b" iv", 12), "big")
    sealed = AESGCM(_expand(secret, label + b" key", 16)).encrypt(
        (iv ^ number).to_bytes(12, "big"), payload, header
    )
    masker = Cipher(algorithms.AES(_expand(secret, label + b" hp", 16)), modes.ECB()).encryptor()
    mask = masker.update(sealed[4 - size : 20 - size])
    masked = bytearray(header)
    masked[0] ^= mask[0] & 0x0F
    for index in range(size):
        masked[index - size] ^= mask[1 + index]
    return bytes(masked) + sealed


def long_header(
    kind: int, version: int, dcid: bytes, scid: bytes, *, size: int = 1, fixed: bool = True
) -> bytes:
    bits = (kind + (version == V2)) % 4
    first = 0x80 | (0x40 if fixed else 0) | bits << 4 | size - 1
    return bytes([first]) + version.to_bytes(4, "big") + bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid


def initial(
    payload: bytes,
    *,
    side: str = "client",
    key_dcid: bytes = DCID,
    dcid: bytes | None = None,
    scid: bytes = b"",
    version: int = V1,
    number: int = 0,
    size: int = 2,
    token: bytes = b"",
    pad_to: int = 0,
    fixed: bool = True,
    salt: str | None = None,
) -> bytes:
    """A protected Initial packet; `pad_to` pads with PADDING frames to that packet length."""
    dcid = key_dcid if dcid is None else dcid
    head = long_header(0, version, dcid, scid, size=size, fixed=fixed) + varint(len(token)) + token
    payload = payload.ljust(max(4, pad_to - len(head) - 2 - size - 16), b"\0")
    head += varint(size + len(payload) + 16, 2) + (number & ((1 << 8 * size) - 1)).to_bytes(size, "big")
    secret = _secret(bytes.fromhex(salt or SALTS[version]), key_dcid, side)
    return protect(head, payload, number, secret, b"quicv2" if version == V2 else b"quic")


def opaque(kind: int, *, version: int = V1, dcid: bytes = DCID, scid: bytes = b"", size: int = 60) -> bytes:
    """A 0-RTT (kind 1) or Handshake (kind 2) packet of noise."""
    return (
        long_header(kind, version, dcid, scid) + varint(size) + bytes(index & 0xFF for index in range(size))
    )


def retry(
    token: bytes, *, dcid: bytes, scid: bytes, original: bytes, key: str, nonce: str, version: int = V1
) -> bytes:
    head = long_header(3, version, dcid, scid) + token
    pseudo = bytes([len(original)]) + original + head
    return head + AESGCM(bytes.fromhex(key)).encrypt(bytes.fromhex(nonce), b"", pseudo)


def negotiation(versions: Sequence[int], *, dcid: bytes, scid: bytes) -> bytes:
    return long_header(0, 0, dcid, scid) + b"".join(version.to_bytes(4, "big") for version in versions)
