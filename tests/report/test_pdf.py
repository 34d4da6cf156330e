"""The PDF: same bytes everywhere, archival, complete, and nothing a name can do to it."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import fake_case
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirecover.report import csv_files, files
from wirecover.report.document import build, to_json
from wirecover.report.errors import ReportError
from wirecover.report.escape import bounded
from wirecover.report.messages import LANGUAGES, catalogue
from wirecover.report.model import ResultDocument
from wirecover.report.pdf import pdf_bytes, render
from wirecover.report.view import Attachment, view

MAKE = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import fake_case
from wirecover.report.document import build
from wirecover.report.pdf import pdf_bytes
print(hashlib.sha256(pdf_bytes(build(fake_case.realistic(), fake_case.METHODS), "fr")).hexdigest())
"""


def text_of(data: bytes) -> str:
    """All text of a PDF, white space as single spaces."""
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages).split())


def solid(text: str) -> str:
    """Without any white space: lines may break anywhere in a long name."""
    return "".join(text.split())


NO_FILE = Attachment("f", "text/csv", "findings", "00", None)


@pytest.fixture(scope="module")
def document() -> ResultDocument:
    return build(fake_case.realistic(), fake_case.METHODS)


@pytest.fixture(scope="module")
def pdfs(document: ResultDocument) -> dict[str, bytes]:
    return {lang: pdf_bytes(document, lang) for lang in LANGUAGES}


