"""The document as a PDF that a court can keep: PDF/A-3a, tagged (PDF/UA-1), with its data inside.

Same document, language and typesetter: same bytes. The date in the file is that of the latest packet; fonts
are those inside the typst wheel; nothing is read but the template and the files written here. Data reaches
typst as JSON only, never as source text.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import Final

import typst

from wirecover.report import csv_files, json_file
from wirecover.report.codec import canonical
from wirecover.report.document import to_json
from wirecover.report.errors import ReportError
from wirecover.report.files import write_together
from wirecover.report.model import ResultDocument
from wirecover.report.view import Attachment, view
from wirecover.report.words import instant

STANDARDS: Final = ("a-3a", "ua-1")
DOCUMENT: Final = "document.json"
_TEMPLATE: Final = ("report.typ", "parts.typ", "figures.typ")
_NO_PACKETS: Final = datetime(1980, 1, 1, tzinfo=UTC)
"""File date of a report without packets: any fixed date would do."""


@dataclass(frozen=True, slots=True)
class Written:
    """What `render` wrote."""

    pdf: Path
    companion: Path
    """JSON file beside the PDF from which `verify` draws it again."""
    sha256: str
    """Of the PDF."""
    bytes: int


def render(document: ResultDocument, out: Path, lang: str = "en") -> Written:
    """Writes the report to `out` and its companion beside it, both whole or not at all.

    A PDF of that name is replaced. `ReportError` when the report cannot be set or written, or when the
    companion would replace a file that is not one.
    """
    companion = json_file.companion_of(out)
    json_file.refuse_foreign(companion)
    data = pdf_bytes(document, lang)
    record = json_file.companion_bytes(document, lang=lang, typesetter=typesetter(), pdf=data)
    write_together({out: data, companion: record})
    return Written(out, companion, hashlib.sha256(data).hexdigest(), len(data))


def typesetter() -> str:
    """Name and version of what sets the pages: another version may give other bytes."""
    return f"typst {metadata.version('typst')}"


def pdf_bytes(document: ResultDocument, lang: str = "en") -> bytes:
    """The PDF of a document."""
    files, attachments = attached(document)
    files["view.json"] = canonical(view(document, lang, attachments, typesetter()))
    with tempfile.TemporaryDirectory(prefix="wirecover-report-") as folder:
        root = Path(folder)
        _lay_out(root, files)
        try:
            data = typst.compile(
                root / "report.typ", root=root, format="pdf", ignore_system_fonts=True, font_paths=[],
                pdf_standards=list(STANDARDS), timestamp=_file_date(document),
            )  # fmt: skip
        except typst.TypstError as error:
            raise ReportError(
                f"the report cannot be set: {error.args[0] if error.args else error}"
            ) from error
    assert isinstance(data, bytes)  # one PDF, since no output file was named
    return data


def _lay_out(root: Path, files: Mapping[str, bytes]) -> None:
    template = resources.files("wirecover.report").joinpath("template")
    for name in _TEMPLATE:
        (root / name).write_bytes(template.joinpath(name).read_bytes())
    for name, data in files.items():
        (root / name).write_bytes(data)


def _file_date(document: ResultDocument) -> datetime:
    if document.latest_ns is None:
        return _NO_PACKETS
    # PDF dates have four digits for the year, and some readers none before 1980
    return min(
        max(instant(document.latest_ns).replace(microsecond=0), _NO_PACKETS), datetime(2200, 1, 1, tzinfo=UTC)
    )


def attached(document: ResultDocument) -> tuple[dict[str, bytes], list[Attachment]]:
    """The files that go inside the PDF, and their description; the whole document comes first."""
    data = to_json(document)
    files = {DOCUMENT: data}
    listed = [Attachment(DOCUMENT, "application/json", "document", hashlib.sha256(data).hexdigest(), None)]
    for name, (table, rows) in csv_files.tables(document).items():
        file = f"{name}.csv"
        files[file] = table
        listed.append(Attachment(file, "text/csv", name, hashlib.sha256(table).hexdigest(), rows))
    return files, listed
