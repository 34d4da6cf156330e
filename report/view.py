"""The document as the page template wants it: finished text in one language, bounded, nothing left to decide.

The template sets what stands here and adds no words of its own. Text from evidence has passed `escape`;
typst gets all of it through json(), so none of it is ever read as markup or code. Tables are cut here, and
say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wirecover.report.escape import bounded, clipped
from wirecover.report.figures import heat_view, timeline_view
from wirecover.report.messages import catalogue
from wirecover.report.model import Application, Exhibit, ResultDocument
from wirecover.report.partners import partner_entries
from wirecover.report.verbal import BANDS, CAP
from wirecover.report.view_calls import calls_view
from wirecover.report.view_endpoints import endpoints_view, unexplained_view
from wirecover.report.view_findings import assessments_view, facts_view, methods_view
from wirecover.report.view_quality import authenticity_view, quality_view
from wirecover.report.words import NOTHING, TO, Words

EXHIBIT_ROWS: Final = 400
EXHIBIT_DETAILS: Final = 40
APPLICATION_ROWS: Final = 400
FOOTER_EXHIBITS: Final = 3
"""With more exhibits the page footer gives the digest over all of them instead of each one."""
DAMAGE_ROWS: Final = 8
INTERFACE_ROWS: Final = 8

View = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the PDF."""

    file: str
    mime: str
    name: str
    """Its key in the catalogues' [attachment] table."""
    sha256: str
    rows: int | None


def view(document: ResultDocument, lang: str, attachments: Sequence[Attachment], typesetter: str) -> View:
    """Everything the template prints."""
    words = Words(lang)
    return {
        "lang": lang,
        "labels": {key: text for key, text in catalogue(lang).items() if "{" not in text},
        "training": document.training,
        "report_id": document.report_id,
        "case": bounded(document.case_name),
        "case-short": clipped(document.case_name, 60),
        "page": catalogue(lang)["title.page"],
        "footer": _footer(document, words),
        "cover": _cover(document, words),
        "summary": _summary(document, words),
        "mandatory": [words.sentence(sentence) for sentence in document.mandatory],
        "no_content": [words.sentence(sentence) for sentence in document.no_content],
        "authority": _authority(document, words),
        "exhibits": _exhibits(document, words),
        "quality": quality_view(document, words),
        "authenticity": authenticity_view(document, words),
        "facts": facts_view(document, words),
        "assessments": assessments_view(document, words),
        "applications": _applications(document, words),
        "calls": calls_view(document, words),
        "timeline": timeline_view(document, words),
        "heat": heat_view(document, words),
        "endpoints": endpoints_view(document, words),
        "unidentified": _unidentified(document, words),
        "unexplained": unexplained_view(document, words),
        "methods": methods_view(document, words),
        "alternatives": [words.sentence(sentence) for sentence in document.alternatives],
        "limitations": [words.sentence(sentence) for sentence in document.limitations],
        "custody": [
            [words.say(f"custody.{act.act}"), ", ".join(map(bounded, act.subjects)) or NOTHING]
            for act in document.custody
        ],
        "log_head": _log_head(document, words),
        "reproduction": _reproduction(document, words, attachments, typesetter),
        "scale": _scale(words),
        "glossary": _glossary(lang),
        "attachments": [
            {
                "file": one.file, "mime": one.mime, "holds": words.say(f"attachment.{one.name}"),
                "rows": NOTHING if one.rows is None else words.number(one.rows), "sha256": one.sha256,
            }
            for one in attachments
        ],
    }  # fmt: skip


def _log_head(document: ResultDocument, words: Words) -> list[str]:
    """What is said of the head of the custody log, and the head itself, if it is printed."""
    head = document.log_head
    if head is None:
        return [words.say("custody.no_head")]
    return [words.say("custody.head"), f"{head.act}:{head.sha256}"]


