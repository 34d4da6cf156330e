"""Protocols with binary headers, by the first payload of either side.

A check reads fixed bytes and the lengths that the header itself states; where that is less than four bytes
of proof the server's well-known port must agree. Layouts: the RFC or the public specification named at each
check.
"""

from collections.abc import Callable
from typing import Final

from wirecover.capture.protocols.dns import looks_like_dns, parse_dns
from wirecover.capture.protocols.gtpc import looks_like_gtpc
from wirecover.capture.protocols.isakmp import looks_like_ike

_Check = Callable[[bytes], bool]


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _ber(data: bytes, at: int) -> tuple[int, int] | None:
    """Start and end of the content of the BER element at `at`; None without a definite length."""
    if at + 2 > len(data):
        return None
    length, start = data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or start + count > len(data):
            return None
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    return start, start + length


def _bittorrent(data: bytes) -> bool:
    return data[:20] == b"\x13BitTorrent protocol"  # BEP 3


def _bittorrent_udp(data: bytes) -> bool:
    """BEP 5 (DHT queries and answers in bencoding), BEP 15 (tracker connection)."""
    dht = data[:1] == b"d" and data[-1:] == b"e" and data[:12] in (b"d1:ad2:id20:", b"d1:rd2:id20:")
    addressed = data[:5] in (b"d2:ip", b"d1:el") and data[-1:] == b"e" and b"1:y1:" in data
    tracker = len(data) == 16 and data[:12] == bytes.fromhex("000004172710198000000000")
    return dht or addressed or tracker


def _smb(data: bytes) -> bool:
    """NetBIOS session service (RFC 1002 section 4.3), then SMB 1, 2 or encrypted 3."""
    if data[:1] == b"\x81":
        return len(data) >= 72 and data[:4] == b"\x81\x00\x00\x44" and data[4] == 0x20
    return data[:1] == b"\0" and data[4:8] in (b"\xffSMB", b"\xfeSMB", b"\xfdSMB")


def _rdp(data: bytes) -> bool:
    """TPKT (RFC 1006) with an X.224 connection request with a cookie or a negotiation, or its confirm."""
    if data[:2] != b"\x03\x00" or _u16(data, 2) != len(data) or len(data) < 11:
        return False
    request = data[5] == 0xE0 and (data[11:17] == b"Cookie" or data[11:15] == b"\x01\x00\x08\x00")
    return request or (
        data[5] == 0xD0 and data[11:15] in (b"\x02\x00\x08\x00", b"\x02\x1f\x08\x00", b"\x03\x00\x08\x00")
    )


def _mysql(data: bytes) -> bool:
    """Server greeting, protocol version 10: its length, sequence 0, and a version in digits."""
    length = int.from_bytes(data[:3], "little")
    end = data.find(b"\0", 5, 70)
    return (
        40 < length == len(data) - 4 and data[3:5] == b"\x00\x0a" and end > 6 and data[5:6].isdigit()
        and data[5:end].isascii()
    )  # fmt: skip


def _postgresql(data: bytes) -> bool:
    """Start-up message of protocol 3, or the requests for TLS and GSS encryption."""
    if len(data) < 8 or int.from_bytes(data[:4], "big") != len(data):
        return False
    return data[4:] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30") or (
        data[4:8] == b"\x00\x03\x00\x00" and data[8:13] == b"user\0" and data.endswith(b"\0\0")
    )


def _ldap(data: bytes) -> bool:
    """LDAPMessage (RFC 4511 section 4.1.1): a sequence of an id and an operation."""
    outer = _ber(data, 0) if data[:1] == b"\x30" else None
    if outer is None or outer[1] < len(data) or data[outer[0] : outer[0] + 1] != b"\x02":
        return False
    identifier = _ber(data, outer[0])
    if identifier is None or not 1 <= identifier[1] - identifier[0] <= 4 or identifier[1] >= len(data):
        return False
    operation = data[identifier[1]]
    return operation in (0x60, 0x61, 0x63, 0x64, 0x65, 0x77, 0x78)


