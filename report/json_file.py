"""The JSON file beside a PDF: the document, and the digests that tie the two together."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wirecover.report import codec
from wirecover.report.document import from_plain, to_json
from wirecover.report.errors import DocumentError, ReportError
from wirecover.report.files import write_together
from wirecover.report.model import ResultDocument

COMPANION_FORMAT: Final = "wirecover-report-file/1"
LARGEST: Final = 2 << 30
"""Bytes of a companion that are read at most."""
_MEMBERS: Final = {
    "format": str, "lang": str, "typesetter": str, "pdf_sha256": str, "pdf_bytes": int,
    "document_sha256": str,
    "document": dict,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Companion:
    """A companion file as read: what was recorded of the PDF, and the document as it stands."""

    lang: str
    typesetter: str
    pdf_sha256: str
    pdf_bytes: int
    document_sha256: str
    document: ResultDocument


def companion_of(pdf: Path) -> Path:
    """`report.pdf` has `report.json` beside it; a name without an ending gets one."""
    beside = pdf.with_suffix(".json")
    if beside == pdf:
        raise ReportError(f"{pdf}: a report is a PDF, and .json is the name of the file beside it")
    return beside


def companion_bytes(document: ResultDocument, *, lang: str, typesetter: str, pdf: bytes) -> bytes:
    """The companion of a PDF just made."""
    record: dict[str, Any] = {
        "format": COMPANION_FORMAT,
        "lang": lang,
        "typesetter": typesetter,
        "pdf_sha256": hashlib.sha256(pdf).hexdigest(),
        "pdf_bytes": len(pdf),
        "document_sha256": hashlib.sha256(to_json(document)).hexdigest(),
        "document": document,
    }
    return codec.canonical(record)


def read_companion(path: Path) -> Companion:
    """A companion file; `DocumentError` when it is missing, not one, or does not hold what it must."""
    try:
        if path.stat().st_size > LARGEST:
            raise DocumentError(f"{path}: larger than any report")
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror or error}") from error
    value = codec.parse(data)
    if not isinstance(value, dict) or value.keys() != _MEMBERS.keys() or value["format"] != COMPANION_FORMAT:
        raise DocumentError(f"{path}: not the data of a wirecover report")
    if any(type(value[name]) is not kind for name, kind in _MEMBERS.items()):
        raise DocumentError(f"{path}: a member has the wrong type")
    members = {name: value[name] for name in _MEMBERS if name not in ("format", "document")}
    return Companion(document=from_plain(value["document"]), **members)


def refuse_foreign(path: Path) -> None:
    """Raises `ReportError` if a file of that name is there and not a companion: not ours to replace."""
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            # canonical JSON of a companion: its first member is the document, its last lines hold the format
            size = file.seek(0, 2)
            file.seek(max(size - 4096, 0))
            tail = file.read()
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror or error}") from error
    if f'"format": "{COMPANION_FORMAT}"'.encode() not in tail:
        raise ReportError(
            f"{path}: would be replaced by the data of the report, but is another file; choose another --out"
        )


def write(document: ResultDocument, out: Path) -> None:
    """The document alone, as canonical JSON."""
    write_together({out: to_json(document)})
