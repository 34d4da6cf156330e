"""Does the case hold: the log's chain, every file against its manifest, the catalogue against both, the authority.

What this shows: that nothing changed since the ingest, as far as log, catalogue and manifests were not all
rewritten together. Against that stand heads of the log that were kept outside the case, signatures of examiners
and time stamps (log_check.py, log_signatures.py, anchors.py).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.capture.manifest import Manifest
from wirecover.casefile.anchors import anchor_lines
from wirecover.casefile.authority_record_check import authority_lines
from wirecover.casefile.case import Case, Exhibit
from wirecover.casefile.catalogue import explain
from wirecover.casefile.demands import Demands, demands
from wirecover.casefile.derived_check import derived_problems
from wirecover.casefile.entering import logged_exhibits
from wirecover.casefile.errors import AuthorityError, CaseBusyError, CaseError
from wirecover.casefile.foreign import FOREIGN
from wirecover.casefile.heads import kept_heads
from wirecover.casefile.layout import EVIDENCE, MANIFEST, PARTIAL_PREFIX
from wirecover.casefile.log_check import LogState, read_log
from wirecover.casefile.log_file import Head, Record
from wirecover.casefile.log_signatures import check_signatures, unmet_demands
from wirecover.casefile.loose_files import loose_files
from wirecover.casefile.share_receive import foreign_problems

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


_UNREADABLE: Final = "; wirecover rebuild makes it anew"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the result."""

    subject: str
    holds: bool | None
    """None: a remark; nothing is wrong, but a reader should know it."""
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """All lines, in a fixed order: log, catalogue, authority, exhibits by name, then what should not be there."""

    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """True when every line does."""
        return all(check.holds is not False for check in self.checks)


def verify(
    case: Case,
    *,
    trusted: str | None = None,
    exhibits_at: Path | None = None,
    heads: Sequence[tuple[int, str]] = (),
    tsa: Sequence["Certificate"] = (),
) -> Verification:
    """Check a case. Reads every evidence file once; changes nothing.

    `trusted` is the id of a key that must have signed in the log; `exhibits_at` a folder with the captures
    themselves, which are then hashed too; `heads` are (act, hash) of the log that were noted
    elsewhere; `tsa` are certificates of time-stamp authorities that are trusted.
    """
    state = read_log(case.path)
    exhibits, catalogue = _catalogue(case, state)
    listed = not any(check.detail.endswith(_UNREADABLE) for check in catalogue)
    checks = [*_log(case, state, trusted, heads), *catalogue]
    checks += [Check("authority", holds, text) for holds, text in authority_lines(case, state.acts)]
    checks += [Check("custody log", holds, text) for holds, text in anchor_lines(case.path, state, list(tsa))]
    entered = logged_exhibits(state.acts)
    for exhibit in exhibits:
        subject = f"{exhibit.name} ({exhibit.sha256})"
        problems = list(
            _exhibit_problems(case.path / EVIDENCE / exhibit.sha256, exhibit, entered, catalogued=listed)
        )
        checks += [Check(subject, holds=False, detail=problem) for problem in problems]
        if not problems:
            checks.append(Check(subject, holds=True, detail="files, manifest and catalogue agree"))
    checks += _strangers(case.path / EVIDENCE, {exhibit.sha256 for exhibit in exhibits})
    checks += _foreign(case)
    checks += [Check(*line) for line in loose_files(case, state)]
    if exhibits_at is not None:
        checks += _originals(exhibits_at, exhibits)
    return Verification(tuple(checks))


def _log(
    case: Case, state: LogState, trusted: str | None, heads: Sequence[tuple[int, str]]
) -> Iterator[Check]:
    """The log itself: its chain, its signatures, and that it leads to every head that is known."""
    problems = list(state.problems)
    signatures = check_signatures(state.acts, trusted)
    problems += signatures.problems
    witnesses = [("the head that was noted", Head(*one)) for one in heads] + list(kept_heads(case.path))
    problems += [wrong for name, head in witnesses if (wrong := state.against(name, head))]
    for problem in problems:
        yield Check("custody log", holds=False, detail=problem)
    if not problems:
        count = (
            f"{len(state.acts):,} lines, chain unbroken, head {state.acts[-1].seq}:{state.acts[-1].sha256}"
        )
        yield Check("custody log", holds=True, detail=count)
    unmet = unmet_demands(state.acts, _demands(case.path, state))
    for remark in (*state.remarks, *signatures.remarks, *unmet):
        yield Check("custody log", holds=None, detail=remark)


