"""Which field of a message becomes which attribute of whom."""

from wirecover.capture.flows.host_facts import (
    Told,
    dhcp_client,
    dhcp_lease,
    http_told,
    nbdgm_told,
    nbns_told,
    ssdp_told,
)
from wirecover.capture.protocols.dhcp import DhcpMessage
from wirecover.capture.protocols.http_head import HttpHead
from wirecover.capture.protocols.nbns import NameBinding, NbDatagram, NbnsMessage, NetbiosName
from wirecover.capture.protocols.ssdp import SsdpMessage

HELD = NetbiosName("ANNA-PC", 0x00, group=False)
SHARED = NetbiosName("HOME", 0x00, group=True)


def dhcp(**fields: object) -> DhcpMessage:
    empty: dict[str, object] = dict.fromkeys(DhcpMessage.__dataclass_fields__)
    empty |= {"operation": 1, "transaction": 1, "parameters": (), "options": (), "problems": ()}
    return DhcpMessage(**(empty | fields))  # type: ignore[arg-type]


def nbns(**fields: object) -> NbnsMessage:
    empty: dict[str, object] = {
        "transaction": 1, "is_response": False, "opcode": 5, "rcode": 0, "question": None,
        "bindings": (NameBinding(HELD, ("192.0.2.7",)),), "node_names": (), "node_mac": None,
    }  # fmt: skip
    return NbnsMessage(**(empty | fields))  # type: ignore[arg-type]


def test_a_dhcp_client() -> None:
    told = dhcp_client(dhcp(host_name="a", fqdn="a.example.org", parameters=(1, 3)))
    assert told == Told(
        ((None, "hostname", "a"), (None, "fqdn", "a.example.org"), (None, "dhcp-fingerprint", "1,3")),
        ((None, "a.example.org"), (None, "a")),
    )
    assert dhcp_client(dhcp(operation=2)) is None


def test_only_an_acknowledgement_gives_an_address() -> None:
    offer = dhcp_lease(dhcp(operation=2, type=2, yiaddr="192.0.2.7", server_id="192.0.2.1"), "198.51.100.1")
    assert (offer.addresses, offer.client, offer.server) == (
        (),
        Told(),
        (("192.0.2.1", "role", "dhcp-server"),),
    )
    given = dhcp_lease(dhcp(operation=2, type=5, yiaddr="192.0.2.7"), "192.0.2.1")
    assert given.addresses == ("192.0.2.7",)
    assert given.client.facts == ((None, "dhcp-lease", "192.0.2.1"),)
    assert dhcp_lease(dhcp(operation=2, type=6), "192.0.2.1").addresses == ()
    assert dhcp_lease(dhcp(operation=2, type=5, ciaddr="192.0.2.8"), "192.0.2.1").addresses == ("192.0.2.8",)


def test_netbios_claims() -> None:
    assert nbns_told(nbns()) == Told(
        (("192.0.2.7", "netbios-workstation", "ANNA-PC"), ("192.0.2.7", "hostname", "ANNA-PC")),
        (("192.0.2.7", "ANNA-PC"),),
    )
    shared = nbns_told(nbns(bindings=(NameBinding(SHARED, ("192.0.2.7",)),)))
    assert shared == Told((("192.0.2.7", "netbios-workgroup", "HOME"),))


def test_refused_and_asked_names_say_nothing() -> None:
    assert nbns_told(nbns(is_response=True, rcode=6)) == Told()
    assert nbns_told(nbns(opcode=0)) == Told()
    assert nbns_told(nbns(opcode=7)) == Told()
    assert nbns_told(nbns(opcode=0, is_response=True)).names == (("192.0.2.7", "ANNA-PC"),)


def test_a_node_status_is_about_its_sender() -> None:
    told = nbns_told(
        nbns(opcode=0, is_response=True, bindings=(), node_names=(HELD,), node_mac="02:00:5e:10:00:01")
    )
    assert (told.names, told.mac) == (((None, "ANNA-PC"),), "02:00:5e:10:00:01")


def test_a_datagram_tells_the_address_its_sender_believes_in() -> None:
    told = nbdgm_told(NbDatagram("10.0.0.7", HELD, SHARED))
    assert told.facts[-1] == (None, "nbdgm-source-ip", "10.0.0.7")
    assert nbdgm_told(NbDatagram(None, HELD, SHARED)).names == ((None, "ANNA-PC"),)


def test_devices_and_those_who_search_them() -> None:
    kind = "urn:schemas-upnp-org:device:MediaRenderer:1"
    told = ssdp_told(SsdpMessage("notify", None, "Linux", None, None, f"uuid:1-2::{kind}", kind, "192.0.2.9"))
    assert told.facts == (
        (None, "server", "Linux"), (None, "upnp-uuid", "1-2"), (None, "upnp-device", kind),
        (None, "upnp-location-host", "192.0.2.9"),
    )  # fmt: skip
    asked = ssdp_told(SsdpMessage("search", None, None, "Player/1", "tablet", None, kind, None))
    assert asked.facts == ((None, "user-agent", "Player/1"), (None, "device-name", "tablet"))


def test_the_host_field_names_the_receiver() -> None:
    head = HttpHead("GET", None, "example.org", "curl", None, proxied=False)
    assert http_told(head, "192.0.2.80").facts == (
        (None, "user-agent", "curl"), ("192.0.2.80", "http-host", "example.org"),
    )  # fmt: skip
    assert http_told(head, None).facts == ((None, "user-agent", "curl"),)
