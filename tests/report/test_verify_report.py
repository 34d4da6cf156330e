"""Verifying a report: whatever was changed, in the PDF, in its data or in both, is found."""

import hashlib
import json
from pathlib import Path
from typing import Any

import fake_case
import pytest

from wirecover.report import json_file, verify
from wirecover.report.codec import canonical
from wirecover.report.document import build, from_plain, to_json
from wirecover.report.errors import ReportError
from wirecover.report.pdf import pdf_bytes, render
from wirecover.report.verify import verify_report


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return render(build(fake_case.empty(), fake_case.METHODS), tmp_path / "report.pdf", "nl").pdf


def failed(report: Path) -> set[str]:
    return {check.name for check in verify_report(report).checks if check.holds is False}


def change(report: Path, **members: Any) -> dict[str, Any]:
    """Rewrites members of the companion."""
    path = report.with_suffix(".json")
    value = json.loads(path.read_bytes()) | members
    path.write_bytes(canonical(value))
    return value


def test_a_report_as_made_holds(report: Path) -> None:
    found = verify_report(report)
    assert found.holds
    assert [check.holds for check in found.checks] == [True] * 5
    assert found.report_id is not None and found.report_id.startswith("WC-")


def test_a_changed_byte_is_found(report: Path) -> None:
    data = bytearray(report.read_bytes())
    data[len(data) // 2] ^= 1
    report.write_bytes(data)
    assert failed(report) == {"digest of the PDF", "drawn again from its data"}


def test_added_bytes_are_found_and_counted(report: Path) -> None:
    report.write_bytes(report.read_bytes() + b"more!")
    details = {check.name: check.detail for check in verify_report(report).checks}
    assert details["digest of the PDF"] == "5 bytes were added after the report"


def test_a_changed_pdf_with_its_digest_adjusted_is_found(report: Path) -> None:
    data = report.read_bytes().replace(b"%PDF-1.7", b"%PDF-1.6")
    report.write_bytes(data)
    change(report, pdf_sha256=hashlib.sha256(data).hexdigest())
    assert failed(report) == {"drawn again from its data"}


def test_changed_data_is_found(report: Path) -> None:
    document = json.loads(report.with_suffix(".json").read_bytes())["document"]
    change(report, document=document | {"case_name": "another"})
    assert failed(report) == {"digest of the data", "report number", "drawn again from its data"}


def test_all_made_anew_is_found_against_the_case(report: Path) -> None:
    document = json.loads(report.with_suffix(".json").read_bytes())["document"]
    forged = build(fake_case.FakeCase(path=Path("/cases/forged"), training=False), fake_case.METHODS)
    assert document["case_name"] != forged.case_name
    render(forged, report, "nl")
    assert verify_report(report).holds
    (check,) = [one for one in verify_report(report, fake_case.empty()).checks if "case" in one.name]
    assert check.holds is False
    render(build(fake_case.empty()), report, "nl")
    assert verify_report(report, fake_case.empty()).holds


@pytest.mark.parametrize(
    "members",
    [
        {"mandatory": [{"key": "mandatory.nothing", "values": [], "text": "x"}]},
        {"mandatory": [{"key": "mandatory.person", "values": [["key", "x"]], "text": "x"}]},
        {"limitations": [{"key": "limit.unidentified", "values": [], "text": "x"}]},
        {"evidence_sha256": "\u6f22"},
        {"custody": [{"act": "x", "subjects": []}]},
        {"training": False, "legal_basis": [{"name": "x", "value": "y"}]},
    ],
)
def test_data_that_cannot_be_drawn_is_a_failure_and_not_a_crash(
    report: Path, members: dict[str, Any]
) -> None:
    value = json.loads(report.with_suffix(".json").read_bytes())["document"] | members
    document = from_plain(value)
    change(report, document=value, document_sha256=hashlib.sha256(to_json(document)).hexdigest())
    assert "drawn again from its data" in failed(report)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b'{"format": "wirecover-report-file/1"}'])
def test_a_companion_that_is_none_is_a_failure(report: Path, data: bytes) -> None:
    report.with_suffix(".json").write_bytes(data)
    found = verify_report(report)
    assert not found.holds and found.report_id is None


def test_a_missing_companion_is_a_failure(report: Path) -> None:
    report.with_suffix(".json").unlink()
    assert failed(report) == {"data beside the report"}


def test_a_wrong_type_in_the_companion_is_a_failure(report: Path) -> None:
    change(report, pdf_bytes=True)
    assert failed(report) == {"data beside the report"}


def test_another_typesetter_is_said_and_not_a_failure(report: Path) -> None:
    change(report, typesetter="typst 0.1.0")
    found = verify_report(report)
    (check,) = [one for one in found.checks if one.holds is None]
    assert "typst 0.1.0" in check.detail
    assert found.holds


def test_a_missing_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"none\.pdf"):
        verify_report(tmp_path / "none.pdf")


def test_a_report_cannot_be_called_json(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="PDF"):
        json_file.companion_of(tmp_path / "report.json")


def test_the_document_alone_can_be_written(tmp_path: Path) -> None:
    document = build(fake_case.realistic(), ())
    json_file.write(document, tmp_path / "d.json")
    assert (tmp_path / "d.json").read_bytes() == to_json(document)


def test_the_redrawn_pdf_is_the_one_render_wrote(report: Path) -> None:
    companion = json_file.read_companion(report.with_suffix(".json"))
    assert pdf_bytes(companion.document, companion.lang) == report.read_bytes()
    assert verify.verify_report(report).pdf == report
