"""Senders, by what a sample of their frames shows: checksums, time to live, and bytes around the packet.

`look` looks closely at the frames that `sample.py` names, and at TCP SYNs. Checksums are verified where the
whole packet was captured (RFC 1071; RFC 791 3.1, RFC 9293 3.1, RFC 768, RFC 8200 8.1). A wrong one is told apart by
what it is instead: a host that leaves the sum to its network card writes the sum of the pseudo-header only, as Linux
does, or 0 in the IP header, as Windows does; a recorder on that host sees it before the card has filled it in.

Senders are kept in a table of `PLACES`; those that find no place within `PROBES` steps are counted together. No secret
enters the hash, so that results never depend on chance; crafted addresses can only have themselves thrown together.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel

PLACES: Final = 1 << 12
PROBES: Final = 16
SHORTEST: Final = 64
"""Frames up to this length may be padded (IEEE 802.3 4.2.3.3: 60 bytes and a check sequence of 4)."""

SENDER: Final = np.dtype(
    [
        ("hi", "u8"), ("lo", "u8"), ("used", "u1"), ("version", "u1"),
        ("ip", "i8"), ("ip_unfilled", "i8"), ("ip_wrong", "i8"), ("ip_frame", "i8"), ("ip_ts", "i8"),
        ("ip_last", "i8"),
        ("sums", "i8"), ("unfilled", "i8"), ("unfilled_frame", "i8"), ("unfilled_ts", "i8"), ("unfilled_last", "i8"),
        ("wrong", "i8"), ("wrong_frame", "i8"), ("wrong_ts", "i8"), ("wrong_last", "i8"),
        ("syns", "i8"), ("syn_frame", "i8"), ("syn_ts", "i8"), ("syn_last", "i8"),
        ("ttls", "u8", (4,)),
    ]
)  # fmt: skip
"""One address. ip, sums: headers and TCP or UDP checksums that were verified. unfilled: what a card was to fill in.
ttls: a bit for each time to live that a SYN of it had."""

SAMPLED, TRAILERS, TRAILER_FRAME, TRAILER_TS, TRAILER_LEAST, TRAILER_MOST, TRAILER_LAST, \
    SHORT, SHORT_FRAME, SHORT_TS, SHORT_MOST, SHORT_LAST = range(12)  # fmt: skip
"""Indices into the counters. SAMPLED: IP packets whose lengths were compared. TRAILERS:
frames that go on behind their packet. SHORT: frames that end before their packet does."""


@kernel
def _sum(buffer: Any, at: Any, length: Any) -> Any:
    """Sum of the 16-bit words of these bytes, not yet folded; an odd last byte is the high one (RFC 1071 1)."""
    high, low = np.int64(0), np.int64(0)
    for i in range(at, at + length - 1, 2):
        high += np.int64(buffer[i])
        low += np.int64(buffer[i + 1])
    if length & 1:
        high += np.int64(buffer[at + length - 1])
    return (high << 8) + low


@kernel
def _fold(value: Any) -> Any:
    while value > 0xFFFF:
        value = (value >> 16) + (value & 0xFFFF)
    return value


@kernel
def _u16(buffer: Any, at: Any) -> Any:
    return (np.int64(buffer[at]) << 8) | np.int64(buffer[at + 1])


@kernel
def _place(senders: Any, hi: Any, lo: Any, version: Any) -> Any:
    """Where this sender stands or may stand; the last place, that of all others, when there is no room near."""
    value = (hi ^ (lo * np.uint64(0x9E3779B97F4A7C15))) + np.uint64(version)
    value ^= value >> np.uint64(31)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(29)
    mask = len(senders) - 2
    at = np.int64(value >> np.uint64(8)) & mask
    for _ in range(PROBES):
        one = senders[at]
        if not one.used:
            one.used, one.hi, one.lo, one.version = 1, hi, lo, version
            return at
        if one.lo == lo and one.hi == hi and one.version == version:
            return at
        at = (at + 1) & mask
    return len(senders) - 1


@kernel
def _ip_header(buffer: Any, at: Any, row: Any, one: Any) -> None:
    """Verify the checksum of the IPv4 header at `at`, which was captured whole."""
    one.ip += 1
    if _fold(_sum(buffer, at, (np.int64(buffer[at]) & 0x0F) * 4)) == 0xFFFF:
        return
    if one.ip_unfilled + one.ip_wrong == 0:
        one.ip_frame, one.ip_ts = row.frame, row.ts
    one.ip_last = row.frame
    if _u16(buffer, at + 10) == 0:
        one.ip_unfilled += 1
    else:
        one.ip_wrong += 1


@kernel
def _transport(buffer: Any, row: Any, one: Any) -> None:
    """Verify the checksum of a TCP or UDP packet that was captured whole."""
    at = row.transport
    length = row.payload + row.payload_bytes - at
    pseudo = np.int64(row.protocol)
    first = row.network + (12 if row.ip_version == 4 else 8)
    pseudo += _sum(buffer, first, 8 if row.ip_version == 4 else 32)
    total = _sum(buffer, at, length)
    one.sums += 1
    if _fold(pseudo + length + total) == 0xFFFF:
        return
    if row.checksum == _fold(pseudo + length) or row.checksum == _fold(pseudo):
        if one.unfilled == 0:
            one.unfilled_frame, one.unfilled_ts = row.frame, row.ts
        one.unfilled += 1
        one.unfilled_last = row.frame
        return
    if one.wrong == 0:
        one.wrong_frame, one.wrong_ts = row.frame, row.ts
    one.wrong += 1
    one.wrong_last = row.frame


@kernel
def _is_whole(buffer: Any, row: Any) -> Any:
    """Whether all that a TCP or UDP checksum covers was captured, and the addresses in it are those of the header."""
    if row.more_fragments or row.transport < 0 or row.payload_captured != row.payload_bytes:
        return False
    if row.protocol == 17 and (row.checksum == 0 or row.payload - row.transport != 8):
        return False
    if row.protocol == 6 and not 20 <= row.payload - row.transport <= 60:
        return False
    if row.ip_version == 4:  # with options there may be a source route, which changes the pseudo-header
        return buffer[row.network] == 0x45 and row.transport == row.network + 20
    return row.transport == row.network + 40


@kernel
def _lengths(buffer: Any, row: Any, start: Any, wire: Any, counters: Any) -> None:
    """Compare the length that the IP header gives with that of the frame."""
    if row.ip_version == 4:
        total = _u16(buffer, row.network + 2)
        if total == 0:
            return
    else:
        if _u16(buffer, row.network + 4) == 0:
            return
        total = _u16(buffer, row.network + 4) + 40
    counters[SAMPLED] += 1
    behind = wire - (row.network - start + total)
    if behind < 0:
        if counters[SHORT] == 0:
            counters[SHORT_FRAME], counters[SHORT_TS] = row.frame, row.ts
        counters[SHORT] += 1
        counters[SHORT_MOST] = max(counters[SHORT_MOST], -behind)
        counters[SHORT_LAST] = row.frame
    elif behind > 0 and wire > SHORTEST:
        if counters[TRAILERS] == 0:
            counters[TRAILER_FRAME], counters[TRAILER_TS], counters[TRAILER_LEAST] = row.frame, row.ts, behind
        counters[TRAILERS] += 1
        counters[TRAILER_LEAST] = min(counters[TRAILER_LEAST], behind)
        counters[TRAILER_MOST] = max(counters[TRAILER_MOST], behind)
        counters[TRAILER_LAST] = row.frame


@kernel
def look(row: Any, buffer: Any, start: Any, wire: Any, close: Any, senders: Any, counters: Any) -> None:
    """One IP packet, whose frame begins at `start` and had `wire` bytes; if not `close`, a SYN of which only that is
    noted."""
    if close and row.tunnel == 0:
        _lengths(buffer, row, start, wire, counters)
    one = senders[_place(senders, row.src_hi, row.src_lo, row.ip_version)]
    if row.protocol == 6 and (row.tcp_flags & 0x12) == 0x02:
        ttl = np.int64(row.ttl)
        if one.syns == 0:
            one.syn_frame, one.syn_ts = row.frame, row.ts
        one.syns += 1
        one.syn_last = row.frame
        one.ttls[ttl >> 6] |= np.uint64(1) << np.uint64(ttl & 63)
    if close:
        if row.ip_version == 4:
            _ip_header(buffer, row.network, row, one)
        if (row.protocol == 6 or row.protocol == 17) and _is_whole(buffer, row):
            _transport(buffer, row, one)


class Senders:
    """What the frames of each sender show."""

    def __init__(self) -> None:
        self.table: NDArray[Any] = np.zeros(PLACES + 1, SENDER)
        self.counters: NDArray[np.int64] = np.zeros(20, np.int64)

    def known(self) -> NDArray[Any]:
        """The senders that were followed, by address: IPv4 before IPv6."""
        used = self.table[:PLACES][self.table[:PLACES]["used"] != 0]
        ordered: NDArray[Any] = used[np.lexsort((used["lo"], used["hi"], used["version"]))]
        return ordered

    @property
    def others(self) -> Any:
        """All senders that found no place, as one."""
        return self.table[PLACES]


def ttls_of(sender: Any) -> list[int]:
    """Every time to live that SYNs of a sender had, ascending."""
    words = [int(word) for word in sender["ttls"]]
    return [64 * k + bit for k, word in enumerate(words) if word for bit in range(64) if word >> bit & 1]


def warm() -> None:
    """These kernels are compiled with `packets.observe`, which calls them."""
    from wirecover.capture.quality import packets

    packets.warm()
