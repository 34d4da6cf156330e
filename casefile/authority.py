"""The authority of a case: the legal basis, as a record that a court can hold against the decision itself.

Records only; `authority_file` reads them, `authority_check` judges them, `authority_scope` turns them into what may be
kept. Times are nanoseconds since 1970, UTC; periods include both ends. Vocabulary follows ETSI TS 103 120 (warrant
information) and TS 103 280 (its dictionary) where it fits; docs/authority.md maps one to the other.
"""

from dataclasses import dataclass
from typing import Final

FORMAT: Final = "wirecover-authority/1"
STATUSES: Final = ("draft", "active", "suspended", "revoked")
CATEGORIES: Final = (
    "traffic", "server-names", "applications", "equipment", "accounts", "subscriber", "location", "recorder-notes",
)  # fmt: skip
"""What may be asked for; `content` is refused by name. `authority_scope.OPENS` says what each one opens."""
CONTENT: Final = "content"
TARGET_TYPES: Final = ("network", "mac", "teid", "liid", "subscriber")
EXCLUSION_TYPES: Final = ("network", "mac", "name")
LAYERS: Final = ("inner", "outer", "any")
SELECTIONS: Final = ("packets", "recording")
SUBJECTS: Final = ("suspect", "convicted", "victim", "witness", "contact", "other")
"""Directive (EU) 2016/680, article 6."""
PROTECTED: Final = ("lawyer", "doctor", "journalist", "parliament", "magistrate", "clergy", "other")
OTHERS: Final = ("drop", "pseudonymise")
ANSWERS: Final = ("not-required", "pending", "none-in-time", "accepted", "conditions", "objected")
VERBS: Final = (
    "ingest", "query", "sql", "analyze", "report", "export", "seal", "unseal", "share", "receive", "verify", "destroy",
    "unmask", "authority", "series", "rebuild",
)  # fmt: skip
"""Acts for which a reason, or two persons, may be asked."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a first to a last nanosecond, both included."""

    first: int
    last: int

    def holds(self, at: int) -> bool:
        """Whether a time lies inside."""
        return self.first <= at <= self.last


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decided, and when (TS 103 120 ApprovalDetails)."""

    name: str
    function: str
    court: str | None
    at: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """A decision that prolongs the first one."""

    reference: str
    by: Decider
    period: Period
    document_sha256: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the decision names (TS 103 120 TargetIdentifier: FormatName and value)."""

    type: str
    value: str
    layer: str
    subject: str
    label: str | None
    periods: tuple[Period, ...]
    """When the identifier is the target's; always within the authority's own periods, if empty."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A protected person: whoever it speaks with, nothing of it is kept."""

    type: str
    value: str
    protected: str
    notified: str | None
    """Body that was told, where the law wants it: the bâtonnier, a president of a chamber."""
    notified_at: int | None


@dataclass(frozen=True, slots=True)
class CrossBorder:
    """What another State was told, answered and asked for."""

    state: str
    role: str | None
    notified_at: int | None
    answer_by: int | None
    answer: str
    answered_at: int | None
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Emergency:
    """A decision in urgency, which falls unless it is confirmed in time."""

    confirm_by: int
    confirmed_at: int | None
    confirmed_by: str | None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long there may be work on the case, and when it must be gone."""

    rule: str
    use_until: int | None
    """Last moment of ingest and analysis; without it the end of the last period covered."""
    destroy_by: int | None
    review_at: int | None
    log_years: int | None


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority record."""

    country: str
    instrument: str
    reference: str
    status: str
    offences: tuple[str, ...]
    penalty_years: float | None
    """Highest sentence that the offence carries, in years."""
    organised_crime: bool
    necessity: str | None
    issued: Decider
    validated: Decider | None
    covers: Period
    renewals: tuple[Renewal, ...]
    retro: Period | None
    """Time before the decision whose recordings it reaches."""
    targets: tuple[Target, ...]
    selection: str
    """packets: only packets of a target are kept; recording: whole recordings, which were made of targets only."""
    selection_reason: str | None
    categories: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]
    others: str
    cross_border: CrossBorder | None
    emergency: Emergency | None
    retention: Retention | None
    reason_required: bool
    """Every act needs a reason in the custody log (`demands.py` enforces it)."""
    two_person: tuple[str, ...]
    """Acts that two examiners must sign."""
    document_sha256: str | None

    @property
    def periods(self) -> tuple[Period, ...]:
        """All times that packets may have: of the decision, its renewals and its look back, ascending."""
        found = [self.covers, *(renewal.period for renewal in self.renewals)]
        found += [] if self.retro is None else [self.retro]
        return tuple(sorted(found, key=lambda one: (one.first, one.last)))

    @property
    def ends(self) -> int:
        """End of the last period of the decision or a renewal."""
        return max([self.covers.last, *(renewal.period.last for renewal in self.renewals)])

    @property
    def worked_until(self) -> int:
        """Last moment at which the case may be changed by ingest or analysis."""
        until = self.retention.use_until if self.retention is not None else None
        return self.ends if until is None else until
