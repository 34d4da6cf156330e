"""Text found on the wire, made fit to be stored and shown.

Valid UTF-8 that prints is kept. Control, bidirectional, private and unassigned characters become
`\\u{hex}`, bytes that are no UTF-8 become `\\xHH`, and the backslash itself is doubled, so that the
original bytes can be told.
"""


def wire_text(raw: bytes) -> str:
    """`raw` as printable text."""
    if raw.isascii() and b"\\" not in raw:
        text = raw.decode("ascii")
        if text.isprintable():
            return text
    return "".join(_shown(character) for character in raw.decode("utf-8", errors="surrogateescape"))


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as surrogateescape carries it
        return f"\\x{code - 0xDC00:02x}"
    if character == "\\":
        return "\\\\"
    return character if character.isprintable() else f"\\u{{{code:x}}}"
