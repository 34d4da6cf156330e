"""Why a flow has its label, or none: every row of the rules that fits it, and what each was worth."""

from datetime import UTC, datetime
from typing import NamedTuple

from wirecover.capture.apps.matcher import LABEL_MINIMUM, FlowFacts, Hit, RuleSet
from wirecover.capture.apps.rule import WEAK_KINDS, EvidenceRule


class Considered(NamedTuple):
    """One row that fits a flow."""

    app: str
    rule_id: str
    kind: str
    value: str
    confidence: int
    """Percent, as weighed for this flow."""
    role: str
    """`carries`: it may make the label; `supports`: it speaks for the label; `against`: for another application;
    `hint`: it points to an application and does not suffice; `outdated`: it does not hold at the time of the flow."""
    why: str
    """In words: why it does not carry, or what it is."""


def consider(rules: RuleSet, facts: FlowFacts, at_ns: int) -> tuple[Considered, ...]:
    """All rows that fit the facts of a flow seen at `at_ns`: the strongest first."""
    label = rules.match(facts, at_ns)
    family = () if label is None else (label.app, *rules.apps[label.app].part_of)
    found = [_considered(hit, facts, family) for hit in rules.hits(facts, at_ns)]
    found += [
        Considered(one.row.app, one.row.id, one.kind, one.value, 0, "outdated", f"holds {span(one.row)} only")
        for one in rules.outdated(facts, at_ns)
    ]
    order = {"carries": 0, "supports": 1, "against": 2, "hint": 3, "outdated": 4}
    return tuple(
        sorted(
            set(found), key=lambda one: (order[one.role], -one.confidence, one.rule_id, one.kind, one.value)
        )
    )


def _considered(hit: Hit, facts: FlowFacts, family: tuple[str, ...]) -> Considered:
    why = hit.row.title if hit.carries else f"{hit.row.title}: {_shortcoming(hit, facts)}"
    if hit.row.app in family:
        role = "carries" if hit.carries else "supports"
    else:
        role = "against" if hit.carries else "hint"
    if hit.carries and hit.confidence < LABEL_MINIMUM:
        why = f"{hit.row.title}: below {LABEL_MINIMUM} percent there is no label"
    return Considered(hit.row.app, hit.row.id, hit.kind, hit.value, hit.confidence, role, why)


def _shortcoming(hit: Hit, facts: FlowFacts) -> str:
    """Why a hit does not carry."""
    row = hit.row
    if hit.kind in WEAK_KINDS and not row.needs:
        return "an address, a port or a fingerprint alone never makes a label"
    if not row.alone:
        return "it never makes a label alone"
    if hit.confidence <= 20 and row.needs:
        return "it needs " + ", ".join(row.needs) + ", not all of which were seen"
    if facts.sni and hit.kind in ("dns", "certificate"):
        return "the ClientHello names another server"
    if hit.kind == "dns":
        return "the address has other names too"
    if hit.kind == "certificate":
        return "the certificate is for other names too"
    return "it needs more"


def span(row: EvidenceRule) -> str:
    """The time in which a row holds, in words."""

    def day(ns: int) -> str:
        return datetime.fromtimestamp(ns // 1_000_000_000, UTC).date().isoformat()

    parts = []
    if row.valid_from > -(1 << 62):
        parts.append(f"from {day(row.valid_from)}")
    if row.valid_to < 1 << 62:
        parts.append(f"until {day(row.valid_to)}")
    return " ".join(parts) or "always"
