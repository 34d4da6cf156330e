"""The figures of docs/validation/messaging.md: exact intervals, and no message-like event without a reason."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SPEC = importlib.util.spec_from_file_location("measure_messaging", HERE / "messaging.py")
measure = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(measure)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (0, 300, 0, 123),  # 1 - 0.025 ** (1 / 300) = 1.222 %
        (3, 3, 2924, 10_000),  # 0.025 ** (1 / 3) = 29.24 %
        (5, 10, 1870, 8130),  # tables of Clopper and Pearson: 18.71 % to 81.29 %
        (0, 1, 0, 9750),
        (1, 1, 250, 10_000),
    ],
)
def test_intervals_are_those_of_clopper_and_pearson(k, n, low, high):
    assert measure.interval(k, n) == (low, high)


def test_the_page_is_made_with_this_project_s_own_figures():
    page = measure.page(None)
    published = (HERE.parents[1] / "docs" / "validation" / "messaging.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) > 20
    missing = [line for line in rows if line not in published]
    assert missing == [], (
        "renew it: python tests/validation/messaging.py CORPUS > docs/validation/messaging.md"
    )
