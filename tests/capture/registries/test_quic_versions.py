"""The version table: names, layouts, salts."""

import pytest
from support.quic_packets import SALTS

from wirecover.capture.registries import quic_versions
from wirecover.capture.registries.quic_versions import VERSIONS, find_version, is_reserved, version_name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "version-negotiation"), (1, "v1"), (0x6B3343CF, "v2"), (0xFF00001D, "draft-29"),
        (0xFACEB001, "mvfst-22"), (0x51303433, "Q043"), (0x54303531, "T051"),
        (0x1A2A3A4A, "reserved-0x1a2a3a4a"), (0x00000002, "unknown-0x00000002"),
        (0xFF000001, "unknown-0xff000001"),
    ],
)  # fmt: skip
def test_names(number: int, name: str) -> None:
    assert version_name(number) == name


def test_table_is_keyed_by_number_and_names_are_unique() -> None:
    assert all(number == version.number for number, version in VERSIONS.items())
    assert len({version.name for version in VERSIONS.values()}) == len(VERSIONS)
    assert not any(is_reserved(number) for number in VERSIONS)


@pytest.mark.parametrize("number", sorted(SALTS))
def test_salts_against_a_second_copy(number: int) -> None:
    assert [protection.salt.hex() for protection in VERSIONS[number].protections] == [SALTS[number]]


def test_salt_lengths_and_retry_keys() -> None:
    for version in VERSIONS.values():
        for protection in version.protections:
            assert len(protection.salt) == 20
            assert (protection.retry_key is None) == (protection.retry_nonce is None)
            if protection.retry_key is not None and protection.retry_nonce is not None:
                assert (len(protection.retry_key), len(protection.retry_nonce)) == (16, 12)


@pytest.mark.parametrize(("draft", "like"), [(24, 23), (28, 25), (32, 29), (34, 33)])
def test_drafts_share_salts(draft: int, like: int) -> None:
    assert VERSIONS[0xFF000000 + draft].protections[0].salt == VERSIONS[0xFF000000 + like].protections[0].salt


def test_layouts() -> None:
    headers = {
        name: find_version(int.from_bytes(name.encode(), "big")) for name in ("Q043", "Q046", "Q050", "T051")
    }
    assert [version.header for version in headers.values() if version] == [
        quic_versions.PUBLIC, quic_versions.NIBBLES, quic_versions.LONG, quic_versions.LONG,
    ]  # fmt: skip
    assert find_version(0x12345678) is None
    assert find_version(0) is None
    reserved = find_version(0xFAFAFAFA)
    assert reserved is not None
    assert len(reserved.protections) == 2
