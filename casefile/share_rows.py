"""The rows of one exhibit that a share's scope lets out, as Parquet files of their own.

Evidence is read batch by batch, filtered, and written anew: nothing of a row that stays is in the new file, neither
in its statistics nor in its dictionaries. First the flows are chosen, then everything else follows them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wirecover.capture.tables import TABLES
from wirecover.casefile.share_rules import ALWAYS, RULES, Rule
from wirecover.casefile.share_scope import Scope

BATCH: Final = 1 << 16
Networks = list[IPv4Network | IPv6Network]
Mask = Callable[[pa.RecordBatch], pa.Array]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of one exhibit is inside."""

    flows: pa.Array
    """flow_no, ascending."""
    certificates: pa.Array
    """SHA-256 of the certificates that shared handshakes name."""
    spans: dict[int, tuple[int, int]]
    """flow_no -> first and last frame."""
    strange_frames: pa.Array
    """Frames of reasons for labels that belong to flows outside."""


def choose(folder: Path, scope: Scope, only: frozenset[int] | None) -> Chosen:
    """The flows of an exhibit inside the scope; `only` are those that chosen findings rest on, if any are."""
    networks = scope.networks()
    found: dict[int, tuple[int, int]] = {}
    for batch in _batches(folder, "flows"):
        for row in batch.filter(_windowed(batch, RULES["flows"], scope)).to_pylist():
            number = row["flow_no"]
            if number is None or (only is not None and number not in only):
                continue
            if scope.applications and row["app"] not in scope.applications:
                continue
            ends = (row["client_ip"], row["server_ip"])
            if networks and not any(scope.holds_address(one, networks) for one in ends):
                continue
            found[number] = (row["first_frame"] or 0, row["last_frame"] or 0)
    flows = pa.array(sorted(found), pa.int64())
    return Chosen(flows, _certificates(folder, flows), found, _strange_frames(folder, flows))


def write_exhibit(folder: Path, out: Path, scope: Scope, chosen: Chosen) -> dict[str, tuple[int, int]]:
    """Write the tables that leave; table -> (rows that leave, rows that stay)."""
    counts: dict[str, tuple[int, int]] = {}
    networks = scope.networks()
    for table in (*ALWAYS, *(name for name in scope.tables if name in RULES and name not in ALWAYS)):
        mask = _mask(RULES[table], scope, chosen, networks)
        counts[table] = _write(folder, out / f"{table}.parquet", table, mask, scope)
    return counts