def _catalogue(case: Case, state: LogState) -> tuple[list[Exhibit], list[Check]]:
    """The exhibits, and whether the catalogue tells the same of them, and of derived rows, as the log.

    A catalogue that cannot be read is no reason not to check the rest: the log lists the exhibits too.
    """
    try:
        with closing(case.connect()) as connection:
            problems = _log_against_catalogue(connection, state.acts)
            problems += derived_problems(connection, state)
        exhibits = case.exhibits()
    except CaseBusyError:
        raise
    except (CaseError, duckdb.Error) as error:
        told = explain(error, case.path) if isinstance(error, duckdb.Error) else error
        checks = [Check("catalogue", holds=False, detail=f"{told}{_UNREADABLE}")]
        return [_from_log(digest, line) for digest, line in logged_exhibits(state.acts).items()], checks
    checks = [Check("catalogue", holds=False, detail=problem) for problem in problems]
    if not problems:
        checks.append(
            Check("catalogue", holds=True, detail="exhibits and derived rows are those that were logged")
        )
    return exhibits, checks


def _from_log(digest: str, line: Record) -> Exhibit:
    facts = line.arguments
    size = facts.get("bytes")
    return Exhibit(
        digest, capture_id(digest), flow_base(digest), str(facts.get("name")), size if isinstance(size, int) else -1,
        complete=True, damage=(), manifest_sha256=str(facts.get("manifest_sha256")), ingested_at=line.ts,
    )  # fmt: skip


def _demands(case: Path, state: LogState) -> Demands:
    try:
        return demands(case)
    except AuthorityError as error:
        state.remarks.append(str(error))
        return Demands()


def _log_against_catalogue(connection: duckdb.DuckDBPyConnection, log: list[Record]) -> list[str]:
    noted = {
        (digest, line.arguments.get("manifest_sha256"), line.arguments.get("bytes"))
        for digest, line in logged_exhibits(log).items()
    }
    listed = set(connection.execute("SELECT sha256, manifest_sha256, bytes FROM exhibits").fetchall())
    problems = [f"exhibit {digest} entered by no logged act" for digest, *_ in sorted(listed - noted)]
    return problems + [
        f"exhibit {digest} is logged but not in the catalogue: an ingest was killed (the next one lists it), or "
        "the catalogue was changed"
        for digest in sorted({one[0] for one in noted} - {one[0] for one in listed})
    ]


def _exhibit_problems(
    folder: Path, exhibit: Exhibit, entered: Mapping[str, Record], *, catalogued: bool
) -> Iterator[str]:
    """What does not hold about one exhibit, one line each."""
    line = entered.get(exhibit.sha256)
    if line is not None and line.ts != exhibit.ingested_at:
        yield "its time of ingest in the catalogue is not that of the log"
    if (exhibit.capture_id, exhibit.flow_base) != (capture_id(exhibit.sha256), flow_base(exhibit.sha256)):
        yield "its ids in the catalogue do not follow from its hash"
    try:
        text = (folder / MANIFEST).read_bytes()
    except OSError as error:
        yield f"{MANIFEST}: {error.strerror}"
        return
    if sha256(text).hexdigest() != exhibit.manifest_sha256:
        yield f"{MANIFEST}: not the one that was entered in the catalogue"
    try:
        manifest = Manifest.from_json(text.decode("utf-8"))
        if not isinstance(manifest.files, dict) or not isinstance(manifest.tables, dict):
            raise TypeError("files and tables are not objects")
    except (ValueError, TypeError) as error:
        yield f"{MANIFEST}: cannot be read: {error}"
        return
    told = (manifest.sha256, manifest.name, manifest.bytes)
    if told != (exhibit.sha256, exhibit.name, exhibit.bytes):
        yield f"{MANIFEST}: is of another exhibit than the catalogue says"
    if catalogued and (manifest.complete, tuple(manifest.damage)) != (exhibit.complete, exhibit.damage):
        yield "what the catalogue says of its damage is not what the manifest says"
    yield from _file_problems(folder, manifest)
    yield from _row_problems(folder, manifest, exhibit)


