"""What an authority allows at a given time, and which deadlines it sets. The time is always passed in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wirecover.casefile.authority import Authority
from wirecover.casefile.authority_instruments import time_text

CHANGING: Final = ("ingest", "analyze")
"""Acts that add to what is known of people; under an authority that no longer stands they are refused."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time by which something ends or has to be done."""

    name: str
    at: int
    passed: bool
    text: str


def refusal(authority: Authority, verb: str, now: int) -> str | None:
    """Why that act is refused now; None when it is not. Reading and reporting stay possible."""
    if verb not in CHANGING:
        return None
    if authority.status != "active":
        return f"the authority is {authority.status}"
    if now < authority.issued.at:
        return f"the authority was decided on {time_text(authority.issued.at)}, later than now"
    urgent, kept, told = authority.emergency, authority.retention, authority.cross_border
    if urgent is not None and urgent.confirmed_at is None and now > urgent.confirm_by:
        return f"the urgent decision was not confirmed by {time_text(urgent.confirm_by)}"
    if kept is not None and kept.destroy_by is not None and now > kept.destroy_by:
        return f"the case was to be destroyed by {time_text(kept.destroy_by)}"
    if now > authority.worked_until:
        return f"the authority expired on {time_text(authority.worked_until)}: the case can only be read"
    if told is not None and told.answer == "objected":
        return f"{told.state} objected to the use of the material"
    if told is not None and told.answer == "pending" and verb == "analyze":
        return f"{told.state} has not answered yet: record its answer, or none-in-time, in the authority"
    return None


def deadlines(authority: Authority, now: int) -> tuple[Deadline, ...]:
    """All of them, the earliest first."""
    found = [Deadline(name, at, now > at, text) for name, at, text in _deadlines(authority)]
    return tuple(sorted(found, key=lambda one: (one.at, one.name)))


def _deadlines(authority: Authority) -> Iterator[tuple[str, int, str]]:
    yield "covers.to", authority.covers.last, "end of the period of the decision"
    for number, renewal in enumerate(authority.renewals, start=1):
        yield f"renewals[{number}].to", renewal.period.last, f"end of renewal {renewal.reference}"
    if authority.emergency is not None and authority.emergency.confirmed_at is None:
        yield (
            "emergency.confirm_by",
            authority.emergency.confirm_by,
            "the urgent decision has to be confirmed",
        )
    told, kept = authority.cross_border, authority.retention
    if told is not None and told.answer == "pending" and told.answer_by is not None:
        yield "cross_border.answer_by", told.answer_by, f"answer of {told.state}"
    yield (
        "worked until",
        authority.worked_until,
        "last moment of ingest and analysis: then the case is read-only",
    )
    if kept is not None and kept.review_at is not None:
        yield "retention.review_at", kept.review_at, "whether the case is still needed has to be reviewed"
    if kept is not None and kept.destroy_by is not None:
        yield "retention.destroy_by", kept.destroy_by, "the case has to be destroyed (wirecover destroy)"
