"""QUIC versions: their names, header layout, and what Initial packets are protected with.

Sources, by block: https://www.iana.org/assignments/quic/quic.xhtml#quic-versions (registered numbers);
https://github.com/quicwg/base-drafts/wiki/QUIC-Versions (numbers used before the registry); salts: RFC 9001
section 5.2, RFC 9369 section 3.3.1, draft-ietf-quic-tls-{22,23,29,33} section 5.2; Retry keys: the same
documents, section 5.8 (3.3.3 in RFC 9369). The salts of Google's and Facebook's own versions are those
their open source clients (Chromium, mvfst) carry. A wrong salt cannot mislead: the packet's AEAD tag then
fails.
"""

from dataclasses import dataclass
from typing import Final

LONG: Final = "long"
"""RFC 8999 long header, a length byte before each connection id."""
NIBBLES: Final = "nibbles"
"""Google Q044 to Q046: long header with both connection id lengths in one byte, payload in the clear."""
PUBLIC: Final = "public"
"""Google up to Q043: the public header, its first bit clear; handshake payload in the clear."""

VERSION_NEGOTIATION: Final = 0x00000000
V1: Final = 0x00000001
V2: Final = 0x6B3343CF


@dataclass(frozen=True, slots=True)
class InitialProtection:
    """What, beside the connection id, the keys of Initial packets and the Retry tag derive from."""

    salt: bytes
    label: bytes = b"quic"
    retry_key: bytes | None = None
    retry_nonce: bytes | None = None


@dataclass(frozen=True, slots=True)
class QuicVersion:
    """One version. `protections` are tried in turn (one, except where a number has meant several)."""

    number: int
    name: str
    header: str = LONG
    protections: tuple[InitialProtection, ...] = ()
    type_shift: int = 0
    """How far the long packet type bits are rotated from version 1 (RFC 9369 section 3.2: one)."""
    google_crypto: bool = False
    """True where the handshake is Google's CHLO/REJ/SHLO, not TLS."""
    google_frames: bool = False
    """True where the Initial's payload is framed as Google did before it took up the IETF's frames."""


_h = bytes.fromhex

