"""Keys of QUIC Initial packets, and opening one.

The keys derive from the client's first Destination Connection ID, which stands in the clear, with a salt
printed in the RFC: whoever sees the packet has them (RFC 9001 sections 5.2 and 7: Initial packets are not
confidential). No other QUIC packet type can be opened so, and this module opens none.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wirecover.capture.protocols.quic_header import MIN_PROTECTED, RETRY_TAG_BYTES, LongHeader
from wirecover.capture.registries.quic_versions import InitialProtection

Side = Literal["client", "server"]

_SAMPLE_BYTES: Final = 16
_BLOCK_BYTES: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def expand_label(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label of RFC 8446 section 7.1 with SHA-256 and an empty context; `size` is at most 32
    bytes.
    """
    info = size.to_bytes(2, "big") + bytes([len(label) + 6]) + b"tls13 " + label + b"\x00\x01"
    return _hmac_sha256(secret, info)[:size]


def _hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104) of a key of 32 bytes at most: for such small input three times as fast as `hmac`,
    which prepares more than it computes. No secret is handled here: whoever sees the packet has these keys.
    """
    filled = key.ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(filled.translate(_INNER) + message).digest()
    return sha256(filled.translate(_OUTER) + inner).digest()


@dataclass(frozen=True, slots=True)
class OpenedPacket:
    number: int
    payload: bytes


class InitialKeys:
    """One side's Initial keys; the cipher objects are made once and used for every packet of the
    connection.
    """

    __slots__ = ("_aead", "_iv", "_mask", "largest")

    def __init__(self, protection: InitialProtection, initial_secret: bytes, side: bytes) -> None:
        secret = expand_label(initial_secret, side, 32)
        self._aead = AESGCM(expand_label(secret, protection.label + b" key", 16))
        self._iv = int.from_bytes(expand_label(secret, protection.label + b" iv", 12), "big")
        mask_key = expand_label(secret, protection.label + b" hp", 16)
        self._mask = Cipher(algorithms.AES(mask_key), modes.ECB()).encryptor()  # noqa: S305  RFC 9001 5.4.3
        self.largest = -1
        """The largest packet number opened so far."""

    def open(self, datagram: bytes, begin: int, start: int, end: int) -> OpenedPacket | None:
        """The payload of the Initial packet that begins, has its packet number, and ends at these offsets; `None`
        if its tag does not fit these keys.
        """
        sample_at = start + 4
        if end > len(datagram) or end - start < MIN_PROTECTED:
            return None
        mask = self._mask.update(datagram[sample_at : sample_at + _SAMPLE_BYTES])
        first = datagram[begin] ^ (mask[0] & 0x0F)
        size = (first & 0x03) + 1
        truncated = int.from_bytes(datagram[start : start + size], "big") ^ int.from_bytes(
            mask[1 : 1 + size], "big"
        )
        associated = bytes([first]) + datagram[begin + 1 : start] + truncated.to_bytes(size, "big")
        number = _full_packet_number(truncated, size, self.largest)
        nonce = (self._iv ^ number).to_bytes(12, "big")
        try:
            payload = self._aead.decrypt(nonce, datagram[start + size : end], associated)
        except InvalidTag:
            return None
        self.largest = max(self.largest, number)
        return OpenedPacket(number, payload)


def _full_packet_number(truncated: int, size: int, largest: int) -> int:
    """RFC 9000 appendix A.3: the packet number nearest to the one expected that ends in these bits."""
    window = 1 << (8 * size)
    expected = largest + 1
    candidate = (expected & ~(window - 1)) | truncated
    if candidate <= expected - window // 2:
        return candidate + window
    if candidate > expected + window // 2 and candidate >= window:
        return candidate - window
    return candidate


class InitialKeyPair:
    """Both sides' Initial keys for a client's first Destination Connection ID; each derived when first
    asked for.
    """

    __slots__ = ("_initial_secret", "_protection", "_sides")

    def __init__(self, protection: InitialProtection, dcid: bytes) -> None:
        self._protection = protection
        self._initial_secret = _hmac_sha256(protection.salt, dcid)  # HKDF-Extract
        self._sides: dict[Side, InitialKeys] = {}

    def side(self, side: Side) -> InitialKeys:
        keys = self._sides.get(side)
        if keys is None:
            label = b"client in" if side == "client" else b"server in"
            keys = self._sides[side] = InitialKeys(self._protection, self._initial_secret, label)
        return keys


def retry_tag_holds(
    protection: InitialProtection, datagram: bytes, header: LongHeader, dcid: bytes
) -> bool | None:
    """Whether a Retry answers the Initial that was sent to `dcid` (RFC 9001 section 5.8); `None`: no key is
    known.
    """
    if protection.retry_key is None or protection.retry_nonce is None:
        return None
    split = header.end - RETRY_TAG_BYTES
    pseudo = bytes([len(dcid)]) + dcid + datagram[header.start : split]
    try:
        AESGCM(protection.retry_key).decrypt(protection.retry_nonce, datagram[split : header.end], pseudo)
    except InvalidTag:
        return False
    return True
