"""The manifest: one way to write it, and no other is read."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.casefile.bundle_manifest import BundleManifest, ManifestError, Member

SAMPLE = BundleManifest(
    kind="share", case_id="1" * 64, log_acts=3, log_sha256="2" * 64, made_at=1_700_000_000_000_000_000,
    tool_version="0.1", training=False, recipients=("age1x",),
    members=(Member("a", 1, "3" * 64), Member("b/c", 2, "4" * 64)),
    share={"reference": "é", "edition": 1, "use": ["x"]},
)  # fmt: skip


def test_it_is_read_as_it_was_written() -> None:
    assert BundleManifest.from_bytes(SAMPLE.to_bytes()) == SAMPLE


CHANGES: dict[str, Any] = {
    "kind": "other", "case_id": "A" * 64, "log_acts": -1, "log_sha256": 5, "made_at": 1 << 63,
    "tool_version": "x" * 101, "training": 1, "recipients": [], "members": {}, "share": [], "version": 2,
    "format": "zip",
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_wrong_field_is_refused(name: str) -> None:
    facts = json.loads(SAMPLE.to_bytes()) | {name: CHANGES[name]}
    with pytest.raises(ManifestError):
        BundleManifest.from_bytes(canonical(facts))


def canonical(facts: object) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("name", [*CHANGES, "more"])
def test_a_missing_or_further_field_is_refused(name: str) -> None:
    facts = json.loads(SAMPLE.to_bytes())
    if name == "more":
        facts[name] = 1
    else:
        del facts[name]
    with pytest.raises(ManifestError):
        BundleManifest.from_bytes(canonical(facts))


@pytest.mark.parametrize(
    "members",
    [
        ("b", "a"), ("a", "a"), ("A", "a"), ("a", "a/b"), ("../x",), ("/x",), ("CON",), ("x.",), ("a\x1b",), ("C:x",),
    ],
)  # fmt: skip
def test_members_with_bad_or_clashing_names_are_refused(members: tuple[str, ...]) -> None:
    bad = replace(SAMPLE, members=tuple(Member(name, 0, "0" * 64) for name in members))
    with pytest.raises(ManifestError):
        BundleManifest.from_bytes(bad.to_bytes())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]\n",
        b"null",
        b'{"a":1,"a":2}\n',
        b'{"a":NaN}\n',
        b"[" * 100_000,
        b"\xff\xfe",
        b'"' + b"x" * 1000,
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        BundleManifest.from_bytes(data)


def test_another_way_to_write_the_same_is_refused() -> None:
    facts = json.loads(SAMPLE.to_bytes())
    for data in (
        json.dumps(facts).encode(),
        SAMPLE.to_bytes().rstrip(),
        SAMPLE.to_bytes() + b"\n",
        b" " + SAMPLE.to_bytes(),
    ):
        with pytest.raises(ManifestError):
            BundleManifest.from_bytes(data)


def test_depth_is_bounded() -> None:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    with pytest.raises(ManifestError):
        BundleManifest.from_bytes(replace(SAMPLE, share={"x": deep}).to_bytes())


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_read_as_something_else(place: int, byte: int) -> None:
    data = bytearray(SAMPLE.to_bytes())
    place %= len(data)
    before, data[place] = data[place], byte
    try:
        found = BundleManifest.from_bytes(bytes(data))
    except ManifestError:
        return
    assert (found == SAMPLE) == (before == byte)
