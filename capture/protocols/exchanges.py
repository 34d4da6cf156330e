"""Protocols that no single message proves, by what both sides send first.

A pattern here names a protocol only where the second message answers the first: the same session id, the index the
other side chose, the fixed reply. What it rests on is said in words, for whoever has to check it. One side alone is
named only where the message cannot well be anything else; then the reason says that it was not answered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.isakmp import parse_esp_in_udp
from wirecover.capture.protocols.socks import parse_socks_request

MAX_SEQUENCE_STEP: Final = 1 << 10
"""Packets that may be missing between two of one ESP association or WireGuard session."""


class Said(NamedTuple):
    """One payload, in order of time."""

    up: bool
    """Sent by the one who spoke first."""
    length: int
    """Bytes on the wire."""
    data: bytes
    """Its first bytes (`dialogue.PATTERN_BYTES`)."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A protocol, and why."""

    service: str
    reason: str
    value: str | None = None
    """What else the exchange tells, such as the target a proxy was asked for."""
    answered: bool = True
    """False: one side alone, which counts only when nothing that was seen answers it."""


_Exchange = Sequence[Said]


def recognise_exchange(said: Sequence[Said], transport: str, server_port: int) -> Recognised | None:
    """The protocol whose opening these payloads are; None while, or where, nothing is proved."""
    for check in _CHECKS.get(transport, ()):
        found = check(said, server_port)
        if found is not None:
            return found
    return None


# ---- WireGuard -------------------------------------------------------------------------------------------

_KINDS: Final = {b"\1\0\0\0": 148, b"\2\0\0\0": 92, b"\3\0\0\0": 64}


def _wireguard(said: _Exchange, server_port: int) -> Recognised | None:
    """https://www.wireguard.com/protocol/: an initiation, and a response or cookie that names its sender index."""
    asked = {one.data[4:8]: one.up for one in said if one.data[:4] == b"\1\0\0\0" and one.length == 148}
    for one in said:
        kind = one.data[:4]
        if kind == b"\2\0\0\0" and one.length == 92 and asked.get(one.data[8:12]) == (not one.up):
            return Recognised(
                "wireguard", "initiation of 148 bytes, answered by a response of 92 that names its index"
            )
        if kind == b"\3\0\0\0" and one.length == 64 and asked.get(one.data[4:8]) == (not one.up):
            return Recognised(
                "wireguard", "initiation of 148 bytes, answered by a cookie of 64 that names its index"
            )
    if any(one.length == 148 and _is_random(one.data[4:116]) for one in said if one.data[:4] == b"\1\0\0\0"):
        return Recognised(
            "wireguard", "initiation of 148 bytes, not answered in what was seen", answered=False
        )
    if any(one.length == 92 and _is_random(one.data[4:60]) for one in said if one.data[:4] == b"\2\0\0\0"):
        return Recognised("wireguard", "response of 92 bytes, its initiation not seen", answered=False)
    return _wireguard_transport(said)


def _wireguard_transport(said: _Exchange) -> Recognised | None:
    """Transport data alone: one receiver index a direction, counters that rise by little, padding to 16."""
    for up in (True, False):
        seen = [
            (one.data[4:8], int.from_bytes(one.data[8:16], "little"))
            for one in said
            if one.up == up and one.data[:4] == b"\4\0\0\0" and one.length >= 32 and not one.length % 16
        ]
        if len(seen) >= 2 and any(seen[0][0]) and len({index for index, _ in seen}) == 1:
            steps = [after[1] - before[1] for before, after in pairwise(seen)]
            if all(0 < step <= MAX_SEQUENCE_STEP for step in steps) and seen[-1][1] < 1 << 48:
                return Recognised(
                    "wireguard", f"{len(seen)} transport packets of one index, their counters in order"
                )
    return None


def _is_random(data: bytes) -> bool:
    """Keys and ciphertext: about as many distinct values as chance gives, far more than text or zeros have."""
    return len(set(data)) * 2 > len(data)


# ---- OpenVPN ---------------------------------------------------------------------------------------------

_SERVER_RESET: Final = 8
_RESETS: Final = {7: "client reset V2", 10: "client reset V3", _SERVER_RESET: "server reset V2"}
_ACKNOWLEDGING: Final = frozenset({b"\x20", b"\x28", b"\x40"})
"""Control V1, acknowledgement and the server's reset: a count, so many packet ids, and whose session they are of."""
_PORT: Final = 1194


def _openvpn_udp(said: _Exchange, server_port: int) -> Recognised | None:
    return _openvpn([(one.up, one.length, one.data) for one in said], server_port)


def _openvpn_tcp(said: _Exchange, server_port: int) -> Recognised | None:
    """Each packet behind its length in two bytes."""
    packets = []
    for one in said:
        size = int.from_bytes(one.data[:2], "big")
        if size + 2 > one.length:
            return None
        packets.append((one.up, size, one.data[2 : 2 + size]))
    return _openvpn(packets, server_port)


