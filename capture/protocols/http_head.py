"""The head of a plain HTTP/1.x message, as far as it names a host or its software.

Content is never kept: of a request the method, `Host` and `User-Agent`, of a response the status and
`Server`. Targets (paths, queries), cookies, referrers, credentials, all other fields and bodies do not
leave the parser: they tell what was said, and this tool asks who spoke, when and with what.
"""

import re
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.header_lines import read_head
from wirecover.capture.protocols.host_text import host_text

_REQUEST: Final = re.compile(rb"([A-Z][A-Z\-]{1,19}) ([\x21-\xff]+) HTTP/1\.[01]\Z")
_RESPONSE: Final = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?\Z")
_WANTED: Final = frozenset({b"host", b"user-agent", b"server"})


@dataclass(frozen=True, slots=True)
class HttpHead:
    """One head. A request has a method, a response a status."""

    method: str | None
    status: int | None
    host: str | None
    """Of a request to the server that it names: None when it goes through a proxy (`proxied`)."""
    user_agent: str | None
    server: str | None
    proxied: bool
    """The target is a whole URI or the method CONNECT, so `Host` does not name the receiver."""


def parse_http_head(data: bytes, *, cut: bool = False) -> HttpHead | None:
    """The head at the start of `data`; None when its end is not there. Raises Malformed.

    `cut`: no more bytes will come, take the lines that are whole; then None says that there is no start line.
    """
    head = read_head(data, _WANTED, cut=cut)
    if head is None:
        return None
    response = _RESPONSE.match(head.start)
    if response is not None:
        server = host_text(head.fields.get(b"server", b""))
        return HttpHead(None, int(response[1]), None, None, server, proxied=False)
    request = _REQUEST.match(head.start)
    if request is None:
        raise Malformed(0, "start line is not one of HTTP/1.x")
    proxied = request[1] == b"CONNECT" or not request[2].startswith((b"/", b"*"))
    return HttpHead(
        method=request[1].decode("ascii"),
        status=None,
        host=None if proxied else host_text(head.fields.get(b"host", b"")),
        user_agent=host_text(head.fields.get(b"user-agent", b"")),
        server=None,
        proxied=proxied,
    )
