"""How an exhibit enters the case: its folder, its line in the custody log, its row in the catalogue.

    folder renamed to evidence/<sha256>  ->  line `exhibit` in the log, flushed  ->  row in the catalogue

The line is what decides. Killed before it, the capture is not in the case. Killed after it, it is: the row
follows from line and manifest, and whoever opens the case for writing next adds it and says so in the log. If
the row cannot be written (a full disk), the line is withdrawn by another one.
"""

from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.capture.manifest import Manifest
from wirecover.casefile import schema
from wirecover.casefile.custody import Act, Entry, note
from wirecover.casefile.errors import CaseError, IntegrityError
from wirecover.casefile.layout import EVIDENCE, MANIFEST
from wirecover.casefile.log_file import Record, records
from wirecover.casefile.transaction import transaction

if TYPE_CHECKING:
    from wirecover.casefile.custody import Witness

VERB: Final = "exhibit"
ONLY: Final = b'"verb":"exhibit"'
"""What every such line of the log holds."""


def enter(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, manifest_sha256: str, entry: Entry
) -> None:
    """Log an exhibit whose folder stands, and list it. Withdrawn again when it cannot be listed."""
    digest = manifest.sha256
    facts = {
        "sha256": digest,
        "name": manifest.name,
        "bytes": manifest.bytes,
        "manifest_sha256": manifest_sha256,
    }
    subjects = (f"exhibit:{digest}",)
    line: Record | None = None
    try:
        with transaction(connection):
            if not schema.is_current(connection, empty=False):
                schema.apply(connection, empty=False, logged=True)
            line = entry.note(VERB, facts, subjects)
            list_exhibit(connection, manifest, manifest_sha256, line.ts)
    except BaseException as error:
        if line is not None:
            try:
                entry.note(VERB, facts, subjects, phase="withdrawn")
            except CaseError as second:
                raise StillEntered(f"{manifest.name}: {second}") from error
        raise


class StillEntered(CaseError):  # noqa: N818 - an outcome: the exhibit is in the case, its row is not written yet
    """An exhibit that is logged as entered, could not be listed, and could not be withdrawn either."""


def list_exhibit(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, manifest_sha256: str, at: int
) -> None:
    """The row of an exhibit in the catalogue, inside the caller's transaction."""
    digest = manifest.sha256
    connection.execute(
        "INSERT INTO exhibits (sha256, capture_id, flow_base, name, bytes, complete, damage, manifest_sha256, "
        "ingested_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, make_timestamp_ns(?))",
        [digest, capture_id(digest), flow_base(digest), manifest.name, manifest.bytes, manifest.complete,
         list(manifest.damage), manifest_sha256, at],
    )  # fmt: skip


def logged_exhibits(log: Iterable[Record]) -> dict[str, Record]:
    """SHA-256 of each exhibit that the log says is in the case -> the line that entered it."""
    found: dict[str, Record] = {}
    for line in log:
        digest = line.arguments.get("sha256")
        if line.verb != VERB or not isinstance(digest, str):
            continue
        if line.phase in {"noted", "done"}:
            found.setdefault(digest, line)
        elif line.phase == "withdrawn":
            found.pop(digest, None)
    return found


def logged_manifest(case: Path, line: Record) -> Manifest:
    """The manifest of an entered exhibit; IntegrityError unless it is the one that was logged."""
    digest = str(line.arguments["sha256"])
    path = case / EVIDENCE / digest / MANIFEST
    try:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ValueError("its name is no hash")
        data = path.read_bytes()
        if sha256(data).hexdigest() != line.arguments.get("manifest_sha256"):
            raise ValueError("it is not the manifest that was logged")
        manifest = Manifest.from_json(data.decode("utf-8"))
        if manifest.sha256 != digest:
            raise ValueError("it is of another exhibit")
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise IntegrityError(f"{EVIDENCE}/{digest}/{MANIFEST}: {reason}") from error
    return manifest


def finish_entering(case: "Witness", connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """List what the log says was entered and the catalogue does not have; the names. What is damaged stays out.

    This is how a run that was killed between line and row is finished.
    """
    listed = {digest for (digest,) in connection.execute("SELECT sha256 FROM exhibits").fetchall()}
    names: list[str] = []
    for digest, line in logged_exhibits(records(case.path, ONLY)).items():
        if digest in listed:
            continue
        with suppress(IntegrityError):  # `verify` tells what is wrong with it
            manifest = logged_manifest(case.path, line)
            facts = {"sha256": digest, "name": manifest.name, "entered_by": line.seq}
            note(case, Act(VERB, facts, (f"exhibit:{digest}",)), phase="recovered")
            with transaction(connection):
                if not schema.is_current(connection, empty=False):
                    schema.apply(connection, empty=False, logged=True)
                list_exhibit(connection, manifest, str(line.arguments["manifest_sha256"]), line.ts)
            names.append(manifest.name)
    return tuple(names)
