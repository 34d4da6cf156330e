"""Detached signatures over manifests, with keys in PEM files.

The signature is over the very bytes of the manifest (which begin with what it is a manifest of), so that any
other program can check it:

    Ed25519   openssl pkeyutl -verify -pubin -inkey signer.pem -rawin -in manifest.json -sigfile manifest.sig
    RSA, EC   openssl dgst -sha256 -verify signer.pem -signature manifest.sig manifest.json
              (RSA with -sigopt rsa_padding_mode:pss)

Ed25519 is RFC 8032; RSA is RSASSA-PSS with SHA-256 (RFC 8017 section 8.1), 2048 bits or more; EC is ECDSA with
SHA-256 on P-256, P-384 or P-521 (FIPS 186-5). A key is named by the SHA-256 of its SubjectPublicKeyInfo (DER).
A signature shows that who had the key signed; whose key it is, is known from elsewhere, by its fingerprint.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wirecover.casefile.errors import CaseError, IntegrityError

MAX_PEM_BYTES: Final = 1 << 18
MAX_SIGNATURE_BYTES: Final = 1 << 14
_SMALLEST_RSA: Final = 2048
_LARGEST_RSA: Final = 16_384
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
PublicKey = Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Passphrase = Callable[[], bytes]


class Signer(Protocol):
    """Whoever can sign: a key in a file here, a card or an examiner's profile elsewhere."""

    def sign(self, data: bytes) -> bytes:
        """The signature over the data."""

    def public_pem(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A private key held in memory."""

    key: PrivateKey

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(data)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, _pss(), hashes.SHA256())
        return self.key.sign(data, ec.ECDSA(hashes.SHA256()))

    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def signer_from_pem(path: Path, passphrase: Passphrase | None = None) -> KeySigner:
    """The private key of a PEM file; `passphrase` is asked only when the file is encrypted."""
    data = _read(path)
    try:
        return KeySigner(_private(data, None))
    except TypeError:
        if passphrase is None:
            raise CaseError(f"{path}: the key is encrypted and no passphrase was given") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CaseError(f"{path}: no private key in PEM that can sign") from None
    try:
        return KeySigner(_private(data, passphrase()))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CaseError(f"{path}: wrong passphrase, or no key that can sign") from None


def _private(data: bytes, password: bytes | None) -> PrivateKey:
    key = serialization.load_pem_private_key(data, password)
    if not isinstance(key, PrivateKey):
        raise ValueError("a key of another kind")
    _strength(key.public_key())
    return key


def public_from_pem(data: bytes) -> PublicKey:
    """The public key of a PEM that holds one, or a certificate; ValueError when there is none that is good
    enough.
    """
    if len(data) > MAX_PEM_BYTES:
        raise ValueError(f"longer than {MAX_PEM_BYTES} bytes")
    try:
        if b"-----BEGIN CERTIFICATE-----" in data:
            key: object = x509.load_pem_x509_certificate(data).public_key()
        else:
            key = serialization.load_pem_public_key(data)
    except (UnsupportedAlgorithm, TypeError) as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, PublicKey):
        raise ValueError("a key of a kind that is not used here")
    _strength(key)
    return key


def _strength(key: PublicKey) -> None:
    if isinstance(key, rsa.RSAPublicKey) and not _SMALLEST_RSA <= key.key_size <= _LARGEST_RSA:
        raise ValueError(f"an RSA key of {key.key_size} bits")
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CURVES):
        raise ValueError(f"a key on the curve {key.curve.name}")


def fingerprint(key: PublicKey) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, hexadecimal."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hexdigest()


def trusted_fingerprint(path: Path) -> str:
    """Fingerprint of the key in a file that the user trusts: a public key or a certificate in PEM."""
    try:
        return fingerprint(public_from_pem(_read(path)))
    except ValueError as error:
        raise CaseError(f"{path}: no public key or certificate in PEM: {error}") from None


def check(data: bytes, signature: bytes, public_pem: bytes) -> str:
    """Fingerprint of the key that signed the data; IntegrityError when it did not."""
    try:
        key = public_from_pem(public_pem)
    except ValueError as error:
        raise IntegrityError(f"the signer's key cannot be read: {error}") from None
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, data)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, _pss(), hashes.SHA256())
        else:
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise IntegrityError(
            "the signature does not fit: what it signs was changed, or another signed"
        ) from None
    return fingerprint(key)


def _pss() -> padding.PSS:
    return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise CaseError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_PEM_BYTES:
        raise CaseError(f"{path}: longer than {MAX_PEM_BYTES} bytes, no key file")
    return data
