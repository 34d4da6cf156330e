"""The plain twin of TCP delivery and of the TLS record walk: sets of byte positions, no state machine.

A stream is known here as a whole; the twin says what a receiver could have read of it after each segment.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    start: int
    """Position in the stream, from 0."""
    stop: int


def prefixes(segments: Iterable[Segment]) -> list[int]:
    """How far the stream is whole from its beginning, after each segment."""
    have: set[int] = set()
    found, whole = [], 0
    for segment in segments:
        have.update(range(segment.start, segment.stop))
        while whole in have:
            whole += 1
        found.append(whole)
    return found


def retransmits(segments: Sequence[Segment]) -> int:
    """Segments of which some byte was delivered before they came."""
    before = [0, *prefixes(segments)[:-1]]
    return sum(segment.start < whole for segment, whole in zip(segments, before, strict=True))


def missing(segments: Sequence[Segment]) -> int:
    """Bytes before the last one seen that never came."""
    have: set[int] = set()
    for segment in segments:
        have.update(range(segment.start, segment.stop))
    return (max(have) + 1 if have else 0) - len(have)


def record_ends(stream: bytes) -> list[tuple[int, tuple[int, int]]]:
    """(position behind the record, (body length, content type)) of each whole record, RFC 8446 5.1."""
    found, at = [], 0
    while at + 5 <= len(stream):
        length = int.from_bytes(stream[at + 3 : at + 5], "big")
        if at + 5 + length > len(stream):
            break
        found.append((at + 5 + length, (length, stream[at])))
        at += 5 + length
    return found


def records_by_segment(stream: bytes, segments: Sequence[Segment]) -> list[tuple[int, tuple[int, int]]]:
    """(index of the segment that made it readable, record) of each record."""
    reached = prefixes(segments)
    found = []
    for end, record in record_ends(stream):
        index = next((i for i, whole in enumerate(reached) if whole >= end), None)
        if index is not None:
            found.append((index, record))
    return found
