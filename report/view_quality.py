"""The sections on capture quality, authenticity and series, as the page template wants them."""

from collections.abc import Sequence
from typing import Any, Final

from wirecover.capture.quality.explanations import EXPLANATIONS, INDICATORS, METRICS
from wirecover.report.escape import bounded
from wirecover.report.model import Authenticity, Quality, ResultDocument, SeriesPart
from wirecover.report.words import NOTHING, Words

EXHIBITS: Final = 40
ROWS: Final = 24
"""Rows of one exhibit that are printed."""
SERIES_ROWS: Final = 200
UNITS: Final = (
    (86_400_000_000_000, "d"),
    (3_600_000_000_000, "h"),
    (1_000_000_000, "s"),
    (1_000_000, "ms"),
    (1000, "µs"),
)

KNOWN: Final = {"quality": METRICS, "authenticity": INDICATORS, "explanation": EXPLANATIONS}

View = dict[str, Any]


def quality_view(document: ResultDocument, words: Words) -> View:
    """What each exhibit lacks or holds twice; what was not found in one sentence."""
    groups = []
    for exhibit in document.exhibits[:EXHIBITS]:
        lines = [line for line in document.quality if line.exhibit == exhibit.label]
        found = [line for line in lines if line.count]
        missed = list(dict.fromkeys(line.metric for line in lines if not line.count and line.subject is None))
        met = {line.metric for line in found}
        missed = [metric for metric in missed if metric not in met]
        if not lines:
            continue
        names = "; ".join(_named("quality", metric, words) for metric in missed)
        groups.append(
            {
                "title": exhibit.label,
                "rows": [_quality(line, words) for line in found[:ROWS]],
                "missed": words.say("quality.not_found", list=names) if names else "",
                "cut": _more(len(found), words),
            }
        )
    return {"groups": groups, "more": _hidden(document, words), "series": _series(document.series, words)}


def _named(table: str, key: str, words: Words) -> str:
    """The catalogue's words for a key of the evidence; a key that this version does not know stands as it is."""
    return words.say(f"{table}.{key}") if key in KNOWN[table] else bounded(key, 60)


def _hidden(document: ResultDocument, words: Words) -> str:
    hidden = len(document.exhibits) - EXHIBITS
    return words.say("quality.more_exhibits", count=words.number(hidden)) if hidden > 0 else ""


def _more(count: int, words: Words) -> str:
    return words.say("quality.more", count=words.number(count - ROWS)) if count > ROWS else ""


def _quality(line: Quality, words: Words) -> list[str]:
    return [
        _named("quality", line.metric, words), _where(line, words), _count(line, words), _size(line, words),
        NOTHING if line.frame is None else words.number(line.frame),
    ]  # fmt: skip


def _where(line: Quality | Authenticity, words: Words) -> str:
    if line.subject is not None:
        return bounded(line.subject, 60)
    return NOTHING if line.interface is None else words.say("quality.interface", number=line.interface)


def _count(line: Quality | Authenticity, words: Words) -> str:
    if line.total is None:
        return words.number(line.count)
    share = words.share(line.count, line.total)
    return words.say(
        "quality.of", count=words.number(line.count), total=words.number(line.total), share=share
    )


def _size(line: Quality | Authenticity, words: Words) -> str:
    if line.value is None:
        return NOTHING
    if line.unit == "ns":
        return span(line.value, words)
    return words.say("exhibit.bytes_value", bytes=words.number(line.value))


def span(ns: int, words: Words) -> str:
    """A stretch of time in a unit that fits it."""
    for size, unit in UNITS:
        if abs(ns) >= size:
            return f"{words.decimal(ns / size)}\u202f{unit}"
    return f"{ns}\u202fns"


def _series(parts: Sequence[SeriesPart], words: Words) -> View:
    return {
        "rows": [
            [
                words.say("series.part", series=words.number(one.series), part=words.number(one.part),
                          parts=words.number(one.parts)),
                one.exhibit,
                NOTHING if one.gap_ns is None else _gap(one.gap_ns, words),
                words.number(one.flows), words.number(one.compared), words.number(one.missing),
                words.say("format.yes" if one.declared else "format.no"),
            ]
            for one in parts[:SERIES_ROWS]
        ],
        "cut": words.say("quality.more", count=words.number(len(parts) - SERIES_ROWS))
        if len(parts) > SERIES_ROWS else "",
    }  # fmt: skip


def _gap(ns: int, words: Words) -> str:
    return words.say("series.gap" if ns >= 0 else "series.overlap", span=span(abs(ns), words))


def authenticity_view(document: ResultDocument, words: Words) -> View:
    """Indicators of each exhibit, each with the innocent causes to be ruled out."""
    rows = [
        [
            one.exhibit, _named("authenticity", one.indicator, words), _where(one, words), _count(one, words),
            _size(one, words), NOTHING if one.frame is None else words.number(one.frame),
            "; ".join(_named("explanation", key, words) for key in one.explanations),
        ]
        for one in document.authenticity[: ROWS * EXHIBITS]
    ]  # fmt: skip
    return {"rows": rows}
