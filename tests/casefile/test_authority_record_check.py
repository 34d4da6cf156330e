"""What was changed of the legal basis is found by `verify`, and `rebuild` makes its rows anew from what was entered."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from fake_decode import decode, write_capture
from support import orders

from wirecover.casefile import authority_store
from wirecover.casefile.authority_file import AuthorityFile, parse_authority
from wirecover.casefile.authority_store import KEY_FILE, TIMES, row_of
from wirecover.casefile.case import Case
from wirecover.casefile.errors import AuthorityError, IntegrityError
from wirecover.casefile.rebuild import rebuild
from wirecover.casefile.verify import verify

NOW = 1_700_000_000 * 10**9
PSEUDONYMS = 'third_parties = "pseudonymise"'
Change = Callable[[Path], object]


def file(more: str = "", top: str = PSEUDONYMS) -> AuthorityFile:
    return parse_authority(orders.order(more=more, top=top), "order.toml")


WIDER = file(orders.target("network", "10.0.0.0/8"))
RENEWED = file(orders.excluded("network", "203.0.113.99"))


def at(path: Path) -> Case:
    return Case.open(path, clock=lambda: NOW)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case whose record was renewed once."""
    root = tmp_path_factory.mktemp("authority")
    case = Case.create(root / "case", training=False, authority=file(), clock=lambda: NOW)
    write_capture(root / "in" / "x.pcap", "packets=3")
    assert case.ingest([root / "in"], decoder=decode).exit_code == 0
    assert authority_store.amend(case, RENEWED)[0] == 2
    return case.path


@pytest.fixture
def path(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "case"))


def lines(path: Path) -> list[tuple[bool | None, str]]:
    return [(one.holds, one.detail) for one in verify(at(path)).checks if one.subject == "authority"]


def put(name: str, data: bytes) -> Change:
    return lambda path: (path / name).write_bytes(data)


def sql(text: str) -> Change:
    def act(path: Path) -> None:
        with duckdb.connect(str(path / "case.duckdb")) as connection:
            connection.execute(text)

    return act


CHANGES: dict[str, tuple[Change, str]] = {
    "a byte of the record": (
        lambda path: put("authority.toml", RENEWED.data.replace(b"10.0.0.2", b"10.0.0.3"))(path),
        "authority.toml: missing, or not the record that act",
    ),
    "another record": (put("authority.toml", WIDER.data), "not the record that act"),
    "the first record again": (put("authority.toml", file().data), "not the record that act"),
    "no record": (lambda path: (path / "authority.toml").unlink(), "authority.toml: missing"),
    "the former record": (put("authority.1.toml", WIDER.data), "authority.1.toml: missing, or not"),
    "no former record": (lambda path: (path / "authority.1.toml").unlink(), "authority.1.toml: missing"),
    "one record more": (put("authority.2.toml", WIDER.data), "authority.2.toml: no record that was entered"),
    "no row": (sql("DELETE FROM authority"), "0 records in the catalogue, 2 were entered"),
    "the last row": (sql("DELETE FROM authority WHERE authority_id = 2"), "1 records in the catalogue, 2 were"),
    "a row more": (
        sql("INSERT INTO authority BY NAME SELECT 3 AS authority_id, * EXCLUDE (authority_id) FROM authority LIMIT 1"),
        "3 records in the catalogue",
    ),
    "another key": (put(KEY_FILE, b"0" * 64), "not the key that was entered"),
    "no key at all in its file": (put(KEY_FILE, b"zz"), "cannot be read"),
}  # fmt: skip


def test_what_was_entered_holds(path: Path) -> None:
    [(holds, text)] = lines(path)
    assert holds is True and RENEWED.sha256 in text and "record 2 (FR JI 4/2026/117" in text
    assert "10.0.0.2" not in text and "203.0.113.99" not in text
    assert verify(at(path)).holds


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=list(CHANGES))
def test_every_change_is_found(path: Path, change: Change, says: str) -> None:
    change(path)
    found = [text for holds, text in lines(path) if holds is False]
    assert len(found) == 1 and says in found[0], found


@pytest.mark.parametrize("column", list(row_of(1, file(), "")))
def test_every_value_of_a_row_is_compared(path: Path, column: str) -> None:
    kinds = {
        "offences": "['x']",
        "renewals": "['x']",
        "data_categories": "['content']",
        "conditions": "['x']",
    }
    value = kinds.get(column, "make_timestamp_ns(7)" if column in TIMES else "'7'")
    sql(f"UPDATE authority SET {column} = {value} WHERE authority_id = 1")(path)
    found = [text for holds, text in lines(path) if holds is False]
    assert any(f"says otherwise of {column}" in one for one in found), found


def test_a_key_that_was_removed_is_told_and_no_failure(path: Path) -> None:
    (path / KEY_FILE).unlink()
    assert [holds for holds, _ in lines(path)] == [True, None]
    assert verify(at(path)).holds


def test_a_training_case_has_no_legal_basis(tmp_path: Path) -> None:
    case = Case.create(tmp_path / "case", training=True)
    assert lines(case.path) == []
    put("authority.toml", file().data)(case.path)
    [(holds, text)] = lines(case.path)
    assert holds is False and "a training case has no legal basis" in text


def no_analyses(case: Case, pattern: str, parameters: object) -> None:
    raise AssertionError(pattern)


@pytest.mark.parametrize("lost", ["nothing", "case.duckdb", KEY_FILE])
def test_a_rebuild_gives_the_same_records(path: Path, lost: str) -> None:
    with closing(at(path).connect()) as connection:
        before = connection.execute("SELECT * FROM authority ORDER BY ALL").fetchall()
    if lost != "nothing":
        (path / lost).unlink()
    found = rebuild(at(path), no_analyses)
    assert found.same and found.replaced and len(before) == 2
    with closing(at(path).connect()) as connection:
        assert connection.execute("SELECT * FROM authority ORDER BY ALL").fetchall() == before
    assert verify(at(path)).holds


def test_a_rebuild_launders_no_record(path: Path) -> None:
    """Else a wider record, put in the place of the right one, would be entered by making the catalogue anew."""
    put("authority.toml", WIDER.data)(path)
    with pytest.raises(IntegrityError, match="not the record that act") as caught:
        rebuild(at(path), no_analyses, put_in_place=True)
    assert caught.value.exit_code == 5
    with duckdb.connect(str(path / "case.duckdb")) as connection:
        connection.execute("UPDATE authority SET record_sha256 = ? WHERE authority_id = 2", [WIDER.sha256])
    with pytest.raises(AuthorityError, match="not the record that was entered"):
        authority_store.permit(at(path), "ingest")