def _batches(folder: Path, table: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(folder / f"{table}.parquet") as file:
        yield from file.iter_batches(BATCH, columns=columns, use_threads=False)


def _write(folder: Path, target: Path, table: str, mask: Mask, scope: Scope) -> tuple[int, int]:
    schema, rule = TABLES[table], RULES[table]
    kept = stayed = 0
    open_columns = {*rule.columns, *(("name",) if table == "captures" and scope.exhibit_names else ())}
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        for batch in _batches(folder, table):
            rows = batch.filter(mask(batch))
            stayed += batch.num_rows - rows.num_rows
            kept += rows.num_rows
            if rows.num_rows:
                writer.write_batch(_opened(rows, schema, open_columns))
    return kept, stayed


def _opened(rows: pa.RecordBatch, schema: pa.Schema, columns: set[str]) -> pa.RecordBatch:
    """The rows with NULL in every column that is not listed."""
    arrays = [
        rows.column(field.name).cast(field.type)
        if field.name in columns
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _mask(rule: Rule, scope: Scope, chosen: Chosen, networks: Networks) -> Mask:
    """Which rows of a batch leave."""

    def mask(batch: pa.RecordBatch) -> pa.Array:
        inside = _windowed(batch, rule, scope)
        match rule.by:
            case "exhibit":
                return inside
            case "certificate":
                mine = pc.is_in(batch.column("sha256"), value_set=chosen.certificates)
            case "host":
                mine = _hosts(batch, scope, networks)
            case "evidence":
                mine = pc.and_(_of_flow(batch, chosen), _own_frames(batch, chosen))
            case _:
                mine = _of_flow(batch, chosen)
        return pc.and_(inside, mine)

    return mask


def _of_flow(batch: pa.RecordBatch, chosen: Chosen) -> pa.Array:
    return pc.is_in(batch.column("flow_no"), value_set=chosen.flows, skip_nulls=True)


def _hosts(batch: pa.RecordBatch, scope: Scope, networks: Networks) -> pa.Array:
    """A host is no flow: it leaves by its address, and not at all when flows are chosen by what they are."""
    if scope.applications or scope.findings:
        return pa.array([False] * batch.num_rows, pa.bool_())
    return pa.array(
        [not networks or scope.holds_address(one, networks) for one in batch.column("ip").to_pylist()],
        pa.bool_(),
    )


def _windowed(batch: pa.RecordBatch, rule: Rule, scope: Scope) -> pa.Array:
    """Rows whose times are in the window; a time that is missing where one must be is outside it."""
    inside: Any = pa.array([True] * batch.num_rows, pa.bool_())
    if scope.first_ts is None and scope.last_ts is None:
        return inside
    for name in rule.times:
        column = batch.column(name)
        checks = []
        if scope.first_ts is not None:
            checks.append(pc.greater_equal(column, scope.first_ts))
        if scope.last_ts is not None:
            checks.append(pc.less_equal(column, scope.last_ts))
        for check in checks:
            inside = pc.and_(inside, pc.fill_null(check, name not in rule.needs))
    return inside


def _certificates(folder: Path, flows: pa.Array) -> pa.Array:
    """Certificates that handshakes of the chosen flows name."""
    found: set[str] = set()
    for batch in _batches(folder, "tls_handshakes", ["flow_no", "certificate_sha256s"]):
        rows = batch.filter(pc.is_in(batch.column("flow_no"), value_set=flows, skip_nulls=True))
        for names in rows.column("certificate_sha256s").to_pylist():
            found.update(names or ())
    return pa.array(sorted(found), pa.string())


def _own_frames(batch: pa.RecordBatch, chosen: Chosen) -> pa.Array:
    """Reasons whose frame lies within their flow, and is known to belong to no flow outside."""
    strange = set(chosen.strange_frames.to_pylist())
    rows = zip(batch.column("flow_no").to_pylist(), batch.column("frame").to_pylist(), strict=True)
    return pa.array([_within(flow, frame, chosen, strange) for flow, frame in rows], pa.bool_())


def _within(flow: int | None, frame: int | None, chosen: Chosen, strange: set[int]) -> bool:
    if flow not in chosen.spans or frame is None or frame in strange:
        return False
    first, last = chosen.spans[flow]
    return first <= frame <= last


def _strange_frames(folder: Path, flows: pa.Array) -> pa.Array:
    """Of the frames that reasons for labels name, those that some table ties to a flow that stays."""
    named: set[int] = set()
    for batch in _batches(folder, "app_evidence", ["flow_no", "frame"]):
        rows = batch.filter(pc.is_in(batch.column("flow_no"), value_set=flows, skip_nulls=True))
        named.update(frame for frame in rows.column("frame").to_pylist() if frame is not None)
    wanted = pa.array(sorted(named), pa.int64())
    return pa.array(sorted(_outside(folder, flows, wanted)), pa.int64())


def _outside(folder: Path, flows: pa.Array, wanted: pa.Array) -> set[int]:
    found: set[int] = set()
    for table, column in _frame_columns():
        for batch in _batches(folder, table, ["flow_no", column]):
            asked = pc.is_in(batch.column(column), value_set=wanted, skip_nulls=True)
            inside = pc.is_in(batch.column("flow_no"), value_set=flows, skip_nulls=True)
            found.update(batch.filter(pc.and_(asked, pc.invert(inside))).column(column).to_pylist())
    return found


def _frame_columns() -> Iterable[tuple[str, str]]:
    """Every (table, column) that ties a frame to a flow, reasons for labels aside."""
    for table, schema in TABLES.items():
        if "flow_no" in schema.names and table != "app_evidence":
            yield from ((table, name) for name in schema.names if name == "frame" or name.endswith("_frame"))
