"""The authority inside a case: the record as it was handed over, its row in the catalogue, the key of pseudonyms.

    CASE/authority.toml         the record, byte for byte
    CASE/authority.<n>.toml     records that a later one has taken the place of, the first is 1
    CASE/.authority.toml.new    a later record while it is being entered
    CASE/pseudonyms.key         where third parties are pseudonymised: whoever has it can find out who is who

The custody log and the table `authority` keep the hash of each; a record that is not the one noted there lets nothing
be done. An amendment is entered by its line in the log (authority_log.py): killed behind it, the next run finishes
the rest; killed before it, the next run clears what lies there.
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

import duckdb

from wirecover.capture.manifest import Manifest
from wirecover.capture.scope import EVERYTHING, Scope
from wirecover.casefile.authority import Authority, Decider
from wirecover.casefile.authority_check import check
from wirecover.casefile.authority_file import AuthorityFile, read_authority
from wirecover.casefile.authority_log import ONLY, VERB, Entered, entered_records
from wirecover.casefile.authority_scope import scope_of
from wirecover.casefile.authority_state import refusal
from wirecover.casefile.catalogue import open_catalogue
from wirecover.casefile.custody import Act, Entry, Signer, record
from wirecover.casefile.demands import AUTHORITY_FILE
from wirecover.casefile.durable import sync_folder
from wirecover.casefile.errors import AuthorityError, IntegrityError
from wirecover.casefile.layout import EVIDENCE
from wirecover.casefile.log_file import Record, records
from wirecover.casefile.private_files import write_private
from wirecover.casefile.transaction import transaction

KEY_FILE: Final = "pseudonyms.key"
_KEY_BYTES: Final = 32


class Held(Protocol):
    """What is needed of a case; `wirecover.casefile.case.Case` is one."""

    @property
    def path(self) -> Path: ...
    @property
    def training(self) -> bool: ...
    @property
    def clock(self) -> Callable[[], int]: ...
    @property
    def by(self) -> Signer | None: ...
    @property
    def second(self) -> Signer | None: ...
    @property
    def reason(self) -> str | None: ...


def admit(file: AuthorityFile, name: str, now: int) -> None:
    """AuthorityError, in one line, when no case can be made under the record."""
    against = [one for one in check(file.authority) if one.refuses]
    if against:
        more = f" (and {len(against) - 1} more; see wirecover authority check)" if len(against) > 1 else ""
        raise AuthorityError(f"{name}: refused: {against[0].about}: {against[0].text}{more}")
    reason = refusal(file.authority, "ingest", now)
    if reason is not None:
        raise AuthorityError(f"{name}: refused: {reason}")


def put_record(case: Path, file: AuthorityFile) -> None:
    """Write the record, and a new key where it asks for pseudonyms, into a case folder that has none."""
    write_private(case / AUTHORITY_FILE, file.data)
    if file.authority.others == "pseudonymise" and not (case / KEY_FILE).exists():
        write_private(case / KEY_FILE, secrets.token_hex(_KEY_BYTES).encode("ascii") + b"\n")


def record_facts(case: Path, file: AuthorityFile) -> dict[str, str]:
    """What the custody log notes of a record: its hash, and that of the scope it comes to. No name, no address."""
    one, key = file.authority, key_of(case, file.authority)
    facts = {
        "country": one.country, "instrument": one.instrument, "reference": one.reference,
        "record_sha256": file.sha256, "scope_sha256": scope_of(one, key).digest(),
    }  # fmt: skip
    return facts | ({"key_sha256": sha256(key).hexdigest()} if key else {})


def enter_record(connection: duckdb.DuckDBPyConnection, file: AuthorityFile, scope_sha256: str) -> int:
    """Its row in the catalogue, within the caller's transaction; returns its number."""
    [(last,)] = connection.execute("SELECT coalesce(max(authority_id), 0) FROM authority").fetchall()
    connection.execute("UPDATE authority SET status = 'superseded' WHERE authority_id = ?", [last])
    row = row_of(last + 1, file, scope_sha256)
    names = ", ".join(row)
    marks = ", ".join("make_timestamp_ns(?)" if name in TIMES else "?" for name in row)
    connection.execute(f"INSERT INTO authority ({names}) VALUES ({marks})", list(row.values()))  # noqa: S608
    return int(last) + 1


TIMES: Final = frozenset({
    "issued_at", "valid_from", "valid_to", "retro_from", "retro_to", "worked_until", "confirm_by", "destroy_by",
    "review_at",
})  # fmt: skip
"""Columns of the row that are times."""


