"""A chosen part of a case, sealed for a partner with the originator's terms.

    authority.toml                       the share's own legal basis
    exhibits/<sha256>/<table>.parquet    rows inside the scope (share_rows.py); captures.parquet always
    derived/<table>.parquet              findings that were named, with their frames; events of shared flows

Evidence is hashed against the case's own records before a row is taken from it. The rows lie in a private folder
beside the target while they are sealed; a killed run leaves it under a hidden name and the next run removes it.
"""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from wirecover.capture.manifest import Manifest
from wirecover.casefile.authority_file import AuthorityFile
from wirecover.casefile.bundle import Sealed, facts_of
from wirecover.casefile.bundle_keys import Recipients, key_name
from wirecover.casefile.bundle_manifest import Member
from wirecover.casefile.case import Case, Exhibit
from wirecover.casefile.custody import Act, record
from wirecover.casefile.demands import AUTHORITY_FILE
from wirecover.casefile.derived import DERIVED
from wirecover.casefile.durable import remove_tree
from wirecover.casefile.errors import AuthorityError, IntegrityError
from wirecover.casefile.foreign import DERIVED_FOLDER, EXHIBITS, SHARED_DERIVED
from wirecover.casefile.layout import EVIDENCE, MANIFEST
from wirecover.casefile.manifest_signature import Signer
from wirecover.casefile.private_files import (
    clear_partial,
    only_writer,
    partial_of,
    private_folder,
    write_private,
)
from wirecover.casefile.seal import (
    check_target,
    clear_target,
    describe,
    log_state,
    make_current,
    member,
    write_sealed,
)
from wirecover.casefile.share_handling import Handling, handling
from wirecover.casefile.share_rows import choose, write_exhibit
from wirecover.casefile.share_rules import ALWAYS
from wirecover.casefile.share_scope import Scope, ShareError, ShareOrder

AUTHORITY: Final = "authority.toml"


@dataclass(frozen=True, slots=True)
class Shared:
    """What a share gave."""

    sealed: Sealed
    receipt: Path
    left: dict[str, int]
    """Rows that leave, by table."""
    stayed: dict[str, int]
    """Rows of the same tables that stay; never told to the partner."""


def share(
    case: Case,
    order: ShareOrder,
    code: str,
    authority: AuthorityFile | None,
    out: Path,
    to: Recipients,
    signer: Signer,
) -> Shared:
    """Seal what is inside the order's scope. ShareError when that is nothing, or the terms contradict each other."""
    terms = handling(code, order.conditions)
    if authority is None and not case.training:
        raise AuthorityError("a share needs its own authority record (--authority FILE)")
    check_target(out, case.path)
    rows = out.with_name(out.name + ".rows")
    facts = {
        "name": out.name, "reference": order.reference, "edition": order.edition, "handling": code,
        "recipients": [key_name(key) for key in to.keys], "scope_sha256": _digest(order),
        "authority_sha256": None if authority is None else authority.sha256,
    }  # fmt: skip
    with only_writer(out):
        clear_target(out, rows)
        make_current(case)
        return _share(case, order, terms, authority, out, rows, facts, to, signer)


def _share(
    case: Case,
    order: ShareOrder,
    terms: Handling,
    authority: AuthorityFile | None,
    out: Path,
    rows: Path,
    facts: dict[str, Any],
    to: Recipients,
    signer: Signer,
) -> Shared:
    with closing(case.connect()) as connection:
        exhibits = _exhibits(case, order.scope)
        act = Act("share", facts, tuple(f"exhibit:{one.sha256}" for one in exhibits), export=True)
        state = log_state(case)
        with record(case, act) as entry:
            try:
                folder = private_folder(partial_of(rows))
                left, stayed = _write_rows(case, connection, exhibits, order.scope, folder)
                if not any(count for table, count in left.items() if table != "captures"):
                    raise ShareError("nothing of this case is inside the scope of the share")
                if authority is not None:
                    write_private(folder / AUTHORITY, authority.data)
                sources = [(member(path, name), path) for name, path in _files(folder)]
                told = _told(case, order, terms.code, terms.meaning, left, authority)
                members: list[Member] = [one for one, _ in sources]
                manifest = describe(case, state, "share", to, members, told)
                result = write_sealed(out, sources, manifest, to, signer)
            finally:
                clear_partial(rows)
            entry.result(result.sealed.sha256, left=left, stayed=stayed, **facts_of(manifest))
    return Shared(result.sealed, result.receipt, left, stayed)


