"""What is known of a legal instrument: durations, required fields, data it reaches. Data, in instruments/*.toml.

Every limit says where it comes from and whether that was read in a text (`verified`) or is from memory. Only verified
limits refuse a record; all others are told as "confirm with counsel". None of it is legal advice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from wirecover.casefile.authority import CATEGORIES
from wirecover.casefile.toml_reader import Section, TomlError, parse_toml

FIELDS: Final = (
    "offences", "penalty_years", "necessity", "document_sha256", "organised_crime", "cross_border", "validated",
)  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Limit:
    """One number of a law, with its source."""

    months: int | None
    organised_crime_months: int | None
    hours: int | None
    years: float | None
    counted_from: str
    """issued: from the decision; covers: from the beginning of the period."""
    verified: bool
    source: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Data categories that an instrument gives."""

    allowed: tuple[str, ...]
    verified: bool
    source: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """One legal instrument."""

    instrument: str
    country: str
    """A country, EU for a member State of the Union, or any."""
    title: str
    requires: tuple[str, ...]
    prospective: bool
    """It reaches only what happens after the decision."""
    applies_from: int | None
    preservation_only: bool
    validation_for: tuple[str, ...]
    notes: tuple[str, ...]
    period: Limit | None
    total: Limit | None
    retro: Limit | None
    confirmation: Limit | None
    answer: Limit | None
    penalty: Limit | None
    categories: Reach | None


@cache
def instruments() -> dict[str, Instrument]:
    """All instruments by name, in the order of their names."""
    found = {}
    for entry in sorted(files("wirecover.casefile.instruments").iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".toml"):
            top = parse_toml(entry.read_bytes(), entry.name)
            one = _instrument(top)
            top.finish()
            if f"{one.instrument}.toml" != entry.name:
                raise TomlError(f"{entry.name}: describes {one.instrument}")
            found[one.instrument] = one
    return found


def _instrument(top: Section) -> Instrument:
    return Instrument(
        top.text("instrument"), top.text("country"), top.text("title"), top.texts("requires", FIELDS),
        top.flag("prospective"), top.time_or_none("applies_from"), top.flag("preservation_only"),
        top.texts("validation_for", CATEGORIES), top.texts("notes"), top.table_or_none("period", _limit),
        top.table_or_none("total", _limit), top.table_or_none("retro", _limit),
        top.table_or_none("confirmation", _limit), top.table_or_none("answer", _limit),
        top.table_or_none("penalty", _limit), top.table_or_none("categories", _reach),
    )  # fmt: skip


def _limit(section: Section) -> Limit:
    found = Limit(
        section.whole_or_none("months", 1, 1200), section.whole_or_none("organised_crime_months", 1, 1200),
        section.whole_or_none("hours", 1, 10_000), section.number_or_none("years", 0, 100),
        section.text_or_none("from", ("issued", "covers")) or "covers", section.flag("verified"),
        section.text("source"),
    )  # fmt: skip
    if not any((found.months, found.hours, found.years)):
        raise section.fail("", "a limit without a number")
    return found


def _reach(section: Section) -> Reach:
    return Reach(section.texts("allowed", CATEGORIES), section.flag("verified"), section.text("source"))


def add_months(at: int, months: int) -> int:
    """The same day and time of a month further on, UTC; the month's last day where it has no such day."""
    seconds, rest = divmod(at, 10**9)
    moment = _EPOCH + timedelta(seconds=seconds)
    years, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month + 1
    first = moment.replace(year=year, month=month, day=1)
    following = first.replace(year=year + month // 12, month=month % 12 + 1)
    moment = first.replace(day=min(moment.day, (following - timedelta(days=1)).day))
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + rest


def time_text(at: int) -> str:
    """ISO 8601, UTC, to the second (with its fraction where there is one)."""
    seconds, rest = divmod(at, 10**9)
    moment = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    return f"{moment}.{rest:09d}Z" if rest else f"{moment}Z"
