"""What of a question goes into the log: its shape, never a value."""

import string
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wirecover.casefile.case import Case
from wirecover.casefile.custody import reference, start_log
from wirecover.casefile.redact import MAX_SHAPE, parameter_facts, sql_shape, statement_facts


def test_values_and_comments_go_and_words_stay() -> None:
    text = """SELECT f.sni, count(*) -- Jean
    FROM flows f WHERE client_ip = '192.0.2.1' AND port > 443 /* his
    phone */ AND x = $$Anna$$ AND "Jean" = e'a''b' AND y IN (1.5, 0x1F) LIMIT 10"""
    assert sql_shape(text) == (
        "SELECT f.sni, count(*) FROM flows f WHERE client_ip = ? AND port > ? AND x = ? AND ? = ? AND y IN (?, ?) "
        "LIMIT ?"
    )


def test_what_is_never_closed_hides_the_rest() -> None:
    for text in ("SELECT 'Jean", 'SELECT "Jean', "SELECT $a$ Jean", "SELECT /* Jean"):
        assert "Jean" not in sql_shape(text)
    assert len(sql_shape("a " * 1_000_000)) <= MAX_SHAPE + 10


@given(st.text(), st.text(alphabet=string.ascii_letters, min_size=8, max_size=12))
def test_no_text_in_quotes_comes_through(around: str, secret: str) -> None:
    shape = sql_shape(around.replace("'", "").replace("$", "").replace('"', "") + "'" + secret + "'")
    assert secret not in shape.replace(around, "") or secret in around
    assert shape.isprintable() and shape.isascii()


def test_parameters_that_could_name_somebody_are_references(tmp_path: Path) -> None:
    case = Case(tmp_path, training=True, clock=lambda: 1)
    start_log(case, {})
    facts = parameter_facts(tmp_path, {
        "ip": ("VARCHAR", "192.0.2.1"), "top": ("BIGINT", 5), "from": ("TIMESTAMP_NS", "2026-01-01"),
        "none": ("VARCHAR", None), "flag": ("BOOLEAN", True),
    })  # fmt: skip
    assert facts == {
        "flag": True, "from": "2026-01-01", "ip": reference(tmp_path, "192.0.2.1"), "none": None, "top": "5",
    }  # fmt: skip
    assert statement_facts(tmp_path, "SELECT 'x'") == {
        "shape": "SELECT ?", "statement": reference(tmp_path, "SELECT 'x'"),
    }  # fmt: skip
