"""Does an authority record hold together: what is missing, what contradicts itself, what a person must confirm.

`missing` and `contradiction` refuse the record, `confirm` and `warning` do not. A limit that was only remembered, not
read in a text, is never more than `confirm`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from wirecover.casefile.authority import Authority, Period, Target
from wirecover.casefile.authority_instruments import (
    Instrument,
    Limit,
    Reach,
    add_months,
    instruments,
    time_text,
)

HOUR: Final = 3600 * 10**9
EU: Final = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
_REFUSES: Final = ("missing", "contradiction")
_WIDE: Final = {4: 24, 6: 48}
"""Networks with a shorter prefix hold many subscribers."""
_WIDEST: Final = {4: 8, 6: 16}


@dataclass(frozen=True, slots=True)
class Remark:
    """One line of the check."""

    kind: str
    """missing, contradiction, confirm or warning."""
    about: str
    """The key it is about."""
    text: str

    @property
    def refuses(self) -> bool:
        """Whether no case can be made under the record because of it."""
        return self.kind in _REFUSES


def check(authority: Authority) -> tuple[Remark, ...]:
    """All remarks, what refuses first, else in the order of the record."""
    known = instruments().get(authority.instrument)
    if known is None:
        names = ", ".join(instruments())
        text = f"{authority.instrument!r} is none of: {names}"
        return (Remark("contradiction", "instrument", text),)
    remarks = [
        *_basis(authority, known), *_times(authority, known), *_targets(authority), *_data(authority, known),
        *_emergency(authority, known), *_cross_border(authority, known), *_retention(authority),
        *(Remark("confirm", "instrument", note) for note in known.notes),
    ]  # fmt: skip
    return tuple(sorted(remarks, key=lambda one: not one.refuses))


def _limit_remark(about: str, text: str, limit: Limit | Reach) -> Remark:
    if limit.verified:
        return Remark("contradiction", about, f"{text} ({limit.source})")
    return Remark("confirm", about, f"{text}: confirm with counsel ({limit.source})")


def _basis(authority: Authority, known: Instrument) -> Iterator[Remark]:
    if known.country not in ("any", "EU") and authority.country != known.country:
        yield Remark("contradiction", "country", f"{known.instrument} is an instrument of {known.country}")
    if known.country == "EU" and authority.country not in EU:
        yield Remark("contradiction", "country", f"{authority.country} is no member State of the Union")
    if authority.status != "active":
        yield Remark("contradiction", "status", f"is {authority.status}: nothing may be taken in under it")
    if known.preservation_only:
        yield Remark(
            "contradiction", "instrument", "preserves data; what was preserved may not be read under it"
        )
    if known.applies_from is not None and authority.issued.at < known.applies_from:
        text = f"decided before the instrument applies ({time_text(known.applies_from)})"
        yield Remark("contradiction", "issued.at", text)
    there = {
        "offences": bool(authority.offences), "penalty_years": authority.penalty_years is not None,
        "necessity": authority.necessity is not None, "document_sha256": authority.document_sha256 is not None,
        "organised_crime": authority.organised_crime, "cross_border": authority.cross_border is not None,
        "validated": authority.validated is not None,
    }  # fmt: skip
    for field in known.requires:
        if not there[field]:
            yield Remark("missing", field, f"{known.instrument} cannot be checked without it")
    limit, years = known.penalty, authority.penalty_years
    if limit is not None and limit.years is not None and years is not None and years < limit.years:
        text = f"{years:g} years are less than {limit.years:g}: say in necessity which exception applies"
        yield Remark("confirm", "penalty_years", f"{text} ({limit.source})")
    if authority.validated is None and set(known.validation_for) & set(authority.categories):
        text = "not validated: right only if the issuing authority is itself a judge, court or investigating judge"
        yield Remark("confirm", "validated", text)
    if authority.validated is not None and authority.validated.at < authority.issued.at:
        yield Remark("contradiction", "validated.at", "is before the decision that it validates")


def _times(authority: Authority, known: Instrument) -> Iterator[Remark]:
    issued = authority.issued.at
    if known.prospective and authority.covers.first < issued:
        yield Remark(
            "contradiction", "covers.from", "is before the decision, which reaches only what follows it"
        )
    if known.prospective and authority.retro is not None:
        yield Remark("contradiction", "retro", f"{known.instrument} does not look back")
    if authority.retro is not None and authority.retro.last > max(issued, authority.covers.first):
        yield Remark(
            "contradiction", "retro.to", "reaches beyond the decision: that time is what covers is for"
        )
    begins = {"issued": issued, "covers": authority.covers.first}
    if known.period is not None:
        yield from _too_long("covers.to", authority.covers, known.period, begins[known.period.counted_from])
    back = known.retro.months if known.retro is not None and authority.retro is not None else None
    if back is not None and authority.retro is not None and known.retro is not None:
        earliest = add_months(issued, -back)
        if authority.retro.first < earliest:
            yield _limit_remark("retro.from", f"looks back more than {back} months", known.retro)
    earlier = authority.covers
    for number, renewal in enumerate(authority.renewals, start=1):
        about = f"renewals[{number}]"
        if renewal.by.at < issued:
            yield Remark("contradiction", f"{about}.by.at", "is before the decision that it renews")
        if renewal.period.first < earlier.first:
            yield Remark("contradiction", f"{about}.from", "is before the period that it continues")
        if known.prospective and renewal.by.at > renewal.period.first:
            yield Remark("contradiction", f"{about}.by.at", "was decided after its period began")
        if renewal.period.first > earlier.last + 10**9:
            text = f"nothing is covered from {time_text(earlier.last)} to {time_text(renewal.period.first)}"
            yield Remark("warning", f"{about}.from", text)
        if renewal.document_sha256 is None:
            yield Remark("missing", f"{about}.document_sha256", "the decision must be on file")
        if known.period is not None:
            yield from _too_long(f"{about}.to", renewal.period, known.period, renewal.period.first)
        earlier = renewal.period
    if known.total is not None:
        months = known.total.months
        if authority.organised_crime and known.total.organised_crime_months is not None:
            months = known.total.organised_crime_months
        if months is not None and authority.ends > add_months(authority.covers.first, months):
            yield _limit_remark("covers", f"more than {months} months in all", known.total)
    if known.period is None:
        text = f"no maximum duration is known here for {known.instrument}: confirm with counsel"
        yield Remark("confirm", "covers", text)


def _too_long(about: str, period: Period, limit: Limit, begins: int) -> Iterator[Remark]:
    if limit.months is not None and period.last > add_months(begins, limit.months):
        yield _limit_remark(about, f"ends later than {limit.months} months after {time_text(begins)}", limit)


def _targets(authority: Authority) -> Iterator[Remark]:
    held = [one for one in authority.targets if one.type != "subscriber"]
    if authority.selection == "packets" and not held:
        text = "no address, hardware address, tunnel or recording: there is nothing a packet could be held against"
        yield Remark("missing", "targets", text)
    if authority.selection == "recording" and authority.selection_reason is None:
        text = "say why whole recordings are those of the targets (who filtered them, and how)"
        yield Remark("missing", "selection_reason", text)
    if authority.selection == "recording" and not authority.targets:
        yield Remark("missing", "targets", "name whom the recordings are of")
    if authority.selection == "recording" and authority.others == "pseudonymise":
        text = 'has no effect: with selection = "recording" nobody is told to be a third party'
        yield Remark("warning", "third_parties", text)
    seen = set()
    for number, target in enumerate(authority.targets, start=1):
        about = f"targets[{number}]"
        if (target.type, target.value, target.layer) in seen:
            yield Remark(
                "contradiction", about, f"{target.value} stands twice: give one target several periods"
            )
        seen.add((target.type, target.value, target.layer))
        for period in target.periods:
            if not any(one.first <= period.last and period.first <= one.last for one in authority.periods):
                yield Remark(
                    "contradiction", f"{about}.periods", "lies outside every period of the authority"
                )
        if target.type == "network":
            yield from _wide(about, target)
            yield from _excluded(about, target, authority)
    for number, exclusion in enumerate(authority.exclusions, start=1):
        if exclusion.notified is None:
            text = f"whether a body has to be told of this {exclusion.protected}: confirm with counsel"
            yield Remark("confirm", f"exclusions[{number}]", text)


def _wide(about: str, target: Target) -> Iterator[Remark]:
    network = ip_network(target.value)
    if network.prefixlen < _WIDEST[network.version]:
        yield Remark(
            "contradiction", f"{about}.value", f"{network} is no target: it is a part of the internet"
        )
    elif network.prefixlen < _WIDE[network.version]:
        size = f"{network.num_addresses:,}"
        yield Remark(
            "warning", f"{about}.value", f"{network} holds {size} addresses: whoever uses one is a target"
        )


def _excluded(about: str, target: Target, authority: Authority) -> Iterator[Remark]:
    network = ip_network(target.value)
    for number, one in enumerate(authority.exclusions, start=1):
        if one.type != "network":
            continue
        other = ip_network(one.value)
        if other.version == network.version and other.overlaps(network):
            whole = other.prefixlen <= network.prefixlen
            kind = "contradiction" if whole else "warning"
            text = f"{'is' if whole else 'is partly'} excluded by exclusions[{number}], which goes before it"
            yield Remark(kind, f"{about}.value", text)


def _data(authority: Authority, known: Instrument) -> Iterator[Remark]:
    if not authority.categories:
        yield Remark("missing", "data_categories", "nothing may be kept without one")
    elif "traffic" not in authority.categories:
        yield Remark(
            "missing", "data_categories", "a recording is traffic data: without traffic it may not be read"
        )
    if known.categories is not None:
        beyond = [one for one in authority.categories if one not in known.categories.allowed]
        if beyond:
            text = f"{', '.join(beyond)}: not known to be reached by {known.instrument}"
            yield _limit_remark("data_categories", text, known.categories)


def _emergency(authority: Authority, known: Instrument) -> Iterator[Remark]:
    urgent = authority.emergency
    if urgent is None:
        return
    if known.confirmation is not None and known.confirmation.hours is not None:
        latest = authority.issued.at + known.confirmation.hours * HOUR
        if urgent.confirm_by > latest:
            text = f"later than {known.confirmation.hours} hours after the decision"
            yield _limit_remark("emergency.confirm_by", text, known.confirmation)
    else:
        text = f"no time limit for confirmation is known here for {known.instrument}: confirm with counsel"
        yield Remark("confirm", "emergency.confirm_by", text)
    if urgent.confirmed_at is not None and urgent.confirmed_at > urgent.confirm_by:
        yield Remark("contradiction", "emergency.confirmed_at", "confirmed too late: the decision had fallen")
    if (urgent.confirmed_at is None) != (urgent.confirmed_by is None):
        yield Remark("missing", "emergency", "confirmed_at and confirmed_by go together")


def _cross_border(authority: Authority, known: Instrument) -> Iterator[Remark]:
    told = authority.cross_border
    if told is None:
        return
    if told.answer == "pending" and told.answer_by is None:
        yield Remark("missing", "cross_border.answer_by", "until when is an answer awaited?")
    if told.answer in ("accepted", "conditions", "objected") and told.answered_at is None:
        yield Remark("missing", "cross_border.answered_at", "when was the answer given?")
    if told.answer == "conditions" and not told.conditions:
        yield Remark("missing", "cross_border.conditions", "which ones?")
    if told.answer != "not-required" and told.notified_at is None:
        yield Remark("missing", "cross_border.notified_at", "when was the other State told?")
    limit = known.answer
    if limit is not None and limit.hours is not None and None not in (told.notified_at, told.answer_by):
        assert told.notified_at is not None and told.answer_by is not None
        if told.answer_by != told.notified_at + limit.hours * HOUR:
            text = f"is not {limit.hours} hours after the notification"
            yield _limit_remark("cross_border.answer_by", text, limit)
    if told.answer == "none-in-time" and told.answer_by is None:
        yield Remark("missing", "cross_border.answer_by", "which time limit has passed?")


def _retention(authority: Authority) -> Iterator[Remark]:
    kept = authority.retention
    if kept is None:
        yield Remark("missing", "retention", "say by which rule it is kept, and destroy_by or review_at")
        return
    if kept.destroy_by is None and kept.review_at is None:
        yield Remark("missing", "retention", "destroy_by, or review_at where the end is not known yet")
    if kept.use_until is None:
        text = f"not given: the case can be read only after {time_text(authority.ends)}, when the last period ends"
        yield Remark("warning", "retention.use_until", text)
    if kept.destroy_by is not None and kept.destroy_by < authority.worked_until:
        yield Remark("contradiction", "retention.destroy_by", "is before the last moment of work on the case")
