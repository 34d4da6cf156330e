"""The record in the case: kept byte for byte, held against its hash, renewed, and refusing what it does not allow."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_decode import decode, write_capture
from support import orders

from wirecover.casefile import authority_store
from wirecover.casefile.authority_file import AuthorityFile, parse_authority
from wirecover.casefile.case import Case
from wirecover.casefile.errors import AuthorityError
from wirecover.casefile.verify import verify

NOW = 1_700_000_000 * 10**9
LONG_AFTER = 4_080_000_000 * 10**9
RENEWED = (
    "[[renewals]]\nreference = 'R2'\nfrom = 2024-03-01T00:00:00Z\nto = 2024-06-01T00:00:00Z\n"
    f"document_sha256 = '{'1' * 64}'\n[renewals.by]\nname = 'x'\nfunction = 'y'\nat = 2024-02-02T00:00:00Z\n"
)


def file(changes: dict[str, str] | None = None, more: str = "", top: str = "") -> AuthorityFile:
    return parse_authority(orders.order(changes, more=more, top=top), "order.toml")


def make(tmp_path: Path, record: AuthorityFile, clock: Callable[[], int] = lambda: NOW) -> Case:
    return Case.create(tmp_path / "case", training=False, authority=record, clock=clock)


def test_the_record_is_kept_and_its_row_says_what_it_says(tmp_path: Path) -> None:
    record = file(more=orders.excluded("network", "203.0.113.99"))
    case = make(tmp_path, record)
    assert (case.path / "authority.toml").read_bytes() == record.data
    with case.connect() as connection:
        [row] = connection.execute(
            "SELECT authority_id, instrument, reference, status, targets, excluded_persons, data_categories[1], "
            "record_sha256, epoch_ns(valid_to) FROM authority"
        ).fetchall()
        [(facts,)] = connection.execute(
            "SELECT arguments FROM custody_log WHERE verb = 'init' LIMIT 1"
        ).fetchall()
    assert row == (
        1,
        "FR_100",
        "JI 4/2026/117",
        "active",
        1,
        1,
        "traffic",
        record.sha256,
        record.authority.ends,
    )
    assert record.sha256 in facts and "203.0.113.99" not in facts
    assert b"203.0.113.99" not in (case.path / "case.duckdb").read_bytes()


@pytest.mark.parametrize("changes", [{'"active"': '"draft"'}, {'["traffic", ': "["}])
def test_a_refused_record_makes_no_case(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(AuthorityError, match=r"order\.toml: refused"):
        make(tmp_path, file(changes))
    assert list(tmp_path.iterdir()) == []


def test_an_expired_authority_makes_a_case_read_only(tmp_path: Path) -> None:
    write_capture(tmp_path / "in" / "x.pcap")
    case = make(tmp_path, file())
    assert case.ingest([tmp_path / "in"], decoder=decode).exit_code == 0
    later = Case.open(case.path, clock=lambda: LONG_AFTER)
    write_capture(tmp_path / "in" / "y.pcap", "packets=4")
    with pytest.raises(AuthorityError, match="can only be read") as caught:
        later.ingest([tmp_path / "in"], decoder=decode)
    assert caught.value.exit_code == 4
    from wirecover.analysis.run import analyze

    with pytest.raises(AuthorityError, match="analyze is refused"):
        analyze(later)
    assert len(later.exhibits()) == 1
    with later.connect() as connection:
        refused = connection.execute("SELECT verb FROM custody_log WHERE phase = 'refused'").fetchall()
    assert sorted(refused) == [("analyze",), ("ingest",)]


def test_a_swapped_or_missing_record_lets_nothing_be_done(tmp_path: Path) -> None:
    case = make(tmp_path, file())
    write_capture(tmp_path / "in" / "x.pcap")
    (case.path / "authority.toml").write_bytes(orders.order(more=orders.target("network", "10.0.0.0/24")))
    with pytest.raises(AuthorityError, match="not the record that was entered"):
        case.ingest([tmp_path / "in"], decoder=decode)
    (case.path / "authority.toml").unlink()
    with pytest.raises(AuthorityError, match="nothing is done without its legal basis"):
        case.ingest([tmp_path / "in"], decoder=decode)
    assert case.exhibits() == []


def test_a_renewal_takes_the_place_of_the_record_and_both_are_kept(tmp_path: Path) -> None:
    record = file()
    case = make(tmp_path, record)
    renewed = file(more=RENEWED)
    assert authority_store.amend(case, renewed) == (2, 0)
    assert case.authority() == AuthorityFile(
        renewed.authority, renewed.data, str(case.path / "authority.toml")
    )
    assert (case.path / "authority.1.toml").read_bytes() == record.data
    with case.connect() as connection:
        rows = connection.execute("SELECT authority_id, status FROM authority ORDER BY 1").fetchall()
    assert rows == [(1, "superseded"), (2, "active")]


def test_an_amendment_that_was_killed_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make(tmp_path, file())
    renewed = file(more=RENEWED)

    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if self.name.endswith(".toml.new"):
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            authority_store.amend(case, renewed)
    found = case.authority()
    assert found is not None and found.sha256 == renewed.sha256
    assert (case.path / "authority.toml").read_bytes() == renewed.data


def test_another_decision_is_no_amendment(tmp_path: Path) -> None:
    case = make(tmp_path, file())
    with pytest.raises(AuthorityError, match="another decision"):
        authority_store.amend(case, file({"JI 4/2026/117": "JI 5/2026/1"}))
    with pytest.raises(AuthorityError, match="training case"):
        authority_store.amend(Case.create(tmp_path / "t", training=True), file())


def test_an_exhibit_read_under_another_scope_is_not_taken_for_the_same(tmp_path: Path) -> None:
    from support.traffic import START, Frame, packet, udp
    from support.traffic import write_capture as write

    capture = write(tmp_path / "x.pcap", [Frame(packet("10.0.0.2", "192.0.2.1", 17, udp(1, 2, b"x")), START)])
    case = make(tmp_path, file())
    assert [one.status for one in case.ingest([capture]).outcomes] == ["done"]
    assert [one.status for one in case.ingest([capture]).outcomes] == ["already"]
    assert authority_store.amend(case, file(more=RENEWED)) == (2, 1)
    [outcome] = case.ingest([capture]).outcomes
    assert outcome.status == "failed" and "under another scope" in outcome.reason


def test_the_key_of_pseudonyms_is_made_once_and_needed(tmp_path: Path) -> None:
    record = file(top='third_parties = "pseudonymise"')
    case = make(tmp_path, record)
    key = authority_store.key_of(case.path, record.authority)
    assert len(key) == 32 and authority_store.permit(case, "ingest").key == key
    assert key.hex().encode() not in (case.path / "case.duckdb").read_bytes()
    for bad in ("zz", "00"):
        (case.path / authority_store.KEY_FILE).write_text(bad)
        with pytest.raises(AuthorityError, match="key"):
            authority_store.permit(case, "ingest")


def test_an_amendment_killed_at_any_step_is_entered_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its line in the log nothing was amended; behind it, the next run finishes what is left."""
    renewed = file(more=RENEWED)
    before_line, behind_line = (authority_store, "record_facts"), (authority_store, "enter_record")
    for number, ((module, name), entered) in enumerate(((before_line, False), (behind_line, True))):
        tmp_path.joinpath(str(number)).mkdir()
        case = make(tmp_path / str(number), file())

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed)
            with pytest.raises(KeyboardInterrupt):
                authority_store.amend(case, renewed)
        found = [
            one.detail for one in verify(case).checks if one.subject == "authority" and one.holds is False
        ]
        assert any("was killed" in one for one in found)
        held = case.authority()
        case.connect(write=True).close()
        assert held is not None and (held.sha256 == renewed.sha256) is entered
        assert verify(case).holds and not (case.path / ".authority.toml.new").exists()
        if not entered:
            assert authority_store.amend(case, renewed)[0] == 2
        assert [path.name for path in sorted(case.path.glob("authority*.toml"))] == [
            "authority.1.toml", "authority.toml",
        ]  # fmt: skip
        assert verify(case).holds


def test_an_amendment_that_cannot_be_entered_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make(tmp_path, file())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(authority_store, "enter_record", full)
        with pytest.raises(OSError):
            authority_store.amend(case, file(more=RENEWED))
    held = case.authority()
    assert held is not None and held.sha256 == file().sha256 and verify(case).holds
    assert authority_store.amend(case, file(more=RENEWED))[0] == 2


def test_the_record_that_holds_is_no_amendment(tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match="holds already"):
        authority_store.amend(make(tmp_path, file()), file())
