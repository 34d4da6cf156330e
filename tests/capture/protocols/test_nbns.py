"""NetBIOS over UDP (RFC 1001, 1002)."""

import struct

import pytest
from support.parser_outcomes import ANY, RECORD, check_outcomes

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.nbns import (
    NbnsMessage,
    NetbiosName,
    decode_name,
    parse_nb_datagram,
    parse_nbns,
)


def encoded(name: str, suffix: int, scope: bytes = b"") -> bytes:
    raw = name.encode().ljust(15) + bytes([suffix])
    return b"\x20" + bytes(65 + half for byte in raw for half in (byte >> 4, byte & 15)) + scope + b"\0"


def header(flags: int, questions: int = 0, answers: int = 0, additional: int = 0) -> bytes:
    return struct.pack("!HHHHHH", 0x5A5A, flags, questions, answers, 0, additional)


def nb_record(owner: bytes, *addresses: tuple[int, str]) -> bytes:
    data = b"".join(struct.pack("!H", flags) + bytes(map(int, ip.split("."))) for flags, ip in addresses)
    return owner + struct.pack("!HHIH", 0x20, 1, 300, len(data)) + data


def parsed(data: bytes) -> NbnsMessage:
    found = parse_nbns(data)
    assert found is not None
    return found


REGISTRATION = (
    header(0x2910, questions=1, additional=1)
    + encoded("ANNA-PC", 0)
    + b"\0\x20\0\1"
    + nb_record(b"\xc0\x0c", (0x0000, "192.0.2.7"))
)


def test_the_example_of_the_rfc() -> None:
    # RFC 1002 section 4.1: FRED, behind it eleven spaces and a suffix of one
    assert decode_name(b"EGFCEFEECACACACACACACACACACACACA") == NetbiosName("FRED", 0x20, group=False)


def test_a_registration() -> None:
    found = check_outcomes(parse_nbns, REGISTRATION, cut=None, longer=RECORD)
    assert (found.opcode, found.is_response, found.question.name) == (5, False, "ANNA-PC")
    [binding] = found.bindings
    assert (binding.name.name, binding.name.holder, binding.addresses) == (
        "ANNA-PC",
        "workstation",
        ("192.0.2.7",),
    )


def test_a_positive_answer_of_a_group() -> None:
    owner = encoded("WORKGROUP", 0x1E, b"\x07NETBIOS\x03COM")
    found = parsed(header(0x8500, answers=1) + nb_record(owner, (0x8000, "192.0.2.7"), (0x8000, "192.0.2.8")))
    [binding] = found.bindings
    assert (found.opcode, found.rcode, found.is_response) == (0, 0, True)
    assert binding.name == NetbiosName("WORKGROUP", 0x1E, group=True)
    assert (binding.name.holder, binding.addresses) == ("browser-elections", ("192.0.2.7", "192.0.2.8"))


def test_a_node_status_lists_its_names() -> None:
    names = b"ANNA-PC".ljust(15) + b"\x20\x04\x00" + b"HOME".ljust(15) + b"\0\x84\x00"
    data = b"\x02" + names + bytes.fromhex("02005e100001") + bytes(40)
    owner = encoded("*", 0) + struct.pack("!HHIH", 0x21, 1, 0, len(data)) + data
    found = check_outcomes(parse_nbns, header(0x8400, answers=1) + owner, cut=None, longer=RECORD)
    assert [(one.name, one.holder) for one in found.node_names] == [
        ("ANNA-PC", "file-server"),
        ("HOME", "workgroup"),
    ]
    assert found.node_mac == "02:00:5e:10:00:01"


def test_a_datagram_names_its_sender() -> None:
    start = struct.pack("!BBH4sHHH", 0x11, 2, 1, bytes([192, 0, 2, 7]), 138, 120, 0)
    data = start + encoded("ANNA-PC", 0x20) + encoded("HOME", 0x1D) + b"\xffSMB secret"
    found = check_outcomes(parse_nb_datagram, data, cut=ANY, longer=RECORD)
    assert (found.source_ip, found.source.name, found.source.suffix) == ("192.0.2.7", "ANNA-PC", 0x20)
    assert found.destination.name == "HOME" and "secret" not in repr(found)
    with pytest.raises(Malformed):
        parse_nb_datagram(b"\x13" + data[1:])


@pytest.mark.parametrize(
    "data",
    [
        header(0x2910, questions=2),
        header(0x8500, answers=33),
        header(0x8500, answers=1) + b"\xc0\x0c",  # points at itself
        header(0x8500, answers=1) + b"\x20" + b"Q" * 32,
        header(0x8500, answers=1) + b"\x10" + b"A" * 32,
        header(0x8500, answers=1) + encoded("A", 0)[:-1] + b"\x80",
        header(0x8500, answers=1) + encoded("A", 0) + struct.pack("!HHIH", 0x21, 1, 0, 2) + b"\xff\0",
    ],
)
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_nbns(data)


def test_a_scope_is_bounded() -> None:
    with pytest.raises(Malformed, match="scope"):
        parse_nbns(header(0x8500, answers=1) + encoded("A", 0, b"\x01a" * 200))


def test_unknown_suffixes_are_kept_as_numbers() -> None:
    assert NetbiosName("A", 0x42, group=False).holder == "unknown-0x42"
