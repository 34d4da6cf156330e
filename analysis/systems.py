"""Operating systems that a device tells of itself, as coarse families: only to see whether two words contradict.

What is not recognised gives no family. A program may claim another system than it runs on (a tablet asking for the
pages of a desktop does), so two families behind one address are a question, not an answer.
"""

import re
from collections.abc import Iterable
from typing import Final

from wirecover.analysis.inventory_rows import Fact

_TELLING: Final = frozenset({"os-version", "system", "vendor-class", "user-agent", "server", "sip-software"})
_FAMILIES: Final = (
    ("windows", re.compile(r"windows|^msft \d|microsoft-windows", re.IGNORECASE)),
    ("apple", re.compile(r"iphone|ipad|\bios\b|cfnetwork|darwin|mac ?os|macintosh", re.IGNORECASE)),
    ("android", re.compile(r"android|dalvik", re.IGNORECASE)),
    ("chrome-os", re.compile(r"\bcros\b|chrome ?os", re.IGNORECASE)),
    ("linux", re.compile(r"\blinux\b|ubuntu|debian|fedora", re.IGNORECASE)),
)
"""In this order: Android says that it is Linux, and Windows Phone that it is like Android."""


def family(text: str) -> str | None:
    """The first family whose words stand in the text."""
    return next((name for name, words in _FAMILIES if words.search(text[:1024])), None)


def families(facts: Iterable[Fact]) -> set[str]:
    """Families that these facts tell."""
    told = (family(fact.value) for fact in facts if fact.attribute in _TELLING)
    return {one for one in told if one is not None}
