"""ClientHello and ServerHello of SSL 2.0 to TLS 1.3 and of DTLS, from the handshake body to a frozen record.

A length that passes the end of what holds it is `Malformed`. An extension whose own content is odd is kept
raw and noted in `problems`, since real clients and middleboxes send such and the rest of the hello is still
evidence.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from struct import unpack_from
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols import tls_extensions as ext
from wirecover.capture.protocols.tls_extensions import Extensions, OuterEch

SSL_2: Final = 0x0002
TLCP: Final = 0x0101
TLS_1_2: Final = 0x0303
TLS_1_3: Final = 0x0304
DTLS_1_3: Final = 0xFEFC

_MOST_PROBLEMS: Final = 16  # a crafted hello can hold thousands of odd extensions

# SHA-256 of "HelloRetryRequest", RFC 8446 section 4.1.3
HELLO_RETRY_RANDOM: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers. Numbers are as on the wire, GREASE (RFC 8701) included."""

    legacy_version: int
    random: bytes
    """Of an SSL 2.0 hello: the challenge, of any length."""
    session_id: bytes
    ciphers: tuple[int, ...]
    """SSL 2.0 cipher kinds are 24-bit numbers; those with a zero first byte are TLS suites."""
    compressions: bytes
    extensions: Extensions
    """(number, body) in wire order, unknown ones too; the first of a number counts where it is sent twice."""
    sni: str | None = None
    """Of the outer hello: where ECH is real, this is the public name of the provider, not the true one."""
    alpn: tuple[str, ...] = ()
    alpn_raw: tuple[bytes, ...] = ()
    supported_versions: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    point_formats: tuple[int, ...] = ()
    signature_algorithms: tuple[int, ...] = ()
    key_share_groups: tuple[int, ...] = ()
    psk_offered: bool = False
    early_data: bool = False
    session_ticket: bool = False
    """A non-empty ticket is offered (RFC 5077); an empty extension only says that tickets are understood."""
    ech: str | None = None
    """'outer' (real or GREASE: nobody on the path can tell), 'inner' (never seen in clear unless a client
    errs).
    """
    outer_ech: OuterEch | None = None
    cookie: bytes = b""
    """Of DTLS (RFC 6347 section 4.2.1)."""
    problems: tuple[str, ...] = ()
    complete: bool = True
    """False: read of a hello whose end is missing; a fingerprint of it would be wrong."""

    @property
    def version(self) -> int:
        """The highest version offered, GREASE left out."""
        return highest_version(self.supported_versions) or self.legacy_version


@dataclass(frozen=True, slots=True)
class ServerHello:
    """What the server chose."""

    legacy_version: int
    random: bytes
    session_id: bytes
    cipher: int
    compression: int
    extensions: Extensions
    version: int
    """The version chosen: of supported_versions where that is sent, else `legacy_version`."""
    is_hello_retry: bool
    alpn: str | None = None
    """None in TLS 1.3, where it travels encrypted (in QUIC it can be read by nobody without keys, too)."""
    key_share_group: int | None = None
    psk_accepted: bool = False
    problems: tuple[str, ...] = ()


def highest_version(versions: Collection[int]) -> int | None:
    """The newest of these versions, GREASE left out.

    DTLS numbers fall as versions rise (RFC 9147 section 5.3), and the drafts of TLS 1.3 (0x7f.., 0xfb..) have
    greater numbers than TLS 1.3 but are older.
    """
    real = [version for version in versions if version not in ext.GREASE]
    if not real:
        return None
    datagram = [version for version in real if version >> 8 == 0xFE]
    return min(datagram) if datagram else max(real, key=_age)


def is_tls_1_3_draft(version: int) -> bool:
    """Drafts of TLS 1.3: the IETF's 0x7f.. and Facebook's 0xfb.. ."""
    return version >> 8 in (0x7F, 0xFB)


def _age(version: int) -> tuple[int, int]:
    if is_tls_1_3_draft(version):
        return 1, version
    return (2 if TLS_1_3 <= version <= 0x03FF else 0), version


def _bounded(body: bytes, position: int, width: int, what: str) -> tuple[int, int]:
    """Start and end of a vector whose length stands in `width` bytes at `position`."""
    start = position + width
    if start > len(body):
        raise Malformed(len(body), f"the body ends before the length of the {what}")
    end = start + int.from_bytes(body[position:start], "big")
    if end > len(body):
        raise Malformed(position, f"{what} passes the end of the body")
    return start, end


