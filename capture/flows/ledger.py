"""Counts of what could not be read, by kind and reason: nothing is dropped without a number."""

from collections.abc import Iterator
from typing import Final

MAX_KINDS: Final = 512
"""Distinct reasons kept; later ones are counted together, so that crafted input cannot fill memory with them."""


class Ledger:
    """(kind, detail) -> first offset, first frame, count."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[int | None]] = {}

    def note(
        self, kind: str, detail: str, frame: int | None = None, offset: int | None = None, count: int = 1
    ) -> None:
        """Count one (or `count`) more of this; the first frame and offset are kept."""
        entry = self._entries.get((kind, detail))
        if entry is None and len(self._entries) >= MAX_KINDS:
            kind, detail = "other", "reasons beyond the first 512"
            entry = self._entries.get((kind, detail))
        if entry is None:
            self._entries[kind, detail] = [offset, frame, count]
        else:
            entry[2] = (entry[2] or 0) + count

    def count(self, kind: str) -> int:
        """How many of a kind, over all details."""
        return sum(entry[2] or 0 for (name, _), entry in self._entries.items() if name == kind)

    def rows(self) -> Iterator[tuple[str, int | None, int | None, int, str]]:
        """Values in the order of `tables.DAMAGE`, sorted."""
        for (kind, detail), (offset, frame, count) in sorted(self._entries.items()):
            yield kind, offset, frame, count or 0, detail
