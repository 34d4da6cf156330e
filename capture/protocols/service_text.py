"""Protocols that speak in lines of text, by the first line of either side.

Each pattern must match from the first byte, and is as long as the protocol's grammar allows; where a
greeting is too short to tell (`220 ready`), the server's well-known port must agree.
"""

import re
from collections.abc import Callable
from typing import Final

_HTTP_METHODS: Final = (
    rb"GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|TRACE|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE|LOCK|UNLOCK|REPORT|"
    rb"SEARCH"
)
_SIP_METHODS: Final = (
    rb"INVITE|REGISTER|OPTIONS|ACK|BYE|CANCEL|SUBSCRIBE|NOTIFY|MESSAGE|INFO|PUBLISH|UPDATE|REFER|PRACK"
)
_XML: Final = rb"(?:<\?xml version=['\"]1\.[01]['\"][^<>]{0,60}\?>\s*)"
_RTSP_METHODS: Final = (
    rb"OPTIONS|DESCRIBE|ANNOUNCE|SETUP|PLAY|PAUSE|TEARDOWN|RECORD|GET_PARAMETER|SET_PARAMETER"
)


def _pattern(*alternatives: bytes) -> Callable[[bytes], bool]:
    compiled = re.compile(b"|".join(b"(?:" + one + b")" for one in alternatives), re.DOTALL)
    return lambda head: compiled.match(head) is not None


