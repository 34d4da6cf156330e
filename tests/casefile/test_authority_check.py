"""What a record lacks and where it contradicts itself; limits of instruments come from data with a source."""

import re

import pytest
from support import orders

from wirecover.casefile.authority_check import Remark, check
from wirecover.casefile.authority_file import parse_authority
from wirecover.casefile.authority_instruments import add_months, instruments, time_text

ALL = (
    "BE_46bis", "BE_88bis", "BE_90ter", "FR_60-1-2", "FR_77-1-1", "FR_99-3", "FR_100", "FR_706-95", "EU_EPOC",
    "EU_EPOC-PR", "EU_EIO_A", "EU_EIO_C", "JIT", "other",
)  # fmt: skip
BELGIAN = {'country = "FR"': 'country = "BE"', '"FR_100"': '"BE_88bis"', "to = 2024-03-01": "to = 2023-12-31"}

LATE = "[emergency]\nconfirm_by = 2023-11-03T00:00:00Z\nconfirmed_at = 2023-11-04T00:00:00Z\nconfirmed_by = 'x'\n"


def renewal(first: str, last: str, decided: str) -> str:
    period = f"from = {first}T00:00:00Z\nto = {last}T00:00:00Z\n"
    by = f"[renewals.by]\nname = 'x'\nfunction = 'y'\nat = {decided}T00:00:00Z\n"
    return f"[[renewals]]\nreference = 'r'\n{period}{by}"


def remarks(changes: dict[str, str] | None = None, more: str = "", top: str = "") -> tuple[Remark, ...]:
    return check(parse_authority(orders.order(changes, more=more, top=top), "a").authority)


def against(changes: dict[str, str] | None = None, more: str = "", top: str = "") -> list[str]:
    return [f"{one.about}: {one.text}" for one in remarks(changes, more, top) if one.refuses]


def test_a_record_that_holds_together_is_not_refused() -> None:
    assert against() == []
    assert against(BELGIAN) == []


@pytest.mark.parametrize(
    ("changes", "more", "says"),
    [
        ({'"FR_100"': '"FR_999"'}, "", "instrument: 'FR_999' is none of"),
        ({'country = "FR"': 'country = "BE"'}, "", "country: FR_100 is an instrument of FR"),
        ({'status = "active"': 'status = "draft"'}, "", "status: is draft"),
        ({'document_sha256 = "' + "0" * 64 + '"\n': ""}, "", "document_sha256"),
        ({"penalty_years = 10\n": ""}, "", "penalty_years"),
        ({'["traffic", "server-names", "applications", "equipment", "accounts"]': "[]"}, "", "data_categories"),
        ({'["traffic", ': "["}, "", "a recording is traffic data"),
        ({"to = 2024-03-01": "to = 2024-03-03"}, "", "covers.to: ends later than 4 months"),
        ({"from = 2023-11-02": "from = 2023-10-02"}, "", "covers.from: is before the decision"),
        ({'"10.0.0.2"': '"0.0.0.0/0"'}, "", "part of the internet"),
        ({'type = "network"': 'type = "subscriber"'}, "", "nothing a packet could be held against"),
        ({}, orders.target("network", "10.0.0.2"), "stands twice"),
        ({}, orders.target("network", "10.0.0.3", periods="[{from = 2030-01-01T00:00:00Z, to = 2030-01-02T00:00:00Z}]"),
         "outside every period"),
        ({}, orders.excluded("network", "10.0.0.0/24"), "excluded by exclusions[1]"),
        ({"review_at = 2027-03-01T00:00:00Z": ""}, "", "retention: destroy_by, or review_at"),
        ({"review_at = 2027-03-01": "destroy_by = 2027-03-01"}, "", "before the last moment of work"),
        ({}, LATE,
         "confirmed too late"),
        ({}, "[cross_border]\nstate = 'BE'\nanswer = 'conditions'\n", "cross_border.conditions"),
        ({}, "[retro]\nfrom = 2023-01-01T00:00:00Z\nto = 2023-10-01T00:00:00Z\n", "does not look back"),
        ({}, renewal("2024-03-01", "2024-05-01", "2024-03-05"), "decided after its period began"),
        ({"organised_crime = true\n": ""},
         renewal("2024-10-01", "2024-12-01", "2024-02-01"), "more than 12 months in all"),
    ],
)  # fmt: skip
def test_what_refuses_a_record(changes: dict[str, str], more: str, says: str) -> None:
    found = against(changes, more)
    assert any(says in line for line in found), found


def test_an_urgent_belgian_order_is_confirmed_within_24_hours() -> None:
    late = against(BELGIAN, "[emergency]\nconfirm_by = 2023-11-02T09:00:01Z\n")
    assert any("later than 24 hours" in line for line in late)
    assert against(BELGIAN, "[emergency]\nconfirm_by = 2023-11-02T09:00:00Z\n") == []


def test_what_was_only_remembered_is_for_a_person_to_confirm() -> None:
    """BE 90ter: one month, from memory: no refusal, but a line that says so."""
    changes = {**BELGIAN, '"FR_100"': '"BE_90ter"', "to = 2024-03-01": "to = 2024-02-01"}
    assert against(changes) == []
    lines = [one.text for one in remarks(changes) if one.kind == "confirm" and one.about == "covers.to"]
    assert len(lines) == 1 and "confirm with counsel" in lines[0] and "from memory" in lines[0]


def test_whole_recordings_need_a_reason() -> None:
    whole = {'status = "active"': 'status = "active"\nselection = "recording"'}
    assert any("selection_reason" in line for line in against(whole))
    reasoned = {
        'status = "active"': 'status = "active"\nselection = "recording"\nselection_reason = "tap at operator"'
    }
    assert against(reasoned) == []


def test_every_instrument_says_where_its_limits_come_from() -> None:
    assert set(instruments()) == set(ALL)
    for one in instruments().values():
        limits = [one.period, one.total, one.retro, one.confirmation, one.answer, one.penalty, one.categories]
        for limit in limits:
            assert limit is None or len(limit.source) > 10
            doubted = limit is not None and re.search("from memory|with counsel", limit.source) is not None
            assert limit is None or limit.verified != doubted, one.instrument


def test_months_are_those_of_the_calendar() -> None:
    def after(text: str, months: int) -> str:
        from datetime import datetime

        since = datetime.fromisoformat(text) - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        return time_text(add_months((since.days * 86_400 + since.seconds) * 10**9, months))

    assert after("2024-01-31T10:00:00+00:00", 1) == "2024-02-29T10:00:00Z"
    assert after("2023-12-31T10:00:00+00:00", 2) == "2024-02-29T10:00:00Z"
    assert after("2024-03-31T10:00:00+00:00", -1) == "2024-02-29T10:00:00Z"
    assert after("2024-11-30T00:00:00+00:00", 1) == "2024-12-30T00:00:00Z"
    assert after("2024-05-01T00:00:00+00:00", 12) == "2025-05-01T00:00:00Z"
