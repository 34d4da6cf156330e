"""Protocols that only an exchange proves: what is enough, and what is not."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.capture.protocols.exchanges import Said, recognise_exchange

NOISE = random.Random(7).randbytes(600)
SID, REMOTE = NOISE[:8], NOISE[8:16]
PLAIN_CLIENT, PLAIN_SERVER = b"\x38" + SID + bytes(5), b"\x40" + REMOTE + b"\1\0\0\0\0" + SID + bytes(4)
TIME = struct.pack(">I", 1_650_000_000)


def talk(*turns: tuple[bool, bytes]) -> list[Said]:
    return [Said(up, len(data), data[:288]) for up, data in turns]


def service(said: list[Said], transport: str = "udp", port: int = 443) -> str | None:
    found = recognise_exchange(said, transport, port)
    if found is not None:
        assert found.reason
    return None if found is None else found.service


def initiation(index: bytes = b"abcd") -> bytes:
    return b"\1\0\0\0" + index + NOISE[:140]


def transport_data(counter: int, index: bytes = b"efgh") -> bytes:
    return b"\4\0\0\0" + index + struct.pack("<Q", counter) + NOISE[:32]


WIREGUARD = [
    talk((True, initiation()), (False, b"\2\0\0\0wxyzabcd" + NOISE[:80])),
    talk((True, initiation()), (False, b"\3\0\0\0abcd" + NOISE[:56])),
    talk((True, initiation())),
    talk((False, b"\2\0\0\0wxyzabcd" + NOISE[:80])),
    talk((True, transport_data(5)), (False, transport_data(9, b"ijkl")), (True, transport_data(6))),
]
NOT_WIREGUARD = [
    [],
    talk((True, transport_data(5))),
    talk((True, transport_data(6)), (True, transport_data(5))),
    talk((True, transport_data(5)), (True, transport_data(6, b"ijkl"))),
    talk((True, transport_data(5, bytes(4))), (True, transport_data(6, bytes(4)))),
    talk((True, transport_data(5)), (True, transport_data(1 << 40))),
    talk((True, b"\1\0\0\0" + bytes(144))),
    talk((True, b"\1\0\0\0" + NOISE[:143])),
    talk((True, b"\3\0\0\0abcd" + NOISE[:56])),
    talk((True, b"\1\0\0\0" + bytes(144)), (False, b"\3\0\0\0abcd" + NOISE[:56])),
]


@pytest.mark.parametrize("said", WIREGUARD)
def test_wireguard(said: list[Said]) -> None:
    assert service(said) == "wireguard"
    found = recognise_exchange(said, "udp", 443)
    assert found is not None
    assert found.answered == (len(said) > 1)


@pytest.mark.parametrize("said", NOT_WIREGUARD)
def test_not_wireguard(said: list[Said]) -> None:
    assert service(said) is None


SIGNED = NOISE[30:50] + struct.pack(">I", 1) + TIME
OPENVPN = [
    talk((True, PLAIN_CLIENT), (False, PLAIN_SERVER)),
    talk((False, PLAIN_CLIENT), (True, PLAIN_SERVER)),
    talk(
        (True, b"\x38" + SID + SIGNED + bytes(5)),
        (False, b"\x40" + REMOTE + SIGNED + b"\1\0\0\0\0" + SID + bytes(4)),
    ),
    talk(
        (True, b"\x38" + SID + b"\0\0\0\1" + TIME + NOISE[60:100]),
        (False, b"\x40" + REMOTE + b"\0\0\0\1" + TIME + NOISE[100:150]),
    ),
    talk(
        (True, b"\x50" + SID + b"\x0f\0\0\1" + TIME + NOISE[60:400]),
        (False, b"\x40" + REMOTE + b"\0\0\0\1" + TIME + NOISE[100:150]),
    ),
    talk(
        (True, PLAIN_CLIENT),
        (True, b"\x28" + SID + b"\1\0\0\0\0" + REMOTE),
        (True, b"\x28" + SID + b"\1\0\0\0\1" + REMOTE),
    ),
]
NOT_OPENVPN = [
    talk((True, PLAIN_CLIENT)),
    talk((True, PLAIN_CLIENT), (True, PLAIN_SERVER)),
    talk((True, PLAIN_CLIENT), (False, PLAIN_SERVER.replace(SID, REMOTE))),
    talk((True, PLAIN_CLIENT), (True, b"\x28" + SID + b"\1\0\0\0\0" + REMOTE)),
    talk((True, b"\x39" + PLAIN_CLIENT[1:]), (False, PLAIN_SERVER)),
    talk((True, b"\x38" + bytes(13)), (False, b"\x40" + bytes(25))),
    talk(
        (True, b"\x38" + SID + b"\0\0\0\1" + TIME + NOISE[60:100]),
        (False, b"\x40" + REMOTE + b"\0\0\0\1" + bytes(4) + NOISE[100:150]),
    ),
    talk(
        (True, b"\x38" + SID + b"\0\0\0\1" + TIME + bytes(40)),
        (False, b"\x40" + REMOTE + b"\0\0\0\1" + TIME + bytes(50)),
    ),
]


@pytest.mark.parametrize("said", OPENVPN)
def test_openvpn(said: list[Said]) -> None:
    assert service(said) == "openvpn"
    framed = [Said(one.up, one.length + 2, struct.pack(">H", one.length) + one.data) for one in said]
    assert service(framed, "tcp") == "openvpn"


@pytest.mark.parametrize("said", NOT_OPENVPN)
def test_not_openvpn(said: list[Said]) -> None:
    assert service(said) is None
    assert service(said, "tcp") is None


def test_openvpn_unanswered_on_its_port_says_so() -> None:
    found = recognise_exchange(talk((True, PLAIN_CLIENT)), "udp", 1194)
    assert found is not None
    assert "not answered" in found.reason
    assert not found.answered


def test_esp() -> None:
    packets = [struct.pack(">II", 0xC0FFEE01, number) + NOISE[:84] for number in (7, 8)]
    said = talk((True, packets[0]), (True, packets[1]))
    found = recognise_exchange(said, "udp", 4500)
    assert found is not None
    assert (found.service, found.value) == ("esp", "0xc0ffee01")
    assert service(said, port=443) is None
    assert service(said[::-1], port=4500) is None
    assert service(talk((True, packets[0]), (False, packets[1])), port=4500) is None


REQUEST = b"\5\1\0\3\x0bexample.org\1\xbb"


def test_socks() -> None:
    for said, target in (
        (talk((True, b"\5\1\0"), (False, b"\5\0"), (True, REQUEST)), "example.org:443"),
        (talk((True, b"\5\2\0\2"), (False, b"\5\2"), (True, b"\1\1a\1b" + REQUEST)), "example.org:443"),
        (
            talk((True, b"\4\1\0\x50" + bytes((192, 0, 2, 9)) + b"\0"), (False, b"\0\x5a" + bytes(6))),
            "192.0.2.9:80",
        ),
    ):
        found = recognise_exchange(said, "tcp", 8443)
        assert found is not None
        assert (found.service, found.value) == ("socks", target)


def test_not_socks() -> None:
    for said in (
        talk((True, b"\5\1\0")),
        talk((True, b"\5\1\0"), (False, b"\5\0")),
        talk((True, b"\5\1\0"), (False, b"\5\2"), (True, REQUEST)),
        talk((True, b"\5\1\0" + REQUEST), (False, b"HTTP/1.1 200 OK"), (True, REQUEST)),
        talk((True, b"\5\1\0"), (False, b"\5\0"), (True, b"\5\x63\0\1" + bytes(6))),
        talk((True, b"\4\1\0\x50" + bytes((192, 0, 2, 9)) + b"\0"), (False, b"\0\x50" + bytes(6))),
        talk((True, b"\4\1\0\x50"), (True, bytes((192, 0, 2, 9)) + b"\0")),
    ):
        assert service(said, "tcp") is None


@given(
    st.lists(
        st.tuples(st.booleans(), st.one_of(st.binary(max_size=60), st.sampled_from([PLAIN_CLIENT, REQUEST]))),
        max_size=8,
    ),
    st.sampled_from(["tcp", "udp", "sctp"]),
    st.sampled_from([443, 1194, 4500]),
)
def test_anything_may_come(turns: list[tuple[bool, bytes]], transport: str, port: int) -> None:
    said = talk(*turns)
    found = recognise_exchange(said, transport, port)
    assert found is None or found.service in {"wireguard", "openvpn", "esp", "socks"}
