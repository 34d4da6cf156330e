"""The capture-quality ledger, authenticity indicators and rotated series, read from the case's views."""

from typing import Final

import duckdb

from wirecover.report.model import Authenticity, Exhibit, Quality, SeriesPart

LINES_KEPT: Final = 60
"""Ledger lines of one exhibit that enter the document, those of the whole exhibit first; the case holds all."""

_QUALITY: Final = """
    SELECT capture_id, metric, interface_id, subject, "count", total, "value", unit, first_frame FROM quality
    QUALIFY row_number() OVER (
        PARTITION BY capture_id
        ORDER BY subject IS NOT NULL, "count" = 0, metric, interface_id, "count" DESC, subject) <= ?
    ORDER BY capture_id, metric, interface_id NULLS FIRST, subject NULLS FIRST, "count" DESC, first_frame"""
_AUTHENTICITY: Final = """
    SELECT capture_id, indicator, interface_id, subject, "count", total, "value", unit, first_frame, explanations
    FROM authenticity
    QUALIFY row_number() OVER (PARTITION BY capture_id ORDER BY indicator, interface_id, subject) <= ?
    ORDER BY capture_id, indicator, interface_id NULLS FIRST, subject NULLS FIRST, first_frame"""
_SERIES: Final = """
    WITH seams AS (
        SELECT capture_id, count(*) AS flows, count(bytes_between) AS compared,
               coalesce(sum(bytes_between), 0)::BIGINT AS missing
        FROM flow_parts WHERE part > 1 GROUP BY capture_id
    )
    SELECT s.series_id, s.part, s.parts, s.capture_id, s.gap_ns, coalesce(m.flows, 0), coalesce(m.compared, 0),
           coalesce(m.missing, 0), s.reason LIKE 'declared%'
    FROM series s LEFT JOIN seams m USING (capture_id) ORDER BY min(s.first_ts) OVER (PARTITION BY s.series_id),
           s.series_id, s.part"""


def read_quality(connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]) -> tuple[Quality, ...]:
    """Lines of the ledger, by exhibit; also those that say that something was not found."""
    labels = {one.capture_id: one.label for one in exhibits}
    rows = connection.execute(_QUALITY, [LINES_KEPT]).fetchall()
    found = [Quality(labels[capture], *columns) for capture, *columns in rows]
    order = {one.label: place for place, one in enumerate(exhibits)}
    return tuple(sorted(found, key=lambda one: order[one.exhibit]))


def read_authenticity(
    connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]
) -> tuple[Authenticity, ...]:
    """Indicators, by exhibit."""
    labels = {one.capture_id: one.label for one in exhibits}
    rows = connection.execute(_AUTHENTICITY, [LINES_KEPT]).fetchall()
    found = [
        Authenticity(labels[row[0]], *row[1:-1], tuple(row[-1] or ()))  # type: ignore[call-arg]  # as the query says
        for row in rows
    ]
    order = {one.label: place for place, one in enumerate(exhibits)}
    return tuple(sorted(found, key=lambda one: order[one.exhibit]))


def read_series(
    connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]
) -> tuple[SeriesPart, ...]:
    """Exhibits that are parts of a rotated series, by series, then by time; series are numbered from 1."""
    labels = {one.capture_id: one.label for one in exhibits}
    numbers: dict[int, int] = {}
    return tuple(
        SeriesPart(numbers.setdefault(series, len(numbers) + 1), part, parts, labels[capture], *columns)
        for series, part, parts, capture, *columns in connection.execute(_SERIES).fetchall()
    )
