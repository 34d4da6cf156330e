"""What analyses write: replaced as a whole, by pattern, or not at all."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, record
from wirecover.casefile.derived import DERIVED, empty
from wirecover.casefile.errors import CaseError
from wirecover.casefile.store import replace_analysis
from wirecover.casefile.verify import verify


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case.create(tmp_path / "case", training=True)


def rows(table: str, *given: dict[str, Any]) -> pa.Table:
    blank = dict.fromkeys(DERIVED[table].names)
    return pa.Table.from_pylist([blank | row for row in given], schema=DERIVED[table])


def stored(case: Case, table: str, *columns: str) -> list[tuple[Any, ...]]:
    with case.connect() as connection:
        return connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY ALL").fetchall()


def put(case: Case, pattern: str, *ids: int) -> None:
    replace_analysis(
        case,
        pattern,
        rows("findings", *({"finding_id": one, "pattern": pattern, "capture_ids": [one, 2]} for one in ids)),
        rows("finding_frames", *({"finding_id": one, "capture_id": 1, "frame": one} for one in ids)),
        rows("events", *({"event_id": one, "pattern": pattern, "ts": one} for one in ids)),
    )


def test_rows_of_one_pattern_replace_only_their_own(case: Case) -> None:
    put(case, "a", 1, 2)
    put(case, "b", 3)
    put(case, "a", 4)
    assert stored(case, "findings", "finding_id", "pattern", "capture_ids") == [
        (3, "b", [3, 2]),
        (4, "a", [4, 2]),
    ]
    assert stored(case, "finding_frames", "finding_id") == [(3,), (4,)]
    assert stored(case, "events", "event_id", "epoch_ns(ts)") == [(3, 3), (4, 4)]
    assert stored(case, "custody_log", "verb").count(("analyze",)) == 3
    assert verify(case).holds


@pytest.mark.parametrize(
    ("findings", "frames", "reason"),
    [
        (
            rows("findings", {"finding_id": 1, "pattern": "other"}),
            empty("finding_frames"),
            "name another pattern",
        ),
        (empty("findings"), rows("finding_frames", {"finding_id": 9}), "not among its findings"),
        (
            empty("findings").drop_columns(["score"]),
            empty("finding_frames"),
            "not the columns of the schema: score",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(
    case: Case, findings: pa.Table, frames: pa.Table, reason: str
) -> None:
    put(case, "a", 1)
    with pytest.raises(CaseError, match=reason):
        replace_analysis(case, "a", findings, frames)
    assert stored(case, "findings", "finding_id") == [(1,)]


def test_a_failure_half_way_changes_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    put(case, "a", 1)

    def broken(*given: object, **named: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr("wirecover.casefile.store.note", broken)
    with pytest.raises(RuntimeError):
        put(case, "a", 2)
    assert stored(case, "findings", "finding_id") == [(1,)]


def test_rows_that_a_killed_analysis_logged_and_did_not_commit_are_told_from_rows_put_back(
    case: Case,
) -> None:
    put(case, "a", 1)
    before = (case.path / "case.duckdb").read_bytes()
    with record(case, Act("analyze")) as entry:
        replace_analysis(
            case,
            "a",
            rows("findings", {"finding_id": 2, "pattern": "a"}),
            empty("finding_frames"),
            entry=entry,
        )
        (case.path / "case.duckdb").write_bytes(before)  # as if killed before the commit
        assert any("which was killed; analyze again" in one for one in against(case))
    assert any("not the rows that the last logged analysis wrote" in one for one in against(case))
    put(case, "a", 3)
    assert against(case) == []


def against(case: Case) -> list[str]:
    return [one.detail for one in verify(case).checks if one.holds is False]


def put_owned(case: Case, *ids: int, **tables: pa.Table) -> None:
    links = rows("device_links", *({"link_id": one, "ip": "192.0.2.1"} for one in ids))
    replace_analysis(
        case,
        "endpoints",
        empty("findings"),
        empty("finding_frames"),
        tables={"device_links": links, **tables},
    )


def test_a_table_that_a_detector_owns_is_replaced_by_its_next_run(case: Case) -> None:
    put_owned(case, 1, 2)
    put(case, "a", 1)
    assert stored(case, "device_links", "link_id") == [(1,), (2,)], "another detector leaves it alone"
    put_owned(case, 3)
    assert stored(case, "device_links", "link_id") == [(3,)]
    assert verify(case).holds


def test_a_table_that_no_detector_owns_is_refused(case: Case) -> None:
    with pytest.raises(CaseError, match="not tables that a detector owns: calls"):
        put_owned(case, 1, calls=empty("calls"))
    assert stored(case, "device_links", "link_id") == []
