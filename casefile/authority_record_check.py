"""Is the legal basis in the case the one that was entered: the records, their rows in the catalogue, the key.

The custody log says which records were entered, by hash (authority_log.py). Held against it are the files
authority.toml and authority.<n>.toml, every value of their rows, and the key of the pseudonyms.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from wirecover.casefile.authority_log import Entered, entered_records
from wirecover.casefile.authority_store import KEY_FILE, TIMES, RecordFile, key_of, record_files, row_of
from wirecover.casefile.catalogue import open_catalogue
from wirecover.casefile.demands import AUTHORITY_FILE
from wirecover.casefile.errors import AuthorityError, CaseBusyError, CaseError
from wirecover.casefile.log_file import Record

if TYPE_CHECKING:
    from wirecover.casefile.case import Case

Line = tuple[bool | None, str]


def authority_lines(case: "Case", log: Sequence[Record]) -> Iterator[Line]:
    """(whether it holds, in words) of the legal basis; nothing of a training case that has none, as it should."""
    logged = entered_records(log)
    if case.training:
        found = sorted(path.name for path in case.path.glob("authority*.toml"))
        if logged or found:
            yield (
                False,
                f"a training case has no legal basis, this one has: {', '.join(found) or 'one in its log'}",
            )
        return
    problems, remarks = [], []
    try:
        files = record_files(case.path, log)
    except (AuthorityError, CaseError) as error:
        yield False, str(error)
        return
    if not files:
        yield False, f"{AUTHORITY_FILE}: missing, and this is no training case"
        return
    if not logged:
        remarks.append("the log does not say which records were entered: an earlier version made this case")
    problems += _rows(case.path, files)
    problems += _others(case.path, files)
    wrong, remark = _key(case.path, files[-1], logged[-1] if logged else None)
    problems += wrong
    remarks += remark
    if files[-1].path.name != AUTHORITY_FILE and not problems:
        remarks.append(
            "an amendment was killed behind its line in the log; the next ingest or analysis finishes it"
        )
    yield from ((False, one) for one in problems)
    if not problems:
        last = files[-1].file
        name = f"{last.authority.country} {last.authority.reference}, SHA-256 {last.sha256}"
        yield True, f"record {len(files)} ({name}) and its row are those that were entered"
    yield from ((None, one) for one in remarks)


def _expected(files: Sequence[RecordFile]) -> list[dict[str, object]]:
    """The rows of these records when the last of them holds."""
    rows = [row_of(number, one.file, one.scope_sha256) for number, one in enumerate(files, start=1)]
    for earlier in rows[:-1]:
        earlier["status"] = "superseded"
    return rows


def _rows(case: Path, files: Sequence[RecordFile]) -> list[str]:
    """What the catalogue says of the records that they do not say."""
    want = _expected(files)
    names = list(want[0])
    columns = ", ".join(f"epoch_ns({name})" if name in TIMES else name for name in names)
    try:
        with closing(open_catalogue(case, write=False)) as connection:
            rows = connection.execute(f"SELECT {columns} FROM authority ORDER BY authority_id").fetchall()  # noqa: S608
    except CaseBusyError:
        raise
    except (CaseError, duckdb.Error):  # told already of a catalogue that cannot be read
        return []
    found = [dict(zip(names, row, strict=True)) for row in rows]
    killed = files[-1].path.name != AUTHORITY_FILE
    if killed and len(found) == len(want) - 1 and found == _expected(files[:-1]):
        return ["the row of its last record is missing: an amendment was killed, and the next run enters it"]
    if len(found) != len(want):
        return [f"{len(found)} records in the catalogue, {len(want)} were entered"]
    return [
        f"record {number}: the catalogue says otherwise of {', '.join(odd)}"
        for number, (one, other) in enumerate(zip(want, found, strict=True), start=1)
        if (odd := [name for name in names if one[name] != other[name]])
    ]


def _others(case: Path, files: Sequence[RecordFile]) -> list[str]:
    """Files that look like records and are none that was entered."""
    own = {one.path.name for one in files} | {AUTHORITY_FILE}
    strangers = sorted(path.name for path in case.glob("authority.*.toml") if path.name not in own)
    return [
        f"{name}: no record that was entered, or left by an amendment that was killed" for name in strangers
    ]


def _key(case: Path, last: RecordFile, logged: Entered | None) -> tuple[list[str], list[str]]:
    """(problems, remarks) of the key of the pseudonyms."""
    if last.file.authority.others != "pseudonymise":
        return [], []
    if not (case / KEY_FILE).exists():
        return [], [
            f"{KEY_FILE} is not here: nothing can be taken in, and no pseudonym can be held against an address"
        ]
    try:
        key = key_of(case, last.file.authority)
    except AuthorityError as error:
        return [str(error)], []
    if logged is not None and logged.key_sha256 not in {None, sha256(key).hexdigest()}:
        return [f"{KEY_FILE}: not the key that was entered: its pseudonyms are not those of this case"], []
    return [], []
