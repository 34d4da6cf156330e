"""What an authority allows at a time that is passed in, and its deadlines."""

import pytest
from support import orders

from wirecover.casefile.authority import Authority
from wirecover.casefile.authority_file import parse_authority
from wirecover.casefile.authority_state import deadlines, refusal

DAY = 86_400 * 10**9
DECIDED = 1_698_829_200 * 10**9
END = 1_709_251_200 * 10**9  # 2024-03-01


def read(changes: dict[str, str] | None = None, more: str = "") -> Authority:
    return parse_authority(orders.order(changes, more=more), "a").authority


def test_after_its_end_a_case_can_only_be_read() -> None:
    one = read({"use_until = 2099-01-01T00:00:00Z\n": ""})
    assert refusal(one, "ingest", END) is None and refusal(one, "analyze", END) is None
    for verb in ("ingest", "analyze"):
        assert "expired on 2024-03-01T00:00:00Z" in (refusal(one, verb, END + 1) or "")
    for verb in ("query", "sql", "report", "verify"):
        assert refusal(one, verb, END + 10_000 * DAY) is None


def test_work_may_go_on_longer_than_the_interception() -> None:
    assert refusal(read(), "ingest", END + 365 * DAY) is None


def test_before_the_decision_nothing_is_taken_in() -> None:
    assert "later than now" in (refusal(read(), "ingest", DECIDED - 1) or "")


@pytest.mark.parametrize(
    ("changes", "more", "now", "verb", "says"),
    [
        ({'"active"': '"revoked"'}, "", END, "ingest", "is revoked"),
        ({}, "[emergency]\nconfirm_by = 2023-11-02T00:00:00Z\n", END, "ingest", "not confirmed by 2023-11-02"),
        ({"review_at = 2027-03-01": "destroy_by = 2027-03-01"}, "", END + 9000 * DAY, "analyze", "to be destroyed by"),
        ({}, "[cross_border]\nstate = 'BE'\nanswer = 'objected'\n", END, "ingest", "BE objected"),
        ({}, "[cross_border]\nstate = 'BE'\nanswer = 'pending'\n", END, "analyze", "BE has not answered"),
    ],
)  # fmt: skip
def test_what_else_refuses(changes: dict[str, str], more: str, now: int, verb: str, says: str) -> None:
    assert says in (refusal(read(changes, more), verb, now) or "")


def test_a_pending_answer_lets_recordings_be_taken_in() -> None:
    assert refusal(read(more="[cross_border]\nstate = 'BE'\nanswer = 'pending'\n"), "ingest", END) is None


def test_an_urgent_order_works_until_it_had_to_be_confirmed() -> None:
    one = read(more="[emergency]\nconfirm_by = 2023-11-02T09:00:00Z\n")
    assert refusal(one, "ingest", DECIDED + DAY) is None
    assert refusal(one, "ingest", DECIDED + DAY + 1) is not None


def test_deadlines_stand_in_order_and_say_which_have_passed() -> None:
    found = deadlines(read(), END + DAY)
    assert [(one.name, one.passed) for one in found] == [
        ("covers.to", True), ("retention.review_at", False), ("worked until", False),
    ]  # fmt: skip
