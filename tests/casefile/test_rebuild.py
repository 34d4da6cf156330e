"""The derived part made anew from the evidence: the same, or what differs is named."""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from fake_decode import decode, write_capture

from wirecover.casefile.case import Case
from wirecover.casefile.derived import DERIVED
from wirecover.casefile.rebuild import Rebuilt, rebuild
from wirecover.casefile.store import replace_analysis
from wirecover.casefile.verify import verify


def rows(table: str, *given: dict[str, Any]) -> pa.Table:
    blank = dict.fromkeys(DERIVED[table].names)
    return pa.Table.from_pylist([blank | row for row in given], schema=DERIVED[table])


def store(case: Case, pattern: str, parameters: dict[str, Any], *, logged: bool = False) -> None:
    replace_analysis(
        case, pattern,
        rows("findings", {"finding_id": ord(pattern), "pattern": pattern, "score": parameters["score"]}),
        rows("finding_frames", {"finding_id": ord(pattern), "capture_id": 1, "frame": 2}),
        parameters=parameters, logged=logged,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("model")
    case = Case.create(root / "case", training=True)
    for count in (2, 3):
        write_capture(root / "in" / f"{count}.pcap", f"packets={count}")
    case.ingest([root / "in"], decoder=decode)
    store(case, "a", {"score": 9.0}, logged=True)
    store(case, "b", {"score": 2.0}, logged=True)
    store(case, "a", {"score": 1.5}, logged=True)
    return case.path


@pytest.fixture
def case(model: Path, tmp_path: Path) -> Case:
    return Case.open(Path(shutil.copytree(model, tmp_path / "case")))


def differing(found: Rebuilt) -> list[str]:
    return [one.table for one in found.tables if not one.same]


def test_an_untouched_case_is_the_same(case: Case) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def again(one: Case, pattern: str, parameters: dict[str, Any]) -> None:
        asked.append((pattern, parameters))
        store(one, pattern, parameters)

    found = rebuild(case, again)
    assert found.same and found.replaced and found.unreadable == ""
    assert asked == [("b", {"score": 2.0}), ("a", {"score": 1.5})], "each detector as it was last run"
    assert verify(case).holds
    assert not list(case.path.glob("case.rebuild*"))


def test_changed_rows_are_named_and_stay_unless_asked(case: Case) -> None:
    with duckdb.connect(str(case.path / "case.duckdb")) as connection:
        connection.execute("UPDATE findings SET score = 99 WHERE pattern = 'a'")
        connection.execute("UPDATE exhibits SET name = 'other' WHERE name = '2.pcap'")
    found = rebuild(case, store)
    assert differing(found) == ["exhibits", "findings"] and not found.replaced
    assert not verify(case).holds
    assert rebuild(case, store, put_in_place=True).replaced
    assert verify(case).holds
    assert rebuild(case, store).same


def test_a_lost_catalogue_is_made_anew(case: Case) -> None:
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b"x" * 100_000)):
        damage(case.path / "case.duckdb")
        assert any("makes it anew" in one.detail for one in verify(case).checks if one.holds is False)
        found = rebuild(case, store)
        assert found.unreadable and found.replaced and found.same
        assert verify(case).holds


def test_rows_that_do_not_follow_from_the_evidence_are_taken_along(case: Case) -> None:
    with case.connect(write=True) as connection:
        connection.execute("INSERT INTO declared_series VALUES ('x', 5)")
    assert rebuild(case, store).replaced
    with case.connect() as connection:
        assert connection.execute("SELECT count(*) FROM declared_series").fetchall() == [(1,)]


def test_an_analysis_that_cannot_be_run_again_leaves_all_as_it_was(case: Case) -> None:
    def broken(one: Case, pattern: str, parameters: dict[str, Any]) -> None:
        raise ValueError(pattern)

    with pytest.raises(ValueError):
        rebuild(case, broken)
    assert verify(case).holds
    assert not list(case.path.glob("case.rebuild*"))