def _told(
    case: Case,
    order: ShareOrder,
    code: str,
    meaning: str,
    left: dict[str, int],
    authority: AuthorityFile | None,
) -> dict[str, Any]:
    """What the manifest says of the share: nothing of what stayed."""
    by = case.by
    return {
        **order.facts(), "handling": code, "handling_meaning": meaning, "rows": left,
        "authority_sha256": None if authority is None else authority.sha256,
        "originator": None if by is None else {"name": by.name, "role": by.role, "organisation": by.organisation},
        "inherited": _inherited(case.path),
    }  # fmt: skip


def _inherited(case: Path) -> list[str]:
    """Conditions that other States put on this case's own authority: they go on with its rows (Directive 2014/41)."""
    from wirecover.casefile.authority_file import read_authority

    path = case / AUTHORITY_FILE
    if not path.is_file():
        return []
    border = read_authority(path).authority.cross_border
    return [] if border is None else [f"{border.state}: {text}" for text in border.conditions]


def _digest(order: ShareOrder) -> str:
    from wirecover.casefile.bundle_manifest import canonical

    return sha256(canonical(order.facts())).hexdigest()


def _exhibits(case: Case, scope: Scope) -> list[Exhibit]:
    known = sorted(case.exhibits(), key=lambda one: one.sha256)
    missing = sorted(set(scope.exhibits) - {one.sha256 for one in known})
    if missing:
        raise ShareError(f"exhibit {missing[0]} is not in this case")
    return [one for one in known if not scope.exhibits or one.sha256 in scope.exhibits]


def _write_rows(
    case: Case, connection: duckdb.DuckDBPyConnection, exhibits: list[Exhibit], scope: Scope, folder: Path
) -> tuple[dict[str, int], dict[str, int]]:
    left: dict[str, int] = {}
    stayed: dict[str, int] = {}
    flows: set[int] = set()
    private_folder(folder / EXHIBITS)
    rests = _flows_of_findings(connection, scope)
    for exhibit in exhibits:
        source = case.path / EVIDENCE / exhibit.sha256
        _holds(source, exhibit)
        only = None if rests is None else frozenset(one - exhibit.flow_base for one in rests)
        chosen = choose(source, scope, only)
        if not len(chosen.flows) and "hosts" not in scope.tables:
            continue
        target = private_folder(folder / EXHIBITS / exhibit.sha256)
        counts = write_exhibit(source, target, scope, chosen)
        if not any(kept for table, (kept, _) in counts.items() if table not in ALWAYS):
            remove_tree(target)  # not even that the exhibit exists
            continue
        for table, (kept, rest) in counts.items():
            left[table] = left.get(table, 0) + kept
            stayed[table] = stayed.get(table, 0) + rest
        flows.update(exhibit.flow_base + number for number in chosen.spans)
    for table, rows in _derived(connection, scope, flows).items():
        left[table] = rows.num_rows
        if rows.num_rows:
            if not (folder / DERIVED_FOLDER).is_dir():
                private_folder(folder / DERIVED_FOLDER)
            pq.write_table(rows, folder / DERIVED_FOLDER / f"{table}.parquet", compression="zstd")
    return dict(sorted(left.items())), dict(sorted(stayed.items()))