def _openvpn(packets: Sequence[tuple[bool, int, bytes]], server_port: int) -> Recognised | None:
    """https://openvpn.net/community-docs/openvpn-protocol.html: hard resets of both sides."""
    for up, length, ask in packets:
        if len(ask) < 14 or ask[0] & 7 or ask[0] >> 3 not in _RESETS or not any(ask[1:9]):
            continue
        kind = _RESETS[ask[0] >> 3]
        for answered, _, reply in packets:
            if (
                ask[0] >> 3 == _SERVER_RESET
                or answered == up
                or len(reply) < 14
                or reply[0] != _SERVER_RESET << 3
            ):
                continue
            how = _openvpn_answer(ask, reply)
            if how is not None:
                return Recognised("openvpn", f"{kind}, server reset {how}")
        acknowledged = _openvpn_acknowledged(packets, up, ask[1:9])
        if acknowledged is not None:
            return Recognised("openvpn", f"{kind}, then {acknowledged}", answered=False)
        if server_port == _PORT and length == 14 and ask[9:] == bytes(5):
            return Recognised(
                "openvpn", f"{kind} on port {_PORT}, not answered in what was seen", answered=False
            )
    return None


def _openvpn_acknowledged(packets: Sequence[tuple[bool, int, bytes]], up: bool, session: bytes) -> str | None:
    """One side alone: its control packets acknowledge one and the same session of the other side."""
    named = [
        data[10 + 4 * data[9] : 18 + 4 * data[9]] for sender, _, data in packets
        if sender == up and len(data) > 9 and data[:1] in _ACKNOWLEDGING and data[1:9] == session
        and 1 <= data[9] <= 8
    ]  # fmt: skip
    if len(named) >= 2 and len(set(named)) == 1 and len(named[0]) == 8 and any(named[0]):
        return f"{len(named)} control packets acknowledge one session of the other side, which was not seen"
    return None


def _openvpn_answer(ask: bytes, reply: bytes) -> str | None:
    """How a server's reset answers a client's: it names the client's session, or both are wrapped alike."""
    session = ask[1:9]
    if session in reply[9:]:
        return "that names the client's session"
    times = [int.from_bytes(one[13:17], "big") for one in (ask, reply)]
    first = [int.from_bytes(one[9:13], "big") for one in (ask, reply)]
    wrapped = len(ask) >= 49 and len(reply) >= 49 and _is_random(ask[17:49]) and _is_random(reply[17:49])
    # tls-crypt: a packet id from 1 on (its upper half may hold flags), the time, and a tag of 32 bytes, in both;
    # clocks agree within a day
    counted = first[0] & 0xFFFF == 1 and 0 < first[1] & 0xFFFF < 16
    if wrapped and counted and min(times) > 1_000_000_000 and abs(times[0] - times[1]) < 86400:
        return "wrapped with tls-crypt, packet ids and clocks agree"
    return None


# ---- ESP in UDP ------------------------------------------------------------------------------------------


def _esp(said: _Exchange, server_port: int) -> Recognised | None:
    """RFC 3948, on its port: two packets of one association, their sequence numbers in order."""
    if server_port != 4500:
        return None
    last: dict[tuple[bool, int], int] = {}
    for one in said:
        head = parse_esp_in_udp(one.data + bytes(max(0, one.length - len(one.data))))
        if head is None:
            continue
        before = last.get((one.up, head.spi))
        if before is not None and 0 < head.sequence - before <= MAX_SEQUENCE_STEP:
            return Recognised(
                "esp", "two packets of one SPI, their sequence numbers in order", f"0x{head.spi:08x}"
            )
        last[one.up, head.spi] = head.sequence
    return None


# ---- SOCKS -----------------------------------------------------------------------------------------------


def _socks(said: _Exchange, server_port: int) -> Recognised | None:
    """A greeting and the choice of one of its methods (RFC 1928 section 3), or a request and its reply (SOCKS 4)."""
    if not said or len(said) < 2 or said[0].data[:1] not in (b"\4", b"\5"):
        return None
    asking = said[0].up
    asked = b"".join([one.data for one in said if one.up == asking])
    answers = [one for one in said if one.up != asking]
    if not answers:
        return None
    ask, reply = said[0].data, answers[0]
    if ask[0] == 5:
        chosen = len(ask) == 2 + ask[1] and reply.length == 2 and reply.data[:1] == b"\5"
        if not chosen or (reply.data[1] not in ask[2:] and reply.data[1] != 0xFF):
            return None
    elif reply.length != 8 or reply.data[0] or not 0x5A <= reply.data[1] <= 0x5D:
        return None
    try:
        request = parse_socks_request(asked)
    except Malformed:
        return None
    if request is None:
        return None  # it will stand in one of the next payloads
    place = f"[{request.host}]" if ":" in request.host else request.host
    return Recognised(
        "socks",
        f"SOCKS {request.version} {request.command}, greeting or request answered",
        f"{place}:{request.port}",
    )


_Check = Callable[[_Exchange, int], Recognised | None]
_CHECKS: Final[dict[str, tuple[_Check, ...]]] = {
    "tcp": (_socks, _openvpn_tcp),
    "udp": (_wireguard, _openvpn_udp, _esp),
}
