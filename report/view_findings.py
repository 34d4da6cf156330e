"""Findings and methods for the page template: grouped, bounded, facts apart from assessments."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from wirecover.report.escape import bounded
from wirecover.report.model import Exhibit, Finding, Frames, Method, ResultDocument, Value
from wirecover.report.verbal import band
from wirecover.report.words import TO, Words

PRINTED: Final = 1_200
"""Findings of one kind that are printed, shared among the methods; `PRINTED_EACH` at most of one method."""
PRINTED_EACH: Final = 400
PRINTED_LEAST: Final = 20
RANGES: Final = 10
"""Ranges of frames printed with a finding, for each exhibit."""
EXHIBITS: Final = 4
STATEMENT: Final = 1_200

View = dict[str, Any]


def facts_view(document: ResultDocument, words: Words) -> View:
    """Facts, one table a method."""
    return _groups([one for one in document.findings if one.kind == "fact"], document, words)


def assessments_view(document: ResultDocument, words: Words) -> View:
    """Whatever is not a fact: assessments, and findings of a kind this version does not know."""
    return _groups([one for one in document.findings if one.kind != "fact"], document, words)


def _groups(findings: Sequence[Finding], document: ResultDocument, words: Words) -> View:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.pattern, []).append(finding)
    most = max(PRINTED_LEAST, min(PRINTED_EACH, PRINTED // max(len(groups), 1)))
    exhibits = {exhibit.label: exhibit for exhibit in document.exhibits}
    return {
        "groups": [
            {
                "pattern": bounded(pattern),
                "question": _question(document.methods, pattern),
                "versions": _versions(found, words),
                "count": words.say("finding.count", count=words.number(len(found))),
                "no_ratio": all(one.likelihood_ratio is None for one in found),
                "parameters": _shared_parameters(found, words),
                "rows": [_finding(one, exhibits, words) for one in found[:most]],
                "cut": _cut(words, min(most, len(found)), len(found)),
            }
            for pattern, found in groups.items()
        ]
    }


def _shared_parameters(findings: Sequence[Finding], words: Words) -> str:
    """The parameters, when all findings of a method share them; else each finding shows its own."""
    if len({one.parameters for one in findings}) != 1:
        return ""
    return parameters_view(findings[0].parameters, words)


def _cut(words: Words, shown: int, total: int) -> str:
    if shown >= total:
        return ""
    counts = {"shown": words.number(shown), "total": words.number(total)}
    return words.say("format.rows_cut", **counts, file="findings.csv")


def _question(methods: Iterable[Method], pattern: str) -> str:
    return next(
        (bounded(one.question, STATEMENT) for one in methods if one.name == pattern and one.known), ""
    )


def _versions(findings: Iterable[Finding], words: Words) -> str:
    versions = sorted({one.analysis_version for one in findings if one.analysis_version})
    return ", ".join(words.say("finding.version", version=bounded(version)) for version in versions)


def _finding(one: Finding, exhibits: dict[str, Exhibit], words: Words) -> View:
    return {
        "number": str(one.number),
        "statement": bounded(one.statement, STATEMENT) if one.statement else _unstated(one),
        "first": words.time(one.first_ns),
        "last": words.time(one.last_ns),
        "sources": _sources(one, exhibits, words),
        "score": "" if one.score is None else words.decimal(one.score),
        "ratio": _ratio(one, words),
        "parameters": parameters_view(one.parameters, words),
    }


def _unstated(one: Finding) -> str:
    """Subject, object and application of a finding that came without a sentence."""
    named = [bounded(part) for part in (one.subject, one.object, one.app) if part]
    return f" {TO} ".join([bounded(one.pattern), *named])


def _sources(one: Finding, exhibits: dict[str, Exhibit], words: Words) -> list[View]:
    by_label = {frames.exhibit: frames for frames in one.frames}
    sources = [
        {
            "exhibit": label,
            "name": bounded(exhibits[label].name, 60) if label in exhibits else "",
            "frames": _frames(by_label.get(label), words),
        }
        for label in one.exhibits[:EXHIBITS]
    ]
    if len(one.exhibits) > EXHIBITS:
        more = words.say("format.more_frames", count=words.number(len(one.exhibits) - EXHIBITS))
        sources.append({"exhibit": "…", "name": "", "frames": more})
    return sources or [{"exhibit": "", "name": "", "frames": words.say("finding.no_frames")}]


def _frames(frames: Frames | None, words: Words) -> str:
    if frames is None:
        return words.say("finding.no_frames")
    shown = frames.ranges[:RANGES]
    text = ", ".join(str(first) if first == last else f"{first}{TO}{last}" for first, last in shown)
    rest = frames.count - sum(last - first + 1 for first, last in shown)
    return text if not rest else f"{text}, {words.say('format.more_frames', count=words.number(rest))}"


def _ratio(one: Finding, words: Words) -> View | None:
    if one.likelihood_ratio is None:
        return None
    name, supports = band(one.likelihood_ratio, one.lr_low, one.lr_high)
    said = words.say(f"scale.{name}")
    if name != "none":
        said = words.say("scale.first" if supports else "scale.alternative", words=said)
    interval = words.say("finding.no_interval")
    if one.lr_low is not None and one.lr_high is not None:
        low, high = words.decimal(one.lr_low), words.decimal(one.lr_high)
        interval = words.say("finding.interval", low=low, high=high)
    return {"value": words.decimal(one.likelihood_ratio), "interval": interval, "words": said}


def parameters_view(parameters: Iterable[tuple[str, Value]], words: Words) -> str:
    """`name = value` pairs on one line."""
    return "; ".join(f"{bounded(name)} = {words.value(value)}" for name, value in parameters)


def methods_view(document: ResultDocument, words: Words) -> list[View]:
    """Each method with its question, how it works and what it cannot show."""
    return [
        {
            "name": bounded(one.name),
            "version": words.say("finding.version", version=bounded(one.version)) if one.version else "",
            "findings": _outcome(one, words),
            "question": bounded(one.question, STATEMENT) if one.known else "",
            "method": bounded(one.method, 4 * STATEMENT) if one.known else words.say("method.unknown"),
            "cannot_show": [bounded(text, STATEMENT) for text in one.cannot_show],
            "parameters": parameters_view(one.parameters, words),
            "notes": [bounded(text, STATEMENT) for text in one.notes],
        }
        for one in document.methods
    ]


def _outcome(one: Method, words: Words) -> str:
    if one.findings:
        return words.say("finding.count", count=words.number(one.findings))
    return words.say("method.no_findings" if one.run else "method.not_run")
