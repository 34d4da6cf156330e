"""One connection attempt of a QUIC client: its keys, by version, and the two CRYPTO streams they open."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.fragments import FragmentBuffer
from wirecover.capture.protocols.quic_keys import InitialKeyPair
from wirecover.capture.registries.quic_versions import find_version

MAX_CRYPTO_BYTES: Final = 64 << 10
"""CRYPTO data kept per attempt and direction."""
MAX_VERSIONS: Final = 4
"""Versions keys are derived for within an attempt; RFC 9368 needs two."""


class CryptoStream:
    """One side's CRYPTO data of the Initial packets, and the handshake messages in it."""

    __slots__ = ("_first_datagram", "_fragments", "_messages", "_taken", "broken")

    def __init__(self) -> None:
        self.broken = False
        """Nothing more is read of it: a limit was passed, or something that is no hello came."""
        self._fragments = FragmentBuffer(MAX_CRYPTO_BYTES)
        self._first_datagram = 0
        self._messages = 0
        self._taken = 0

    @property
    def head(self) -> bytearray:
        return self._fragments.head

    @property
    def first_datagram(self) -> int:
        """Number of the datagram that brought the first bytes of the message under way; 0 for none."""
        return self._first_datagram

    def add(self, offset: int, data: bytes, datagram: int) -> None:
        """Take one frame's data; Malformed where it contradicts what is held or passes a limit."""
        self._first_datagram = self._first_datagram or datagram
        was_clean = not self._fragments.conflicting
        if not self._fragments.add(offset, data):
            self.broken = True
            raise Malformed(0, "more handshake data than is kept")
        if was_clean and self._fragments.conflicting:
            raise Malformed(0, "handshake data sent twice with different content: the first was kept")

    def take_messages(self, expected: int) -> Iterator[tuple[int, bytes, int]]:
        """The messages that became whole: index, body without its header, first datagram."""
        head = self._fragments.head
        while not self.broken and len(head) >= self._taken + 4:
            start, kind = self._taken + 4, head[self._taken]
            stop = start + int.from_bytes(head[start - 3 : start], "big")
            if kind != expected or stop > MAX_CRYPTO_BYTES:
                self.broken = True
                raise Malformed(0, f"handshake message type {kind}, {stop - start} bytes, in an Initial")
            if len(head) < stop:
                return
            index, first = self._messages, self._first_datagram
            self._messages, self._first_datagram, self._taken = index + 1, 0, stop
            yield index, bytes(head[start:stop]), first


@dataclass(slots=True)
class Attempt:
    """A client's DCID, the keys that derive from it, and what they opened."""

    dcid: bytes
    opened: bool = False
    """True once a packet authenticated."""
    client: CryptoStream = field(default_factory=CryptoStream)
    server: CryptoStream = field(default_factory=CryptoStream)
    _keys: dict[int, tuple[InitialKeyPair, ...]] = field(default_factory=dict)

    def keys_for(self, version: int) -> tuple[InitialKeyPair, ...]:
        """Keys for each protection the version may have; none where no protection is known."""
        pairs = self._keys.get(version)
        if pairs is None:
            known = find_version(version)
            protections = known.protections if known and len(self._keys) < MAX_VERSIONS else ()
            pairs = tuple(InitialKeyPair(protection, self.dcid) for protection in protections)
            if pairs:
                self._keys[version] = pairs
        return pairs