def test_same_bytes_in_other_processes_zones_and_locales(pdfs: dict[str, bytes]) -> None:
    digests = set()
    for zone, locale, seed in (("Asia/Tokyo", "C", "1"), ("America/Caracas", "tr_TR.UTF-8", "2")):
        environment = os.environ | {"TZ": zone, "LC_ALL": locale, "LANG": locale, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", MAKE, str(Path(fake_case.__file__).parent)],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        digests.add(done.stdout.strip())
    assert digests == {hashlib.sha256(pdfs["fr"]).hexdigest()}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_mandatory_sentences_in_each_language(pdfs: dict[str, bytes], lang: str) -> None:
    text = solid(text_of(pdfs[lang]))
    words = catalogue(lang)
    keys = ["mandatory.person", "mandatory.ratio", "mandatory.absence", "no_content.decrypted",
            "no_content.initial", "finding.no_ratio", "legal.training", "limit.content"]  # fmt: skip
    assert [key for key in keys if solid(words[key]) not in text] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_page_bears_its_marks(document: ResultDocument, pdfs: dict[str, bytes], lang: str) -> None:
    pages = pypdf.PdfReader(io.BytesIO(pdfs[lang])).pages
    assert 8 < len(pages) < 24
    for number, page in enumerate(pages, 1):
        text = " ".join(page.extract_text().split())
        assert catalogue(lang)["title.training_line"] in text
        assert document.report_id in text
        assert catalogue(lang)["title.page"].format(page=number, pages=len(pages)) in text
        assert all(exhibit.sha256 in text for exhibit in document.exhibits)


def test_it_is_an_archival_accessible_pdf(pdfs: dict[str, bytes]) -> None:
    for lang, data in pdfs.items():
        reader = pypdf.PdfReader(io.BytesIO(data))
        metadata = reader.root_object["/Metadata"].get_data().decode()
        assert re.search(r"<pdfaid:part>3</pdfaid:part>", metadata)
        assert re.search(r"<pdfaid:conformance>A</pdfaid:conformance>", metadata)
        assert re.search(r"<pdfuaid:part>1</pdfuaid:part>", metadata)
        assert reader.root_object["/Lang"] == lang
        assert "2026-03-03" in metadata and "20:00" not in metadata


def test_the_data_is_inside(document: ResultDocument, pdfs: dict[str, bytes]) -> None:
    reader = pypdf.PdfReader(io.BytesIO(pdfs["en"]))
    inside = {name: data[0] for name, data in reader.attachments.items()}
    assert set(inside) == {"document.json", *(f"{name}.csv" for name in csv_files.TABLES)}
    assert inside["document.json"] == to_json(document)
    assert inside["findings.csv"] == csv_files.tables(document)["findings"][0]
    described = [entry.get_object() for entry in reader.root_object["/AF"]]
    assert {entry["/AFRelationship"] for entry in described} == {"/Data"}
    digest = hashlib.sha256(to_json(document)).hexdigest()
    assert digest in solid(text_of(pdfs["en"]))


def test_facts_assessments_and_figures_are_printed(document: ResultDocument, pdfs: dict[str, bytes]) -> None:
    text = text_of(pdfs["en"])
    whole = solid(text)
    assert [one.number for one in document.findings if solid(one.statement) not in whole] == []
    assert "310, 95 % interval 140 to 690" in text
    assert "moderately strong support for the proposition" in text
    assert "and 105 more, in the attached data" in text
    assert "Its findings are printed as they stand in the case" in text
    assert "2026-03-02 07:08:18.773 UTC to" in text


HOSTILE = [
    '#eval("x") *bold* _it_ $x^2$ @ref <label> //c [#panic()]', "\u202egpj.exe\u202c",
    "nul\x00bel\x07\ufffe\uffff",
    "😀漢字العربية", "\\u{41}", "= heading\n- list", "a" * 10_000, "é" * 300, "  ",
    "{page} {pages} {0.__class__}",
    "</w:t>]]>&amp;", "\u0430\u0435\u0301", "~" * 60 + " " + "`" * 70,
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_literally(name: str) -> None:
    data = pdf_bytes(build(fake_case.with_names(name), ()))
    text = solid(text_of(data))
    shown = solid(bounded(name))
    assert text.count(shown) >= 3
    assert not any(char in text for char in "\u202e\u202c\x00\ufffe\u0430")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_no_text_stops_the_report(name: str) -> None:
    assert pdf_bytes(build(fake_case.with_names(name), ())).startswith(b"%PDF-1.7")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_empty_case_renders(lang: str) -> None:
    text = text_of(pdf_bytes(build(fake_case.empty(), fake_case.METHODS), lang))
    words = catalogue(lang)
    for key in ("summary.empty", "exhibit.none", "finding.none_facts", "legal.missing", "timeline.none"):
        assert words[key] in text
    assert words["title.training_line"] not in text


def test_five_thousand_findings_stay_bounded() -> None:
    document = build(fake_case.crowded(5_000), fake_case.METHODS)
    started = time.monotonic()
    data = pdf_bytes(document)
    assert time.monotonic() - started < 60
    reader = pypdf.PdfReader(io.BytesIO(data))
    assert len(reader.pages) < 150
    inside = json.loads(reader.attachments["document.json"][0])
    assert len(inside["findings"]) == 5_000
    cuts = [group["cut"] for group in view(document, "en", [NO_FILE], "")["facts"]["groups"]]
    assert cuts == [
        f"400 of {total} rows are printed; all are in the attached findings.csv."
        for total in ("1\u202f667", "1\u202f666")
    ]


def test_render_writes_both_files_and_replaces_them(tmp_path: Path) -> None:
    document = build(fake_case.empty(), ())
    out = tmp_path / "bericht – 1.pdf"  # noqa: RUF001
    out.write_bytes(b"old")
    written = render(document, out, "de")
    assert written.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert written.bytes == out.stat().st_size
    assert written.companion == tmp_path / "bericht – 1.json"  # noqa: RUF001
    assert render(document, out, "de") == written
    assert sorted(tmp_path.iterdir()) == sorted([out, written.companion])


def test_a_file_that_is_not_ours_is_not_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "report.json"
    mine.write_text("[1, 2]")
    with pytest.raises(ReportError, match=r"report\.json"):
        render(build(fake_case.empty(), ()), tmp_path / "report.pdf")
    assert mine.read_text() == "[1, 2]"
    assert not (tmp_path / "report.pdf").exists()


def test_an_unwritable_place_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="nowhere"):
        render(build(fake_case.empty(), ()), tmp_path / "nowhere" / "report.pdf")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report.pdf"
    out.write_bytes(b"old")

    def full(file: BinaryIO) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "flush", full)
    with pytest.raises(ReportError, match="No space left"):
        render(build(fake_case.empty(), ()), out)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]
