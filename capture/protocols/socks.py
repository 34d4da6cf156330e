"""SOCKS 4, 4a and 5: which server a client asked its proxy for.

SOCKS 5: RFC 1928; its user name and password (RFC 1929) are stepped over and never leave the parser. SOCKS 4 and
4a: https://www.openssh.com/txt/socks4.protocol and socks4a.protocol; the user id is stepped over too.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import host_text

_COMMANDS: Final = {1: "connect", 2: "bind", 3: "udp-associate"}
_MAX_USER: Final = 512


@dataclass(frozen=True, slots=True)
class SocksRequest:
    """What a client asked for."""

    version: int
    command: str
    host: str
    """Address or name."""
    port: int
    end: int
    """Bytes of the client's stream up to the end of the request."""


def parse_socks_request(stream: bytes) -> SocksRequest | None:
    """The request in the first bytes a client sends (a greeting may stand before it); None where it is not whole.

    Raises Malformed for what is no SOCKS.
    """
    if not stream:
        return None
    if stream[0] == 4:
        return _request_4(stream)
    if stream[0] != 5:
        raise Malformed(0, f"no SOCKS version {stream[0]}")
    if len(stream) < 2:
        return None
    if not 1 <= stream[1] <= 16:
        raise Malformed(1, "no number of methods")
    at = 2 + stream[1]
    if len(stream) > at and stream[at] == 1 and 2 in stream[2:at]:  # RFC 1929: version, user name, password
        for _ in range(2):
            step = 1 if _ == 0 else 0
            if len(stream) <= at + step:
                return None
            at += step + 1 + stream[at + step]
    return _request_5(stream, at)


def _request_5(stream: bytes, at: int) -> SocksRequest | None:
    if len(stream) > at and stream[at] != 5:
        raise Malformed(at, "no SOCKS 5 request behind the greeting")
    if len(stream) < at + 5:
        return None
    command, kind = stream[at + 1], stream[at + 3]
    if command not in _COMMANDS or stream[at + 2] or kind not in (1, 3, 4):
        raise Malformed(at + 1, "no command or address type of SOCKS 5")
    start = at + 4
    size = {1: 4, 4: 16}.get(kind, 0)
    if kind == 3:
        size, start = stream[start], start + 1
    end = start + size + 2
    if len(stream) < end:
        return None
    raw = stream[start : start + size]
    host = host_text(raw) if kind == 3 else str(IPv4Address(raw) if kind == 1 else IPv6Address(raw))
    return SocksRequest(5, _COMMANDS[command], host or "", int.from_bytes(stream[end - 2 : end], "big"), end)


def _request_4(stream: bytes) -> SocksRequest | None:
    if len(stream) < 9:
        return None
    if stream[1] not in (1, 2):
        raise Malformed(1, "no command of SOCKS 4")
    user = stream.find(b"\0", 8, 8 + _MAX_USER)
    if user < 0:
        if len(stream) >= 8 + _MAX_USER:
            raise Malformed(8, "user id is too long")
        return None
    host, end = str(IPv4Address(stream[4:8])), user + 1
    if stream[4:7] == bytes(3) and stream[7]:  # 4a: the name stands behind
        name = stream.find(b"\0", end, end + 256)
        if name < 0:
            if len(stream) >= end + 256:
                raise Malformed(end, "host name is too long")
            return None
        host, end = host_text(stream[end:name]) or "", name + 1
    return SocksRequest(4, _COMMANDS[stream[1]], host, int.from_bytes(stream[2:4], "big"), end)