def _footer(document: ResultDocument, words: Words) -> list[str]:
    if len(document.exhibits) <= FOOTER_EXHIBITS:
        return [f"{exhibit.label} {exhibit.sha256}" for exhibit in document.exhibits]
    label = f"{document.exhibits[0].label}{TO}{document.exhibits[-1].label}"
    return [f"{label} {document.evidence_sha256}"]


def _cover(document: ResultDocument, words: Words) -> View:
    first, last = _period(document)
    if document.training:
        legal = words.say("cover.legal_training")
    else:
        legal = _first_reference(document) or words.say("cover.legal_missing")
    period = words.say("format.none") if first is None else f"{words.time(first)} {TO} {words.time(last)} UTC"
    return {
        "legal": legal,
        "exhibits": words.number(len(document.exhibits)),
        "period": period,
        "tool": f"{document.tool.name} {document.tool.version}",
        "evidence": document.evidence_sha256,
    }


def _period(document: ResultDocument) -> tuple[int | None, int | None]:
    first = min(
        (exhibit.first_ns for exhibit in document.exhibits if exhibit.first_ns is not None), default=None
    )
    return first, document.latest_ns


def _first_reference(document: ResultDocument) -> str:
    known = {entry.name: entry.value for entry in reversed(document.legal_basis)}
    return ", ".join(bounded(known[name], 80) for name in ("instrument", "reference") if name in known)


def _summary(document: ResultDocument, words: Words) -> list[str]:
    figures = document.figures
    first, last = _period(document)
    if first is None or last is None:
        return [words.say("summary.empty")]
    lines = [
        words.counted(
            "summary.exhibits", len(document.exhibits), packets=words.number(figures.packets),
            first=words.utc(first), last=words.utc(last),
        ),
        words.say(
            "summary.flows", flows=words.number(figures.flows), addresses=words.number(figures.addresses),
            clients=words.number(figures.clients),
        ),
        _handshakes(document, words),
        _applications_line(document, words),
    ]  # fmt: skip
    if figures.dns_messages or figures.stun_messages:
        dns, stun = words.number(figures.dns_messages), words.number(figures.stun_messages)
        lines.append(words.say("summary.other", dns=dns, stun=stun))
    if figures.flows > figures.labelled_flows:
        share = words.share(figures.bytes - figures.labelled_bytes, figures.bytes)
        lines.append(words.say("summary.share", share=share, section=words.say("section.unidentified")))
    if figures.events:
        lines.append(words.say("summary.events", events=words.number(figures.events)))
    lines.append(_findings_line(document, words))
    return lines


def _handshakes(document: ResultDocument, words: Words) -> str:
    if not document.figures.handshakes:
        return words.say("summary.no_handshakes")
    names = {"tcp": "TLS", "dtls": "DTLS", "quic": "QUIC"}
    items = (
        f"{names.get(one.carrier, bounded(one.carrier))}"
        + (f" ({bounded(one.version)})" if one.version else "")
        + f": {words.number(one.count)}"
        for one in document.figures.handshakes
    )
    return words.say("summary.handshakes", list="; ".join(items))


