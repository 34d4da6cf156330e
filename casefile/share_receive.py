"""Taking in what a partner shared: checked whole before any of it is written, kept apart, under its terms.

The bundle is read twice: once to nowhere, so that signature, recipients, every hash, the names and sizes, the terms
and its place among what came before are known to hold; then into CASE/foreign. One transaction enters its rows. A
killed run leaves a hidden folder, or a folder that no row names: the next run removes it and begins again.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, Literal

import duckdb

from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.casefile import manifest_signature
from wirecover.casefile.bundle import Folder, Nowhere, Opened, facts_of, open_bundle
from wirecover.casefile.bundle_keys import Identities
from wirecover.casefile.bundle_manifest import BundleManifest, canonical, is_count
from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, record
from wirecover.casefile.durable import remove_tree, sync_folder
from wirecover.casefile.errors import IntegrityError
from wirecover.casefile.foreign import (
    BUNDLES,
    DERIVED_FOLDER,
    EXHIBITS,
    FOREIGN,
    SHARED_DERIVED,
    columns_of,
)
from wirecover.casefile.log_file import Record, records
from wirecover.casefile.private_files import private_folder, write_private
from wirecover.casefile.seal import expect
from wirecover.casefile.share_content import check_content
from wirecover.casefile.share_handling import codes
from wirecover.casefile.share_rules import RULES
from wirecover.casefile.share_scope import ShareError
from wirecover.casefile.transaction import transaction

_MEMBER: Final = re.compile(
    rf"authority\.toml|{EXHIBITS}/[0-9a-f]{{64}}/({'|'.join(RULES)})\.parquet"
    rf"|{DERIVED_FOLDER}/({'|'.join(SHARED_DERIVED)})\.parquet"
)
_TEXTS: Final = ("reference", "purpose", "partner", "handling")
_BUNDLE_TIMES: Final = frozenset({"destroy_by", "made_at", "received_at"})
_TOLD: Final = (
    "bundle_sha256", "originator_case", "signer", "partner", "reference", "edition", "purpose", "handling",
    "conditions", "destroy_by", "made_at", "received_at",
)  # fmt: skip
HEAD: Final = ("manifest.json", "manifest.sig", "signer.pem")


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a bundle."""

    status: Literal["received", "already"]
    manifest: BundleManifest
    signer: str
    rows: Mapping[str, int]
    cleared: int
    """Leftovers of killed runs that were removed."""


def receive(case: Case, file: Path, identities: Identities, trusted: str) -> Received:
    """Take in a share that the trusted key signed. IntegrityError or ShareError otherwise, and nothing is kept."""
    case.connect(write=True).close()
    with file.open("rb") as data:
        digest = file_digest(data, "sha256").hexdigest()
    act = Act("receive", {"name": file.name, "file_sha256": digest})
    with record(case, act) as entry, closing(case.connect(write=True)) as connection:
        accept = _acceptable(case, connection, trusted)
        first = open_bundle(file, identities, accept, Nowhere())
        cleared = _clear(case.path, connection)
        known = connection.execute(
            f"SELECT file_sha256, epoch_ns(received_at) FROM {BUNDLES} WHERE bundle_sha256 = ?",  # noqa: S608
            [first.manifest_sha256],
        ).fetchall()
        rows: dict[str, int] = {}
        at = known[0][1] if known else case.clock()
        if not known:
            rows = _take(case, connection, file, identities, accept, first, digest, at)
        facts = {"already": bool(known), "signer": first.signer, "rows": rows, "received_at": at}
        facts["file_sha256"] = known[0][0] if known else digest
        entry.result(first.manifest_sha256, **facts, **facts_of(first.manifest))
    status: Literal["received", "already"] = "already" if known else "received"
    return Received(status, first.manifest, first.signer, rows, cleared)


# ---- before anything is written ----------------------------------------------------------------------------


def _acceptable(
    case: Case, connection: duckdb.DuckDBPyConnection, trusted: str
) -> Callable[[BundleManifest, str], None]:
    """Everything about a bundle that can be judged by its manifest."""
    known = expect("share", trusted)

    def ask(manifest: BundleManifest, signer: str) -> None:
        known(manifest, signer)
        _form(manifest)
        if manifest.training != case.training:
            words = (
                ("training material", "a case that is not")
                if manifest.training
                else ("real", "a training case")
            )
            raise ShareError(f"the share is {words[0]}, and this is {words[1]}")
        _in_sequence(connection, manifest, signer)

    return ask


