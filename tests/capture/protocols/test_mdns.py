"""Facts about hosts in multicast DNS and LLMNR."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns import DnsMessage, parse_dns
from wirecover.capture.protocols.mdns import HostFact, llmnr_facts, mdns_facts

A, PTR, HINFO, TXT, AAAA, SRV = 1, 12, 13, 16, 28, 33
PHONE = ("Anna\u2019s iPhone".encode(), b"_airplay", b"_tcp", b"local")
HOST = (b"Annas-iPhone", b"local")
IP4, IP6 = bytes([192, 0, 2, 7]), bytes.fromhex("fe80000000000000000000000000 0007".replace(" ", ""))


def name(*labels: bytes) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(owner: tuple[bytes, ...], kind: int, data: bytes, class_: int = 0x8001) -> bytes:
    return name(*owner) + struct.pack("!HHIH", kind, class_, 120, len(data)) + data


def strings(*parts: bytes) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in parts)


def message(*records: bytes, flags: int = 0x8400, section: int = 1) -> DnsMessage:
    counts = [0, 0, 0, 0]
    counts[section] = len(records)
    found = parse_dns(struct.pack("!HHHHHH", 0, flags, *counts) + b"".join(records))
    assert found is not None
    return found


def service(target: tuple[bytes, ...]) -> bytes:
    return struct.pack("!HHH", 0, 0, 7000) + name(*target)


def test_a_host_gives_its_names_and_services() -> None:
    found = mdns_facts(message(
        record((b"_airplay", b"_tcp", b"local"), PTR, name(*PHONE), 1),
        record(PHONE, SRV, service(HOST)),
        record(PHONE, TXT, strings(b"model=iPhone14,2", b"osvers=17.1", b"secret=no", b"noequals", b"")),
        record(HOST, A, IP4), record(HOST, AAAA, IP6),
    ))  # fmt: skip
    assert found.names == (("192.0.2.7", "Annas-iPhone.local"), ("fe80::7", "Annas-iPhone.local"))
    told = {(fact.attribute, fact.value) for fact in found.facts}
    assert told == {
        ("hostname", "Annas-iPhone.local"), ("mdns-service", "Anna\u2019s iPhone._airplay._tcp"),
        ("model", "iPhone14,2"), ("os-version", "17.1"),
    }  # fmt: skip
    assert {fact.ip for fact in found.facts} == {"192.0.2.7", "fe80::7"}
    assert len(found.facts) == len(set(found.facts)) == 8


def test_without_an_address_the_sender_is_meant() -> None:
    owner = (b"Annas-iPhone", b"_device-info", b"_tcp", b"local")
    found = mdns_facts(message(record(owner, TXT, strings(b"model=D63AP", b"osxvers=22"))))
    assert found.facts == (HostFact(None, "model", "D63AP"), HostFact(None, "os-version", "22"))


def test_of_unknown_services_the_type_alone_is_kept() -> None:
    owner = (b"_diary", b"_udp", b"local")
    found = mdns_facts(message(record(owner, PTR, name(b"what I wrote today", *owner))))
    assert found.facts == (HostFact(None, "mdns-service", "_diary._udp"),)
    listed = (b"_services", b"_dns-sd", b"_udp", b"local")
    found = mdns_facts(message(record(listed, PTR, name(b"_Matter", b"_TCP", b"local"))))
    assert found.facts == (HostFact(None, "mdns-service", "_matter._tcp"),)


def test_a_dot_in_an_instance_name_is_no_border() -> None:
    owner = (b"Dr. No", b"_ssh", b"_tcp", b"local")
    assert mdns_facts(message(record(owner, SRV, service(HOST)))).facts == (
        HostFact(None, "mdns-service", "Dr. No._ssh._tcp"),
    )


def test_systems() -> None:
    found = mdns_facts(message(record(HOST, HINFO, strings(b"ARM64", b"LINUX")), record(HOST, A, IP4)))
    assert HostFact("192.0.2.7", "system", "ARM64 LINUX") in found.facts


def test_known_answers_of_a_query_say_nothing_of_the_sender() -> None:
    answers = message(record(HOST, A, IP4), flags=0)
    assert mdns_facts(answers) == llmnr_facts(answers)
    assert mdns_facts(answers).facts == ()


def test_a_probe_claims_a_name() -> None:
    found = mdns_facts(message(record(HOST, A, IP4, 1), flags=0, section=2))
    assert found.names == (("192.0.2.7", "Annas-iPhone.local"),)


def test_llmnr_answers() -> None:
    found = llmnr_facts(message(record((b"ANNA-PC",), A, IP4, 1), flags=0x8000))
    assert found.names == (("192.0.2.7", "ANNA-PC"),)
    assert found.facts == (HostFact("192.0.2.7", "hostname", "ANNA-PC"),)


def test_records_are_bounded() -> None:
    many = [record((f"h{i}".encode(), b"local"), A, IP4) for i in range(300)]
    assert len(mdns_facts(message(*many)).names) == 256


def test_values_are_printable_and_bounded() -> None:
    owner = (b"\x1b[2J" + b"x" * 50, b"_ssh", b"_tcp", b"local")
    [fact] = mdns_facts(message(record(owner, SRV, service(HOST)))).facts
    assert fact.value.isprintable() and fact.value.startswith("\\u{1b}[2J")


labels = st.binary(min_size=1, max_size=20)
owners = st.one_of(
    st.tuples(
        labels,
        st.sampled_from([b"_airplay", b"_x", b"_device-info"]),
        st.sampled_from([b"_tcp", b"_udp"]),
        labels,
    ),
    st.tuples(labels, labels),
)
records = st.tuples(owners, st.sampled_from([A, PTR, HINFO, TXT, AAAA, SRV, 47]), st.binary(max_size=40))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(parts=st.lists(records, max_size=6), flags=st.sampled_from([0, 0x8400]), section=st.integers(1, 3))
def test_no_message_breaks_it(
    parts: list[tuple[tuple[bytes, ...], int, bytes]], flags: int, section: int
) -> None:
    try:
        found = message(*(record(*part) for part in parts), flags=flags, section=section)
    except Malformed:
        return
    for announced in (mdns_facts(found), llmnr_facts(found)):
        assert all(
            fact.value and fact.value.isprintable() and len(fact.value) < 1500 for fact in announced.facts
        )
        assert all(ip and named for ip, named in announced.names)