def _file_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    for name in sorted(there - set(manifest.files)):
        yield f"{name}: not in the manifest"
    for name, digest in sorted(manifest.files.items()):
        if Path(name).name != name:  # a crafted manifest must not lead out of the folder
            yield f"{name}: not a file name"
            continue
        try:
            with (folder / name).open("rb") as file:
                if file_digest(file, "sha256").hexdigest() != digest:
                    yield f"{name}: changed since the ingest"
        except FileNotFoundError:
            yield f"{name}: missing"
        except OSError as error:
            yield f"{name}: {error.strerror}"


def _row_problems(folder: Path, manifest: Manifest, exhibit: Exhibit) -> Iterator[str]:
    """Row counts as in the manifest, and the one row of captures.parquet as in the catalogue."""
    try:
        for table, rows in sorted(manifest.tables.items()):
            found = pq.read_metadata(folder / f"{table}.parquet").num_rows
            if found != rows:
                yield f"{table}.parquet: {found} rows, the manifest says {rows}"
        told = pq.read_table(
            folder / "captures.parquet",
            columns=["sha256", "capture_id", "flow_base", "bytes"],
            partitioning=None,
        ).to_pylist()
    except (
        OSError,
        pa.ArrowException,
        ValueError,
        TypeError,
        OverflowError,
    ) as error:  # crafted Parquet raises any
        reason = str(error).splitlines() or [type(error).__name__]
        yield f"rows cannot be counted: {reason[0]}"
        return
    want = {
        "sha256": exhibit.sha256, "capture_id": exhibit.capture_id, "flow_base": exhibit.flow_base,
        "bytes": exhibit.bytes,
    }  # fmt: skip
    if told != [want]:
        yield "captures.parquet: its row is not that of the catalogue"


def _foreign(case: Case) -> Iterator[Check]:
    """What partners sent, against how it came."""
    there = (case.path / FOREIGN).is_dir()
    try:
        problems = foreign_problems(case)
    except CaseBusyError:
        raise
    except (CaseError, duckdb.Error) as error:  # told already of a catalogue that cannot be read
        problems = [str(error).splitlines()[0]] if there else []
    for problem in problems:
        yield Check(FOREIGN, holds=False, detail=problem)
    if there and not problems:
        yield Check(FOREIGN, holds=True, detail="what partners sent is as it came")


def _originals(folder: Path, exhibits: list[Exhibit]) -> Iterator[Check]:
    """The captures themselves: those in the folder that an exhibit may be, by size, are hashed."""
    sizes = {exhibit.bytes for exhibit in exhibits}
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for top, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(top) / name
            seen.add(name)
            try:
                if path.is_file() and path.stat().st_size in sizes:
                    with path.open("rb") as file:
                        found.setdefault(file_digest(file, "sha256").hexdigest(), path)
            except OSError as error:
                yield Check(str(path), holds=None, detail=f"cannot be read: {error.strerror}")
    for exhibit in exhibits:
        subject = f"{exhibit.name} ({exhibit.sha256})"
        if exhibit.sha256 in found:
            yield Check(subject, holds=True, detail=f"the capture is {found[exhibit.sha256]}, with that hash")
        elif exhibit.name in seen:
            yield Check(subject, holds=False, detail=f"a file of that name in {folder} has another hash")
        else:
            yield Check(subject, holds=None, detail=f"no capture with that hash in {folder}")


def _strangers(evidence: Path, listed: set[str]) -> Iterator[Check]:
    for path in sorted(evidence.iterdir()):
        subject = f"{EVIDENCE}/{path.name}"
        if path.name.startswith(PARTIAL_PREFIX):
            yield Check(
                subject, holds=False, detail="left by an unfinished ingest; the next ingest removes it"
            )
        elif path.name not in listed:
            yield Check(subject, holds=False, detail="in no catalogue: not evidence of this case")
