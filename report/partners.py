"""What partners sent into the case, and on what terms: the terms go with the rows, so the report prints them."""

import json
from typing import Any

import duckdb

from wirecover.report.escape import bounded
from wirecover.report.model import PartnerTerms
from wirecover.report.words import Words, instant


def read_partners(connection: duckdb.DuckDBPyConnection) -> tuple[PartnerTerms, ...]:
    """Every bundle that was received, by reference and edition; no time of this machine is in it."""
    rows = connection.execute(
        "SELECT bundle_sha256, reference, edition, partner, signer, purpose, handling, conditions, "
        "epoch_ns(destroy_by) FROM foreign_bundles ORDER BY reference, edition, bundle_sha256"
    ).fetchall()
    return tuple(
        PartnerTerms(bundle, reference, edition, partner, signer, purpose, code, *_conditions(text), until)
        for bundle, reference, edition, partner, signer, purpose, code, text, until in rows
    )


def _conditions(text: str) -> tuple[str, tuple[str, ...], bool]:
    """(meaning of the code, conditions of the originator and of those before it, may it be passed on)."""
    facts: dict[str, Any] = json.loads(text)
    listed = [*facts.get("use", []), *facts.get("inherited", [])]
    return str(facts.get("meaning") or ""), tuple(str(one) for one in listed), facts.get("onward") is True


def partner_entries(partners: tuple[PartnerTerms, ...], words: Words) -> list[list[str]]:
    """Rows of the report's legal part: label and text."""
    found: list[list[str]] = []
    for one in partners:
        head = words.say(
            "partners.bundle",
            reference=bounded(one.reference),
            edition=words.number(one.edition),
            signer=one.signer,
        )
        found.append([words.say("partners.received"), head])
        found.append([words.say("partners.purpose"), bounded(one.purpose)])
        found.append([words.say("partners.handling"), bounded(f"{one.handling}: {one.meaning}")])
        found += [[words.say("partners.condition"), bounded(text)] for text in one.conditions]
        found.append(
            [words.say("partners.onward"), words.say("partners.yes" if one.onward else "partners.no")]
        )
        if one.destroy_by_ns is not None:
            found.append(
                [words.say("partners.destroy_by"), f"{instant(one.destroy_by_ns):%Y-%m-%d %H:%M:%S} UTC"]
            )
    return found
