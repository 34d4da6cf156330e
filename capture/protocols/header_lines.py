"""The head of an HTTP/1.x message (RFC 9112): start line and fields, up to the empty line.

Only fields that the caller names are kept; every other value, and whatever follows the head, is passed over
without being stored anywhere.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed

MAX_HEAD: Final = 16384
"""Bytes of a head that are read."""
MAX_LINES: Final = 200
_NO_TOKEN: Final = frozenset(range(33)) | frozenset(b'"(),/:;<=>?@[\\]{}') | frozenset(range(127, 256))


@dataclass(frozen=True, slots=True)
class Head:
    """What was kept of one head."""

    start: bytes
    """The start line without its end."""
    fields: dict[bytes, bytes]
    """Field name in lower case -> value of the first field of that name."""


def read_head(data: bytes, wanted: Collection[bytes], *, cut: bool = False) -> Head | None:
    """The head at the start of `data`; None when its empty line is not there yet. Raises Malformed.

    `cut` says that no more bytes will come: then the lines that are whole are read, and None means that not
    even the start line is. `wanted` holds field names in lower case.
    """
    end = data.find(b"\n", 0, MAX_HEAD)
    if end < 0:
        if len(data) >= MAX_HEAD:
            raise Malformed(MAX_HEAD, "start line is too long")
        return None
    start = data[:end].removesuffix(b"\r")
    fields: dict[bytes, bytes] = {}
    at = end + 1
    for _ in range(MAX_LINES):
        end = data.find(b"\n", at, MAX_HEAD)
        if end < 0:
            if cut:
                return Head(start, fields)
            if len(data) >= MAX_HEAD:
                raise Malformed(MAX_HEAD, "head is too long")
            return None
        line = data[at:end].removesuffix(b"\r")
        if not line:
            return Head(start, fields)
        name, colon, value = line.partition(b":")
        if line[0] not in b" \t":  # else folded into the line before (RFC 9112 section 5.2)
            if not colon or not name or not _NO_TOKEN.isdisjoint(name):
                raise Malformed(at, "line of the head is no field")
            if (lower := name.lower()) in wanted:
                fields.setdefault(lower, value.strip(b" \t"))
        at = end + 1
    raise Malformed(at, "head has too many lines")
