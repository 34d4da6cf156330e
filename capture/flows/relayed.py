"""What travels inside something else: datagrams in TURN channels, media packets behind lengths."""

from wirecover.capture.protocols.rtp import looks_like_rtp

Run = tuple[int, int, int]
"""SSRC, last sequence number, packets in order so far."""


def inner_datagram(message: bytes) -> bytes:
    """The datagram inside a ChannelData message (RFC 8656 section 12.4), else `message` itself."""
    if len(message) > 4 and 0x40 <= message[0] <= 0x4F:
        length = message[2] << 8 | message[3]
        if length + 4 <= len(message) < length + 8:
            return message[4 : 4 + length]
    return message


def rtp_run(before: Run | None, packet: bytes) -> Run | None:
    """The run of RTP packets that `packet` goes on with, or begins; `before` where it may be none."""
    if not looks_like_rtp(packet):
        return before
    sequence = packet[2] << 8 | packet[3]
    ssrc = int.from_bytes(packet[8:12], "big")
    if before is not None and before[0] == ssrc and sequence == (before[1] + 1) & 0xFFFF:
        return ssrc, sequence, before[2] + 1
    return ssrc, sequence, 1
