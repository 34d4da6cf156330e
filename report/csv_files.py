"""The tables of a document as CSV: what is attached to the PDF, and what a spreadsheet opens.

Text is written as the report prints it (`escape.printable`), in full, so that a name can be found again;
text a spreadsheet would run as a formula gets an apostrophe in front. Numbers are plain, times are integer
nanoseconds and, beside them, ISO 8601 UTC. UTF-8, LF, quoted where needed (RFC 4180 but for the line end).
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from wirecover.report.escape import printable
from wirecover.report.model import ResultDocument
from wirecover.report.words import instant

Cell = str | int | float | bool | None
Row = tuple[Cell, ...]

_GUARDED: Final = ("=", "+", "-", "@", "'")
"""Beginnings of a formula (tab and line ends are escaped already), and the guard: it can be undone."""


def guarded(text: str) -> str:
    """Text no spreadsheet takes for a formula, otherwise as printed."""
    shown = printable(text) if text else ""
    return f"'{shown}" if shown.startswith(_GUARDED) else shown


def iso(ns: int | None) -> str | None:
    """ISO 8601 UTC with nanoseconds."""
    return None if ns is None else f"{instant(ns):%Y-%m-%dT%H:%M:%S}.{ns % 1_000_000_000:09d}Z"


def _exhibits(document: ResultDocument) -> Iterator[Row]:
    yield (
        "exhibit", "name", "sha256", "bytes", "format", "compression", "packets", "first", "last", "first_ns",
        "last_ns", "snaplen", "truncated", "malformed", "duplicate", "out_of_order", "out_of_scope",
        "undecoded",
        "complete", "damage_places", "tool_version", "rules_sha256",
    )  # fmt: skip
    for one in document.exhibits:
        yield (
            one.label, one.name, one.sha256, one.bytes, one.format, one.compression, one.packets,
            iso(one.first_ns), iso(one.last_ns), one.first_ns, one.last_ns, one.snaplen, one.truncated,
            one.malformed, one.duplicate, one.out_of_order, one.out_of_scope, one.undecoded, one.complete,
            one.damage_rows, one.tool_version, one.rules_sha256,
        )  # fmt: skip


def _findings(document: ResultDocument) -> Iterator[Row]:
    yield (
        "finding", "kind", "pattern", "version", "subject", "object", "app", "first", "last", "first_ns",
        "last_ns",
        "statement", "score", "likelihood_ratio", "lr_low", "lr_high", "parameters", "exhibits", "frames",
        "finding_id",
    )  # fmt: skip
    for one in document.findings:
        yield (
            one.number, one.kind, one.pattern, one.analysis_version, one.subject, one.object, one.app,
            iso(one.first_ns), iso(one.last_ns), one.first_ns, one.last_ns, one.statement, one.score,
            one.likelihood_ratio, one.lr_low, one.lr_high,
            "; ".join(f"{name}={value}" for name, value in one.parameters), " ".join(one.exhibits),
            sum(frames.count for frames in one.frames), one.finding_id,
        )  # fmt: skip


def _calls(document: ResultDocument) -> Iterator[Row]:
    yield (
        "call_id", "app", "caller", "callee", "parties", "setup", "ring", "answer", "end", "setup_ns", "ring_ns",
        "answer_ns", "end_ns", "state", "media", "relayed", "flows", "views", "packets_out", "packets_in",
        "confidence", "first_frames",
    )  # fmt: skip
    for one in document.calls:
        times = (one.setup_ns, one.ring_ns, one.answer_ns, one.end_ns)
        yield (
            one.call_id, one.app, one.caller, one.callee, " ".join(one.parties), *map(iso, times), *times,
            one.state, one.media, one.relayed, one.legs, one.views, one.packets_out, one.packets_in,
            one.confidence,
            " ".join(f"{some.exhibit}:{first}" for some in one.frames for first, _ in some.ranges),
        )  # fmt: skip


def _frames(document: ResultDocument) -> Iterator[Row]:
    yield ("finding", "exhibit", "first_frame", "last_frame")
    for one in document.findings:
        for frames in one.frames:
            for first, last in frames.ranges:
                yield (one.number, frames.exhibit, first, last)


def _applications(document: ResultDocument) -> Iterator[Row]:
    yield (
        "endpoint", "app", "flows", "payload_sent", "payload_received", "first", "last", "first_ns",
        "last_ns",
        "confidence", "rule", "evidence", "value", "rule_confidence", "evidence_flows", "exhibit", "frame",
    )  # fmt: skip
    for one in document.applications:
        head = (
            one.endpoint, one.app, one.flows, one.bytes_up, one.bytes_down, iso(one.first_ns),
            iso(one.last_ns),
            one.first_ns, one.last_ns, one.confidence,
        )  # fmt: skip
        for why in one.reasons:
            yield (*head, why.rule_id, why.kind, why.value, why.confidence, why.flows, why.exhibit, why.frame)
        if not one.reasons:
            yield (*head, *(None,) * 7)


def _timeline(document: ResultDocument) -> Iterator[Row]:
    yield ("panel", "endpoint", "app", "drawn_as", "first", "last", "first_ns", "last_ns", "events")
    for number, panel in enumerate(document.timeline, 1):
        for lane in panel.lanes:
            head = (number, lane.endpoint, lane.app)
            for bar in lane.bars:
                yield (*head, "bar", iso(bar.first_ns), iso(bar.last_ns), bar.first_ns, bar.last_ns, None)
            for tick in lane.ticks:
                yield (*head, "mark", iso(tick.ns), None, tick.ns, None, tick.events)


def _hours(document: ResultDocument) -> Iterator[Row]:
    yield ("endpoint", "app", "unit", "time_zone", "iso_weekday", "hour", "count")
    for table in document.heat:
        for place, count in enumerate(table.counts):
            yield (table.endpoint, table.app, table.unit, table.time_zone, place // 24 + 1, place % 24, count)


def _unidentified(document: ResultDocument) -> Iterator[Row]:
    yield ("reason", "services", "flows", "bytes")
    for one in document.unidentified:
        yield (one.reason, " ".join(one.services), one.flows, one.bytes)


def _endpoints(document: ResultDocument) -> Iterator[Row]:
    yield (
        "ip", "network", "first", "last", "first_ns", "last_ns", "flows", "flows_opened", "peers", "bytes_sent",
        "bytes_received", "macs", "names", "systems", "software", "ja4s", "apps", "identities", "links", "warnings",
        "exhibit", "first_frame",
    )  # fmt: skip
    for one in document.endpoints:
        told = (one.macs, one.names, one.systems, one.software, one.ja4s, one.apps, one.identities)
        yield (
            one.ip, one.network, iso(one.first_ns), iso(one.last_ns), one.first_ns, one.last_ns, one.flows, one.opened,
            one.peers, one.bytes_sent, one.bytes_received, *("; ".join(values) for values in told), one.links,
            " ".join(one.warnings), one.exhibit, one.frame,
        )  # fmt: skip


def _device_links(document: ResultDocument) -> Iterator[Row]:
    yield (
        "ip", "network", "other_ip", "other_network", "reason", "strength", "value", "counter", "addresses", "exhibit",
        "frame", "ts", "other_exhibit", "other_frame", "other_ts",
    )  # fmt: skip
    for one in document.device_links:
        yield (
            one.ip, one.network, one.other_ip, one.other_network, one.reason, one.strength, one.value,
            " ".join(one.counter), one.addresses, one.exhibit, one.frame, iso(one.ns), one.other_exhibit,
            one.other_frame, iso(one.other_ns),
        )  # fmt: skip


def _endpoint_warnings(document: ResultDocument) -> Iterator[Row]:
    yield "ip", "network", "warning", "told", "first", "exhibit", "frame", "other_exhibit", "other_frame"
    for one in document.endpoint_warnings:
        yield (
            one.ip, one.network, one.warning, "; ".join(one.told), iso(one.first_ns), one.exhibit, one.frame,
            one.other_exhibit, one.other_frame,
        )  # fmt: skip


def _unexplained(document: ResultDocument) -> Iterator[Row]:
    yield (
        "ip",
        "network",
        "reason",
        "labelled",
        "flows",
        "bytes",
        "services",
        "apps",
        "exhibit",
        "first_frame",
    )
    for one in document.unexplained:
        yield (
            one.ip, one.network, one.reason, one.labelled, one.flows, one.bytes, " ".join(one.services),
            " ".join(one.apps), one.exhibit, one.first_frame,
        )  # fmt: skip


_WRITERS: Final[dict[str, Callable[[ResultDocument], Iterator[Row]]]] = {
    "exhibits": _exhibits, "findings": _findings, "frames": _frames, "calls": _calls,
    "applications": _applications,
    "timeline": _timeline, "hours": _hours, "unidentified": _unidentified,
    "endpoints": _endpoints, "device_links": _device_links, "endpoint_warnings": _endpoint_warnings,
    "unexplained": _unexplained,
}  # fmt: skip
TABLES: Final = tuple(_WRITERS)


def tables(document: ResultDocument) -> dict[str, tuple[bytes, int]]:
    """Every table of the document by name: its CSV, and its rows without the heading."""
    return {name: _written(writer(document)) for name, writer in _WRITERS.items()}


def _written(rows: Iterable[Row]) -> tuple[bytes, int]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    count = -1
    for count, row in enumerate(rows):  # noqa: B007 - the number of the last row is the number of rows
        writer.writerow([_cell(cell) for cell in row])
    return out.getvalue().encode("utf-8"), count


def _cell(cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return str(cell).lower()
    return guarded(cell) if isinstance(cell, str) else cell
