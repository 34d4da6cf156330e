"""A piece of payload that is shown to the parsers, and what it knows of its packet."""

from typing import Final

from wirecover.capture.flows.endpoints import address_text

PacketFacts = tuple[int, int, int, int, int, int, int, int, int, int]
PACKET_FIELDS: Final = (
    "frame", "ts", "ip_version", "src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "payload_bytes",
)  # fmt: skip
"""What a piece has to know of its packet, in the order of `PacketFacts`."""


class Piece:
    """Where a piece of payload comes from. Addresses are put into text only when a parser's finding needs them."""

    __slots__ = (
        "_source",
        "_target",
        "_version",
        "flags",
        "frame",
        "half",
        "length",
        "ports",
        "ts",
    )  # fmt: skip

    def __init__(self, half: int, flags: int, packet: "PacketFacts") -> None:
        self.half, self.flags = half, flags
        (
            self.frame,
            self.ts,
            self._version,
            source_hi,
            source_lo,
            target_hi,
            target_lo,
            source,
            target,
            self.length,
        ) = packet
        """`length`: payload bytes of the packet on the wire."""
        self._source, self._target = (source_hi, source_lo), (target_hi, target_lo)
        self.ports = (source, target)
        """Source and destination port."""

    @property
    def sender(self) -> tuple[str, int]:
        """Address and port."""
        return address_text(self._version, *self._source), self.ports[0]

    @property
    def receiver(self) -> tuple[str, int]:
        """Address and port."""
        return address_text(self._version, *self._target), self.ports[1]

    @property
    def seen(self) -> tuple[int, int]:
        """Frame and time."""
        return self.frame, self.ts
