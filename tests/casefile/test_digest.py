"""The canonical digest: of rows and types, not of how they are stored."""

import datetime
import json
import struct
from decimal import Decimal
from hashlib import sha256
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.casefile.digest import stored_digest, table_digest

COLUMNS = {
    "i": (pa.int64(), [1, None, -(2**63)]),
    "s": (pa.int16(), [1, None, -5]),
    "f": (pa.float64(), [0.5, None, float("inf")]),
    "b": (pa.bool_(), [True, None, False]),
    "t": (pa.string(), ["a", None, "é\n"]),
    "ts": (pa.timestamp("ns"), [0, None, 5]),
    "l": (pa.list_(pa.int64()), [[1, 2], None, []]),
    "lt": (pa.list_(pa.string()), [["a", None], None, []]),
    "d": (pa.decimal128(10, 2), [Decimal("1.50"), None, Decimal("2.00")]),
    "day": (pa.date32(), [datetime.date(2026, 1, 1), None, datetime.date(1970, 1, 1)]),
}
TABLE = pa.table({name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()})


def twin(table: pa.Table) -> str:
    """The same by plain Python, from the words at the head of digest.py."""
    kinds = [[field.name, str(field.type)] for field in table.schema]
    whole = json.dumps([kinds, table.num_rows], separators=(",", ":")).encode() + b"\n"
    for field in table.schema:
        column = table[field.name]
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.int64())
        elif pa.types.is_date32(field.type):
            column = column.cast(pa.int32())
        whole += plain(column.to_pylist(), field.type)
    return sha256(whole).hexdigest()


def plain(values: list[Any], kind: pa.DataType) -> bytes:
    found = b"".join(b"\0" if one is None else b"\1" for one in values)
    if pa.types.is_list(kind):
        found += b"".join(struct.pack("<q", len(one or [])) for one in values)
        return found + plain([item for one in values for item in one or []], kind.value_type)
    form = {
        pa.int64(): "<q",
        pa.int16(): "<h",
        pa.float64(): "<d",
        pa.bool_(): "<?",
        pa.timestamp("ns"): "<q",
        pa.date32(): "<i",
    }.get(kind)
    if form is not None:
        return found + b"".join(struct.pack(form, one or 0) for one in values)
    texts = [b"" if one is None else str(one).encode() for one in values]
    return found + b"".join(struct.pack("<q", len(one)) for one in texts) + b"".join(texts)


def test_chunks_and_slices_do_not_matter() -> None:
    want = table_digest(TABLE)
    assert table_digest(pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])) == want
    assert table_digest(pa.concat_tables([TABLE, TABLE]).slice(3)) == want
    assert want == twin(TABLE)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("row", [0, 1, 2])
def test_every_value_counts(name: str, row: int) -> None:
    kind, values = COLUMNS[name]
    changed = list(values)
    changed[row] = values[(row + 1) % 3]
    table = TABLE.set_column(TABLE.schema.get_field_index(name), name, pa.array(changed, kind))
    assert table_digest(table) == twin(table) != table_digest(TABLE)


def test_names_types_and_order_count() -> None:
    seen = {
        table_digest(table)
        for table in (
            TABLE, TABLE.slice(0, 2), TABLE.slice(0, 0), TABLE.rename_columns([f"x{n}" for n in range(10)]),
            TABLE.set_column(1, "s", TABLE["s"].cast(pa.int32())), TABLE.take([2, 1, 0]),
        )
    }  # fmt: skip
    assert len(seen) == 6


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.one_of(st.none(), st.text(max_size=5)), st.one_of(st.none(), st.text(max_size=5))))
)
def test_two_text_columns_are_told_apart(rows: list[tuple[str | None, str | None]]) -> None:
    def digest(pairs: list[tuple[str | None, str | None]]) -> str:
        columns = zip(*pairs, strict=True) if pairs else ((), ())
        return table_digest(pa.table([pa.array(one, pa.string()) for one in columns], names=["a", "b"]))

    turned = [(two, one) for one, two in rows]
    assert (digest(rows) == digest(turned)) == (rows == turned)


def test_a_stored_table_is_ordered_by_all_its_columns() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE x AS SELECT * FROM (VALUES (2, [1]), (1, [2]), (1, [1, 5]), (NULL, NULL)) v(a, b)"
        )
        want = stored_digest(connection, "x")
        connection.execute(
            "CREATE TABLE y AS SELECT * FROM (VALUES (1, [1, 5]), (NULL, NULL), (1, [2]), (2, [1])) v(a, b)"
        )
        assert stored_digest(connection, "y") == want