_D22 = InitialProtection(_h("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a"))
_D23 = InitialProtection(_h("c3eef712c72ebb5a11a7d2432bb46365bef9f502"))
_D25 = InitialProtection(
    _D23.salt, retry_key=_h("4d32ecdb2a2133c841e4043df27d4430"), retry_nonce=_h("4d1611d05513a552c587d575")
)
_D29 = InitialProtection(
    _h("afbfec289993d24c9e9786f19c6111e04390a899"),
    retry_key=_h("ccce187ed09a09d05728155a6cb96be1"),
    retry_nonce=_h("e54930f97f2136f0530a8c1c"),
)
_V1 = InitialProtection(
    _h("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    retry_key=_h("be0c690b9f66575a1d766b54e368c84e"),
    retry_nonce=_h("461599d35d632bf2239825bb"),
)
_V2 = InitialProtection(
    _h("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
    label=b"quicv2",
    retry_key=_h("8fb4b01b56ac48e260fbcbcead7ccc92"),
    retry_nonce=_h("d86969bc2d7c6d9990efb04a"),
)
_V2_DRAFT = InitialProtection(_h("a707c203a59b47184a1d62ca570406ea7ae3e5d3"), label=b"quicv2")
_Q050 = InitialProtection(_h("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45"))
_T050 = InitialProtection(_h("7ff579e5acd072915580304c43a2367c60488310"))
_T051 = InitialProtection(_h("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d"))


def _draft_protections(draft: int) -> tuple[InitialProtection, ...]:
    """Protection of an IETF draft version; empty before draft-22, whose header was another."""
    newest_first = ((33, _V1), (29, _D29), (25, _D25), (23, _D23), (22, _D22))
    return next(((protection,) for since, protection in newest_first if draft >= since), ())


def _google(number: int) -> QuicVersion:
    """Google's `Qddd` (own handshake) and `Tddd` (TLS): the number is the name in ASCII."""
    name = number.to_bytes(4, "big").decode("ascii")
    count = int(name[1:])
    if name[0] == "T":
        # T048 and T049 were used by canary builds only; their salts are not published.
        return QuicVersion(
            number, name, LONG, {50: (_T050,), 51: (_T051,)}.get(count, ()), google_frames=True
        )
    if count <= 43:
        return QuicVersion(number, name, PUBLIC, google_crypto=True)
    if count <= 46:
        return QuicVersion(number, name, NIBBLES, google_crypto=True)
    protections = (_Q050,) if count == 50 else ()
    return QuicVersion(number, name, LONG, protections, google_crypto=True, google_frames=True)


# https://github.com/facebook/mvfst, quic/QuicConstants.h and quic/handshake/: which number takes which salt.
_MVFST: Final = (
    QuicVersion(0xFACEB000, "mvfst-invalid"),
    QuicVersion(0xFACEB001, "mvfst-22", protections=(_D22,)),
    QuicVersion(0xFACEB002, "mvfst-27", protections=(_D23,)),
    QuicVersion(0xFACEB003, "mvfst-v1", protections=(_V1,)),
    QuicVersion(0xFACEB004, "mvfst-v1-alias2", protections=(_V1,)),
    QuicVersion(0xFACEB00E, "mvfst-experimental", protections=(_D23,)),
    QuicVersion(0xFACEB00F, "mvfst-invalid-2"),
    QuicVersion(0xFACEB010, "mvfst-alias", protections=(_D23, _V1)),
    QuicVersion(0xFACEB011, "mvfst-experimental-2", protections=(_D23, _V1)),
    QuicVersion(0xFACEB012, "mvfst-experimental-12", protections=(_D23, _V1)),
    QuicVersion(0xFACEB013, "mvfst-experimental-3", protections=(_D23, _V1)),
    QuicVersion(0xFACEB014, "mvfst-experimental-4", protections=(_D23, _V1)),
    QuicVersion(0xFACEB015, "mvfst-experimental-5", protections=(_D23, _V1)),
    QuicVersion(0xFACEFEED, "mvfst-priming", protections=(_D23, _V1)),
)
_OTHERS: Final = (
    QuicVersion(V1, "v1", protections=(_V1,)),
    QuicVersion(V2, "v2", protections=(_V2,), type_shift=1),
    QuicVersion(0x709A50C4, "v2-draft", protections=(_V2_DRAFT,), type_shift=1),
    QuicVersion(0x50435130, "picoquic-test", protections=(_V1, _D29)),
)
_DRAFTS: Final = tuple(
    QuicVersion(0xFF000000 + draft, f"draft-{draft}", protections=_draft_protections(draft))
    for draft in range(22, 35)
)
_GOOGLE_NAMES: Final = (
    *(f"Q{count:03}" for count in (*range(1, 51), 99)),
    *(f"T{count:03}" for count in range(48, 52)),
)
_GOOGLE: Final = tuple(_google(int.from_bytes(name.encode("ascii"), "big")) for name in _GOOGLE_NAMES)

VERSIONS: Final[dict[int, QuicVersion]] = {
    version.number: version for version in (*_OTHERS, *_DRAFTS, *_MVFST, *_GOOGLE)
}

# A client that forces version negotiation (RFC 9000 section 15) protects its Initial as in a version it
# knows.
_RESERVED_PROTECTIONS: Final = (_V1, _D29)


def is_reserved(number: int) -> bool:
    """True for 0x?a?a?a?a, the numbers reserved to exercise version negotiation (RFC 9000 section 15)."""
    return number & 0x0F0F0F0F == 0x0A0A0A0A


def find_version(number: int) -> QuicVersion | None:
    """The version of that number, a reserved one included; `None` for a number nobody is known to use."""
    if is_reserved(number):
        return QuicVersion(number, version_name(number), protections=_RESERVED_PROTECTIONS)
    return VERSIONS.get(number)


def version_name(number: int) -> str:
    """Readable name: `v1`, `draft-29`, `Q050`, ...; `reserved-0x...` and `unknown-0x...` for the rest."""
    if number == VERSION_NEGOTIATION:
        return "version-negotiation"
    if is_reserved(number):
        return f"reserved-0x{number:08x}"
    known = VERSIONS.get(number)
    return known.name if known else f"unknown-0x{number:08x}"
