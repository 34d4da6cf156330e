"""Spans of time: half-open intervals [start, end) in integer nanoseconds, as sorted tuples of pairs."""

from collections.abc import Iterable

Span = tuple[int, int]
Spans = tuple[Span, ...]


def merged(spans: Iterable[Span], gap: int = 0) -> Spans:
    """The union, with spans joined that overlap, touch, or lie at most `gap` apart."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def intersection(left: Spans, right: Spans) -> Spans:
    """What lies in both; each argument must be sorted and free of overlaps, as `merged` returns it."""
    common: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            common.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(common)


def length(spans: Spans) -> int:
    """Sum of the lengths, in nanoseconds."""
    return sum(end - start for start, end in spans)


def covers(spans: Spans, start: int, end: int) -> bool:
    """Whether one span holds the whole of [start, end)."""
    return any(low <= start and end <= high for low, high in spans)
