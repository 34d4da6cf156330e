"""What a host says of itself in multicast DNS (RFC 6762, services: RFC 6763) and in LLMNR (RFC 4795).

Works on parsed messages (`dns.py`). Read are responses and, of a query, the records that a host is about to
claim (probes, RFC 6762 section 8.2). Answers in a query are known answers of others and say nothing of the
sender.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols.dns import DnsMessage, DnsRecord, canonical_name
from wirecover.capture.protocols.host_text import MAX_VALUE, host_text
from wirecover.capture.registries.host_numbers import NAMING_SERVICES, TXT_FACTS

_A, _PTR, _HINFO, _TXT, _AAAA, _SRV = 1, 12, 13, 16, 28, 33
MAX_RECORDS: Final = 256
"""Records of one message that are looked at."""
_ESCAPED: Final = re.compile(r"\\(\d{3})|\\(.)|([^\\])")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SERVICES: Final = "_services._dns-sd._udp."


@dataclass(frozen=True, slots=True)
class HostFact:
    """One thing known of one host."""

    ip: str | None
    """None: of the sender."""
    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Announced:
    """What one message tells of hosts, each thing once, in wire order."""

    names: tuple[tuple[str, str], ...]
    """(address, name)."""
    facts: tuple[HostFact, ...]


def mdns_facts(message: DnsMessage) -> Announced:
    """Names, services, models and system versions announced in an mDNS message."""
    told = (*message.answers, *message.additional) if message.is_response else message.authority
    records = [record for record in told[:MAX_RECORDS] if record.fits]
    names = _addresses(records)
    ips: dict[str, list[str]] = {}
    for ip, name in names:
        ips.setdefault(canonical_name(name), []).append(ip)
    targets = {
        canonical_name(record.name): canonical_name(record.data.rsplit(" ", 1)[-1])
        for record in records
        if record.type == _SRV
    }
    facts: dict[HostFact, None] = {}
    for record in records:
        instance = canonical_name(record.data if record.type == _PTR else record.name)
        owners: Iterable[str | None] = ips.get(targets.get(instance, instance)) or (None,)
        for attribute, value in _told(record):
            facts.update(dict.fromkeys(HostFact(ip, attribute, value) for ip in owners))
    hostnames = [HostFact(ip, "hostname", name) for ip, name in names]
    return Announced(names, tuple(dict.fromkeys([*hostnames, *facts])))


def llmnr_facts(message: DnsMessage) -> Announced:
    """Names of a response of LLMNR: only who holds a name answers (RFC 4795 section 2.3)."""
    records = message.answers[:MAX_RECORDS] if message.is_response else ()
    names = _addresses(records)
    return Announced(names, tuple(HostFact(ip, "hostname", name) for ip, name in names))


def _addresses(records: Iterable[DnsRecord]) -> tuple[tuple[str, str], ...]:
    pairs = [(one.data, one.name) for one in records if one.type in (_A, _AAAA) and one.fits]
    return tuple(dict.fromkeys(pairs))


def _told(record: DnsRecord) -> Iterable[tuple[str, str]]:
    """(attribute, value) of one record that is no address."""
    if record.type == _PTR:
        service = _service(record.data)
        return (("mdns-service", service),) if service is not None else ()
    if record.type == _SRV:
        service = _service(record.name)
        return (("mdns-service", service),) if service is not None else ()
    if record.type == _HINFO:
        system = host_text(b" ".join(_strings(record.data)))
        return (("system", system),) if system is not None else ()
    return _txt_facts(record) if record.type == _TXT else ()


def _service(name: str) -> str | None:
    """`instance._type._protocol` in text; `_type._protocol` for services whose instances name nothing."""
    labels = _labels(name)
    for at in (1, 0):
        kind = _kind(labels, at)
        if kind is not None:
            break
    else:
        return None
    instance = host_text(labels[0]) if at == 1 and kind in NAMING_SERVICES else None
    return kind if instance is None else f"{instance}.{kind}"


def _kind(labels: list[bytes], at: int) -> str | None:
    """The two labels of a service type at `at`, in lower case."""
    pair = labels[at : at + 2]
    if len(pair) < 2 or pair[0][:1] != b"_" or pair[1].lower() not in (b"_tcp", b"_udp"):
        return None
    text = host_text(b".".join(pair).lower())
    return None if text is None or f"{text}." == _SERVICES else text


def _txt_facts(record: DnsRecord) -> list[tuple[str, str]]:
    labels = _labels(record.name)
    kind = _kind(labels, 1) or _kind(labels, 0)
    wanted = TXT_FACTS.get(kind or "", {})
    if not wanted:
        return []
    facts: list[tuple[str, str]] = []
    for string in _strings(record.data):
        key, _, raw = string.partition(b"=")
        attribute = wanted.get(key.decode("latin-1").lower())
        value = host_text(raw)
        if attribute is not None and value is not None:
            facts.append((attribute, value))
    return facts


def _labels(name: str) -> list[bytes]:
    """Octets of the labels of a name in presentation form (RFC 1035 section 5.1)."""
    labels, label = [], bytearray()
    for decimal, quoted, plain in _ESCAPED.findall(name):
        if plain == ".":
            labels.append(bytes(label))
            label.clear()
        else:
            label.append(int(decimal) & 0xFF if decimal else ord(quoted or plain) & 0xFF)
    labels.append(bytes(label))
    return labels


def _strings(data: str) -> list[bytes]:
    """Octets of the character-strings of a TXT or HINFO record."""
    return [_octets(text)[: MAX_VALUE + 1] for text in _QUOTED.findall(data)]


def _octets(text: str) -> bytes:
    return bytes(
        int(decimal) & 0xFF if decimal else ord(quoted or plain) & 0xFF
        for decimal, quoted, plain in _ESCAPED.findall(text)
    )