def _form(manifest: BundleManifest) -> None:
    share = manifest.share
    if not all(isinstance(share.get(name), str) and share[name] for name in _TEXTS):
        raise IntegrityError(f"the manifest of the share does not say all of: {', '.join(_TEXTS)}")
    if not is_count(share.get("edition")) or share["handling"] not in codes():
        raise IntegrityError(
            "the manifest of the share has no edition, or a handling code that is not known here"
        )
    conditions = share.get("conditions")
    if not isinstance(conditions, dict) or not isinstance(conditions.get("use"), list):
        raise IntegrityError("the manifest of the share does not say its conditions")
    until = conditions.get("destroy_by")
    if until is not None and not is_count(until):
        raise IntegrityError("the share says no date by which it is to be destroyed, but something else")
    paths = [one.path for one in manifest.members]
    odd = next((path for path in paths if not _MEMBER.fullmatch(path)), None)
    if odd is not None:
        raise IntegrityError(f"{odd!r}: nothing that a share holds")
    if ("authority.toml" in paths) != (share.get("authority_sha256") is not None):
        raise IntegrityError("the authority record of the share and its manifest do not agree")
    for one in manifest.members:
        if one.path == "authority.toml" and one.sha256 != share["authority_sha256"]:
            raise IntegrityError("authority.toml is not the one that the terms name")
        if one.path.startswith(EXHIBITS) and f"{one.path.rpartition('/')[0]}/captures.parquet" not in paths:
            raise IntegrityError(f"{one.path}: comes without its exhibit's own row")


def _in_sequence(connection: duckdb.DuckDBPyConnection, manifest: BundleManifest, signer: str) -> None:
    """Refuse what is older than what is here, and two bundles under one number."""
    rows = connection.execute(
        f"SELECT edition, bundle_sha256, log_acts FROM {BUNDLES} "  # noqa: S608 - our own name
        "WHERE originator_case = ? AND signer = ? AND reference = ? ORDER BY edition DESC",
        [manifest.case_id, signer, manifest.share["reference"]],
    ).fetchall()
    digest = manifest.digest()
    if not rows or any(one == digest for _, one, _ in rows):
        return
    edition, newest = manifest.share["edition"], rows[0][0]
    if any(one == edition for one, _, _ in rows):
        raise IntegrityError(f"edition {edition} of this reference is here already, and is another one")
    if edition < newest:
        raise IntegrityError(
            f"edition {edition} is older than edition {newest} of this reference, which is here"
        )
    if manifest.log_acts < rows[0][2]:
        raise IntegrityError(
            "the originator's custody log is shorter than in the edition before: it was put back"
        )