_EITHER_SIDE: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("rtsp", _pattern(rb"(?:" + _RTSP_METHODS + rb") (?:rtsp://|\*)\S* RTSP/1\.0\r\n", rb"RTSP/1\.0 \d{3} ")),
    ("sip", _pattern(rb"(?:" + _SIP_METHODS + rb") (?:sips?|tel):\S+ SIP/2\.0\r\n", rb"SIP/2\.0 \d{3} ")),
    ("http-connect", _pattern(rb"CONNECT [A-Za-z0-9.\-\[\]:]+:\d{1,5} HTTP/1\.[01]\r?\n")),
    (
        "http",
        _pattern(
            rb"(?:" + _HTTP_METHODS + rb") (?:/|\*|https?://)[\x21-\xff]* HTTP/1\.[01]\r?\n",
            rb"(?:GET|POST) /[\x21-\xff]{500,}\Z",  # a target too long for the first packet
            rb"HTTP/1\.[01] [1-5]\d\d[ \r]",
        ),
    ),
    ("http2", _pattern(rb"PRI \* HTTP/2\.0\r\n\r\nSM\r\n\r\n")),
    ("ssh", _pattern(rb"SSH-(?:1\.\d{1,2}|2\.0)-[\x20-\x7e]")),
    (
        "xmpp",
        _pattern(
            _XML + rb"?<(?:stream:stream|open)\s[^<]{0,900}"
            rb"(?:jabber:(?:client|server)|urn:ietf:params:xml:ns:xmpp|http://etherx\.jabber\.org/)"
        ),
    ),
    ("vnc", _pattern(rb"RFB 00[3-5]\.\d{3}\n")),
    ("rsync", _pattern(rb"@RSYNCD: \d{1,3}\.\d")),
    ("gnutella", _pattern(rb"GNUTELLA(?: CONNECT)?/0\.\d")),
    ("git", _pattern(rb"[0-9a-f]{4}git-(?:upload|receive)-pack /")),
)  # fmt: skip
_FROM_SERVER: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("smtp", _pattern(rb"220[ -][\x20-\x7e]*\bE?SMTP\b")),
    ("ftp", _pattern(rb"220[ -][\x20-\x7e]*(?i:ftp)")),
    ("imap", _pattern(rb"\* (?:OK|PREAUTH) [\x20-\x7e]*(?i:imap)")),
    ("pop3", _pattern(rb"\+OK [\x20-\x7e]*(?i:pop)")),
    ("irc", _pattern(rb":[A-Za-z0-9.\-]+ (?:NOTICE|001|020) ", rb"NOTICE (?:AUTH|\*) :")),
    ("nats", _pattern(rb"INFO \{\"server_id\"")),
)
_FROM_CLIENT: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("smtp", _pattern(rb"(?:EHLO|HELO) [\x21-\x7e]+\r\n")),
    (
        "imap",
        _pattern(
            rb"[A-Za-z0-9.]{1,12} (?i:CAPABILITY|LOGIN|AUTHENTICATE|ID|STARTTLS|NOOP)(?: [\x20-\x7e]*)?\r\n"
        ),
    ),
    (
        "irc",
        _pattern(
            rb"NICK [\x21-\x7e]{1,60}\r?\n(?:USER )?",
            rb"USER [\x21-\x7e]+ [\x21-\x7e]+ [\x21-\x7e]+ :",
            rb"CAP LS(?: 30\d)?\r\n",
        ),
    ),
    ("redis", _pattern(rb"\*[1-9]\d{0,4}\r\n\$\d{1,6}\r\n[A-Za-z]")),
)  # fmt: skip
_ON_PORT: Final[dict[int, tuple[str, Callable[[bytes], bool]]]] = {
    21: ("ftp", _pattern(rb"[1-5]\d\d[ -][\x20-\x7e]*\r\n", rb"(?:USER|AUTH|PASS) [\x20-\x7e]+\r\n")),
    25: ("smtp", _pattern(rb"220[ -][\x20-\x7e]*\r\n", rb"MAIL FROM:<")),
    587: ("smtp", _pattern(rb"220[ -][\x20-\x7e]*\r\n")),
    110: (
        "pop3",
        _pattern(rb"(?:\+OK|-ERR)[\x20-\x7e]*\r\n", rb"(?:USER|CAPA|AUTH|APOP|STLS)[\x20-\x7e]*\r\n"),
    ),
    143: ("imap", _pattern(rb"\* (?:OK|BYE|PREAUTH) ")),
    23: ("telnet", _pattern(rb"(?:\xff[\xfb-\xfe][\x00-\x32]){2}")),
    43: ("whois", _pattern(rb"[\x20-\x7e]{2,200}\r\n\Z")),
}  # fmt: skip
_XMPP_PORTS: Final = frozenset({5222, 5223, 5269})
_xmpp_middle: Final = _pattern(
    _XML + rb"\Z",
    rb"<(?:iq|presence|message|stream:features|starttls|auth)\b[^<>]{0,300}\b(?:xmlns|to|from|id|type)=['\"]",
    rb"</stream:stream>",
)
_PUSH_SUBSET: Final = (b"xiaomi.com", b" chid=")  # a push service that borrows the stanzas and nothing else
_syslog: Final = _pattern(rb"<(?:1[0-8]\d|19[01]|\d{1,2})>[\x20-\x7e]")
_ssdp: Final = _pattern(rb"(?:M-SEARCH|NOTIFY) \* HTTP/1\.1\r\n", rb"HTTP/1\.1 200 OK\r\n")

_HEAD_BYTES: Final = 1500


def text_service(data: bytes, from_client: bool, server_port: int, transport: str) -> str | None:
    """The protocol whose first line this is, else None."""
    head = data[:_HEAD_BYTES]
    if transport == "udp":
        return _udp(head, server_port)
    if transport != "tcp" or not head:
        return None
    for name, fits in (*_EITHER_SIDE, *(_FROM_CLIENT if from_client else _FROM_SERVER)):
        if fits(head):
            return name
    if server_port in _XMPP_PORTS and _xmpp_middle(head) and not any(mark in head for mark in _PUSH_SUBSET):
        return "xmpp"
    known = _ON_PORT.get(server_port)
    return known[0] if known is not None and known[1](head) else None


def _udp(head: bytes, server_port: int) -> str | None:
    for name, fits in _EITHER_SIDE:
        if name == "sip" and fits(head):
            return name
    if _ssdp(head) and (server_port == 1900 or head.startswith((b"M-SEARCH", b"NOTIFY"))):
        return "ssdp"
    return "syslog" if server_port == 514 and _syslog(head) else None
