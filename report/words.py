"""Numbers, times and sentences as one language writes them. Everything comes out as text ready to print."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from wirecover.report.escape import bounded
from wirecover.report.messages import catalogue, count_key
from wirecover.report.model import Sentence, Value

THIN: Final = "\u202f"
"""Narrow no-break space between groups of three digits (ISO 80000-1)."""
TO: Final = "\u2013"
"""En dash, between the ends of a range."""
NOTHING: Final = "\u2013"
"""Stands in a cell that has no value."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def instant(ns: int) -> datetime:
    """A time in nanoseconds as a datetime, cut to microseconds; works for every 64-bit value."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


@dataclass(frozen=True, slots=True)
class Words:
    """The catalogue of one language with the ways it writes numbers."""

    lang: str

    def say(self, key: str, **values: object) -> str:
        return catalogue(self.lang)[key].format(**values)

    def counted(self, key: str, count: int, **values: object) -> str:
        """The singular or plural text of a key."""
        return self.say(count_key(self.lang, key, count), count=self.number(count), **values)

    def number(self, value: int | None) -> str:
        """An integer in groups of three digits."""
        return self.say("format.unknown") if value is None else f"{value:,}".replace(",", THIN)

    def decimal(self, value: float) -> str:
        """A measured number to four significant digits."""
        return f"{value:.4g}".replace(".", self.say("format.decimal"))

    def share(self, part: int, whole: int) -> str:
        """A percentage with one decimal, from integers; a small part is never written as nought."""
        if whole <= 0 or part <= 0:
            return f"0{THIN}%"
        tenths = part * 1000 // whole
        if tenths == 0:
            return f"< 0{self.say('format.decimal')}1{THIN}%"
        return f"{tenths // 10}{self.say('format.decimal')}{tenths % 10}{THIN}%"

    def time(self, ns: int | None) -> str:
        """A UTC time to the millisecond, cut and not rounded."""
        if ns is None:
            return self.say("format.unknown")
        return instant(ns).strftime("%Y-%m-%d %H:%M:%S.") + f"{ns // 1_000_000 % 1000:03d}"

    def utc(self, ns: int) -> str:
        """A time with its zone, never parted at a line's end."""
        return f"{self.time(ns)} UTC".replace(" ", "\u00a0")

    def sentence(self, sentence: Sentence) -> str:
        """A sentence of the document in this language; numbers in it are grouped."""
        values = {
            name: self.number(value) if isinstance(value, int) else value for name, value in sentence.values
        }
        return self.say(sentence.key, **values)

    def value(self, value: Value) -> str:
        """A parameter's value, as code: not translated, not grouped."""
        if value is None:
            return "null"
        return str(value).lower() if isinstance(value, bool) else bounded(str(value))