def _is_known(connection: duckdb.DuckDBPyConnection, digest: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {BUNDLES} WHERE bundle_sha256 = ?", [digest]).fetchall() != []  # noqa: S608


def _clear(case: Path, connection: duckdb.DuckDBPyConnection) -> int:
    """Remove what killed runs left: the writer's lock on the catalogue is held, so nobody is at it."""
    home = case / FOREIGN
    if not home.is_dir():
        return 0
    found = [
        path
        for path in sorted(home.iterdir())
        if path.name.startswith(".") or not _is_known(connection, path.name)
    ]
    for path in found:
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()
    return len(found)


# ---- writing -------------------------------------------------------------------------------------------------


def _take(
    case: Case,
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    identities: Identities,
    accept: Callable[[BundleManifest, str], None],
    first: Opened,
    file_sha256: str,
    at: int,
) -> dict[str, int]:
    home = case.path / FOREIGN
    if not home.is_dir():
        private_folder(home)
    partial, final = home / f".partial-{first.manifest_sha256}", home / first.manifest_sha256
    folder = Folder(partial)
    try:
        opened = open_bundle(file, identities, accept, folder)
        if opened.manifest_sha256 != first.manifest_sha256:
            raise IntegrityError(f"{file}: changed while it was being read")
        for name, data in zip(HEAD, opened.head, strict=True):
            write_private(partial / name, data)
        check_content(partial, opened.manifest)
        for path in sorted({partial, *(one.parent for one in partial.rglob("*"))}, reverse=True):
            _read_only(path)
        partial.rename(final)
        sync_folder(home)
        with transaction(connection):
            return enter(connection, final, opened.manifest, opened.signer, file_sha256, at)
    except BaseException:
        folder.abandon()
        for path in (partial, final):
            if path.exists():
                remove_tree(path)
        raise


def _read_only(folder: Path) -> None:
    """Flush a folder's files and take away the right to write them."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            with path.open("rb") as file:
                sync_file(file.fileno())
            path.chmod(0o400)
    sync_folder(folder)


def sync_file(handle: int) -> None:
    """Flush a file to the disk; it was flushed by its writer already where a reader cannot."""
    import os

    if os.name == "posix":
        os.fsync(handle)


def enter(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    manifest: BundleManifest,
    signer: str,
    file_sha256: str,
    at: int,
) -> dict[str, int]:
    """Fill the tables from a bundle's folder, inside the caller's transaction; rows by table."""
    share = manifest.share
    terms = {
        **share["conditions"], "inherited": share.get("inherited", []), "meaning": share.get("handling_meaning"),
        "originator": share.get("originator"),
    }  # fmt: skip
    row = {
        "bundle_sha256": folder.name, "originator_case": manifest.case_id, "signer": signer,
        "partner": share["partner"], "reference": share["reference"], "edition": share["edition"],
        "purpose": share["purpose"], "handling": share["handling"],
        "conditions": canonical(terms).decode().strip(), "destroy_by": share["conditions"].get("destroy_by"),
        "authority_sha256": share.get("authority_sha256"), "made_at": manifest.made_at,
        "log_acts": manifest.log_acts, "log_sha256": manifest.log_sha256, "received_at": at,
        "file_sha256": file_sha256,
    }  # fmt: skip
    places = ["make_timestamp_ns(?)" if name in _BUNDLE_TIMES else "?" for name in row]
    connection.execute(
        f"INSERT INTO {BUNDLES} ({', '.join(row)}) VALUES ({', '.join(places)})",  # noqa: S608 - our own names
        list(row.values()),
    )
    rows: dict[str, int] = {}
    for one in manifest.members:
        if one.path.endswith(".parquet"):
            table = Path(one.path).stem
            count = _fill(connection, folder / one.path, table, folder.name, share["handling"])
            rows[table] = rows.get(table, 0) + count
    return rows


def _fill(connection: duckdb.DuckDBPyConnection, path: Path, table: str, bundle: str, handling: str) -> int:
    """Rows of one file into its table."""
    rows = _select(path, table, bundle, handling)
    return int(connection.execute(f"INSERT INTO foreign_{table} {rows}").fetchall()[0][0])


def _select(path: Path, table: str, bundle: str, handling: str) -> str:
    """SELECT of a file's rows as they are entered; the ids follow from the exhibit's hash, not from the file.

    Values in it are hashes, codes of handling.toml and numbers, and the case's own path: nothing of a partner's text.
    """
    if bundle.strip("0123456789abcdef") or handling not in codes():
        raise IntegrityError(f"{bundle}: no bundle")
    values = {"bundle": f"'{bundle}'", "handling": f"'{handling}'"}
    if table in RULES:
        digest = path.parent.name
        values |= {"capture": f"{capture_id(digest)}::BIGINT", "base": f"{flow_base(digest)}::BIGINT"}
    expressions = ", ".join(text for _, text in columns_of(table).values())
    for name, value in values.items():
        expressions = expressions.replace(f"${name}", value)
    source = str(path.resolve()).replace("'", "''")
    return f"SELECT {expressions} FROM read_parquet(['{source}'], hive_partitioning=false) p"  # noqa: S608


def bundles(case: Case) -> list[dict[str, Any]]:
    """Every bundle that was received, with its terms, by reference and edition: for reports."""
    with closing(case.connect()) as connection:
        columns = ", ".join(f"epoch_ns({name})" if name in _BUNDLE_TIMES else name for name in _TOLD)
        rows = connection.execute(
            f"SELECT {columns} FROM {BUNDLES} ORDER BY reference, edition, bundle_sha256"  # noqa: S608 - our own names
        ).fetchall()
    found = [dict(zip(_TOLD, row, strict=True)) for row in rows]
    for one in found:
        one["conditions"] = json.loads(one["conditions"])
    return found


def foreign_problems(case: Case) -> list[str]:
    """What does not hold of what partners sent: log, folders and rows against the signed manifests."""
    home = case.path / FOREIGN
    logged = set(_logged([*records(case.path)]))
    there = {path.name for path in home.iterdir()} if home.is_dir() else set()
    with closing(case.connect()) as connection:
        listed = dict(connection.execute(f"SELECT bundle_sha256, signer FROM {BUNDLES}").fetchall())  # noqa: S608
        strangers = sorted(there - set(listed))
        problems = [f"{name}: in no catalogue; the next receive removes it" for name in strangers]
        problems += [f"{name}: taken in by no logged act" for name in sorted(set(listed) - logged)]
        problems += [
            f"{name}: logged as received, and not in the catalogue" for name in sorted(logged - set(listed))
        ]
        for name, signer in sorted(listed.items()):
            try:
                manifest = _signed(home / name, name, signer)
            except (OSError, IntegrityError) as error:
                problems.append(f"{name}: {getattr(error, 'strerror', None) or error}")
                continue
            wrong = _file_problems(home / name, manifest)
            problems += [
                f"{name}/{line}" for line in wrong or _row_problems(connection, home / name, manifest)
            ]
    return [f"{FOREIGN}/{line}" for line in problems]


def _signed(folder: Path, name: str, signer: str) -> BundleManifest:
    data, signature, pem = ((folder / one).read_bytes() for one in HEAD)
    if manifest_signature.check(data, signature, pem) != signer:
        raise IntegrityError("signed by another key than when it was received")
    manifest = BundleManifest.from_bytes(data)
    if manifest.digest() != name:
        raise IntegrityError("not the manifest that was received")
    return manifest


def _row_problems(connection: duckdb.DuckDBPyConnection, folder: Path, manifest: BundleManifest) -> list[str]:
    """Tables whose rows of this bundle are not those of its files."""
    found = []
    for table in sorted({Path(one.path).stem for one in manifest.members if one.path.endswith(".parquet")}):
        parts = [
            _select(folder / one.path, table, folder.name, manifest.share["handling"])
            for one in manifest.members
            if Path(one.path).stem == table and one.path.endswith(".parquet")
        ]
        files = " UNION ALL ".join(f"({sql})" for sql in parts)
        own = f"SELECT * FROM foreign_{table} WHERE bundle_sha256 = '{folder.name}'"  # noqa: S608 - a hash, checked
        sql = f"SELECT (SELECT count(*) FROM (({own}) EXCEPT ALL ({files}))) + (SELECT count(*) FROM (({files}) EXCEPT ALL ({own})))"  # noqa: E501,S608
        if connection.execute(sql).fetchall() != [(0,)]:
            found.append(f"rows of foreign_{table}: not those that were received")
    return found


def _file_problems(folder: Path, manifest: BundleManifest) -> list[str]:
    wanted = {one.path: one.sha256 for one in manifest.members}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - set(HEAD)
    found = [f"{name}: not in the manifest" for name in sorted(there - set(wanted))]
    for name, digest in sorted(wanted.items()):
        try:
            with (folder / name).open("rb") as file:
                if file_digest(file, "sha256").hexdigest() != digest:
                    found.append(f"{name}: changed since it was received")
        except OSError as error:
            found.append(f"{name}: {error.strerror}")
    return found


def refill(case: Path, connection: duckdb.DuckDBPyConnection, log: Sequence[Record]) -> None:
    """Fill the tables of an empty catalogue from the folders that the log says were received, in its order."""
    for line in _logged(log).values():
        folder = case / FOREIGN / str(line.result)
        manifest = BundleManifest.from_bytes((folder / HEAD[0]).read_bytes())
        facts = line.arguments
        signer, digest, at = str(facts["signer"]), str(facts["file_sha256"]), int(facts["received_at"])
        enter(connection, folder, manifest, signer, digest, at)


def _logged(log: Sequence[Record]) -> dict[str, Record]:
    """Bundle -> the act that took it in."""
    found: dict[str, Record] = {}
    for one in log:
        if one.verb == "receive" and one.phase == "done" and one.result and "received_at" in one.arguments:
            found.setdefault(one.result, one)
    return found
