"""Time stamps of RFC 3161: the request to take to an authority, and the check of what it answered. No network.

    request    TimeStampReq over SHA-256, with nonce, asking for the certificate (RFC 3161 section 2.4.1)
    response   TimeStampResp or a bare token (section 2.4.2): a CMS SignedData over TSTInfo (RFC 5652)

Checked: the status, that content and imprint are ours, the nonce where the request is at hand, the one signer's
message digest and signature, that the signer is the certificate that the signed attributes name by hash
(RFC 5035), that this certificate is for time stamping and nothing else (RFC 3161 section 2.3), and that it was
valid then and leads to a certificate that the reader gave. Revocation is not checked: that needs a list from
then. Everything is read within bounds; a token is at most 1 MiB.
"""

import hmac
from dataclasses import dataclass
from hashlib import new as new_hash
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.x509_der import (
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    Element,
    children,
    element,
    oid_text,
    time_ns,
)
from wirecover.casefile.errors import IntegrityError

MAX_BYTES: Final = 1 << 20
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_PSS: Final = "1.2.840.113549.1.1.10"
# https://www.rfc-editor.org/rfc/rfc5754, NIST's arc of hash functions
_HASHES: Final[dict[str, tuple[str, hashes.HashAlgorithm]]] = {
    "2.16.840.1.101.3.4.2.1": ("sha256", hashes.SHA256()),
    "2.16.840.1.101.3.4.2.2": ("sha384", hashes.SHA384()),
    "2.16.840.1.101.3.4.2.3": ("sha512", hashes.SHA512()),
}
_SHA256_DER: Final = bytes.fromhex("300d06096086480165030402010500")
_CONTEXT_0: Final = 0xA0
_LONGEST_CHAIN: Final = 6
_ODD: Final = (x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What the library raises of odd certificates besides ValueError."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a checked token says."""

    at: int
    """Nanoseconds since 1970, UTC, to the second; by the clock of the authority."""
    serial: int
    policy: str
    signer: str
    """Subject of the signing certificate."""
    trusted: bool
    """Whether the signer leads to a certificate that the reader gave; False when none was given."""


def request(data: bytes, nonce: int) -> bytes:
    """A TimeStampReq for the data."""
    imprint = _tlv(SEQUENCE, _SHA256_DER + _tlv(OCTET_STRING, sha256(data).digest()))
    number = nonce.to_bytes(nonce.bit_length() // 8 + 1, "big")
    return _tlv(SEQUENCE, b"\x02\x01\x01" + imprint + _tlv(INTEGER, number) + b"\x01\x01\xff")


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + content


def check_stamp(
    response: bytes, data: bytes, trusted: list[x509.Certificate], *, nonce: int | None = None
) -> Stamp:
    """What a response or token says of the data; IntegrityError, in one line, when it does not hold."""
    if len(response) > MAX_BYTES:
        raise IntegrityError(f"a time stamp of {len(response)} bytes is none")
    try:
        return _check(_token(response), data, trusted, nonce)
    except (Malformed, ValueError, *_ODD) as error:  # crafted certificates show only when a part is asked for
        raise IntegrityError(f"the time stamp cannot be read: {error}") from error


def read_nonce(asked: bytes) -> int:
    """The nonce of a TimeStampReq that `request` made; IntegrityError when it is none."""
    try:
        parts = children(asked, _kind(asked, 0, len(asked), SEQUENCE))
        numbers = [one for one in parts[1:] if one.tag == INTEGER]
        if len(numbers) != 1:
            raise Malformed(0, "no nonce")
    except Malformed as error:
        raise IntegrityError(f"the time-stamp request cannot be read: {error}") from error
    return int.from_bytes(asked[numbers[0].start : numbers[0].end], "big", signed=True)


def _kind(der: bytes, position: int, end: int, tag: int) -> Element:
    found = element(der, position, end)
    if found.tag != tag:
        raise Malformed(position, f"DER tag 0x{found.tag:02x} in place of 0x{tag:02x}")
    return found


def _parts(der: bytes, parent: Element, least: int) -> list[Element]:
    found = children(der, parent)
    if len(found) < least:
        raise Malformed(parent.start, f"{len(found)} elements where {least} must be")
    return found


def _content(der: bytes, one: Element, tag: int) -> bytes:
    if one.tag != tag:
        raise Malformed(one.start, f"DER tag 0x{one.tag:02x} in place of 0x{tag:02x}")
    return der[one.start : one.end]


def _oid(der: bytes, one: Element) -> str:
    return oid_text(_content(der, one, OID))


def _token(response: bytes) -> bytes:
    """The token in a TimeStampResp, or the token itself."""
    whole = _kind(response, 0, len(response), SEQUENCE)
    if whole.end != len(response):
        raise Malformed(whole.end, "bytes behind the time stamp")
    parts = _parts(response, whole, 1)
    if parts[0].tag == OID:
        return response
    if parts[0].tag != SEQUENCE:
        raise Malformed(parts[0].start, "neither a response nor a token")
    status = int.from_bytes(_content(response, _parts(response, parts[0], 1)[0], INTEGER), "big", signed=True)
    if status not in (0, 1):  # granted, granted with changes
        raise IntegrityError(f"the time-stamp authority refused (status {status})")
    if len(parts) < 2:
        raise Malformed(whole.start, "a response without a token")
    token = parts[1]
    header = parts[0].end
    return response[header : token.end]


@dataclass(frozen=True, slots=True)
class _Signed:
    """The parts of SignedData that are needed."""

    content: bytes
    certificates: list[x509.Certificate]
    signer: list[Element]


def _signed_data(der: bytes) -> _Signed:
    outer = _parts(der, _kind(der, 0, len(der), SEQUENCE), 2)
    if _oid(der, outer[0]) != _SIGNED_DATA or outer[1].tag != _CONTEXT_0:
        raise Malformed(0, "not CMS SignedData")
    parts = _parts(der, _kind(der, outer[1].start, outer[1].end, SEQUENCE), 4)
    inner = _parts(der, parts[2], 2)
    if _oid(der, inner[0]) != _TST_INFO or inner[1].tag != _CONTEXT_0:
        raise Malformed(parts[2].start, "the signed content is no time stamp")
    content = _content(der, element(der, inner[1].start, inner[1].end), OCTET_STRING)
    certificates: list[x509.Certificate] = []
    if parts[3].tag == _CONTEXT_0:
        start = parts[3].start
        for one in children(der, parts[3]):
            certificates += _certificate(der[start : one.end])
            start = one.end
    if parts[-1].tag != SET:
        raise Malformed(parts[-1].start, "no signers")
    signers = children(der, parts[-1])
    if len(signers) != 1:
        raise Malformed(parts[-1].start, f"{len(signers)} signers where one must be")
    return _Signed(content, certificates, _parts(der, signers[0], 6))


def _certificate(der: bytes) -> list[x509.Certificate]:
    """One certificate, or none when it is of a kind that is not used here."""
    try:
        return [x509.load_der_x509_certificate(der)]
    except (ValueError, *_ODD):
        return []


def _check(token: bytes, data: bytes, trusted: list[x509.Certificate], nonce: int | None) -> Stamp:
    signed = _signed_data(token)
    at, serial, policy = _info(signed.content, data, nonce)
    _, _, digest_kind, attributes, signature_kind, signature = signed.signer[:6]
    if attributes.tag != _CONTEXT_0:
        raise Malformed(attributes.start, "no signed attributes")
    name, algorithm = _hash_of(token, digest_kind)
    found = _attributes(token, attributes)
    if found.get(_CONTENT_TYPE) is None or _oid(token, found[_CONTENT_TYPE]) != _TST_INFO:
        raise IntegrityError("the time stamp signs another kind of content")
    digest = _content(token, found[_MESSAGE_DIGEST], OCTET_STRING) if _MESSAGE_DIGEST in found else b""
    if not hmac.compare_digest(digest, new_hash(name, signed.content).digest()):
        raise IntegrityError("the time stamp was changed: its content is not what was signed")
    signer = _signer(token, found, signed.certificates + trusted)
    body = _tlv(SET, token[attributes.start : attributes.end])
    _verify(signer, token, signature_kind, _content(token, signature, OCTET_STRING), body, algorithm)
    _check_purpose(signer)
    sure = _leads_to(signer, signed.certificates, trusted, at)
    if trusted and not sure:
        raise IntegrityError(
            f"the time stamp is signed by {signer.subject.rfc4514_string()}, which does not lead to a given certificate"
        )
    return Stamp(at, serial, policy, signer.subject.rfc4514_string(), sure)


def _info(der: bytes, data: bytes, nonce: int | None) -> tuple[int, int, str]:
    """(time, serial, policy) of TSTInfo, when its imprint is that of the data."""
    parts = _parts(der, _kind(der, 0, len(der), SEQUENCE), 5)
    imprint = _parts(der, parts[2], 2)
    name, _ = _hash_of(der, imprint[0])
    if not hmac.compare_digest(_content(der, imprint[1], OCTET_STRING), new_hash(name, data).digest()):
        raise IntegrityError("the time stamp is of something else")
    if nonce is not None:
        numbers = [int.from_bytes(der[one.start : one.end], "big", signed=True)
                   for one in parts[5:] if one.tag == INTEGER]  # fmt: skip
        if numbers != [nonce]:
            raise IntegrityError(
                "the time stamp answers another request (its nonce is not that of the request)"
            )
    serial = int.from_bytes(_content(der, parts[3], INTEGER), "big", signed=True)
    return _time(_content(der, parts[4], GENERALIZED_TIME)), serial, _oid(der, parts[1])


def _time(text: bytes) -> int:
    """GeneralizedTime with or without a fraction, as RFC 3161 has it; to the second."""
    whole = text.partition(b".")[0]
    if not text.endswith(b"Z"):
        raise Malformed(0, "a time that is not UTC")
    plain = whole if whole.endswith(b"Z") else whole + b"Z"
    return time_ns(plain, Element(GENERALIZED_TIME, 0, len(plain)))


def _hash_of(der: bytes, one: Element) -> tuple[str, hashes.HashAlgorithm]:
    kind = _oid(der, _parts(der, one, 1)[0])
    if kind not in _HASHES:
        raise IntegrityError(f"the time stamp uses a hash that is not trusted here ({kind})")
    return _HASHES[kind]


def _attributes(der: bytes, parent: Element) -> dict[str, Element]:
    """Type -> value of the signed attributes; each must be there once, with one value."""
    found: dict[str, Element] = {}
    for one in children(der, parent):
        kind, values = _parts(der, one, 2)[:2]
        name = _oid(der, kind)
        each = children(der, values)
        if name in found or len(each) != 1:
            raise Malformed(one.start, f"signed attribute {name} more than once")
        found[name] = each[0]
    return found


def _signer(der: bytes, found: dict[str, Element], known: list[x509.Certificate]) -> x509.Certificate:
    """The certificate that the signed attributes name by its hash."""
    if _SIGNING_CERTIFICATE_V2 in found:
        one = _parts(der, _parts(der, _parts(der, found[_SIGNING_CERTIFICATE_V2], 1)[0], 1)[0], 1)
        name = "sha256" if one[0].tag == OCTET_STRING else _hash_of(der, one[0])[0]
        want = _content(der, next((part for part in one if part.tag == OCTET_STRING), one[0]), OCTET_STRING)
    elif _SIGNING_CERTIFICATE in found:
        one = _parts(der, _parts(der, _parts(der, found[_SIGNING_CERTIFICATE], 1)[0], 1)[0], 1)
        name, want = "sha1", _content(der, one[0], OCTET_STRING)
    else:
        raise IntegrityError("the time stamp does not name the certificate of its signer")
    for certificate in known:
        encoded = certificate.public_bytes(serialization.Encoding.DER)
        if hmac.compare_digest(new_hash(name, encoded, usedforsecurity=False).digest(), want):
            return certificate
    raise IntegrityError("the certificate of the time stamp's signer is neither in it nor given")


def _verify(
    signer: x509.Certificate,
    der: bytes,
    kind: Element,
    signature: bytes,
    body: bytes,
    algorithm: hashes.HashAlgorithm,
) -> None:
    try:
        key = signer.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            scheme: padding.AsymmetricPadding = padding.PKCS1v15()
            if _oid(der, _parts(der, kind, 1)[0]) == _PSS:
                scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
            key.verify(signature, body, scheme, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, body, ec.ECDSA(algorithm))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, body)
        else:
            raise IntegrityError("the time stamp is signed with a kind of key that is not used here")
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        raise IntegrityError("the signature of the time stamp does not fit") from error


def _check_purpose(signer: x509.Certificate) -> None:
    try:
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
            raise IntegrityError("the certificate of the time stamp's signer is not for time stamping alone")
    except (x509.ExtensionNotFound, ValueError) as error:
        raise IntegrityError("the certificate of the time stamp's signer is not for time stamping") from error


def _leads_to(
    signer: x509.Certificate, between: list[x509.Certificate], trusted: list[x509.Certificate], at: int
) -> bool:
    """Whether the signer is a trusted certificate, or was issued through the others by one, all valid then."""
    current = signer
    for _ in range(_LONGEST_CHAIN):
        if not _valid_at(current, at):
            raise IntegrityError(
                f"{current.subject.rfc4514_string()} was not valid when the time stamp was made"
            )
        if current in trusted:
            return True
        issuer = next((one for one in (*trusted, *between) if one != current and _issued(current, one)), None)
        if issuer is None:
            return False
        current = issuer
    return False


def _valid_at(one: x509.Certificate, at: int) -> bool:
    first, last = one.not_valid_before_utc.timestamp(), one.not_valid_after_utc.timestamp()
    return first <= at // 10**9 <= last


def _issued(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        one.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True