def _kerberos(data: bytes) -> bool:
    """A message of protocol 5 (RFC 4120 section 5): application tag, sequence, pvno 5."""
    if data[:1] not in (b"\x6a", b"\x6b", b"\x6c", b"\x6d", b"\x7e"):
        return False
    outer = _ber(data, 0)
    inner = _ber(data, outer[0]) if outer is not None and data[outer[0] : outer[0] + 1] == b"\x30" else None
    return inner is not None and data[inner[0] + 1 : inner[0] + 5] == b"\x03\x02\x01\x05"


def _kerberos_tcp(data: bytes) -> bool:
    return len(data) > 8 and data[:2] == b"\0\0" and _kerberos(data[4:])


def _mqtt(data: bytes) -> bool:
    """CONNECT (MQTT 3.1 to 5, section 3.1)."""
    if data[:1] != b"\x10":
        return False
    at = 1
    while at < min(len(data), 4) and data[at] & 0x80:
        at += 1
    return data[at + 1 : at + 7] == b"\x00\x04MQTT" or data[at + 1 : at + 9] == b"\x00\x06MQIsdp"


def _socks(data: bytes) -> bool:
    """Version 5 greeting (RFC 1928 section 3); version 4 request."""
    if data[:1] == b"\x05":
        return 3 <= len(data) == 2 + data[1] and data[1] <= 10 and all(method < 10 for method in data[2:])
    return (
        data[:1] == b"\x04" and len(data) >= 9 and data[1] in (1, 2) and data[-1] == 0 and _u16(data, 2) > 0
    )


def _rtmp(data: bytes) -> bool:
    """C0 and the start of C1: version 3, a time, four bytes of zero (or a version of Flash)."""
    return data[:1] == b"\x03" and len(data) >= 1000 and (data[5:9] == bytes(4) or data[5] in (9, 10, 128))


def _bitcoin(data: bytes) -> bool:
    return data[:4] in (b"\xf9\xbe\xb4\xd9", b"\x0b\x11\x09\x07") and data[4:11] == b"version"


def _amqp(data: bytes) -> bool:
    return data[:4] == b"AMQP" and len(data) == 8 and data[4] <= 3


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4] if at >= 0 else data[at:][:4], "big")


def _ike(data: bytes) -> bool:
    """ISAKMP header (RFC 7296 section 3.1), on port 4500 behind four bytes of zero (RFC 3948)."""
    if data[:4] == bytes(4):
        data = data[4:]
    return looks_like_ike(data)


def _ntp(data: bytes) -> bool:
    """RFC 5905 section 7.3: version 1 to 4, a mode, 48 bytes; modes 6 and 7 (control) have other lengths."""
    if len(data) < 8 or not 1 <= data[0] >> 3 & 7 <= 4:
        return False
    mode = data[0] & 7
    return mode in (6, 7) or (mode > 0 and len(data) >= 48 and not len(data) % 4 and data[1] <= 16)


def _snmp(data: bytes) -> bool:
    """RFC 3416 and 3412: a sequence of version 0, 1 or 3 and a community or a header."""
    outer = _ber(data, 0) if data[:1] == b"\x30" else None
    if outer is None or outer[1] != len(data) or data[outer[0] : outer[0] + 2] != b"\x02\x01":
        return False
    return data[outer[0] + 2 : outer[0] + 3] in (b"\0", b"\1", b"\3") and data[
        outer[0] + 3 : outer[0] + 4
    ] in (b"\x04", b"\x30")


def _dhcp(data: bytes) -> bool:
    """BOOTP header and the magic cookie (RFC 2131 section 3)."""
    return len(data) >= 240 and data[0] in (1, 2) and data[236:240] == b"\x63\x82\x53\x63"


def _dhcpv6(data: bytes) -> bool:
    """RFC 8415 section 8: kind, transaction, then options that fill the message."""
    if len(data) < 8 or not 1 <= data[0] <= 13:
        return False
    at = 34 if data[0] in (12, 13) else 4
    while at + 4 <= len(data):
        at += 4 + _u16(data, at + 2)
    return at == len(data)


