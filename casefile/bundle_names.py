"""Names that mean the same file on every system, and never a place outside the folder they are unpacked in.

One rule for writing and for reading: what this program packs it can unpack anywhere, and what a stranger packed
is held to the same. The reserved names and characters are those of
https://learn.microsoft.com/windows/win32/fileio/naming-a-file ("Naming Conventions").
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

LONGEST_PART: Final = 200
"""UTF-8 bytes of one part of a path; file systems take 255, and temporary names need a few."""
LONGEST_PATH: Final = 250
"""UTF-8 bytes of a path: a ustar header holds 155 + 1 + 100."""
DEEPEST: Final = 8
_FORBIDDEN: Final = frozenset('<>:"/\\|?*')
_DEVICE: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE
)


def fault(path: str) -> str | None:
    """Why a relative path with forward slashes is not portable, in a few words; None when it is."""
    if len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        return f"longer than {LONGEST_PATH} bytes"
    parts = path.split("/")
    if len(parts) > DEEPEST:
        return f"more than {DEEPEST} folders deep"
    return next((found for part in parts if (found := _part_fault(part)) is not None), None)


def _part_fault(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "an empty part, or one that leads elsewhere"
    if len(part.encode("utf-8", "surrogatepass")) > LONGEST_PART:
        return f"a part longer than {LONGEST_PART} bytes"
    odd = next((char for char in part if char in _FORBIDDEN or not char.isprintable()), None)
    if odd is not None:
        return f"the character U+{ord(odd):04X}"
    if part != part.strip() or part.endswith("."):
        return "a blank at an end, or a dot at the end"
    if unicodedata.normalize("NFC", part) != part:
        return "letters not in their composed form (Unicode NFC)"
    if _DEVICE.fullmatch(part):
        return "the name of a device on Windows"
    return None


def clash(paths: Iterable[str]) -> tuple[str, str] | None:
    """Two paths that are one on a system that ignores case, or of which one is a folder of the other."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        folded = unicodedata.normalize("NFC", path.casefold())
        if folded in files or folded in folders:
            return files.get(folded) or folders[folded], path
        files[folded] = path
        parts = folded.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder in files:
                return files[folder], path
            folders.setdefault(folder, path)
    return None
