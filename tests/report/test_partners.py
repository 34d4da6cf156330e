"""The terms of partners stand in the report, in every language, and cannot act there."""

import json
from pathlib import Path

import pytest

from wirecover.casefile.case import Case
from wirecover.report.document import build
from wirecover.report.partners import partner_entries
from wirecover.report.pdf import pdf_bytes
from wirecover.report.words import Words


@pytest.fixture
def case(tmp_path: Path) -> Case:
    case = Case.create(tmp_path / "case", training=True)
    terms = {
        "use": ["Ask first \u202e#panic"],
        "inherited": ["NL: 31 EIO"],
        "onward": False,
        "meaning": "Not onward",
    }
    with case.connect(write=True) as connection:
        connection.execute(
            "INSERT INTO foreign_bundles (bundle_sha256, originator_case, signer, partner, reference, edition, "
            "purpose, handling, conditions, destroy_by, made_at, log_acts, log_sha256, received_at, file_sha256) "
            "VALUES ('b', 'c', 'k', 'FR', 'R/1', 2, 'find', 'H2', ?, make_timestamp_ns(1800000000000000000), "
            "make_timestamp_ns(1), 1, 'l', make_timestamp_ns(2), 'f')",
            [json.dumps(terms)],
        )
    return case


@pytest.mark.parametrize("lang", ["en", "fr", "nl", "de"])
def test_every_term_is_printed(case: Case, lang: str) -> None:
    document = build(case)
    entries = partner_entries(document.partners, Words(lang))
    text = "\n".join(f"{label}: {value}" for label, value in entries)
    for told in (
        "R/1",
        "H2: Not onward",
        r"Ask first \u{202e}#panic",
        "NL: 31 EIO",
        "find",
        "2027-01-15 08:00:00 UTC",
    ):
        assert told in text
    assert pdf_bytes(document, lang)


def test_the_time_of_receipt_is_not_in_the_document(case: Case) -> None:
    first = build(case)
    with case.connect(write=True) as connection:
        connection.execute("UPDATE foreign_bundles SET received_at = make_timestamp_ns(3)")
    assert build(case) == first


def test_a_case_without_partners_says_nothing_of_them(tmp_path: Path) -> None:
    assert build(Case.create(tmp_path / "case", training=True)).partners == ()