_CLIENT_FIELDS: Final[dict[int, tuple[str, Callable[[bytes], object]]]] = {
    ext.SERVER_NAME: ("sni", ext.server_name),
    ext.ALPN: ("alpn_raw", ext.protocol_names),
    ext.SUPPORTED_VERSIONS: ("supported_versions", ext.client_versions),
    ext.SUPPORTED_GROUPS: ("groups", ext.list16),
    ext.EC_POINT_FORMATS: ("point_formats", ext.point_formats),
    ext.SIGNATURE_ALGORITHMS: ("signature_algorithms", ext.list16),
    ext.KEY_SHARE: ("key_share_groups", ext.client_key_shares),
    ext.PRE_SHARED_KEY: ("psk_offered", lambda body: True),
    ext.EARLY_DATA: ("early_data", lambda body: True),
    ext.SESSION_TICKET: ("session_ticket", bool),
    ext.ENCRYPTED_CLIENT_HELLO: ("outer_ech", ext.outer_ech),
}
_SERVER_FIELDS: Final[dict[int, tuple[str, Callable[[bytes], object]]]] = {
    ext.ALPN: ("alpn_raw", ext.protocol_names),
    ext.SUPPORTED_VERSIONS: ("version", ext.number16),
    ext.KEY_SHARE: ("key_share_group", ext.server_key_share),
    ext.PRE_SHARED_KEY: ("psk_accepted", lambda body: True),
}


def _read_known(
    extensions: Extensions, readers: dict[int, tuple[str, Callable[[bytes], object]]]
) -> tuple[dict[str, object], list[str]]:
    """The fields these extensions give, and what was odd in them."""
    fields: dict[str, object] = {}
    problems: list[str] = []
    for number, body in extensions:
        known = readers.get(number)
        if known is None:
            continue
        name, read = known
        if name in fields:
            problems.append(f"extension {number} sent twice")
            continue
        try:
            fields[name] = read(body)
        except Malformed as odd:
            problems.append(f"extension {number}: {odd}")
    return fields, problems[:_MOST_PROBLEMS]


def _read_extensions(body: bytes, position: int, problems: list[str]) -> Extensions:
    """The extension block at `position`, which may be absent; whatever follows it is noted."""
    if position == len(body):
        return ()
    start, end = _bounded(body, position, 2, "extension block")
    if end != len(body):
        problems.append(f"{len(body) - end} bytes after the extensions")
    return ext.split_extensions(body, start, end)


def parse_client_hello(body: bytes, dtls: bool = False) -> ClientHello:
    """A ClientHello body without its 4-byte header (RFC 8446 section 4.1.2; DTLS: RFC 6347 section 4.2.1).

    A body that begins with the byte 1 is an SSL 2.0 CLIENT-HELLO, message type included, as `HandshakeReader`
    gives it: no TLS version begins so, and TLCP's is 0x0101 (GB/T 38636), which no SSL 2.0 hello holds there.
    """
    if not dtls and body[:1] == b"\x01" and body[1:2] != b"\x01":
        return parse_ssl2_client_hello(body)
    fixed = _client_fixed(body, dtls)
    notes: list[str] = []
    return _client_hello(body, fixed, _read_extensions(body, fixed.end, notes), notes)


def parse_cut_client_hello(body: bytes, dtls: bool = False) -> ClientHello | None:
    """What stands before the cut of a hello whose end was not captured (snap length, lost segment).

    None where the cut lies before the end of the cipher suites and compression methods. `complete` is False:
    such a hello has names to give, but no fingerprint. Raises `Malformed` where even the beginning is no
    ClientHello.
    """
    if len(body) >= 2 and not _client_version(body, dtls):
        raise Malformed(0, "not a version of a ClientHello")
    try:
        fixed = _client_fixed(body, dtls)
    except Malformed:
        return None
    extensions = ext.leading_extensions(body, fixed.end + 2)
    return _client_hello(body, fixed, extensions, ["cut short"], complete=False)


@dataclass(frozen=True, slots=True)
class _ClientFixed:
    """The part of a ClientHello before its extensions."""

    session_id: bytes
    cookie: bytes
    ciphers: tuple[int, ...]
    compressions: bytes
    end: int


def _client_version(body: bytes, dtls: bool) -> bool:
    return (
        body[0] == 0x03
        or (body[0] == 1 and body[1] == 1)
        or (dtls and (body[0] << 8 | body[1]) in _DTLS_LEGACY)
    )


def _client_fixed(body: bytes, dtls: bool) -> _ClientFixed:
    if len(body) < 35:
        raise Malformed(len(body), "ClientHello ends inside its fixed part")
    if not _client_version(body, dtls):
        raise Malformed(0, "not a version of a ClientHello")
    start, end = _bounded(body, 34, 1, "session id")
    session_id = body[start:end]
    cookie = b""
    if dtls:
        start, end = _bounded(body, end, 1, "cookie")
        cookie = body[start:end]
    start, end = _bounded(body, end, 2, "cipher suites")
    ciphers = ext.numbers16(body, start, end - start)
    start, end = _bounded(body, end, 1, "compression methods")
    return _ClientFixed(session_id, cookie, ciphers, body[start:end], end)


