"""What the report says of the recordings before any finding: lines, indicators with their causes, series."""

import dataclasses
import subprocess
import sys

import fake_case
import pytest

from wirecover.capture.quality.explanations import EXPLANATIONS, INDICATORS, METRICS
from wirecover.report.document import build
from wirecover.report.messages import LANGUAGES, catalogue
from wirecover.report.model import Quality, ResultDocument, SeriesPart
from wirecover.report.view import Attachment, view
from wirecover.report.view_quality import ROWS, authenticity_view, quality_view, span
from wirecover.report.words import NOTHING, Words

ENGLISH = Words("en")


def a_case() -> fake_case.FakeCase:
    case = fake_case.realistic()
    first = case.evidence["captures"][0]
    ids = first["capture_id"], first["flow_base"]
    lines = [
        ("unseen", None, None, 3, None, 4200, "bytes", 7), ("duplicates", None, None, 0, 500, None, None, None),
        ("clock-back", 0, None, 1, 50, 3_600_000_000_000, "ns", 12),
        ("one-sided", None, None, 2, 8, None, None, 9), ("one-sided", None, "client only", 2, 8, None, None, 9),
    ]  # fmt: skip
    for metric, interface, subject, count, total, value, unit, frame in lines:
        case.add(
            "quality", ids, metric=metric, interface_id=interface, subject=subject, count=count, total=total,
            value=value, unit=unit, first_frame=frame, detail="",
        )  # fmt: skip
    case.add(
        "authenticity", ids, indicator="coarse-time", interface_id=0, count=50, total=50, value=1_000_000, unit="ns",
        first_frame=1, detail="", explanations=["coarse-clock", "converted"],
    )  # fmt: skip
    case.add(
        "authenticity", ids, indicator="not-known-yet", subject="<b>\u202e", count=1, explanations=["neither"]
    )
    return case


@pytest.fixture(scope="module")
def document() -> ResultDocument:
    return build(a_case(), fake_case.METHODS)


def test_lines_name_the_exhibit_and_stand_before_the_findings(document: ResultDocument) -> None:
    assert {line.exhibit for line in document.quality} == {"E1"}
    assert [line.metric for line in document.quality] == [
        "clock-back", "duplicates", "one-sided", "one-sided", "unseen",
    ]  # fmt: skip
    attachment = Attachment("document.json", "application/json", "document", "00" * 32, None)
    keys = list(view(document, "en", [attachment], "typst"))
    assert keys.index("quality") < keys.index("authenticity") < keys.index("facts")


def test_what_was_found_is_a_row_and_what_was_not_a_sentence(document: ResultDocument) -> None:
    [group] = quality_view(document, ENGLISH)["groups"]
    assert group["title"] == "E1"
    assert [row[1:] for row in group["rows"]] == [
        ["interface 0", "1 of 50 (2.0\u202f%)", "1\u202fh", "12"],
        [NOTHING, "2 of 8 (25.0\u202f%)", NOTHING, "9"],
        ["client only", "2 of 8 (25.0\u202f%)", NOTHING, "9"],
        [NOTHING, "3", "4\u202f200 bytes", "7"],
    ]
    assert "recorded twice" in group["missed"] and "clock" not in group["missed"]


def test_an_indicator_never_stands_without_its_causes(document: ResultDocument) -> None:
    known, unknown = authenticity_view(document, ENGLISH)["rows"]
    assert known[-1] == (
        "the recorder\u2019s clock has coarse ticks; the file was converted from a format with coarser times"
    )
    assert unknown[1] == "not-known-yet" and "\u202e" not in unknown[2] and unknown[-1] == "neither"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_key_has_words_in_every_language(lang: str) -> None:
    texts = catalogue(lang)
    for table, keys in (("quality", METRICS), ("authenticity", INDICATORS), ("explanation", EXPLANATIONS)):
        assert [key for key in keys if f"{table}.{key}" not in texts] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_note_says_that_an_indicator_is_no_proof(lang: str) -> None:
    proof = {"en": "not proof", "fr": "ne prouve pas", "nl": "geen bewijs", "de": "beweist keine"}
    assert proof[lang] in catalogue(lang)["authenticity.note"]


def test_long_ledgers_are_cut_and_say_so(document: ResultDocument) -> None:
    line = Quality("E1", "wrong-sum", None, "10.0.0.1", 1, 2, None, None, 5)
    [group] = quality_view(dataclasses.replace(document, quality=(line,) * (ROWS + 3)), ENGLISH)["groups"]
    assert len(group["rows"]) == ROWS and group["cut"].startswith("3 ")


def test_series_show_their_seams(document: ResultDocument) -> None:
    parts = (
        SeriesPart(1, 1, 2, "E1", None, 0, 0, 0, declared=False),
        SeriesPart(1, 2, 2, "E3", -1_500_000, 4, 3, 77, declared=True),
    )
    rows = quality_view(dataclasses.replace(document, series=parts), ENGLISH)["series"]["rows"]
    assert rows == [
        ["1: part 1 of 2", "E1", NOTHING, "0", "0", "0", "no"],
        ["1: part 2 of 2", "E3", "overlap of 1.5\u202fms", "4", "3", "77", "yes"],
    ]


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0\u202fns"),
        (43_704, "43.7\u202fµs"),
        (12_108_000_000, "12.11\u202fs"),
        (86_400 * 10**9, "1\u202fd"),
    ],
)
def test_stretches_of_time(ns: int, text: str) -> None:
    assert span(ns, ENGLISH) == text


def test_the_words_of_the_keys_need_no_compiler() -> None:
    program = "import sys, wirecover.capture.quality.explanations; assert 'numba' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
