"""Making and opening a case folder."""

import os
import stat
from pathlib import Path

import pytest

from wirecover.casefile.case import Case
from wirecover.casefile.errors import CaseError


def test_a_new_case_has_the_layout_of_the_design_and_opens_again(tmp_path: Path) -> None:
    case = Case.create(tmp_path / "deep" / "case", training=True)
    assert {path.name for path in case.path.iterdir()} == {
        "case.duckdb",
        "case.toml",
        "evidence",
        "exports",
        "log",
        "reports",
    }
    assert Case.open(case.path).training is True
    assert (
        Case.create(tmp_path / "real", training=False).training
        is Case.open(tmp_path / "real").training
        is False
    )
    assert case.exhibits() == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_empty_folder_may_become_a_case_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Case.create(tmp_path / "empty", training=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("empty", "full", "file"):
        with pytest.raises(CaseError, match="exists and is not an empty folder"):
            Case.create(tmp_path / name, training=True)


def test_a_case_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(CaseError, match="cannot be made: No space left on device"):
        Case.create(tmp_path / "case", training=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "not a case folder"),
        ("format_version = ", "cannot be read"),
        ("format_version = 99\ntraining = true", "case format 99"),
        ("format_version = true\ntraining = true", "wrong type"),
        ("format_version = 1\ntraining = 1", "wrong type"),
        ("training = true", "missing"),
    ],
)
def test_a_folder_that_is_no_case_is_refused_in_one_line(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    if text is not None:
        (tmp_path / "case.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CaseError, match=reason) as refused:
        Case.open(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_no_folder_is_no_case(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no such case folder"):
        Case.open(tmp_path / "none")


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    case = Case.create(tmp_path / "case", training=True)
    with case.connect() as connection, pytest.raises(Exception, match="read-only"):
        connection.execute("DELETE FROM exhibits")


def test_what_a_killed_init_left_is_removed_and_a_case_is_for_its_maker_alone(tmp_path: Path) -> None:
    left = tmp_path / ".case.partial"
    left.mkdir()
    left.joinpath("case.toml").write_text("half", encoding="utf-8")
    Case.create(tmp_path / "case", training=True)
    assert [path.name for path in tmp_path.iterdir()] == ["case"]
    if os.name == "posix":
        assert stat.S_IMODE(tmp_path.joinpath("case").stat().st_mode) == 0o700
