"""Text to typed values."""

import pytest

from wirecover.queries.errors import QueryUseError
from wirecover.queries.parameters import KINDS, Parameter, Value


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("VARCHAR", "' OR 1=1 --", "' OR 1=1 --"),
        ("ADDRESS", "2001:DB8:0:0::1", "2001:db8::1"),
        ("BIGINT", "-9223372036854775808", -(2**63)),
        ("BIGINT", 7, 7),
        ("DOUBLE", "0.25", 0.25),
        ("BOOLEAN", "TRUE", True),
        ("BOOLEAN", False, False),
        ("TIMESTAMP_NS", "2026-01-02", "2026-01-02 00:00:00"),
        ("TIMESTAMP_NS", "2026-01-02 03:04Z", "2026-01-02 03:04"),
        ("TIMESTAMP_NS", None, None),
    ],
)
def test_good_values(kind: str, given: object, value: Value) -> None:
    found = Parameter("p", kind, True, None, "").value(given)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("ADDRESS", "192.0.2.300"), ("ADDRESS", "example.org"), ("BIGINT", "1.5"),
        ("BIGINT", "9223372036854775808"), ("DOUBLE", "nan"), ("DOUBLE", "inf"), ("BOOLEAN", "yes"),
        ("TIMESTAMP_NS", "2026-01-02T03:04:05+01:00"), ("TIMESTAMP_NS", "1700000000"),
    ],
)  # fmt: skip
def test_bad_values_are_wrong_use(kind: str, given: str) -> None:
    with pytest.raises(QueryUseError, match="parameter p: "):
        Parameter("p", kind, True, None, "").value(given)


def test_every_kind_is_bound_under_a_real_type() -> None:
    import duckdb

    for kind in KINDS.values():
        assert str(duckdb.type(kind.sql)) == kind.sql
