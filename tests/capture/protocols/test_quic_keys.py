"""Initial keys against the printed values of RFC 9001 and RFC 9369 appendix A, and Retry tags."""

import hmac

import pytest
from support.quic_packets import DCID, V1, V2, initial, vector_bytes

from wirecover.capture.protocols.quic_header import parse_long_header
from wirecover.capture.protocols.quic_keys import (
    InitialKeyPair,
    _full_packet_number,
    expand_label,
    retry_tag_holds,
)
from wirecover.capture.registries.quic_versions import VERSIONS

CLIENT_SECRET = "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea"
# https://www.rfc-editor.org/rfc/rfc9001#section-a.1
V1_CLIENT = {
    b"quic key": "1f369613dd76d5467730efcbe3b1a22d",
    b"quic iv": "fa044b2f42a3fd3b46fb255c",
    b"quic hp": "9f50449e04a0e810283a1e9933adedd2",
}


def test_key_schedule_of_rfc_9001() -> None:
    initial_secret = hmac.digest(VERSIONS[V1].protections[0].salt, DCID, "sha256")
    assert initial_secret.hex() == "7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44"
    secret = expand_label(initial_secret, b"client in", 32)
    assert secret.hex() == CLIENT_SECRET
    for label, expected in V1_CLIENT.items():
        assert expand_label(secret, label, len(expected) // 2).hex() == expected


@pytest.mark.parametrize(("rfc", "version"), [("rfc9001", V1), ("rfc9369", V2)])
def test_vectors_open_with_their_side_only(rfc: str, version: int) -> None:
    pair = InitialKeyPair(VERSIONS[version].protections[0], DCID)
    for side, other, name, number in (
        ("client", "server", f"{rfc}_a2_client_initial", 2),
        ("server", "client", f"{rfc}_a3_server_initial", 1),
    ):
        packet = vector_bytes(name)
        header = parse_long_header(packet)
        assert header is not None
        opened = pair.side(side).open(packet, header.start, header.payload, header.end)  # type: ignore[arg-type]
        assert opened is not None
        assert opened.number == number
        assert pair.side(other).open(packet, header.start, header.payload, header.end) is None  # type: ignore[arg-type]
        assert pair.side(side) is pair.side(side), "derived once"  # type: ignore[arg-type]


def test_packet_cut_short_is_not_opened() -> None:
    packet = initial(b"")
    header = parse_long_header(packet)
    assert header is not None
    pair = InitialKeyPair(VERSIONS[V1].protections[0], DCID)
    assert pair.side("client").open(packet[:-1], header.start, header.payload, header.end) is None
    assert pair.side("client").open(packet, header.start, header.payload, header.end) is not None


# RFC 9000 appendix A.3 and draft-ietf-quic-tls-{25,29} appendix A.4 for the older Retry tags
@pytest.mark.parametrize(
    ("version", "packet"),
    [
        (V1, vector_bytes("rfc9001_a4_retry")),
        (V2, vector_bytes("rfc9369_a4_retry")),
        (
            0xFF00001D,
            bytes.fromhex("ffff00001d0008f067a5502a4262b5746f6b656ed16926d81f6f9ca2953a8aa4575e1e49"),
        ),
        (
            0xFF000019,
            bytes.fromhex("ffff0000190008f067a5502a4262b5746f6b656e1e5ec5b014cbb1f0fd93df4048c446a6"),
        ),
    ],
)
def test_retry_tags(version: int, packet: bytes) -> None:
    protection = VERSIONS[version].protections[0]
    header = parse_long_header(packet)
    assert header is not None
    assert retry_tag_holds(protection, packet, header, DCID) is True
    assert retry_tag_holds(protection, packet, header, b"otherone") is False
    assert retry_tag_holds(VERSIONS[0xFF000017].protections[0], packet, header, DCID) is None


@pytest.mark.parametrize(
    ("truncated", "size", "largest", "full"),
    [
        (0x9B32, 2, 0xA82F30EA, 0xA82F9B32),  # the example of RFC 9000 appendix A.3
        (0, 1, -1, 0),
        (0xFF, 1, -1, 0xFF),
        (0x01, 1, 0xFF, 0x101),
        (0xFE, 1, 0x101, 0xFE),
        (0xFFFFFFFF, 4, -1, 0xFFFFFFFF),
    ],
)
def test_full_packet_number(truncated: int, size: int, largest: int, full: int) -> None:
    assert _full_packet_number(truncated, size, largest) == full