def row_of(number: int, file: AuthorityFile, scope: str) -> dict[str, object]:
    """The row of a record: columns and values, times in nanoseconds."""
    one = file.authority
    kept, urgent, told = one.retention, one.emergency, one.cross_border
    return {
        "authority_id": number, "country": one.country, "instrument": one.instrument, "reference": one.reference,
        "issuing_authority": _decider(one.issued), "issued_at": one.issued.at, "valid_from": one.covers.first,
        "valid_to": one.ends, "document_sha256": one.document_sha256, "status": one.status,
        "offences": list(one.offences), "validating_authority": _decider(one.validated),
        "renewals": [renewal.reference for renewal in one.renewals],
        "retro_from": one.retro.first if one.retro else None, "retro_to": one.retro.last if one.retro else None,
        "selection": one.selection, "targets": len(one.targets), "data_categories": list(one.categories),
        "excluded_persons": len(one.exclusions), "third_parties": one.others,
        "conditions": list(told.conditions) if told else [], "cross_border": _told(one),
        "confirm_by": urgent.confirm_by if urgent and urgent.confirmed_at is None else None,
        "worked_until": one.worked_until, "retention_rule": kept.rule if kept else None,
        "review_at": kept.review_at if kept else None, "destroy_by": kept.destroy_by if kept else None,
        "record_sha256": file.sha256, "scope_sha256": scope,
    }  # fmt: skip


def _decider(one: Decider | None) -> str | None:
    return None if one is None else ", ".join(part for part in (one.name, one.function, one.court) if part)


def _told(one: Authority) -> str | None:
    return None if one.cross_border is None else f"{one.cross_border.state}: {one.cross_border.answer}"


def authority_of(case: Held) -> AuthorityFile | None:
    """The authority of a case, None for a training case; AuthorityError when it is not the one that was noted."""
    if case.training:
        return None
    path = case.path / AUTHORITY_FILE
    if not path.is_file():
        raise AuthorityError(f"{case.path}: has no {AUTHORITY_FILE}: nothing is done without its legal basis")
    with closing(open_catalogue(case.path, write=False)) as connection:
        noted = _noted(connection)
    logged = [one.record_sha256 for one in entered_records(records(case.path, ONLY))]
    file = read_authority(path)
    if file.sha256 != noted[-1] or (logged and logged != noted):
        with closing(open_catalogue(case.path, write=True)) as connection:  # perhaps an amendment was killed
            finish_amendment(case.path, connection)
            noted = _noted(connection)
        file = read_authority(path)
    if file.sha256 != noted[-1] or (logged and logged != noted):
        raise AuthorityError(f"{path}: not the record that was entered in the case: nothing is done under it")
    return file


