"""Bytes that arrive in fragments by offset: CRYPTO frames, DTLS handshake fragments.

The rules: what came first stays (a later fragment that contradicts it is noted, never taken); memory is
bounded by the limit on the whole and by a limit on the number of separate pieces, time by a limit on the
number of fragments.
"""

from bisect import bisect_left
from typing import Final

MAX_PIECES: Final = 256
"""Separate pieces held beyond the first gap. Chrome cuts a ClientHello into some 20; a crafted one into
thousands.
"""
MAX_FRAGMENTS: Final = 4096
"""Fragments taken in all: one-byte frames by the ten thousand are no handshake."""


class FragmentBuffer:
    """Puts fragments in order. `head` is what is known without a gap from offset 0."""

    __slots__ = ("_count", "_limit", "_pieces", "conflicting", "head")

    def __init__(self, limit: int) -> None:
        self.head = bytearray()
        self.conflicting = False
        """True once a fragment contradicted bytes already held."""
        self._count = 0
        self._limit = limit
        self._pieces: list[tuple[int, bytes]] = []  # sorted, disjoint, all behind `head`

    def add(self, offset: int, data: bytes) -> bool:
        """Take one fragment; False if a limit refuses it (nothing of it is kept then)."""
        self._count += 1
        if offset + len(data) > self._limit or self._count > MAX_FRAGMENTS:
            return False
        reaches_head = offset <= len(self.head)
        if offset < len(self.head):
            known = self.head[offset : offset + len(data)]
            self.conflicting |= known != data[: len(known)]
            offset, data = offset + len(known), data[len(known) :]
        first, last, fresh = self._uncovered(offset, data)
        # A fragment that reaches back to `head` joins it with all it covers: it never leaves more pieces
        # behind.
        if not reaches_head and len(self._pieces) + len(fresh) > MAX_PIECES:
            return False
        if fresh:
            self._pieces[first:last] = sorted(self._pieces[first:last] + fresh)
            self._absorb()
        return True

    def _uncovered(self, offset: int, data: bytes) -> tuple[int, int, list[tuple[int, bytes]]]:
        """The run of pieces the fragment touches, and the parts of it that none of them covers yet."""
        position, end = offset, offset + len(data)
        first = bisect_left(self._pieces, (offset,))
        if first and self._pieces[first - 1][0] + len(self._pieces[first - 1][1]) > offset:
            first -= 1
        last, fresh = first, []
        while last < len(self._pieces) and self._pieces[last][0] < end:
            start, held = self._pieces[last]
            low, high = max(start, position), min(start + len(held), end)
            self.conflicting |= held[low - start : high - start] != data[low - offset : high - offset]
            if position < low:
                fresh.append((position, data[position - offset : low - offset]))
            position = high
            last += 1
        if position < end:
            fresh.append((position, data[position - offset :]))
        return first, last, fresh

    def _absorb(self) -> None:
        taken = 0
        for start, piece in self._pieces:
            if start != len(self.head):
                break
            self.head += piece
            taken += 1
        del self._pieces[:taken]
