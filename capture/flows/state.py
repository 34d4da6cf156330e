"""The memory of the flow table: one `FLOW` row a flow and two `HALF` rows, one a direction.

The two endpoints of a flow are kept in canonical order (lower address and port first), so that both directions
find the same row; half 0 is what the lower endpoint sent, half 1 what the higher one sent. Who is the client is
decided later (`client`), and only then does a half become "up" or "down".
"""

from typing import Final

import numpy as np

FLOW: Final = np.dtype(
    [
        ("low_hi", "u8"), ("low_lo", "u8"), ("high_hi", "u8"), ("high_lo", "u8"),
        ("flow_no", "i8"), ("first_ts", "i8"), ("last_ts", "i8"), ("first_frame", "i8"), ("last_frame", "i8"),
        ("syn_ts", "i8"), ("synack_ts", "i8"), ("rtt_ns", "i8"), ("tunnel_id", "i8"),
        ("vlan", "i4"), ("hash", "u4"), ("segment", "u4"), ("low_port", "u2"), ("high_port", "u2"),
        ("ip_version", "u1"), ("protocol", "u1"), ("tunnel", "u1"), ("first_half", "u1"),
        ("syn_half", "i1"), ("hello_half", "i1"), ("client", "i1"), ("client_by", "u1"),
        ("syn", "u1"), ("fin", "u1"), ("rst", "u1"), ("live", "u1"), ("service", "i2"), ("quiet", "u1"),
        ("handshakes", "u1"),
    ]
)  # fmt: skip
"""service: SERVICE_DNS, NOT_NAMED, or 0 as long as no datagram was shown to anyone (UDP); SERVICE_FRAMED (TCP). quiet:
1 = payload rows are not kept (recognised cleartext). fin: bit 0 / 1 = the half sent FIN. client: the half that is the
client, -1 while undecided."""

HALF: Final = np.dtype(
    [
        ("packets", "i8"), ("bytes", "i8"), ("payload", "i8"), ("stream", "i8"), ("want", "i8"),
        ("retransmits", "i8"), ("missing", "i8"), ("header", "u8"),
        ("next_seq", "u4"), ("first_seq", "u4"), ("segment", "u4"), ("record_left", "i4"), ("record_length", "i4"),
        ("held", "i4"), ("held_count", "i4"),
        ("seq_known", "u1"), ("mode", "u1"), ("record_type", "u1"), ("header_have", "u1"), ("gap", "u1"),
        ("shaped", "u1"), ("overdue", "u1"), ("told", "u1"),
    ]
)  # fmt: skip
"""stream: bytes of the TCP stream delivered in order so far. want: TCP, deliver bytes to the parsers up to this stream
position; UDP, how many more datagrams to deliver. held: head of the list of segments that arrived early. shaped: a
ClientHello was taken by its shape, and nothing behind it was looked at yet. segment: the virtual network of its
packets, 0 while none shows one (of a flow: of either half). overdue: the other side acknowledged what the first held
segment waits for. told: the layers around the direction's packets were noted."""

# FLOW.service
SERVICE_DNS: Final = 1
"""The flow's first datagram was DNS and read by the kernel of `datagrams`."""
SERVICE_FRAMED: Final = 2
"""The first payload of the TCP stream may open a messenger that frames its own stream; the dialogue knows more."""
NOT_NAMED: Final = -1
"""What the flow is, its dialogue knows."""

# HALF.mode
NEW: Final = 0
TLS: Final = 1
"""The stream is a sequence of TLS records; `record_left` bytes of the present one are still to come."""
OTHER: Final = 2
LOST: Final = 3
"""Was TLS, but a gap swallowed a record header: wait for a packet that starts with a plausible one."""

# FLOW.client_by, as text
CLIENT_BY: Final[tuple[str, ...]] = ("first", "port", "hello", "syn")
BY_FIRST, BY_PORT, BY_HELLO, BY_SYN = range(4)

HELD: Final = np.dtype([("seq", "u4"), ("length", "i4"), ("next", "i4")])
"""A segment that arrived before its turn; its bytes stand in block i of the pool."""

CANDIDATE: Final = np.dtype(
    [("packet", "i4"), ("slot", "i4"), ("at", "i8"), ("length", "i4"), ("stream", "i8"), ("half", "u1"),
     ("flags", "u1")]
)  # fmt: skip
"""Bytes for the parsers. `packet`: index in the batch; `at`: offset in the buffer, or in the pool copy if POOLED."""
POOLED: Final = 1
IS_TLS: Final = 2
TLS_START: Final = 4
AFTER_GAP: Final = 8
IS_UDP: Final = 16
"""Flags of a candidate. AFTER_GAP: bytes of this stream are missing before this piece."""

RECORD: Final = np.dtype([("packet", "i4"), ("length", "i4"), ("kind", "u1")])
"""A TLS record that ended in packet `packet`: body length and content type."""
