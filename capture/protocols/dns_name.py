"""Domain names on the wire (RFC 1035 section 4.1.4) and as text (RFC 1035 section 5.1, RFC 4343 section 2.1).

Text form: labels joined by dots, no trailing dot, the root is `.`; a dot or another special character inside
a label is `\\.`, a byte outside printable ASCII is `\\DDD`. So the text is plain ASCII whatever was on the
wire, and different names always have different texts.
"""

from typing import Final

from wirecover.capture.protocols import Malformed

MAX_WIRE_NAME: Final = 255
MAX_LABEL: Final = 63
MAX_POINTERS: Final = 126  # a name of 255 bytes has at most 127 labels; more jumps than that serve no name

_SPECIAL: Final = frozenset(b'.\\";()@$')
_TEXT: Final = tuple(
    f"\\{chr(byte)}" if byte in _SPECIAL else chr(byte) if 0x21 <= byte <= 0x7E else f"\\{byte:03d}"
    for byte in range(256)
)
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def label_text(label: bytes) -> str:
    """One label in presentation form."""
    return "".join([_TEXT[byte] for byte in label])


def read_name(message: bytes, offset: int, end: int | None = None) -> tuple[str, int] | None:
    """The name at `offset` and the offset after it; None when the message ends inside it.

    `end` hides what lies at and after it.

    A compression pointer must lead to before the run of labels it stands in, and every next one to before
    that: this refuses forward pointers and makes a loop impossible. Raises Malformed.
    """
    labels: list[str] = []
    position, run_start, after, jumps, wire_length = offset, offset, -1, 0, 1
    size = len(message) if end is None else end
    while True:
        if position >= size:
            return None
        length = message[position]
        if length == 0:
            return (".".join(labels) or "."), (position + 1 if after < 0 else after)
        if length <= MAX_LABEL:
            wire_length += length + 1
            if wire_length > MAX_WIRE_NAME:
                raise Malformed(position, "domain name longer than 255 bytes")
            if position + 1 + length > size:
                return None
            labels.append(label_text(message[position + 1 : position + 1 + length]))
            position += 1 + length
            continue
        if length < 0xC0:
            raise Malformed(position, "reserved label type")
        if position + 1 >= size:
            return None
        target = (length & 0x3F) << 8 | message[position + 1]
        jumps += 1
        if target >= run_start:
            raise Malformed(position, "compression pointer does not lead backwards")
        if jumps > MAX_POINTERS:
            raise Malformed(position, "too many compression pointers")
        if after < 0:
            after = position + 2
        position = run_start = target


def canonical_name(name: str) -> str:
    """The text form for comparing: ASCII letters in lower case (RFC 4343 section 3), no trailing dot."""
    lowered = name.translate(_LOWER)
    if len(lowered) > 1 and lowered.endswith(".") and not lowered.endswith("\\."):
        return lowered[:-1]
    return lowered
