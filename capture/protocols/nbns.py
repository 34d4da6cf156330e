"""NetBIOS over UDP (RFC 1001, 1002): the names by which nodes are registered, and who says so.

Name service (port 137): a registration, a refresh or a positive answer binds names to addresses; a node
status answer lists all names of a node and its hardware address. Datagram service (port 138): the header
names the sender; the user data behind it is not read.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import address_text, host_text, mac_text
from wirecover.capture.registries.host_numbers import NETBIOS_GROUP, NETBIOS_UNIQUE

HEADER_BYTES: Final = 12
_ENCODED_BYTES: Final = 32
_NB, _NBSTAT = 0x20, 0x21
_MAX_RECORDS: Final = 32
_MAX_ADDRESSES: Final = 64
_GROUP: Final = 0x8000
_DATAGRAM_HEADER: Final = 14
_DIRECT_DATAGRAMS: Final = (0x10, 0x11, 0x12)  # RFC 1002 section 4.4.1
QUERY, REGISTRATION, RELEASE, WAIT, REFRESH, REFRESH_ALSO, MULTIHOMED = 0, 5, 6, 7, 8, 9, 15


@dataclass(frozen=True, slots=True)
class NetbiosName:
    """A name of 15 characters and its suffix."""

    name: str
    suffix: int
    """Sixteenth byte: what holds the name."""
    group: bool
    """Shared by a group; False: held by one node, or not said."""

    @property
    def holder(self) -> str:
        """What holds it, or `unknown-0x...`."""
        known = NETBIOS_GROUP if self.group else NETBIOS_UNIQUE
        return known.get(self.suffix, f"unknown-0x{self.suffix:02x}")


@dataclass(frozen=True, slots=True)
class NameBinding:
    """A name and the addresses it is said to have."""

    name: NetbiosName
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NbnsMessage:
    """One name service message."""

    transaction: int
    is_response: bool
    opcode: int
    rcode: int
    question: NetbiosName | None
    bindings: tuple[NameBinding, ...]
    """NB records, wherever they stand."""
    node_names: tuple[NetbiosName, ...]
    """Of a node status answer: every name of the node that sent it."""
    node_mac: str | None
    """Of a node status answer: the unit identifier."""


@dataclass(frozen=True, slots=True)
class NbDatagram:
    """The header of one datagram service message with user data."""

    source_ip: str | None
    """As the sender gives it, which differs from the packet's behind a translator."""
    source: NetbiosName
    destination: NetbiosName


def decode_name(encoded: bytes, offset: int = 0) -> NetbiosName:
    """First-level decoding (RFC 1001 section 14.1) of 32 letters. Raises Malformed with `offset` added."""
    if len(encoded) != _ENCODED_BYTES:
        raise Malformed(offset, "NetBIOS name is not 32 letters long")
    for at, letter in enumerate(encoded):
        if not 0x41 <= letter <= 0x50:
            raise Malformed(offset + at, "letter of a NetBIOS name is not one of A to P")
    raw = bytes((encoded[at] - 0x41) << 4 | (encoded[at + 1] - 0x41) for at in range(0, _ENCODED_BYTES, 2))
    return _name(raw, group=False)


def _name(raw: bytes, *, group: bool) -> NetbiosName:
    return NetbiosName(host_text(raw[:15].rstrip(b" \0")) or "", raw[15], group)


