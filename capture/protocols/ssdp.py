"""SSDP, the discovery of UPnP (UPnP Device Architecture 2.0, section 1): HTTP heads in datagrams.

Kept: what names the device or its software. Of `LOCATION`, a URL, the host alone.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.header_lines import read_head
from wirecover.capture.protocols.host_text import address_text, host_text

_REQUEST: Final = re.compile(rb"(M-SEARCH|NOTIFY) \* HTTP/1\.[01]\Z")
_RESPONSE: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?\Z")
_WANTED: Final = frozenset({
    b"server", b"user-agent", b"usn", b"location", b"nt", b"st", b"nts", b"cpfn.upnp.org",
})  # fmt: skip
_LOCATION: Final = re.compile(rb"https?://(?:[^/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|[^/?#:@\[\]]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SsdpMessage:
    """One message."""

    kind: str
    """`search`, `notify` or `response`."""
    state: str | None
    """`NTS` of a NOTIFY: `ssdp:alive`, `ssdp:byebye`, `ssdp:update`."""
    server: str | None
    """Operating system and product of a device."""
    user_agent: str | None
    """The same of a control point that searches."""
    friendly_name: str | None
    """`CPFN.UPNP.ORG`: what the control point is called (section 1.3.2)."""
    usn: str | None
    """Unique service name: the device's UUID, and what of it is announced."""
    target: str | None
    """`NT` or `ST`: kind of device or service, announced or looked for."""
    location_host: str | None
    """Host part of `LOCATION`: a name, or an address in canonical form."""


def parse_ssdp(data: bytes) -> SsdpMessage | None:
    """One message that fills a datagram; None when its head does not end. Raises Malformed."""
    head = read_head(data, _WANTED)
    if head is None:
        return None
    request = _REQUEST.match(head.start)
    if request is not None:
        kind = "search" if request[1] == b"M-SEARCH" else "notify"
    elif _RESPONSE.match(head.start) is not None:
        kind = "response"
    else:
        raise Malformed(0, "start line is not one of SSDP")
    value = {name: host_text(raw) for name, raw in head.fields.items() if name != b"location"}
    return SsdpMessage(
        kind=kind,
        state=value.get(b"nts"),
        server=value.get(b"server"),
        user_agent=value.get(b"user-agent"),
        friendly_name=value.get(b"cpfn.upnp.org"),
        usn=value.get(b"usn"),
        target=value.get(b"nt") or value.get(b"st"),
        location_host=_host(head.fields.get(b"location", b"")),
    )


def _host(url: bytes) -> str | None:
    """Host part of an absolute HTTP URL (RFC 3986 section 3.2.2)."""
    found = _LOCATION.match(url)
    if found is None:
        return None
    text = host_text(found[1].strip(b"[]"))
    if text is None:
        return None
    try:
        return address_text(ip_address(text).packed)
    except ValueError:
        return text.lower()
