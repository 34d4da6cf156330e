"""A certificate as seen on the wire: its hashes, names, validity and key.

`cryptography` reads it; what that refuses (it is strict, and grows stricter) is taken from the plain walk of
`x509_der`, and said in `problems`. The two agree on certificates that keep the rules, which a test checks.
Nothing here says that a certificate is valid or trusted.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dh, dsa, ec, ed448, ed25519, padding, rsa, x448, x25519
from cryptography.x509 import oid

from wirecover.capture.protocols.x509_der import (
    ATTRIBUTES,
    DerFacts,
    escape_value,
    serial_text,
    walk_certificate,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NS: Final = (1 << 63) - 1
_NAMES: Final = {x509.ObjectIdentifier(dotted): short for dotted, short in ATTRIBUTES.items()}
_MOST_VERIFIED_BITS: Final = 8192  # a crafted key of tens of thousands of bits would take seconds to check

# What cryptography raises for content it refuses; DuplicateExtension and its like are not ValueErrors.
_REFUSALS: Final = (
    ValueError, TypeError, OverflowError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)  # fmt: skip

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate. Only the hashes are always there."""

    sha256: str
    sha1: str
    subject: str | None
    """RFC 4514 text, most specific part first."""
    issuer: str | None
    serial: str | None
    """Hex digits, a minus sign in front of a negative one."""
    not_before: int | None
    """Nanoseconds since 1970 UTC; None also where 64 bits do not reach (9999-12-31, "no expiry")."""
    not_after: int | None
    san: tuple[str, ...]
    """Subject alternative names in order: DNS, IP, e-mail and URI as plain text, others with a word in front.
    """
    public_key_type: str | None
    """rsa, ec, dsa, ed25519, ...; dotted digits of an algorithm that has no name here."""
    public_key_bits: int | None
    self_signed: bool | None
    """The names are equal and the signature was checked with its own key; None: equal names, not checkable.
    """
    common_name: str | None = None
    problems: tuple[str, ...] = ()

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names it is for: the alternative names, else the common name (RFC 6125 section 6.4.4)."""
        names = tuple(name for name in self.san if ":" not in name and "@" not in name)
        return names or ((self.common_name,) if self.common_name else ())


def parse_certificate(der: bytes) -> Certificate:
    """The facts of one certificate; never raises, however broken it is."""
    hashes = sha256(der).hexdigest(), sha1(der, usedforsecurity=False).hexdigest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated contents are evidence, not a matter for the user
        try:
            loaded = x509.load_der_x509_certificate(der)
        except _REFUSALS as refused:
            return _by_walk(hashes, walk_certificate(der), f"refused: {_line(refused)}")
        return _by_library(hashes, loaded, der)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]


def _by_walk(hashes: tuple[str, str], facts: DerFacts, reason: str) -> Certificate:
    return Certificate(
        sha256=hashes[0], sha1=hashes[1], subject=facts.subject, issuer=facts.issuer, serial=facts.serial,
        not_before=_storable(facts.not_before), not_after=_storable(facts.not_after), san=facts.san,
        public_key_type=facts.key_type, public_key_bits=facts.key_bits,
        self_signed=False if facts.same_names is False else None, common_name=facts.common_name,
        problems=(reason, *facts.problems),
    )  # fmt: skip


def _by_library(hashes: tuple[str, str], loaded: x509.Certificate, der: bytes) -> Certificate:
    problems: list[str] = []
    facts: DerFacts | None = None

    def ask(what: str, read: Callable[[], _T], walked: Callable[[DerFacts], _T]) -> _T:
        nonlocal facts
        try:
            return read()
        except _REFUSALS as refused:
            problems.append(f"{what}: {_line(refused)}")
            facts = facts or walk_certificate(der)
            return walked(facts)

    key = ask("public key", lambda: _key(loaded), lambda walked: (walked.key_type, walked.key_bits))
    return Certificate(
        sha256=hashes[0],
        sha1=hashes[1],
        subject=ask("subject", lambda: _name(loaded.subject), lambda walked: walked.subject),
        issuer=ask("issuer", lambda: _name(loaded.issuer), lambda walked: walked.issuer),
        serial=ask("serial", lambda: serial_text(loaded.serial_number), lambda walked: walked.serial),
        not_before=ask(
            "not before",
            lambda: _ns(loaded.not_valid_before_utc),
            lambda walked: _storable(walked.not_before),
        ),
        not_after=ask(
            "not after", lambda: _ns(loaded.not_valid_after_utc), lambda walked: _storable(walked.not_after)
        ),
        san=ask("alternative names", lambda: _alt_names(loaded), lambda walked: walked.san),
        public_key_type=key[0],
        public_key_bits=key[1],
        self_signed=ask("names", lambda: _self_signed(loaded, key[1]), lambda walked: None),
        common_name=ask("common name", lambda: _common_name(loaded), lambda walked: walked.common_name),
        problems=tuple(problems),
    )


def _storable(moment: int | None) -> int | None:
    return moment if moment is not None and abs(moment) <= _LAST_NS else None


def _ns(moment: datetime) -> int | None:
    return _storable((moment - _EPOCH) // timedelta(seconds=1) * 1_000_000_000)


def _name(name: x509.Name) -> str:
    return name.rfc4514_string(_NAMES)


def _common_name(loaded: x509.Certificate) -> str | None:
    found = loaded.subject.get_attributes_for_oid(oid.NameOID.COMMON_NAME)
    if not found:
        return None
    value = found[-1].value
    return escape_value(value) if isinstance(value, str) else "#" + value.hex()


def _key(loaded: x509.Certificate) -> tuple[str | None, int | None]:
    key = loaded.public_key()
    match key:
        case rsa.RSAPublicKey():
            return "rsa", key.key_size
        case ec.EllipticCurvePublicKey():
            return "ec", key.key_size
        case dsa.DSAPublicKey():
            return "dsa", key.key_size
        case dh.DHPublicKey():
            return "dh", key.key_size
        case ed25519.Ed25519PublicKey():
            return "ed25519", 256
        case ed448.Ed448PublicKey():
            return "ed448", 456
        case x25519.X25519PublicKey():
            return "x25519", 256
        case x448.X448PublicKey():
            return "x448", 448
        case _:
            return loaded.public_key_algorithm_oid.dotted_string, None


def _self_signed(loaded: x509.Certificate, key_bits: int | None) -> bool | None:
    if loaded.issuer != loaded.subject:
        return False
    if key_bits is None or key_bits > _MOST_VERIFIED_BITS:
        return None
    try:
        return _verifies_itself(loaded)
    except InvalidSignature:
        return False
    except _REFUSALS:
        return None  # an algorithm that cannot be checked here: equal names are all that is known


def _verifies_itself(loaded: x509.Certificate) -> bool | None:
    """Check the signature with the certificate's own key; SHA-1 and MD5 count too, for this is identity, not
    trust.
    """
    key, digest = loaded.public_key(), loaded.signature_hash_algorithm
    signature, signed = loaded.signature, loaded.tbs_certificate_bytes
    scheme = loaded.signature_algorithm_parameters
    if (
        isinstance(key, rsa.RSAPublicKey)
        and isinstance(scheme, padding.AsymmetricPadding)
        and digest is not None
    ):
        key.verify(signature, signed, scheme, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(
        scheme, ec.EllipticCurveSignatureAlgorithm
    ):
        key.verify(signature, signed, scheme)
    elif isinstance(key, dsa.DSAPublicKey) and digest is not None:
        key.verify(signature, signed, digest)
    elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, signed)
    else:
        return None
    return True


def _alt_names(loaded: x509.Certificate) -> tuple[str, ...]:
    try:
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(_alt_name(name) for name in names)


def _alt_name(name: x509.GeneralName) -> str:
    match name:
        case x509.DNSName() | x509.RFC822Name() | x509.UniformResourceIdentifier() | x509.IPAddress():
            return str(name.value)
        case x509.DirectoryName():
            return "dirName:" + _name(name.value)
        case x509.RegisteredID():
            return "registeredID:" + name.value.dotted_string
        case x509.OtherName():
            return "otherName:" + name.type_id.dotted_string
        case _:
            raise ValueError("unknown kind of alternative name")
