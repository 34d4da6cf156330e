"""GTP control messages as far as they name a subscriber: 3GPP TS 29.060 (version 1), TS 29.274 (version 2).

Only what sets up, changes and ends a session is read; of each information element only identities, the access
point, addresses given and tunnel endpoints. Everything else is stepped over by its length.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from struct import unpack_from
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import host_text

PORT: Final = 2123
CREATE, CREATED, CHANGE, CHANGED, DELETE, DELETED = (
    "create",
    "created",
    "change",
    "changed",
    "delete",
    "deleted",
)
# TS 29.060 table 1, TS 29.274 table 6.1-1
_MESSAGES: Final[dict[int, dict[int, str]]] = {
    1: {16: CREATE, 17: CREATED, 18: CHANGE, 19: CHANGED, 20: DELETE, 21: DELETED},
    2: {32: CREATE, 33: CREATED, 34: CHANGE, 35: CHANGED, 36: DELETE, 37: DELETED},
}
# TS 29.060 table 37: bytes of the elements whose type has its top bit clear
_FIXED: Final[dict[int, int]] = {
    1: 1, 2: 8, 3: 6, 4: 4, 5: 4, 8: 1, 9: 28, 11: 1, 12: 3, 13: 1, 14: 1, 15: 1, 16: 4, 17: 4, 18: 5, 19: 1, 20: 1,
    21: 1, 22: 9, 23: 1, 24: 1, 25: 2, 26: 2, 27: 2, 28: 2, 29: 1, 127: 4,
}  # fmt: skip
_MAX_ELEMENTS: Final = 256
_MAX_DEPTH: Final = 2


@dataclass(slots=True)
class _Found:
    """Gathers what the elements of one message give."""

    imsi: str | None = None
    msisdn: str | None = None
    imei: str | None = None
    apn: str | None = None
    cause: int | None = None
    addresses: list[str] = field(default_factory=list)
    control: list[tuple[int, str | None]] = field(default_factory=list)
    data: list[tuple[int, str | None]] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GtpSession:
    """One message that sets up, changes or ends a session."""

    version: int
    act: str
    """CREATE, CREATED, CHANGE, CHANGED, DELETE or DELETED."""
    type: int
    teid: int
    """Of the header: which session of the receiver it is about; 0 in the request that creates one."""
    sequence: int
    """Matches an answer to its request."""
    imsi: str | None
    msisdn: str | None
    imei: str | None
    """With the two digits of a software version where the network gave them (IMEISV)."""
    apn: str | None
    addresses: tuple[str, ...]
    """Given to the subscriber; an IPv6 prefix as `prefix/64`."""
    control: tuple[tuple[int, str | None], ...]
    """Tunnel endpoints of the control plane: (TEID, address)."""
    data: tuple[tuple[int, str | None], ...]
    """Tunnel endpoints of the user plane, whose TEIDs GTP-U packets carry."""
    cause: int | None

    @property
    def accepted(self) -> bool | None:
        """What an answer says: version 1 accepts with 128 to 191, version 2 with 16 to 63; None without a cause."""
        if self.cause is None:
            return None
        return 128 <= self.cause <= 191 if self.version == 1 else 16 <= self.cause <= 63


def looks_like_gtpc(data: bytes) -> bool:
    """Whether a whole GTP-C message stands here, by version, flags and its own length."""
    if len(data) < 8:
        return False
    length = data[2] << 8 | data[3]
    version = data[0] >> 5
    if version == 1:
        return data[0] & 0x18 == 0x10 and 8 + length == len(data) and data[1] < 0xF0
    return version == 2 and data[0] & 0x07 == 0 and (
        4 + length == len(data) or (bool(data[0] & 0x10) and 4 + length < len(data))
    )  # fmt: skip


def parse_gtpc(data: bytes) -> GtpSession | None:
    """The message at the start of `data`, if it is about a session; `None` where it is cut or about none.

    Raises Malformed.
    """
    if len(data) < 8:
        return None
    version = data[0] >> 5
    act = _MESSAGES.get(version, {}).get(data[1])
    if version not in _MESSAGES:
        raise Malformed(0, f"no GTP-C version {version}")
    length = data[2] << 8 | data[3]
    end = length + (8 if version == 1 else 4)
    if end > len(data) or act is None:
        return None
    found = _Found()
    if version == 1:
        (teid,) = unpack_from(">I", data, 4)
        sequence, at = _extensions_1(data, end)
        _elements_1(data, at, end, found)
    else:
        wide = 12 if data[0] & 0x08 else 8
        if end < wide:
            raise Malformed(2, "a message shorter than its header")
        teid = unpack_from(">I", data, 4)[0] if wide == 12 else 0
        sequence = int.from_bytes(data[wide - 4 : wide - 1], "big")
        _elements_2(data, wide, end, found, 0)
    return GtpSession(
        version, act, data[1], teid, sequence, found.imsi, found.msisdn, found.imei, found.apn,
        tuple(found.addresses), tuple(found.control), tuple(found.data), found.cause,
    )  # fmt: skip


def digits(raw: bytes) -> str | None:
    """Telephony BCD: two digits a byte, the lower half first, 0xf fills up (TS 29.274 section 8.3)."""
    text = "".join(f"{byte & 15:x}{byte >> 4:x}" for byte in raw).rstrip("f")
    return text if text.isdigit() and 3 <= len(text) <= 20 else None


def _access_point(raw: bytes) -> str | None:
    """Labels as in DNS (TS 23.003 section 9.1)."""
    labels: list[bytes] = []
    at = 0
    while at < len(raw):
        size = raw[at]
        if not size or at + 1 + size > len(raw):
            return None
        labels.append(raw[at + 1 : at + 1 + size])
        at += 1 + size
    return host_text(b".".join(labels))


# ---- version 1 -------------------------------------------------------------------------------------------


def _extensions_1(data: bytes, end: int) -> tuple[int, int]:
    """Sequence number, and where the elements begin (TS 29.060 section 6)."""
    if not data[0] & 0x07:
        return 0, 8
    if end < 12:
        raise Malformed(2, "a message shorter than its header")
    sequence, following, at = data[8] << 8 | data[9], data[11], 12
    for _ in range(8):
        if not following or not data[0] & 0x04:
            return sequence, at
        if at >= end or not data[at] or at + 4 * data[at] > end:
            raise Malformed(at, "an extension header passes the end of the message")
        at += 4 * data[at]
        following = data[at - 1]
    raise Malformed(at, "too many extension headers")


def _elements_1(data: bytes, at: int, end: int, found: _Found) -> None:
    for _ in range(_MAX_ELEMENTS):
        if at >= end:
            break
        kind = data[at]
        if kind < 128:
            size, at = _FIXED.get(kind, -1), at + 1
            if size < 0:
                return  # a length that no table gives: nothing behind it can be read
        else:
            if at + 3 > end:
                raise Malformed(at, "an element is cut by the end of the message")
            size, at = data[at + 1] << 8 | data[at + 2], at + 3
        if at + size > end:
            raise Malformed(at, "an element passes the end of the message")
        _take_1(kind, data[at : at + size], found)
        at += size
    found.control = [(teid, found.peers[0] if found.peers else None) for teid, _ in found.control]
    found.data = [(teid, found.peers[1] if len(found.peers) > 1 else None) for teid, _ in found.data]


def _take_1(kind: int, value: bytes, found: _Found) -> None:
    if kind == 1:
        found.cause = value[0]
    elif kind == 2:
        found.imsi = found.imsi or digits(value)
    elif kind == 16:
        found.data.append((int.from_bytes(value, "big"), None))
    elif kind == 17:
        found.control.append((int.from_bytes(value, "big"), None))
    elif kind == 128:
        _user_address_1(value, found)
    elif kind == 131:
        found.apn = found.apn or _access_point(value)
    elif kind == 133 and (peer := _plain_address(value)) is not None:
        found.peers.append(peer)
    elif kind == 134:
        found.msisdn = found.msisdn or digits(value[1:])  # behind a byte of numbering plan
    elif kind == 154:
        found.imei = found.imei or digits(value)


def _user_address_1(value: bytes, found: _Found) -> None:
    """End User Address (TS 29.060 section 7.7.27): organisation, number, address."""
    if len(value) < 2 or value[0] & 0x0F != 1:
        return
    parts = {0x21: (value[2:6],), 0x57: (value[2:18],), 0x8D: (value[2:6], value[6:22])}.get(value[1], ())
    for part in parts:
        _give(part, found)


def _plain_address(value: bytes) -> str | None:
    if len(value) == 4:
        return str(IPv4Address(value))
    return str(IPv6Address(value)) if len(value) == 16 else None


def _give(part: bytes, found: _Found) -> None:
    if len(part) == 4 and any(part):
        found.addresses.append(str(IPv4Address(part)))
    elif len(part) == 16 and any(part):
        found.addresses.append(
            f"{IPv6Address(part[:8] + bytes(8))}/64"
        )  # a prefix of its own (TS 23.401 5.3.1)


# ---- version 2 -------------------------------------------------------------------------------------------


def _elements_2(data: bytes, at: int, end: int, found: _Found, depth: int) -> None:
    for _ in range(_MAX_ELEMENTS):
        if at >= end:
            return
        if at + 4 > end:
            raise Malformed(at, "an element is cut by the end of the message")
        kind, size = data[at], data[at + 1] << 8 | data[at + 2]
        at += 4
        if at + size > end:
            raise Malformed(at - 3, "an element passes the end of the message")
        if kind == 93 and depth < _MAX_DEPTH:  # a bearer context holds elements of its own
            _elements_2(data, at, at + size, found, depth + 1)
        else:
            _take_2(kind, data[at : at + size], found)
        at += size


def _take_2(kind: int, value: bytes, found: _Found) -> None:
    if kind == 1:
        found.imsi = found.imsi or digits(value)
    elif kind == 2 and value:
        found.cause = value[0] if found.cause is None else found.cause
    elif kind == 71:
        found.apn = found.apn or _access_point(value)
    elif kind == 75:
        found.imei = found.imei or digits(value)
    elif kind == 76:
        found.msisdn = found.msisdn or digits(value)
    elif kind == 79:
        _user_address_2(value, found)
    elif kind == 87:
        _endpoint_2(value, found)


def _user_address_2(value: bytes, found: _Found) -> None:
    """PDN Address Allocation (TS 29.274 section 8.14): type, then IPv4, prefix and IPv6, or both."""
    kind = value[0] & 0x07 if value else 0
    if kind == 1:
        _give(value[1:5], found)
    elif kind in (2, 3):
        _give(value[2:18], found)
        if kind == 3:
            _give(value[18:22], found)


_USER_PLANE: Final = frozenset({0, 1, 2, 3, 4, 5, 15, 16, 19, 20, 23, 24, 25, 28, 29, 31, 33, 34, 37, 38})
"""Interface types of TS 29.274 section 8.22 that are GTP-U."""


def _endpoint_2(value: bytes, found: _Found) -> None:
    """Fully qualified TEID (TS 29.274 section 8.22)."""
    if len(value) < 5:
        return
    teid = int.from_bytes(value[1:5], "big")
    at, peer = 5, None
    if value[0] & 0x80 and len(value) >= 9:
        at, peer = 9, str(IPv4Address(value[5:9]))
    if value[0] & 0x40 and len(value) >= at + 16 and peer is None:
        peer = str(IPv6Address(value[at : at + 16]))
    (found.data if value[0] & 0x3F in _USER_PLANE else found.control).append((teid, peer))