def _holds(folder: Path, exhibit: Exhibit) -> None:
    """The evidence must be what was taken in: nothing else is passed on under its hash."""
    data = (folder / MANIFEST).read_bytes()
    if sha256(data).hexdigest() != exhibit.manifest_sha256:
        raise IntegrityError(
            f"{exhibit.name}: its manifest is not the one that was entered; see wirecover verify"
        )
    for name, digest in sorted(Manifest.from_json(data.decode("utf-8")).files.items()):
        with (folder / Path(name).name).open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != digest:
                raise IntegrityError(f"{exhibit.name}: {name} changed since the ingest; see wirecover verify")


def _flows_of_findings(connection: duckdb.DuckDBPyConnection, scope: Scope) -> set[int] | None:
    """Flows that the named findings rest on; None when none are named."""
    if not scope.findings:
        return None
    asked = list(scope.findings)
    here = connection.execute("SELECT finding_id FROM findings WHERE list_contains(?, finding_id)", [asked])
    missing = sorted(set(asked) - {one for (one,) in here.fetchall()})
    if missing:
        raise ShareError(f"finding {missing[0]} is not in this case")
    rows = connection.execute(
        "SELECT DISTINCT flow_id FROM finding_frames "
        "WHERE list_contains(?, finding_id) AND flow_id IS NOT NULL", [asked],
    ).fetchall()  # fmt: skip
    return {one for (one,) in rows}


def _derived(connection: duckdb.DuckDBPyConnection, scope: Scope, flows: set[int]) -> dict[str, pa.Table]:
    """Concluded rows of which everything is inside."""
    found: dict[str, pa.Table] = {}
    if "events" in scope.tables:
        events = _read(connection, "events", "ORDER BY event_id")
        inside = [
            row["flow_id"] in flows and scope.holds_time(row["first_ts"]) and scope.holds_time(row["ts"])
            for row in _rows(events, "flow_id", "first_ts", "ts")
        ]
        found["events"] = events.filter(pa.array(inside, pa.bool_()))
    if "findings" in scope.tables and scope.findings:
        found.update(_findings(connection, scope, flows))
    return found


def _findings(connection: duckdb.DuckDBPyConnection, scope: Scope, flows: set[int]) -> dict[str, pa.Table]:
    """Named findings that rest on shared flows only; ShareError names one that does not."""
    listed = ", ".join(str(one) for one in scope.findings)  # whole numbers, checked when the scope was read
    where = f"WHERE finding_id IN ({listed}) ORDER BY ALL"
    frames = _read(connection, "finding_frames", where)
    findings = _read(connection, "findings", where)
    for row in _rows(frames, "finding_id", "flow_id"):
        if row["flow_id"] not in flows:
            raise ShareError(
                f"finding {row['finding_id']} rests on flows outside the scope: it cannot leave whole"
            )
    for row in _rows(findings, "finding_id", "first_ts", "last_ts"):
        if not all(scope.holds_time(row[name]) for name in ("first_ts", "last_ts")):
            raise ShareError(f"finding {row['finding_id']} rests on times outside the scope")
    return {"findings": findings, "finding_frames": frames}


def _read(connection: duckdb.DuckDBPyConnection, table: str, which: str) -> pa.Table:
    """The rows in the columns and types that are shared."""
    schema = pa.schema([DERIVED[table].field(name) for name in SHARED_DERIVED[table]])
    columns = ", ".join(f'"{name}"' for name in schema.names)
    return connection.sql(f"SELECT {columns} FROM {table} {which}").to_arrow_table().cast(schema)  # noqa: S608


def _rows(table: pa.Table, *names: str) -> Iterable[dict[str, Any]]:
    """Rows as dictionaries, times as whole nanoseconds."""
    columns = {
        name: (
            table[name].cast(pa.int64()) if pa.types.is_timestamp(table[name].type) else table[name]
        ).to_pylist()
        for name in names
    }
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _files(folder: Path) -> list[tuple[str, Path]]:
    return sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
