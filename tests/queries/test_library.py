"""Headers of query files: what is refused, and where."""

import pytest

from wirecover.queries.errors import QueryError, QueryUseError
from wirecover.queries.library import find, load, parse

GOOD = """-- name: probe
-- question: Which
--     flows?
-- reads: flows
-- param: ip ADDRESS              -- the address
-- param: top BIGINT = 10         -- how many
-- param: since TIMESTAMP_NS = NULL  -- from when
-- param: word VARCHAR = 'it''s'  -- a word
-- returns: flow_id BIGINT, names VARCHAR[]
-- cannot show: this
-- cannot show: that
SELECT flow_id, ['$nope', $word] AS names -- $nope
FROM flows WHERE client_ip = $ip AND ($since IS NULL OR first_ts > $since::TIMESTAMP_NS) /* $nope */
LIMIT $top
"""


def test_a_good_header_is_read() -> None:
    query = parse(GOOD, "probe.sql")
    assert query.question == "Which flows?"
    assert query.cannot_show == ("this", "that")
    assert query.returns == (("flow_id", "BIGINT"), ("names", "VARCHAR[]"))
    assert [(one.name, one.kind, one.required, one.default) for one in query.parameters] == [
        ("ip", "ADDRESS", True, None), ("top", "BIGINT", False, 10), ("since", "TIMESTAMP_NS", False, None),
        ("word", "VARCHAR", False, "it's"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("-- reads: flows\n", "", 1, "no 'reads'"),
        ("-- reads: flows", "-- author: me", 4, "unknown header key 'author'"),
        ("-- reads: flows", "-- name: probe", 4, "stands twice"),
        ("-- reads: flows", "-- just words", 4, "not a header line"),
        ("-- reads: flows", "-- reads: flows; drop", 4, "is no table name"),
        ("-- name: probe", "-- name: other", 1, "must be named other.sql"),
        ("-- name: probe", "--     name: probe", 1, "nothing before it"),
        ("top BIGINT = 10  ", "top BIGINT = ten  ", 6, "default ten is no BIGINT"),
        ("top BIGINT", "top NUMBER", 6, "unknown type NUMBER"),
        ("-- how many", "", 6, "not a parameter"),
        ("-- param: top", "-- param: ip", 6, "declared twice"),
        ("LIMIT $top", "", 6, "parameter top is declared and not used"),
        ("LIMIT $top", "LIMIT $top + $more", 14, "parameter more is used and not declared"),
        ("names VARCHAR[]", "names", 9, "is no column"),
        ("-- name: probe\n", "SELECT 1\n-- name: probe\n", 1, "does not start with a header"),
    ],
)
def test_a_bad_header_is_refused_with_its_line(old: str, new: str, line: int, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(QueryError) as refused:
        parse(GOOD.replace(old, new, 1), "probe.sql")
    assert str(refused.value).startswith(f"probe.sql:{line}: ")
    assert reason in str(refused.value)


@pytest.mark.parametrize("text", ["", "-- name: probe\n", "SELECT 1"])
def test_a_file_without_header_or_body_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"probe\.sql:\d+: "):
        parse(text, "probe.sql")


def test_values_are_typed_checked_and_defaulted() -> None:
    query = parse(GOOD, "probe.sql")
    assert query.values({"ip": "2001:0DB8::0001", "since": "2026-01-02T03:04:05.123456789Z"}) == {
        "ip": "2001:db8::1", "top": 10, "since": "2026-01-02 03:04:05.123456789", "word": "it's",
    }  # fmt: skip
    for given, reason in [
        ({}, "needs -p ip="),
        ({"ip": "not an address"}, "is no ADDRESS"),
        ({"ip": "::1", "top": "1; DROP TABLE x"}, "is no BIGINT"),
        ({"ip": "::1", "top": str(2**63)}, "64-bit"),
        ({"ip": "::1", "since": "yesterday"}, "is no TIMESTAMP_NS"),
        ({"ip": "::1", "topp": "1"}, "no parameter 'topp' (it takes ip, top, since, word)"),
    ]:
        with pytest.raises(QueryUseError) as refused:
            query.values(given)
        assert reason in str(refused.value)
        assert refused.value.exit_code == 2


def test_there_are_the_queries_an_analyst_asks_first() -> None:
    assert len(load()) >= 12
    with pytest.raises(QueryUseError, match="did you mean"):
        find("exhibit")
