r"""Untrusted text as something that can be printed, and only read one way.

A server name, a file name or a certificate field is chosen by whoever made the traffic. It may reverse the
reading direction, hide in zero-width characters, imitate Latin letters with Cyrillic ones, or use a
character no font of the report has, which stops a PDF/A from being made at all. So: printable ASCII and the
Latin-1 letters stay; a backslash is doubled; everything else becomes \u{hex}. A space stays where it is
seen (one, between two other characters) and becomes \u{20} elsewhere. The empty text is shown as \u{}.
Different texts always look different, and `original` gets the text back.
"""

import hashlib
import re
from typing import Final

_ASCII: Final = frozenset(map(chr, range(0x21, 0x7F))) - {"\\"}
_LATIN_1_LETTERS: Final = frozenset(map(chr, range(0xC0, 0x100))) - {"\u00d7", "\u00f7"}
KEPT: Final = _ASCII | _LATIN_1_LETTERS
"""Characters shown as they are: every font of the report has them."""
LONGEST: Final = 160
"""Characters of one untrusted value that are shown before it is cut; the whole is in the attached data."""
_ESCAPE: Final = re.compile(r"\\(?:\\|u\{([0-9a-f]{0,6})\})")


def printable(text: str) -> str:
    """`text` in characters every font of the report has, without loss."""
    if not text:
        return r"\u{}"
    return "".join(_shown(text, place) for place in range(len(text)))


def _shown(text: str, place: int) -> str:
    char = text[place]
    if char in KEPT:
        return char
    if char == "\\":
        return r"\\"
    if char == " " and 0 < place < len(text) - 1 and text[place - 1] != " ":
        return " "
    return f"\\u{{{ord(char):x}}}"


def original(shown: str) -> str:
    """The text `printable` was given."""
    return _ESCAPE.sub(_unescaped, shown)


def _unescaped(match: re.Match[str]) -> str:
    if match[0] == r"\\":
        return "\\"
    return chr(int(match[1], 16)) if match[1] else ""


def bounded(text: str, longest: int = LONGEST) -> str:
    """`printable`, cut when longer than `longest` characters: beginning, ellipsis, length and SHA-256.

    The ellipsis character is escaped in data, so where it stands unescaped the report itself has cut.
    """
    if len(text) <= longest:
        return printable(text)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{printable(text[: longest * 3 // 5])}… [{len(text)} characters, SHA-256 {digest}]"


def clipped(text: str, longest: int) -> str:
    """`printable` in at most `longest` characters and an ellipsis, for a figure; the whole is in a table."""
    shown = printable(text)
    return shown if len(shown) <= longest else f"{shown[:longest]}…"