def _applications_line(document: ResultDocument, words: Words) -> str:
    counts: dict[str, int] = {}
    for row in document.applications:
        counts[row.app] = counts.get(row.app, 0) + 1
    if not counts:
        return words.say("summary.no_apps")
    items = (
        words.say("summary.apps_item", app=bounded(app), count=words.number(count))
        for app, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    return words.counted("summary.apps", document.figures.clients_with_app, list=", ".join(items))


def _findings_line(document: ResultDocument, words: Words) -> str:
    if not document.findings:
        return words.say("summary.no_findings")
    facts = sum(finding.kind == "fact" for finding in document.findings)
    others = len(document.findings) - facts
    return words.say("summary.findings", facts=words.number(facts), assessments=words.number(others))


def _authority(document: ResultDocument, words: Words) -> View:
    if document.training:
        return {"note": words.say("legal.training"), "entries": partner_entries(document.partners, words)}
    entries = [[words.say(f"legal.{entry.name}"), bounded(entry.value)] for entry in document.legal_basis]
    note = "" if entries else words.say("legal.missing")
    terms = partner_entries(document.partners, words)
    return {"note": note, "entries": [*entries, *_left_out(document, words), *terms]}


def _left_out(document: ResultDocument, words: Words) -> list[list[str]]:
    """What the scope left out, by reason, over all exhibits."""
    sums: dict[str, list[int]] = {}
    for one in document.left_out:
        key = one.reason if one.action == "dropped" else one.action
        total = sums.setdefault(key, [0, 0, 0])
        for at, number in enumerate((one.packets, one.bytes, one.records)):
            total[at] += number
    return [
        [
            words.say(f"left_out.{key}"),
            words.say(
                "left_out.value", packets=words.number(packets), bytes=words.number(size),
                records=words.number(records),
            ),
        ]
        for key, (packets, size, records) in sums.items()
    ]  # fmt: skip


def _exhibits(document: ResultDocument, words: Words) -> View:
    shown = document.exhibits[:EXHIBIT_ROWS]
    return {
        "rows": [
            {
                "label": one.label, "name": bounded(one.name), "sha256": one.sha256,
                "packets": words.number(one.packets), "first": words.time(one.first_ns),
                "last": words.time(one.last_ns),
            }
            for one in shown
        ],
        "details": [_exhibit(one, words) for one in shown[:EXHIBIT_DETAILS]],
        "cut": cut(words, len(shown), len(document.exhibits), "exhibits.csv"),
    }  # fmt: skip


def _exhibit(one: Exhibit, words: Words) -> View:
    say, number = words.say, words.number
    packing = f" ({one.compression})" if one.compression else ""
    snaplen = (
        say("exhibit.snaplen_value", bytes=number(one.snaplen)) if one.snaplen else say("format.unknown")
    )
    form = (one.format or say("format.unknown")) + packing
    return {
        "title": f"{one.label}  {bounded(one.name)}",
        "pairs": [
            [say("exhibit.bytes"), say("exhibit.bytes_value", bytes=number(one.bytes))],
            [say("exhibit.format"), bounded(form)],
            [say("exhibit.snaplen"), snaplen],
            [say("exhibit.complete"), say("format.yes" if one.complete else "format.no")],
        ],
        "quality": [
            [say(f"exhibit.{name}"), number(getattr(one, name))]
            for name in ("truncated", "malformed", "duplicate", "out_of_order", "undecoded", "out_of_scope")
        ],
        "interfaces": [
            [
                f"{entry.number}" + (f" {bounded(entry.name)}" if entry.name else ""),
                bounded(entry.link or NOTHING),
                NOTHING if entry.resolution_ns is None else f"{number(entry.resolution_ns)} ns",
                NOTHING if entry.offset_s is None else f"{entry.offset_s} s",
                number(entry.packets), number(entry.drops),
            ]
            for entry in one.interfaces[:INTERFACE_ROWS]
        ],
        "damage": [
            f"{bounded(entry.kind)}, "
            + say("exhibit.damage_place", frame=number(entry.frame), offset=number(entry.offset))
            + (f": {bounded(entry.detail)}" if entry.detail else "")
            for entry in one.damage[:DAMAGE_ROWS]
        ],
        "damage_more": (
            say("exhibit.damage_more", count=number(one.damage_rows - DAMAGE_ROWS))
            if one.damage_rows > DAMAGE_ROWS else ""
        ),
    }  # fmt: skip


def cut(words: Words, shown: int, total: int, file: str) -> str:
    """The sentence under a table that was cut; nothing under a whole one."""
    if shown >= total:
        return ""
    return words.say("format.rows_cut", shown=words.number(shown), total=words.number(total), file=file)


def _applications(document: ResultDocument, words: Words) -> View:
    shown = document.applications[:APPLICATION_ROWS]
    return {
        "rows": [_application(one, words) for one in shown],
        "cut": cut(words, len(shown), len(document.applications), "applications.csv"),
    }


def _application(one: Application, words: Words) -> View:
    reasons = [
        words.say(
            "application.reason", kind=bounded(why.kind), value=bounded(why.value, 80),
            place=why.exhibit if why.frame is None else f"{why.exhibit}:{why.frame}",
        )
        for why in one.reasons
    ]  # fmt: skip
    if one.reason_rows > len(one.reasons):
        more = words.number(one.reason_rows - len(one.reasons))
        reasons.append(words.say("application.more_reasons", count=more))
    return {
        "endpoint": bounded(one.endpoint), "app": bounded(one.app), "flows": words.number(one.flows),
        "sent": words.number(one.bytes_up), "received": words.number(one.bytes_down),
        "first": words.time(one.first_ns), "last": words.time(one.last_ns),
        "confidence": f"{one.confidence}\u202f%", "reasons": reasons,
    }  # fmt: skip


def _unidentified(document: ResultDocument, words: Words) -> View:
    total = document.figures.bytes
    size = sum(one.bytes for one in document.unidentified)
    flows = sum(one.flows for one in document.unidentified)
    return {
        "rows": [
            [
                words.say(f"reason.{one.reason}"),
                bounded(", ".join(one.services)) if one.services else NOTHING,
                words.number(one.flows), words.number(one.bytes), words.share(one.bytes, total),
            ]
            for one in document.unidentified
        ],
        "total": [words.number(flows), words.number(size), words.share(size, total)],
    }  # fmt: skip


def _reproduction(
    document: ResultDocument, words: Words, attachments: Sequence[Attachment], typesetter: str
) -> View:
    # the case's name may need quoting in a shell and may be hostile: the commands use a name of their own
    mode = "--training" if document.training else "--authority authority.toml"
    section = words.say("section.exhibits")
    return {
        "steps": [
            [words.say("reproduction.step_hash", section=section), ["sha256sum FILE..."]],
            [
                words.say("reproduction.step_ingest"),
                [f"wirecover init CASE {mode}", "wirecover ingest CASE FILE..."],
            ],
            [
                words.say("reproduction.step_analyze"),
                ["wirecover analyze CASE", f"wirecover report CASE --out report.pdf --lang {words.lang}"],
            ],
            [words.say("reproduction.step_verify"), ["wirecover verify report.pdf"]],
        ],
        "digests": [
            [words.say("reproduction.digest_document"), [attachments[0].sha256]],
            [words.say("reproduction.digest_evidence"), [document.evidence_sha256]],
            [words.say("reproduction.rules"), list(document.tool.rules_sha256) or [NOTHING]],
            [
                words.say("reproduction.decoded_with"),
                [f"wirecover {bounded(version)}" for version in document.tool.decoded_with] or [NOTHING],
            ],
            [words.say("reproduction.typesetter"), [typesetter]],
        ],
    }  # fmt: skip


def _scale(words: Words) -> View:
    edges = [1, *(int(edge) for edge, _ in BANDS)]
    names = ["none", *(name for _, name in BANDS)]
    cap = names.index(CAP)
    rows = []
    for place, name in enumerate(names):
        upper = f" {TO} {words.number(edges[place + 1])}" if place + 1 < len(edges) else ""
        low = words.number(edges[place])
        printed = words.say("format.yes" if place <= cap else "scale.capped")
        rows.append([f"{low}{upper}" if upper else f"≥ {low}", words.say(f"scale.{name}"), printed])
    return {"note": words.say("scale.note", cap=words.say(f"scale.{CAP}")), "rows": rows}


def _glossary(lang: str) -> list[list[str]]:
    texts: Mapping[str, str] = catalogue(lang)
    entries = [text.format().split("|", 1) for key, text in texts.items() if key.startswith("glossary.")]
    return sorted(entries, key=lambda entry: entry[0].casefold())