def parse_nbns(data: bytes) -> NbnsMessage | None:
    """One name service message. None when it is cut. Raises Malformed."""
    if len(data) < HEADER_BYTES:
        return None
    flags = _u16(data, 2)
    questions, *counts = (_u16(data, at) for at in range(4, HEADER_BYTES, 2))
    if questions > 1 or sum(counts) > _MAX_RECORDS:
        raise Malformed(4, "more records than a NetBIOS message has")
    at = HEADER_BYTES
    question: NetbiosName | None = None
    if questions:
        named = _read_name(data, at)
        if named is None or named[1] + 4 > len(data):
            return None
        question, at = named[0], named[1] + 4
    bindings: list[NameBinding] = []
    node: tuple[tuple[NetbiosName, ...], str | None] = ((), None)
    for _ in range(sum(counts)):
        named = _read_name(data, at)
        if named is None or named[1] + 10 > len(data):
            return None
        name, body = named[0], named[1] + 10
        kind, at = _u16(data, named[1]), body + _u16(data, body - 2)
        if at > len(data):
            return None
        if kind == _NB:
            bindings.append(_binding(name, data[body:at]))
        elif kind == _NBSTAT:
            node = _node_status(data[body:at], body)
    return NbnsMessage(
        transaction=_u16(data, 0),
        is_response=flags >= 0x8000,
        opcode=flags >> 11 & 0xF,
        rcode=flags & 0xF,
        question=question,
        bindings=tuple(bindings),
        node_names=node[0],
        node_mac=node[1],
    )


def parse_nb_datagram(data: bytes) -> NbDatagram | None:
    """The header of a direct, group or broadcast datagram (section 4.4.2). None: cut. Raises Malformed."""
    if data and data[0] not in _DIRECT_DATAGRAMS:
        raise Malformed(0, "NetBIOS datagram carries no names of sender and receiver")
    if len(data) < _DATAGRAM_HEADER:
        return None
    source = _read_name(data, _DATAGRAM_HEADER)
    if source is None:
        return None
    destination = _read_name(data, source[1])
    if destination is None:
        return None
    return NbDatagram(address_text(data[4:8]), source[0], destination[0])


def _read_name(data: bytes, at: int) -> tuple[NetbiosName, int] | None:
    """The name at `at` and the offset behind it, scope and all; None when the data ends inside it.

    A pointer (two bytes, RFC 1002 section 4.1) may lead backwards, once, to a name in full.
    """
    if at >= len(data):
        return None
    if data[at] >= 0xC0:
        if at + 2 > len(data):
            return None
        target = _u16(data, at) & 0x3FFF
        if target >= at or data[target] != _ENCODED_BYTES:
            raise Malformed(at, "pointer of a NetBIOS name does not lead back to a name")
        named = _read_name(data, target)
        return None if named is None else (named[0], at + 2)
    if data[at] != _ENCODED_BYTES:
        raise Malformed(at, "NetBIOS name is not 32 letters long")
    if at + 1 + _ENCODED_BYTES > len(data):
        return None
    name = decode_name(data[at + 1 : at + 1 + _ENCODED_BYTES], at + 1)
    at += 1 + _ENCODED_BYTES
    for _ in range(128):  # the scope: labels that no host is named by
        if at >= len(data):
            return None
        if not data[at]:
            return name, at + 1
        if data[at] >= 0xC0:
            return (name, at + 2) if at + 2 <= len(data) else None
        if data[at] > 63:
            raise Malformed(at, "reserved label type")
        at += 1 + data[at]
    raise Malformed(at, "scope of a NetBIOS name is too long")


def _binding(name: NetbiosName, raw: bytes) -> NameBinding:
    """An NB record (section 4.2.1.3): flags and an address, repeated."""
    addresses: dict[str, None] = {}
    group = False
    for at in range(0, min(len(raw), 6 * _MAX_ADDRESSES) - 5, 6):
        group = group or bool(_u16(raw, at) & _GROUP)
        address = address_text(raw[at + 2 : at + 6])
        if address is not None:
            addresses[address] = None
    return NameBinding(NetbiosName(name.name, name.suffix, group), tuple(addresses))


def _node_status(raw: bytes, offset: int) -> tuple[tuple[NetbiosName, ...], str | None]:
    """A node status answer (section 4.2.18): a count, names of 18 bytes, statistics with the unit first."""
    if not raw or len(raw) < 1 + 18 * raw[0]:
        raise Malformed(offset, "names of a NetBIOS node run past their record")
    end = 1 + 18 * raw[0]
    names = tuple(
        _name(raw[at : at + 16], group=bool(_u16(raw, at + 16) & _GROUP)) for at in range(1, end, 18)
    )
    return names, mac_text(raw[end : end + 6])


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]