def _nbns(data: bytes) -> bool:
    """NetBIOS name service (RFC 1002 section 4.2): a name of 32 letters from A to P after the header."""
    return len(data) >= 50 and data[12] == 0x20 and all(0x41 <= byte <= 0x50 for byte in data[13:45])


def _nbdgm(data: bytes) -> bool:
    """NetBIOS datagram service (RFC 1002 section 4.4)."""
    return len(data) >= 14 and 0x10 <= data[0] <= 0x16 and data[1] < 0x10 and _u16(data, 10) <= len(data)


def _multicast_dns(data: bytes) -> bool:
    return looks_like_dns(data, known_port=True) and parse_dns(data) is not None


def _radius(data: bytes) -> bool:
    """RFC 2865 section 3: code, identifier, own length, then attributes that fill it."""
    if len(data) < 20 or data[0] not in _RADIUS_CODES or _u16(data, 2) != len(data):
        return False
    at = 20
    while at + 2 <= len(data) and data[at + 1] >= 2:
        at += data[at + 1]
    return at == len(data)


def _tftp(data: bytes) -> bool:
    """RFC 1350 section 5: a read or write request, a file name, a mode."""
    if data[:2] not in (b"\0\1", b"\0\2"):
        return False
    parts = data[2:].split(b"\0")
    return len(parts) >= 3 and bool(parts[0]) and parts[1].lower() in (b"octet", b"netascii", b"mail")


_RADIUS_CODES: Final = frozenset({1, 2, 3, 4, 5, 11, 12, 13, *range(40, 46)})
_TCP: Final[tuple[tuple[str, _Check], ...]] = (
    ("bittorrent", _bittorrent), ("smb", _smb), ("rdp", _rdp), ("mysql", _mysql), ("postgresql", _postgresql),
    ("mqtt", _mqtt), ("bitcoin", _bitcoin), ("amqp", _amqp),
    ("kerberos", _kerberos_tcp),
)  # fmt: skip
_UDP: Final[tuple[tuple[str, _Check], ...]] = (
    ("bittorrent", _bittorrent_udp),
    ("dhcp", _dhcp),
)
_ON_PORT: Final[dict[tuple[str, int], tuple[str, _Check]]] = {
    ("tcp", 389): ("ldap", _ldap), ("tcp", 3268): ("ldap", _ldap), ("udp", 389): ("ldap", _ldap),
    ("tcp", 1080): ("socks", _socks), ("tcp", 9050): ("socks", _socks), ("tcp", 1935): ("rtmp", _rtmp),
    ("udp", 88): ("kerberos", _kerberos), ("udp", 123): ("ntp", _ntp), ("udp", 161): ("snmp", _snmp),
    ("udp", 162): ("snmp", _snmp), ("udp", 137): ("nbns", _nbns), ("udp", 138): ("nbdgm", _nbdgm),
    ("udp", 5353): ("mdns", _multicast_dns), ("udp", 5355): ("llmnr", _multicast_dns),
    ("udp", 69): ("tftp", _tftp),
    ("udp", 546): ("dhcpv6", _dhcpv6), ("udp", 547): ("dhcpv6", _dhcpv6), ("udp", 500): ("ike", _ike),
    ("udp", 4500): ("ike", _ike), ("udp", 1812): ("radius", _radius), ("udp", 1813): ("radius", _radius),
    ("udp", 1645): ("radius", _radius), ("udp", 1646): ("radius", _radius),
    ("udp", 2123): ("gtp-c", looks_like_gtpc),
}  # fmt: skip


def binary_service(data: bytes, server_port: int, transport: str) -> str | None:
    """The protocol whose first bytes these are, else None."""
    known = _ON_PORT.get((transport, server_port))
    if known is not None and known[1](data):
        return known[0]
    for name, fits in _TCP if transport == "tcp" else _UDP if transport == "udp" else ():
        if fits(data):
            return name
    return None
