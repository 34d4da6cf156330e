"""What a capture tells of the hosts in it: names, hardware addresses, systems, software.

Everything here is what some host said of itself (or a server of its client), nothing is proved: the row
says which protocol told it and in which frame. A hardware address is noted only where its owner states it
(ARP, neighbour discovery, DHCP, node status), never from the link header of an IP packet, which behind a
router is the router's.

Facts of a DHCP client wait for the answer of the server, since most are sent before the client has an
address; those of a client that was never answered are kept without one.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.flows.host_facts import (
    Lease,
    Told,
    dhcp6_client,
    dhcp6_lease,
    dhcp_client,
    dhcp_lease,
    http_told,
    nbdgm_told,
    nbns_told,
    ssdp_told,
)
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.neighbours import (
    ARP,
    FRAME_BYTES,
    IPV6,
    link_icmp6,
    neighbour_frames,
    network_layer,
)
from wirecover.capture.flows.waiting_clients import Said, WaitingClients
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.arp import parse_arp
from wirecover.capture.protocols.dhcp import parse_dhcp
from wirecover.capture.protocols.dhcp6 import parse_dhcp6
from wirecover.capture.protocols.dns import DnsMessage, parse_dns
from wirecover.capture.protocols.host_text import address_text
from wirecover.capture.protocols.http_head import parse_http_head
from wirecover.capture.protocols.mdns import llmnr_facts, mdns_facts
from wirecover.capture.protocols.nbns import parse_nb_datagram, parse_nbns
from wirecover.capture.protocols.ndp import NEIGHBOUR_ADVERTISEMENT, ROUTER_ADVERTISEMENT, parse_neighbour
from wirecover.capture.protocols.ssdp import parse_ssdp

DATAGRAM_SERVICES: Final = frozenset({"dhcp", "dhcpv6", "llmnr", "mdns", "nbdgm", "nbns", "ssdp"})
"""Services of whose datagrams `take_datagram` learns something; any other is refused by KeyError."""
STREAM_SERVICES: Final = frozenset({"http", "http-connect"})
MAX_FACTS: Final = 1 << 16
"""Facts held; beyond, the one not told longest is written out, so a fact may have more than one row."""
MAX_MEMO: Final = 1 << 11
"""Datagrams remembered with what they told: announcements are repeated byte by byte."""
MEMO_BYTES: Final = 1500

Row = tuple[str | None, str | None, str, str, str, int, int, int]
"""Values in the order of `tables.HOSTS`."""
_Key = tuple[str | None, str | None, str, str, str]
_UNSPECIFIED: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


class NamedAddress(NamedTuple):
    """A row for the `names` table, but for flow, frame and time."""

    ip: str
    name: str
    source: str


class HostBook:
    """Collects the facts of one capture. `spill` is given the rows that have to leave before the end."""

    def __init__(self, ledger: Ledger, spill: Callable[[Row], None]) -> None:
        self._ledger = ledger
        self._spill = spill
        self._facts: OrderedDict[_Key, list[int]] = OrderedDict()
        self._clients = {"dhcp": WaitingClients(), "dhcpv6": WaitingClients()}
        self._memo: dict[tuple[str, str, bytes], Told] = {}
        self.spilled = 0
        """Rows that had to leave early."""

    # ---- what the driver shows -----------------------------------------------------------------------------

    def take_datagram(
        self, service: str, sender_ip: str, receiver_ip: str, data: bytes, frame: int, ts: int
    ) -> tuple[NamedAddress, ...]:
        """A datagram of one of DATAGRAM_SERVICES. Returns the names that addresses were given in it."""
        try:
            if service == "dhcp":
                return self._take_dhcp(sender_ip, data, frame, ts)
            if service == "dhcpv6":
                return self._take_dhcp6(sender_ip, receiver_ip, data, frame, ts)
            told = self._told(service, sender_ip, data, frame)
        except Malformed as problem:
            self._ledger.note("malformed-" + service, problem.reason, frame)
            return ()
        return self._note_told(told, service, sender_ip, frame, ts)

    def take_message(
        self, service: str, sender_ip: str, message: DnsMessage, data: bytes, frame: int, ts: int
    ) -> tuple[NamedAddress, ...]:
        """A message of `mdns` or `llmnr` that was parsed already; `data` are its bytes."""
        key = (service, sender_ip, data)
        told = self._memo.get(key)
        if told is None:
            told = _dns_told(service, message)
            self._remember(key, told)
        return self._note_told(told, service, sender_ip, frame, ts)

    def take_stream_head(
        self, service: str, sender_ip: str, data: bytes, frame: int, ts: int, receiver_ip: str | None = None
    ) -> None:
        """The first bytes of one direction of a TCP stream of one of STREAM_SERVICES."""
        try:
            head = parse_http_head(data, cut=True)
        except Malformed as problem:
            self._ledger.note("malformed-" + service, problem.reason, frame)
            return
        if head is not None:
            self._note_told(http_told(head, receiver_ip), "http", sender_ip, frame, ts)

    def take_batch(self, batch: Any, rows: NDArray[Any], links: NDArray[np.int32]) -> None:
        """ARP and neighbour discovery of a batch of frames; see `neighbours.neighbour_frames`."""
        for i in neighbour_frames(batch, rows, links).tolist():
            at = int(batch.offset[i])
            seen = bytes(batch.buffer[at : at + min(int(batch.captured[i]), FRAME_BYTES)])
            self.take_frame(int(links[batch.interface[i]]), seen, batch.first_frame + i, int(batch.ts[i]))

    def take_frame(self, link_type: int, frame_bytes: bytes, frame: int, ts: int) -> None:
        """One frame, read if it is ARP or neighbour discovery, else left alone."""
        found = network_layer(link_type, frame_bytes)
        if found is None:
            return
        try:
            if found.ethertype == ARP:
                self._take_arp(frame_bytes[found.start :], frame, ts)
            elif found.ethertype == IPV6:
                self._take_discovery(frame_bytes, found.start, frame, ts)
        except Malformed as problem:
            kind = "malformed-arp" if found.ethertype == ARP else "malformed-ndp"
            self._ledger.note(kind, problem.reason, frame)

    def note_mac(self, ip: str | None, mac: str | None, source: str, frame: int, ts: int) -> None:
        """By `source`, the hardware address of `ip` is `mac`. Nothing is noted when either is missing."""
        if _known(ip) is not None and mac is not None:
            self.note(ip, mac, "mac", mac, source, frame, ts)

    # ---- the book ------------------------------------------------------------------------------------------

    def note(
        self,
        ip: str | None,
        mac: str | None,
        attribute: str,
        value: str,
        source: str,
        frame: int,
        ts: int,
        last_ts: int | None = None,
    ) -> None:
        """One fact, told at `ts` (and until `last_ts`)."""
        last = ts if last_ts is None else last_ts
        key = (_known(ip), mac, attribute, value, source)
        entry = self._facts.get(key)
        if entry is None:
            self._facts[key] = [frame, ts, last]
            if len(self._facts) > MAX_FACTS:
                self.spilled += 1
                self._spill(_row(*self._facts.popitem(last=False)))
            return
        if (ts, frame) < (entry[1], entry[0]):
            entry[0], entry[1] = frame, ts
        entry[2] = max(entry[2], last)
        self._facts.move_to_end(key)

    def rows(self) -> Iterator[Row]:
        """Everything known at the end, in the order of `tables.HOSTS`, sorted."""
        for service, clients in self._clients.items():
            self._note_said(clients.rest(), service)
            if clients.unkept:
                detail = "facts of one client beyond those kept"
                self._ledger.note("odd-" + service, detail, count=clients.unkept)
                clients.unkept = 0
        for key in sorted(self._facts, key=lambda one: tuple((part is not None, part or "") for part in one)):
            yield _row(key, self._facts[key])

    def _note_told(
        self, told: Told, service: str, sender_ip: str, frame: int, ts: int
    ) -> tuple[NamedAddress, ...]:
        if told.mac is not None:
            self.note_mac(sender_ip, told.mac, service, frame, ts)
        for ip, attribute, value in told.facts:
            self.note(ip or sender_ip, None, attribute, value, service, frame, ts)
        source = "nbns" if service == "nbdgm" else service
        return tuple([NamedAddress(ip or sender_ip, name, source) for ip, name in told.names])

    def _told(self, service: str, sender_ip: str, data: bytes, frame: int) -> Told:
        """What a datagram tells that stands for itself."""
        key = (service, sender_ip, data)
        told = self._memo.get(key)
        if told is None:
            told = _READ[service](data)
            if told is None:
                self._ledger.note("malformed-" + service, "message is cut", frame)
                return Told()
            self._remember(key, told)
        return told

    def _remember(self, key: tuple[str, str, bytes], told: Told) -> None:
        if len(key[2]) <= MEMO_BYTES:
            if len(self._memo) >= MAX_MEMO:
                self._memo.clear()
            self._memo[key] = told

    # ---- DHCP ----------------------------------------------------------------------------------------------

    def _take_dhcp(self, sender_ip: str, data: bytes, frame: int, ts: int) -> tuple[NamedAddress, ...]:
        message = parse_dhcp(data)
        if message is None:
            self._ledger.note("malformed-dhcp", "message is cut", frame)
            return ()
        for problem in message.problems:
            self._ledger.note("odd-dhcp", problem, frame)
        key = message.mac or f"{message.transaction:08x}"
        client = dhcp_client(message)
        if client is not None:
            ip = message.ciaddr or (sender_ip if message.giaddr is None else None)
            gone = self._clients["dhcp"].wait(key, _known(ip), message.mac, client, frame, ts)
            self._note_said(gone, "dhcp")
            return ()
        lease = dhcp_lease(message, sender_ip)
        return self._answer("dhcp", key, message.mac, lease, lease.addresses, frame, ts)

    def _take_dhcp6(
        self, sender_ip: str, receiver_ip: str, data: bytes, frame: int, ts: int
    ) -> tuple[NamedAddress, ...]:
        message = parse_dhcp6(data)
        if message is None:
            self._ledger.note("malformed-dhcpv6", "message is cut", frame)
            return ()
        for problem in message.problems:
            self._ledger.note("odd-dhcpv6", problem, frame)
        if message.client is None:
            return ()
        client = dhcp6_client(message)
        client_ip = message.peer or (receiver_ip if client is None else sender_ip)
        key = f"{client_ip} {message.client.text}"
        if client is not None:
            gone = self._clients["dhcpv6"].wait(key, _known(client_ip), None, client, frame, ts)
            self._note_said(gone, "dhcpv6")
            return ()
        lease = dhcp6_lease(message, sender_ip)
        given = tuple(dict.fromkeys([*lease.addresses, client_ip])) if lease.addresses else ()
        return self._answer("dhcpv6", key, None, lease, given, frame, ts)

    def _note_said(self, said: Iterable[Said], service: str, ip: str | None = None) -> None:
        for one in said:
            self.note(
                ip or one.ip, one.mac, one.attribute, one.value, service, one.frame, one.first_ts, one.last_ts
            )

    def _answer(
        self,
        service: str,
        key: str,
        mac: str | None,
        lease: Lease,
        given: tuple[str, ...],
        frame: int,
        ts: int,
    ) -> tuple[NamedAddress, ...]:
        """A server spoke. If it gave a client addresses, what the client told belongs to them."""
        for ip, attribute, value in lease.server:
            self.note(ip, None, attribute, value, service, frame, ts)
        if not given:
            return ()
        said, names, in_time = self._clients[service].answer(key, ts)
        if not in_time:
            self._note_said(said, service)
            said, names = [], ()
        called = dict.fromkeys([*names, *(name for _, name in lease.client.names)])
        for ip in given:
            self._note_said(said, service, ip)
            self.note_mac(ip, mac, service, frame, ts)
            for _, attribute, value in lease.client.facts:
                self.note(ip, mac, attribute, value, service, frame, ts)
        return tuple([NamedAddress(ip, name, "dhcp") for ip in given for name in called])

    # ---- the link ------------------------------------------------------------------------------------------

    def _take_arp(self, data: bytes, frame: int, ts: int) -> None:
        packet = parse_arp(data)
        if packet is None:
            self._ledger.note("malformed-arp", "packet is cut", frame)
            return
        self.note_mac(packet.sender_ip, packet.sender_mac, "arp", frame, ts)

    def _take_discovery(self, frame_bytes: bytes, start: int, frame: int, ts: int) -> None:
        found = link_icmp6(frame_bytes, start)
        if found is None:
            return
        message = parse_neighbour(found.message)
        if message is None:
            self._ledger.note("malformed-ndp", "message is cut", frame)
            return
        sender = address_text(found.source)
        subject = message.target if message.type == NEIGHBOUR_ADVERTISEMENT else sender
        if message.type == NEIGHBOUR_ADVERTISEMENT:
            self.note_mac(subject, message.target_mac, "ndp", frame, ts)
        else:
            self.note_mac(sender, message.source_mac, "ndp", frame, ts)
        if message.from_router and subject is not None:
            mac = message.source_mac if message.type == ROUTER_ADVERTISEMENT else message.target_mac
            self.note(subject, mac, "role", "ipv6-router", "ndp", frame, ts)


def _known(ip: str | None) -> str | None:
    return None if ip in _UNSPECIFIED else ip


def _dns_told(service: str, message: DnsMessage) -> Told:
    announced = mdns_facts(message) if service == "mdns" else llmnr_facts(message)
    return Told(tuple((one.ip, one.attribute, one.value) for one in announced.facts), announced.names)


def _read_dns(service: str) -> Callable[[bytes], Told | None]:
    def read(data: bytes) -> Told | None:
        message = parse_dns(data)
        return None if message is None else _dns_told(service, message)

    return read


def _read_nbns(data: bytes) -> Told | None:
    message = parse_nbns(data)
    return None if message is None else nbns_told(message)


def _read_nbdgm(data: bytes) -> Told | None:
    datagram = parse_nb_datagram(data)
    return None if datagram is None else nbdgm_told(datagram)


def _read_ssdp(data: bytes) -> Told | None:
    message = parse_ssdp(data)
    return None if message is None else ssdp_told(message)


_READ: Final[dict[str, Callable[[bytes], Told | None]]] = {
    "mdns": _read_dns("mdns"), "llmnr": _read_dns("llmnr"), "nbns": _read_nbns, "nbdgm": _read_nbdgm,
    "ssdp": _read_ssdp,
}  # fmt: skip


def _row(key: _Key, entry: list[int]) -> Row:
    return (*key, *entry)  # type: ignore[return-value]
