"""House rules of the numbers of host protocols."""

from wirecover.capture.registries.host_numbers import (
    DHCP_MESSAGES,
    DHCPV6_MESSAGES,
    NAMING_SERVICES,
    NETBIOS_GROUP,
    NETBIOS_UNIQUE,
    TXT_FACTS,
)


def test_messages_have_one_number_each() -> None:
    assert (DHCP_MESSAGES[1], DHCP_MESSAGES[5]) == ("discover", "ack")
    assert (DHCPV6_MESSAGES[1], DHCPV6_MESSAGES[7], DHCPV6_MESSAGES[12]) == (
        "solicit",
        "reply",
        "relay-forward",
    )
    for table in (DHCP_MESSAGES, DHCPV6_MESSAGES, NETBIOS_GROUP, NETBIOS_UNIQUE):
        assert len(set(table.values())) == len(table)


def test_services_are_types_in_lower_case() -> None:
    for service in (*NAMING_SERVICES, *TXT_FACTS):
        kind, _, protocol = service.partition(".")
        assert kind[0] == "_" and protocol in ("_tcp", "_udp") and service == service.lower()
    assert all(key == key.lower() for keys in TXT_FACTS.values() for key in keys)