def _client_hello(
    body: bytes, fixed: _ClientFixed, extensions: Extensions, notes: list[str], *, complete: bool = True
) -> ClientHello:
    fields, problems = _read_known(extensions, _CLIENT_FIELDS)
    if "alpn_raw" in fields:
        fields["alpn"] = tuple(map(ext.text, fields["alpn_raw"]))  # type: ignore[call-overload]
    if "outer_ech" in fields:
        fields["ech"] = "inner" if fields["outer_ech"] is None else "outer"
    if len(fixed.session_id) > 32:
        notes.append("session id of more than 32 bytes")
    return ClientHello(
        legacy_version=body[0] << 8 | body[1], random=body[2:34], session_id=fixed.session_id,
        ciphers=fixed.ciphers, compressions=fixed.compressions, extensions=extensions, cookie=fixed.cookie,
        problems=tuple(notes + problems), complete=complete, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


# DTLS 1.0, 1.2 and the pre-standard version of old OpenSSL that some VPN products still speak.
_DTLS_LEGACY: Final = frozenset({0xFEFF, 0xFEFD, 0xFEFC, 0x0100})


def parse_ssl2_client_hello(body: bytes) -> ClientHello:
    """An SSL 2.0 CLIENT-HELLO from its message type on, also as sent for TLS (RFC 5246 appendix E.2)."""
    if len(body) < 9:
        raise Malformed(len(body), "SSL 2.0 hello ends inside its fixed part")
    kind, version, cipher_bytes, id_bytes, challenge_bytes = unpack_from(">BHHHH", body)
    if kind != 1 or not (version == SSL_2 or version >> 8 == 0x03):
        raise Malformed(0, "not an SSL 2.0 ClientHello")
    if cipher_bytes % 3:
        raise Malformed(3, "cipher list is not made of 3-byte kinds")
    ids = 9 + cipher_bytes
    challenge = ids + id_bytes
    end = challenge + challenge_bytes
    if end > len(body):
        raise Malformed(3, "the parts pass the end of the hello")
    kinds = zip(body[9:ids:3], body[10:ids:3], body[11:ids:3], strict=True)
    return ClientHello(
        legacy_version=version, random=body[challenge:end], session_id=body[ids:challenge],
        ciphers=tuple(high << 16 | middle << 8 | low for high, middle, low in kinds), compressions=b"",
        extensions=(), problems=(f"{len(body) - end} bytes after the challenge",) if end < len(body) else (),
    )  # fmt: skip


def parse_server_hello(body: bytes) -> ServerHello:
    """A ServerHello or HelloRetryRequest body without its header, TLS or DTLS (RFC 8446 section 4.1.3).

    Drafts of TLS 1.3 up to 21 put their number (0x7f..) in front and left out session id and compression.
    """
    if len(body) < 36:
        raise Malformed(len(body), "ServerHello ends inside its fixed part")
    (version,) = unpack_from(">H", body)
    early_draft = version >> 8 == 0x7F
    if version >> 8 not in (0x03, 0xFE) and not early_draft and version not in (0x0100, TLCP):
        raise Malformed(0, "not a version of a ServerHello")
    if early_draft:
        session_id, compression, position = b"", 0, 36
        (cipher,) = unpack_from(">H", body, 34)
    else:
        start, position = _bounded(body, 34, 1, "session id")
        session_id = body[start:position]
        if position + 3 > len(body):
            raise Malformed(len(body), "ServerHello ends before its cipher suite")
        cipher, compression = unpack_from(">HB", body, position)
        position += 3
    trailing: list[str] = []
    extensions = _read_extensions(body, position, trailing)
    fields, problems = _read_known(extensions, _SERVER_FIELDS)
    fields.setdefault("version", version)
    names = fields.pop("alpn_raw", ())
    if names:
        fields["alpn"] = ext.text(names[0])  # type: ignore[index]
    random = body[2:34]
    return ServerHello(
        legacy_version=version, random=random, session_id=session_id, cipher=cipher, compression=compression,
        extensions=extensions, is_hello_retry=random == HELLO_RETRY_RANDOM,
        problems=tuple(trailing + problems), **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def resumed(
    client: ClientHello | None, server: ServerHello, *, abbreviated: bool | None = None
) -> bool | None:
    """Whether the server took up an earlier session; None where that cannot be known.

    TLS 1.3: it accepted a pre-shared key. Before: it returned the session id that the client offered (RFC
    5246 section 7.4.1.3), or the handshake was abbreviated: ChangeCipherSpec with no ServerHelloDone before
    it (RFC 5077 section 3.1), which the caller saw or not. An external PSK looks like a resumption ticket.
    """
    if server.version in (TLS_1_3, DTLS_1_3) or is_tls_1_3_draft(server.version):
        return None if server.is_hello_retry else server.psk_accepted
    if abbreviated is not None:
        return abbreviated
    if client is not None and client.session_id:
        return client.session_id == server.session_id
    return None if client is None or client.session_ticket else False
