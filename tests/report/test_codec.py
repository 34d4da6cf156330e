"""Canonical JSON: the same for equal documents, and strict when read."""

import json

import fake_case
import pytest

from wirecover.report import codec
from wirecover.report.document import build, from_json, to_json
from wirecover.report.errors import DocumentError
from wirecover.report.model import Sentence, Tick


@pytest.mark.parametrize("name", sorted(fake_case.CASES))
def test_a_document_comes_back_as_it_was(name: str) -> None:
    document = build(fake_case.CASES[name](), fake_case.METHODS)
    data = to_json(document)
    assert from_json(data) == document
    assert to_json(from_json(data)) == data


def test_canonical_form() -> None:
    data = codec.canonical(Sentence("k", (("z", 1), ("a", "é\u202e")), "t"))
    assert data.endswith(b"}\n") and b"\r" not in data
    assert list(json.loads(data)) == ["key", "text", "values"]
    assert "é\u202e".encode() in data


@pytest.mark.parametrize(
    "change",
    [
        {"ns": "1"}, {"ns": True}, {"ns": 1.0}, {"ns": None}, {"ns": [1]}, {"more": 1},
        {"events": float("nan")},
    ],
)  # fmt: skip
def test_a_wrong_member_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DocumentError):
        codec.record(Tick, {"ns": 1, "events": 2} | change)


def test_a_missing_member_is_refused_by_name() -> None:
    with pytest.raises(DocumentError, match=r"document: .*events"):
        codec.record(Tick, {"ns": 1})


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"{", b"NaN", b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"format": "other/1"}', b"[]"]
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError):
        from_json(data)
