"""Whether a report is what it was when it was made.

The PDF is drawn again from the data beside it and must be the same, byte for byte: a changed number on a
page is found even if every recorded digest was changed with it. Whoever can change the PDF and its data can
make both anew, though; against that stands the case (`case=`), a digest kept elsewhere, or a signature.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from wirecover.capture.version import tool_version
from wirecover.casefile.custody import Head, holds_head
from wirecover.casefile.errors import CaseError
from wirecover.report import json_file, pdf
from wirecover.report.document import CaseSource, build, has_own_id, to_json
from wirecover.report.errors import DocumentError, ReportError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `holds` is None when it could not be checked here, and `detail` says why."""

    name: str
    holds: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    pdf: Path
    report_id: str | None
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """True when nothing failed and the PDF's digest was checked."""
        return all(check.holds is not False for check in self.checks)


def verify_report(report: Path, case: CaseSource | None = None) -> Verification:
    """Checks a PDF against the data beside it and, if given, against its case.

    `ReportError` when the PDF itself cannot be read; everything else is a check that does not hold.
    """
    try:
        data = report.read_bytes()
    except OSError as error:
        raise ReportError(f"{report}: cannot be read: {error.strerror or error}") from error
    try:
        companion = json_file.read_companion(json_file.companion_of(report))
    except DocumentError as error:
        return Verification(report, None, (Check("data beside the report", holds=False, detail=str(error)),))
    checks = [
        Check("data beside the report", holds=True, detail=json_file.companion_of(report).name),
        _digest_of_data(companion),
        _id(companion),
        _digest_of_pdf(companion, data),
        _drawn_again(companion, data),
    ]
    if case is not None:
        checks.append(_against_case(companion, case))
        checks.append(_log_head(companion, case))
    return Verification(report, companion.document.report_id, tuple(checks))


def _digest_of_data(companion: json_file.Companion) -> Check:
    found = hashlib.sha256(to_json(companion.document)).hexdigest()
    return Check("digest of the data", found == companion.document_sha256, found)


def _id(companion: json_file.Companion) -> Check:
    return Check("report number", has_own_id(companion.document), companion.document.report_id)


def _digest_of_pdf(companion: json_file.Companion, data: bytes) -> Check:
    found = hashlib.sha256(data).hexdigest()
    if found == companion.pdf_sha256:
        return Check("digest of the PDF", holds=True, detail=found)
    if hashlib.sha256(data[: companion.pdf_bytes]).hexdigest() == companion.pdf_sha256:
        added = len(data) - companion.pdf_bytes
        return Check("digest of the PDF", holds=False, detail=f"{added} bytes were added after the report")
    return Check("digest of the PDF", holds=False, detail=f"{found} found, {companion.pdf_sha256} recorded")


def _drawn_again(companion: json_file.Companion, data: bytes) -> Check:
    name = "drawn again from its data"
    made_with = (companion.typesetter, companion.document.tool.version)
    here = (pdf.typesetter(), tool_version())
    if made_with != here:
        return Check(
            name, None, f"made with {', wirecover '.join(made_with)}; here are {', wirecover '.join(here)}"
        )
    try:
        drawn = pdf.pdf_bytes(companion.document, companion.lang)
    except (ReportError, LookupError, ValueError, TypeError, ArithmeticError) as error:
        # data made by hand can hold what no case gives, such as a sentence that is in no catalogue
        return Check(name, holds=False, detail=f"the data cannot be drawn: {type(error).__name__}: {error}")
    return Check(name, drawn == data, "the same bytes" if drawn == data else "other bytes")


def _against_case(companion: json_file.Companion, case: CaseSource) -> Check:
    same = build(case, head=companion.document.log_head) == companion.document
    return Check("against the case", same, "the same document" if same else "the case gives another document")


def _log_head(companion: json_file.Companion, case: CaseSource) -> Check:
    """The head of the custody log on the report against the log itself: a witness of all before it."""
    name, head = "custody log", companion.document.log_head
    if head is None:
        return Check(name, None, "the report was made without the head of the log (--reproducible)")
    try:
        wrong = holds_head(case.path, Head(head.act, head.sha256))
    except CaseError as error:
        wrong = str(error)
    return Check(name, not wrong, wrong or f"holds act {head.act} as printed on the report")
