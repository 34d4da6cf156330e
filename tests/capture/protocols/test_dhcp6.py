"""DHCPv6 (RFC 8415, 4704, 6355), against messages of another encoder."""

import uuid

import pytest
from scapy.layers.dhcp6 import (
    DUID_EN,
    DUID_LL,
    DUID_LLT,
    DUID_UUID,
    VENDOR_CLASS_DATA,
    DHCP6_RelayForward,
    DHCP6_Reply,
    DHCP6_Solicit,
    DHCP6OptClientFQDN,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIAAddress,
    DHCP6OptIAPrefix,
    DHCP6OptOptReq,
    DHCP6OptRelayMsg,
    DHCP6OptServerId,
    DHCP6OptVendorClass,
)
from support.parser_outcomes import ANY, check_outcomes

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dhcp6 import Dhcp6Message, parse_dhcp6, parse_duid

MAC = "02:00:5e:10:00:01"
CLIENT = DUID_LLT(lladdr=MAC, timeval=1)
SOLICIT = bytes(
    DHCP6_Solicit(trid=0xABCDEF)
    / DHCP6OptClientId(duid=CLIENT)
    / DHCP6OptOptReq(reqopts=[23, 24, 39])
    / DHCP6OptClientFQDN(fqdn="host.example.org.", flags="S")
    / DHCP6OptVendorClass(enterprisenum=311, vcdata=[VENDOR_CLASS_DATA(data=b"MSFT 5.0")])
    / DHCP6OptIA_NA(iaid=1)
)
REPLY = bytes(
    DHCP6_Reply(trid=0xABCDEF)
    / DHCP6OptClientId(duid=CLIENT)
    / DHCP6OptServerId(duid=DUID_LL(lladdr="02:00:5e:10:00:99"))
    / DHCP6OptIA_NA(
        iaid=1,
        ianaopts=[
            DHCP6OptIAAddress(addr="2001:db8::7", preflft=60, validlft=120),
            DHCP6OptIAAddress(addr="2001:db8::8", preflft=0, validlft=0),
        ],
    )
    / DHCP6OptIA_PD(iaid=2, iapdopt=[DHCP6OptIAPrefix(prefix="2001:db8:1::", plen=56, validlft=99)])
)


def parsed(data: bytes) -> Dhcp6Message:
    found = parse_dhcp6(data)
    assert found is not None
    return found


def test_a_client_names_itself() -> None:
    found = check_outcomes(parse_dhcp6, SOLICIT, cut=ANY, longer=None)
    assert (found.type, found.type_name, found.transaction) == (1, "solicit", 0xABCDEF)
    assert (found.client.kind, found.client.mac, found.server) == ("llt", MAC, None)
    assert (found.fqdn, found.vendor_class, found.parameters) == (
        "host.example.org",
        "311 MSFT 5.0",
        (23, 24, 39),
    )
    assert (found.addresses, found.prefixes, found.peer, found.problems) == ((), (), None, ())
    assert [number for number, _ in found.options] == [1, 6, 39, 16, 3]


def test_a_server_gives_addresses_and_prefixes() -> None:
    found = check_outcomes(parse_dhcp6, REPLY, cut=ANY, longer=None)
    assert (found.type_name, found.server.kind) == ("reply", "ll")
    assert found.addresses == ("2001:db8::7",)  # ::8 is taken back: its lifetime is zero
    assert found.prefixes == ("2001:db8:1::/56",)


def test_relayed_messages_are_read_through() -> None:
    inner = DHCP6_RelayForward(linkaddr="::", peeraddr="fe80::7") / DHCP6OptRelayMsg(
        message=DHCP6_Solicit(SOLICIT)
    )
    outer = DHCP6_RelayForward(hopcount=1, peeraddr="2001:db8::1") / DHCP6OptRelayMsg(message=inner)
    found = check_outcomes(parse_dhcp6, bytes(outer), cut=ANY, longer=None)
    assert (found.type_name, found.peer, found.fqdn) == ("solicit", "fe80::7", "host.example.org")


def relayed(inner: bytes) -> bytes:
    return b"\x0c\0" + bytes(32) + b"\0\x09" + len(inner).to_bytes(2, "big") + inner


def test_relaying_is_bounded() -> None:
    data = SOLICIT
    for _ in range(9):
        data = relayed(data)
    assert parsed(data).type_name == "solicit"
    with pytest.raises(Malformed, match="too deeply"):
        parse_dhcp6(relayed(data))


def test_a_broken_message_in_a_whole_relay_message_is_refused() -> None:
    with pytest.raises(Malformed, match="does not fill"):
        parse_dhcp6(relayed(SOLICIT[:-3]))


def test_a_relay_message_may_be_empty() -> None:
    assert parsed(b"\x0c\0" + bytes(32)).transaction is None


def test_identifiers() -> None:
    # RFC 8415 section 11.3: enterprise 9, eight octets of identifier
    assert parse_duid(bytes.fromhex("0002000000090cc084d303000912")).enterprise == 9
    made = uuid.UUID("12345678-1234-5678-1234-567812345678")
    kinds = [
        DUID_EN(enterprisenum=9, id=b"x"),
        DUID_UUID(uuid=made),
        DUID_LL(lladdr=MAC),
        DUID_LL(hwtype=32, lladdr=MAC),
    ]
    found = [parse_duid(bytes(one)) for one in kinds]
    assert [(one.kind, one.mac) for one in found] == [("en", None), ("uuid", None), ("ll", MAC), ("ll", None)]
    assert parse_duid(b"\0\x09abc").kind == "unknown-0x0009"
    for raw in (b"\0\1", bytes(131)):
        with pytest.raises(Malformed):
            parse_duid(raw)


def test_options_that_break_their_format_are_told() -> None:
    broken = b"\0\1\0\1x" + b"\0\3\0\2xx" + b"\0\x10\0\1x" + b"\0\x27\0\3\0\x3fx"
    found = parsed(b"\1\0\0\1" + broken)
    assert (found.client, found.fqdn, found.vendor_class, len(found.problems)) == (None, None, None, 4)
    cut_inside = b"\0\3\0\x14" + bytes(12) + b"\0\5\0\x18xxxx"
    assert parsed(b"\1\0\0\1" + cut_inside).problems == ("DHCPv6 identity association is cut",)


def test_addresses_are_bounded() -> None:
    one = b"\0\5\0\x18" + bytes(14)
    leases = b"".join(one + bytes((i // 256, i % 256)) + bytes(4) + b"\0\0\0\1" for i in range(1, 100))
    found = parsed(b"\7\0\0\1" + b"\0\3" + (12 + len(leases)).to_bytes(2, "big") + bytes(12) + leases)
    assert len(found.addresses) == 64 and found.problems == ("more than 64 addresses in a DHCPv6 message",)
