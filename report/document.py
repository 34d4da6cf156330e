"""The result document of a case: built once, read only by the renderers.

`build` reads through the case's read-only connection and nothing else, so the document is a function of the
case: the same captures, rules and version give the same document, byte for byte, on any machine.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import duckdb

from wirecover.capture.version import tool_version
from wirecover.report import codec
from wirecover.report.applications import read_applications, read_unidentified
from wirecover.report.calls import read_calls, read_notes
from wirecover.report.endpoints import read_endpoints, read_links, read_unexplained, read_warnings
from wirecover.report.errors import DocumentError
from wirecover.report.exhibits import evidence_digest, read_exhibits, read_figures
from wirecover.report.findings import describe_methods, read_findings, registered_methods
from wirecover.report.model import FORMAT, Act, Exhibit, LeftOut, LegalEntry, LogHead, ResultDocument, Tool
from wirecover.report.partners import read_partners
from wirecover.report.quality import read_authenticity, read_quality, read_series
from wirecover.report.sentences import alternatives, limitations, mandatory, no_content
from wirecover.report.timeline import read_heat, read_timeline

_ACTS: Final = (
    "SELECT verb, arguments FROM custody_log WHERE verb IN ('init', 'exhibit', 'ingest', 'analyze')"
)
"""Acts that made the case what it is. Reading it (query, report, verify) leaves it as it was, and the second
report of a case must equal the first."""
_AUTHORITY: Final = """
    SELECT country, instrument, reference, issuing_authority, issued_at, valid_from, valid_to,
           document_sha256, status, offences, validating_authority, renewals, retro_from, retro_to, selection,
           targets, data_categories, excluded_persons, third_parties, cross_border, conditions, confirm_by,
           worked_until, retention_rule, review_at, destroy_by, record_sha256, scope_sha256
    FROM authority ORDER BY authority_id"""
_LEFT_OUT: Final = """
    SELECT capture_id, reason, action, packets, bytes, records FROM out_of_scope
    ORDER BY capture_id, reason, action"""


class CaseSource(Protocol):
    """What a report needs of a case; `wirecover.casefile.case.Case` is one."""

    @property
    def path(self) -> Path: ...
    @property
    def training(self) -> bool: ...
    def connect(self) -> duckdb.DuckDBPyConnection: ...


def build(
    case: CaseSource, methods: Iterable[object] | None = None, *, head: LogHead | None = None
) -> ResultDocument:
    """The document of a case. `methods` describes the detectors; without it, those of this installation.

    `head` is where the custody log stands; a document without it is the same for the same case.
    """
    connection = case.connect()
    try:
        made = _build(connection, case, tuple(registered_methods() if methods is None else methods))
        return dataclasses.replace(made, log_head=head)
    finally:
        connection.close()


def _build(
    connection: duckdb.DuckDBPyConnection, case: CaseSource, registered: tuple[object, ...]
) -> ResultDocument:
    exhibits = read_exhibits(connection)
    figures = read_figures(connection)
    findings = read_findings(connection, exhibits)
    custody = _read_acts(connection, exhibits)
    run = {pattern for act in custody if act.act == "analyze" for pattern in act.subjects}
    document = ResultDocument(
        format=FORMAT, report_id="", case_name=_case_name(case.path), training=case.training,
        legal_basis=() if case.training else _read_authority(connection),
        left_out=_read_left_out(connection, exhibits), partners=read_partners(connection), tool=_tool(exhibits),
        latest_ns=max((exhibit.last_ns for exhibit in exhibits if exhibit.last_ns is not None), default=None),
        evidence_sha256=evidence_digest(exhibits), exhibits=exhibits,
        quality=read_quality(connection, exhibits), authenticity=read_authenticity(connection, exhibits),
        series=read_series(connection, exhibits), figures=figures,
        applications=read_applications(connection),
        unidentified=read_unidentified(connection), unexplained=read_unexplained(connection, exhibits),
        endpoints=read_endpoints(connection, exhibits), device_links=read_links(connection, exhibits),
        endpoint_warnings=read_warnings(connection, exhibits), findings=findings,
        calls=read_calls(connection, exhibits),
        methods=describe_methods(registered, findings, run, read_notes(connection)),
        timeline=read_timeline(connection, findings),
        heat=read_heat(connection), custody=custody, log_head=None, mandatory=mandatory(),
        no_content=no_content(), alternatives=alternatives(),
        limitations=limitations(exhibits, figures, findings),
    )  # fmt: skip
    return dataclasses.replace(document, report_id=_report_id(document))


def _report_id(document: ResultDocument) -> str:
    """The first 80 bits of the SHA-256 of the document without its id and log head, in groups of four."""
    bare = dataclasses.replace(document, report_id="", log_head=None)
    digest = hashlib.sha256(codec.canonical(bare)).hexdigest()
    return "WC-" + "-".join(digest[start : start + 4] for start in range(0, 20, 4))


def has_own_id(document: ResultDocument) -> bool:
    """Whether the report id is the one its content gives."""
    return document.report_id == _report_id(document)


def to_json(document: ResultDocument) -> bytes:
    """The document as canonical JSON."""
    return codec.canonical(document)


def from_json(data: bytes) -> ResultDocument:
    """The document that `to_json` wrote; `DocumentError` for anything else."""
    return from_plain(codec.parse(data))


def from_plain(value: object) -> ResultDocument:
    """The document from parsed JSON."""
    if isinstance(value, dict) and value.get("format") != FORMAT:
        raise DocumentError(f"document format {value.get('format')!r} is not {FORMAT}")
    return codec.record(ResultDocument, value)


def _case_name(path: Path) -> str:
    # a folder name that is not valid Unicode comes as lone surrogates, which UTF-8 cannot hold
    return path.resolve().name.encode("utf-8", "backslashreplace").decode("utf-8")


def _tool(exhibits: tuple[Exhibit, ...]) -> Tool:
    return Tool(
        name="wirecover", version=tool_version(),
        rules_sha256=tuple(sorted({exhibit.rules_sha256 for exhibit in exhibits if exhibit.rules_sha256})),
        decoded_with=tuple(sorted({exhibit.tool_version for exhibit in exhibits if exhibit.tool_version})),
    )  # fmt: skip


def _read_authority(connection: duckdb.DuckDBPyConnection) -> tuple[LegalEntry, ...]:
    rows = connection.execute(_AUTHORITY)
    names = [column[0] for column in rows.description or ()]
    return tuple(
        LegalEntry(name, ", ".join(value) if isinstance(value, list) else str(value))
        for row in rows.fetchall()
        for name, value in zip(names, row, strict=True)
        if value is not None and value != []
    )


def _read_left_out(
    connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]
) -> tuple[LeftOut, ...]:
    labels = {one.capture_id: one.label for one in exhibits}
    found = [LeftOut(labels[capture], *row) for capture, *row in connection.execute(_LEFT_OUT).fetchall()]
    return tuple(sorted(found, key=lambda one: (_natural(one.exhibit), one.reason, one.action)))


def _read_acts(connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]) -> tuple[Act, ...]:
    acts: dict[str, set[str]] = {}
    for verb, arguments in connection.execute(_ACTS).fetchall():
        if verb == "analyze":
            acts.setdefault(verb, set()).update(_analysis_of(arguments))
        else:
            acts.setdefault(verb, set()).update(one.label for one in exhibits if one.sha256 in arguments)
    return tuple(
        Act(verb, tuple(sorted(acts[verb], key=_natural)))
        for verb in ("init", "exhibit", "ingest", "analyze")
        if verb in acts
    )


def _natural(name: str) -> tuple[int, str]:
    """Order in which E2 comes before E10; other names by letter."""
    return (int(name[1:]), "") if re.fullmatch(r"E\d+", name) else (0, name)


def _analysis_of(arguments: str) -> list[str]:
    facts = json.loads(arguments)
    return [str(facts["pattern"])] if isinstance(facts, dict) and "pattern" in facts else []
