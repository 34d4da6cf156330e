"""The log of what could not be read: bounded, however broken the file is."""

from typing import Final

from wirecover.capture.files.batch import Damage

CUT: Final = "cut"
"""The file ends inside a header, a packet or a block: that piece is no packet and is not counted."""
ABSURD_LENGTH: Final = "absurd-length"
"""A length that cannot be; reading stopped there."""
GAP: Final = "gap"
"""A length that cannot be; the bytes up to the next believable record were skipped (`count` of them)."""
BAD_PACKET: Final = "bad-packet-block"
"""A packet block shorter than the packet it announces; left out."""
NO_INTERFACE: Final = "no-interface"
"""A packet of an interface that was never described; left out, since its link type is unknown."""
TOO_MANY_INTERFACES: Final = "too-many-interfaces"
COMPRESSION: Final = "compression"
"""The compressed stream is cut or broken; what came before is kept."""
EXPANSION: Final = "expansion-limit"
"""The compressed stream grows beyond the limits of `decompress`; what came before is kept."""
CHANGED: Final = "changed-while-read"
"""The file grew, shrank or was written to while it was read."""
ANOTHER_FORMAT: Final = "another-format"
"""Captures of both formats are appended to each other in turn, too often; reading stopped there."""
ANOTHER_HEADER: Final = "another-file-header"
"""A second capture is appended to the first; its packets are read too, as another interface."""
NO_TIME: Final = "no-timestamp"
"""Packets whose block has no time (Simple Packet Block): their time is 0, not a guess."""
TIME_RANGE: Final = "timestamp-range"
"""Times that do not fit 64-bit nanoseconds (after 2262): set to 0."""
BAD_OPTION: Final = "bad-option"
"""An option longer than its block, of an impossible size, or one of too many: skipped with those after it."""
UNUSUAL_VERSION: Final = "unusual-version"
SECRETS: Final = "secrets-not-read"
"""Decryption Secrets Blocks: skipped unread, as the tool's first promise demands."""
CUSTOM_BLOCK: Final = "custom-block"
UNKNOWN_BLOCK: Final = "unknown-block"
TEXTS_LEFT_OUT: Final = "texts-left-out"
"""Comments, names or resolved names beyond the limits."""

LOSSES: Final = frozenset({
    CUT, ABSURD_LENGTH, GAP, BAD_PACKET, NO_INTERFACE, TOO_MANY_INTERFACES, COMPRESSION, EXPANSION, CHANGED,
    ANOTHER_FORMAT,
})  # fmt: skip
"""Kinds after which packets may be missing; the others are remarks."""

MAX_ENTRIES: Final = 100
"""Entries kept one by one of each kind; the rest is counted in one more entry."""


class DamageLog:
    """Damage in the order it was met; entries of a kind beyond `MAX_ENTRIES` are folded into one."""

    def __init__(self) -> None:
        self.entries: list[Damage] = []
        self._seen: dict[str, int] = {}
        self._folded: dict[str, int] = {}

    @property
    def lossless(self) -> bool:
        """Whether nothing of what was met can have cost a packet."""
        return LOSSES.isdisjoint(self._seen)

    def add(
        self, kind: str, detail: str, *, offset: int | None = None, frame: int | None = None, count: int = 1
    ) -> None:
        seen = self._seen[kind] = self._seen.get(kind, 0) + 1
        if seen <= MAX_ENTRIES:
            self.entries.append(Damage(kind, offset, frame, count, detail))
        elif seen == MAX_ENTRIES + 1:
            self._folded[kind] = len(self.entries)
            self.entries.append(Damage(kind, offset, frame, count, "further ones like these"))
        else:
            at = self._folded[kind]
            first = self.entries[at]
            self.entries[at] = Damage(kind, first.offset, first.frame, first.count + count, first.detail)
