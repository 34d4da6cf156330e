"""What partners sent: tables of their own, so that no query takes a foreign row for evidence of this case.

    foreign/<sha256 of the bundle's manifest>/   the bundle as it came, read-only: manifest.json, manifest.sig,
                                                 signer.pem, authority.toml, exhibits/<sha256>/*.parquet, derived/*
    foreign_bundles                              one row a bundle: who sent it, on what terms
    foreign_<table>                              its rows, each with its bundle and handling code

The tables are filled from the folders and can be filled again from them.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import pyarrow as pa

from wirecover.capture.tables import TABLES
from wirecover.casefile.derived import DERIVED
from wirecover.casefile.share_rules import RULES

FOREIGN: Final = "foreign"
EXHIBITS: Final = "exhibits"
DERIVED_FOLDER: Final = "derived"
BUNDLES: Final = "foreign_bundles"
SHARED_DERIVED: Final[dict[str, tuple[str, ...]]] = {
    "findings": (
        "finding_id", "pattern", "subject", "object", "app", "first_ts", "last_ts", "score", "likelihood_ratio",
        "lr_low", "lr_high", "parameters", "analysis_version", "kind", "statement",
    ),
    "finding_frames": ("finding_id", "capture_id", "frame", "flow_id", "role"),
    "events": (
        "event_id", "pattern", "flow_id", "capture_id", "ts", "up", "bytes", "kind", "confidence", "first_frame",
        "last_frame", "first_ts", "packets",
    ),
}  # fmt: skip
"""Columns of concluded tables that may leave."""
_TIME: Final = re.compile(r"ts|\w+_ts|not_before|not_after")
_SQL: Final = {
    pa.int64(): "BIGINT", pa.int32(): "INTEGER", pa.int16(): "SMALLINT", pa.string(): "VARCHAR", pa.bool_(): "BOOLEAN",
    pa.float64(): "DOUBLE", pa.timestamp("ns"): "TIMESTAMP_NS",
}  # fmt: skip
_BUNDLE_COLUMNS: Final = {
    "bundle_sha256": ("VARCHAR PRIMARY KEY", "SHA-256 of the manifest of the bundle; also its folder under foreign/"),
    "originator_case": ("VARCHAR NOT NULL", "Case it came from: hash of the first act in its custody log"),
    "signer": ("VARCHAR NOT NULL", "Key that signed it: SHA-256 of the public key"),
    "partner": ("VARCHAR NOT NULL", "Partner the originator named as receiver"),
    "reference": ("VARCHAR NOT NULL", "Reference of the exchange"),
    "edition": ("BIGINT NOT NULL", "Edition of that reference, from 1"),
    "purpose": ("VARCHAR NOT NULL", "Purpose the rows were sent for"),
    "handling": ("VARCHAR NOT NULL", "Handling code of the originator"),
    "conditions": ("VARCHAR NOT NULL", "Conditions of the originator, canonical JSON"),
    "destroy_by": ("TIMESTAMP_NS", "When the originator wants the rows destroyed, UTC; NULL when not said"),
    "authority_sha256": ("VARCHAR", "SHA-256 of the authority record that came along; NULL when none did"),
    "made_at": ("TIMESTAMP_NS NOT NULL", "When it was made, by the originator's clock, UTC"),
    "log_acts": ("BIGINT NOT NULL", "Acts in the originator's custody log then"),
    "log_sha256": ("VARCHAR NOT NULL", "Hash of the last of them"),
    "received_at": ("TIMESTAMP_NS NOT NULL", "When it was received, by the clock of this machine, UTC"),
    "file_sha256": ("VARCHAR NOT NULL", "SHA-256 of the sealed file it came in"),
}  # fmt: skip


def columns_of(table: str) -> dict[str, tuple[str, str]]:
    """Columns of foreign_<table>: name -> (SQL type, expression over the shared file `p` and the exhibit's ids)."""
    found = {"bundle_sha256": ("VARCHAR", "$bundle"), "handling": ("VARCHAR", "$handling")}
    if table in RULES:
        found["capture_id"] = ("BIGINT", "$capture")
        own = TABLES[table]
        for name in [field.name for field in own if field.name in {*RULES[table].columns, "name"}]:
            quoted = f'p."{name}"'
            if name == "flow_no":
                found["flow_id"] = ("BIGINT", "$base + p.flow_no")
            elif name not in ("capture_id", "flow_base"):
                kind = own.field(name).type
                timed = kind == pa.int64() and _TIME.fullmatch(name)
                found[name] = (
                    ("TIMESTAMP_NS", f"make_timestamp_ns({quoted})") if timed else (sql_type(kind), quoted)
                )
    else:
        for name in SHARED_DERIVED[table]:
            found[name] = (sql_type(DERIVED[table].field(name).type), f'p."{name}"')
    return found


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type."""
    return sql_type(kind.value_type) + "[]" if pa.types.is_list(kind) else _SQL[kind]


@cache
def statements() -> tuple[str, ...]:
    """The tables and their comments."""
    return tuple(_statements())


def _statements() -> Iterator[str]:
    body = ", ".join(f"{name} {kind}" for name, (kind, _) in _BUNDLE_COLUMNS.items())
    yield f"CREATE TABLE IF NOT EXISTS {BUNDLES} ({body})"
    yield f"COMMENT ON TABLE {BUNDLES} IS 'One bundle that a partner sent, and the terms its rows are under'"
    for name, (_, text) in _BUNDLE_COLUMNS.items():
        yield f"COMMENT ON COLUMN {BUNDLES}.{name} IS '{text.replace(chr(39), chr(39) * 2)}'"
    for table in (*RULES, *SHARED_DERIVED):
        own = columns_of(table)
        body = ", ".join(f'"{name}" {kind}' for name, (kind, _) in own.items())
        yield f"CREATE TABLE IF NOT EXISTS foreign_{table} ({body})"
        text = f"Rows of {table} that partners sent, under the terms in {BUNDLES}: not evidence of this case"
        yield f"COMMENT ON TABLE foreign_{table} IS '{text}'"
        for name in own:
            yield f"COMMENT ON COLUMN foreign_{table}.\"{name}\" IS '{_comment(table, name)}'"


def _comment(table: str, name: str) -> str:
    if name == "bundle_sha256":
        return f"Bundle it came in; joins {BUNDLES}"
    if name == "handling":
        return "Handling code of the originator, which goes with the row"
    return f"As {table}.{name}, said by the partner; NULL where it did not leave"


def tables() -> list[str]:
    """Names of all of these tables."""
    return [BUNDLES, *(f"foreign_{table}" for table in (*RULES, *SHARED_DERIVED))]