def _noted(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The hashes of all records in the catalogue, in order; an empty one where there is none."""
    found = connection.execute("SELECT record_sha256 FROM authority ORDER BY authority_id").fetchall()
    return [str(one) for (one,) in found] or [""]


def _later(case: Path) -> Path:
    """Where an amendment lies until it is entered."""
    return case / f".{AUTHORITY_FILE}.new"


def _former(case: Path, number: int) -> Path:
    """Where a record lies that another one has taken the place of."""
    return case / f"authority.{number}.toml"


def finish_amendment(case: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Finish an amendment that was killed behind its line in the log; clear one that was killed before it."""
    later = _later(case)
    if not later.exists():
        return
    logged = entered_records(records(case, ONLY))
    entered = len(_noted(connection))
    file = read_authority(later)
    if logged and logged[-1].record_sha256 == file.sha256 and entered in {len(logged), len(logged) - 1}:
        if entered < len(logged):
            with transaction(connection):
                enter_record(connection, file, logged[-1].scope_sha256)
        later.replace(case / AUTHORITY_FILE)
    else:
        _former(case, entered).unlink(missing_ok=True)  # a copy of the record that still holds
        later.unlink()
    sync_folder(case)


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A record that was entered, and where it lies."""

    path: Path
    file: AuthorityFile
    scope_sha256: str
    """As it came to when it was entered."""


def record_files(case: Path, log: Sequence[Record]) -> list[RecordFile]:
    """The records of a case, the first one first; IntegrityError when one is not that of the log."""
    logged = entered_records(log)
    if not logged:
        return _unlogged(case)
    found = []
    for number, one in enumerate(logged, start=1):
        path = _former(case, number) if number < len(logged) else case / AUTHORITY_FILE
        if number == len(logged) and _later(case).is_file():  # killed behind its line in the log
            path = _later(case) if _is(_later(case), one) else path
        if not _is(path, one):
            raise IntegrityError(f"{path}: missing, or not the record that act {one.act} of the log entered")
        found.append(RecordFile(path, read_authority(path), one.scope_sha256))
    return found


def _is(path: Path, one: Entered) -> bool:
    try:
        return sha256(path.read_bytes()).hexdigest() == one.record_sha256
    except OSError:
        return False


def _unlogged(case: Path) -> list[RecordFile]:
    """Of a case whose log says nothing of records (an earlier version made it): as they lie there."""
    earlier = sorted(case.glob("authority.*.toml"), key=lambda path: (len(path.name), path.name))
    last = case / AUTHORITY_FILE
    return [
        RecordFile(path, file, scope_of(file.authority, key_of(case, file.authority)).digest())
        for path in (*earlier, *([last] if last.is_file() else []))
        for file in (read_authority(path),)
    ]


def key_of(case: Path, authority: Authority) -> bytes:
    """The key of the pseudonyms, empty where none are asked for."""
    if authority.others != "pseudonymise":
        return b""
    path = case / KEY_FILE
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise AuthorityError(
            f"{path}: cannot be read, and third parties may not be kept otherwise"
        ) from error
    if len(key) != _KEY_BYTES:
        raise AuthorityError(f"{path}: is no key of {_KEY_BYTES} octets")
    return key


def permit(case: Held, verb: str) -> Scope:
    """What may be kept of captures now; AuthorityError when the authority does not allow the act at this time."""
    file = authority_of(case)
    if file is None:
        return EVERYTHING
    reason = refusal(file.authority, verb, case.clock())
    if reason is not None:
        raise AuthorityError(f"{case.path}: {verb} is refused: {reason}")
    return scope_of(file.authority, key_of(case.path, file.authority))


def amend(case: Held, file: AuthorityFile) -> tuple[int, int]:
    """Put a later record in the place of the case's own: (its number, exhibits that were read under another scope).

    AuthorityError when it is of another country or reference, or no case can be made under it.
    """
    former = authority_of(case)
    if former is None:
        raise AuthorityError(f"{case.path}: a training case has no authority, and gets none")
    one, before = file.authority, former.authority
    if (one.country, one.reference) != (before.country, before.reference):
        raise AuthorityError(
            f"{file.name}: is of another decision ({one.country} {one.reference}): make another case"
        )
    admit(file, file.name, case.clock())
    if file.sha256 == former.sha256:
        raise AuthorityError(f"{file.name}: is the record that holds already")
    act = Act("authority", {"reference": one.reference})
    with record(case, act) as entry, closing(open_catalogue(case.path, write=True)) as connection:
        finish_amendment(case.path, connection)
        number, scope = _put_later(case.path, connection, file, entry)
        exhibits = [row[0] for row in connection.execute("SELECT sha256 FROM exhibits").fetchall()]
    other = sum(Manifest.read(case.path / EVIDENCE / sha).scope_sha256 != scope for sha in exhibits)
    return number, other


def _put_later(
    case: Path, connection: duckdb.DuckDBPyConnection, file: AuthorityFile, entry: Entry
) -> tuple[int, str]:
    """The new file beside the old one, its line, its row, its name: (its number, digest of its scope)."""
    path, later = case / AUTHORITY_FILE, _later(case)
    kept = _former(case, len(_noted(connection)))
    write_private(later, file.data)  # first made, last removed: it says that there may be a copy to clear
    kept.unlink(missing_ok=True)
    write_private(kept, path.read_bytes())
    if file.authority.others == "pseudonymise" and not (case / KEY_FILE).exists():
        write_private(case / KEY_FILE, secrets.token_hex(_KEY_BYTES).encode("ascii") + b"\n")
    sync_folder(case)
    facts = {"authority": record_facts(case, file)}
    line: Record | None = None
    try:
        with transaction(connection):
            line = entry.note(VERB, facts)
            number = enter_record(connection, file, facts["authority"]["scope_sha256"])
    except Exception:  # an interrupt is as a kill: the next run finishes or clears it
        if line is not None:
            entry.note(VERB, facts, phase="withdrawn")
        kept.unlink(missing_ok=True)
        later.unlink(missing_ok=True)
        raise
    later.replace(path)
    sync_folder(case)
    return number, facts["authority"]["scope_sha256"]
