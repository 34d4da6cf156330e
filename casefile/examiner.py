"""Who acts upon a case: a profile with name, role and organisation, and the key that signs.

    examiner.toml   [examiner] name, role, organisation, key (file: PEM, or PKCS#12 ending in .p12 or .pfx),
                    certificate (PEM, optional); files relative to the profile

The key signs the lines of the custody log and manifests. A passphrase is asked for by the caller and is never
written anywhere. A key that never leaves a smart card (PKCS#11) is any object with the same methods and
properties: `Case.open(path, by=...)` takes it as well (docs/legal-safeguards.md).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from wirecover.casefile.durable import sync_folder
from wirecover.casefile.errors import CaseError
from wirecover.casefile.manifest_signature import (
    MAX_PEM_BYTES,
    KeySigner,
    Passphrase,
    PrivateKey,
    fingerprint,
    signer_from_pem,
)
from wirecover.casefile.private_files import write_private

PROFILE: Final = "examiner.toml"
KEY: Final = "examiner.key.pem"
PUBLIC: Final = "examiner.pub.pem"
_FIELDS: Final = ("name", "role", "organisation")
_PKCS12: Final = frozenset({".p12", ".pfx"})
MAX_TEXT: Final = 200
Certificate = x509.Certificate
LEAST_PASSPHRASE: Final = 12


@dataclass(frozen=True, slots=True)
class Examiner:
    """A person, and the key the person signs with."""

    name: str
    role: str
    organisation: str
    signer: KeySigner
    certificate: x509.Certificate | None = None

    @property
    def key_id(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, hexadecimal."""
        return fingerprint(self.signer.key.public_key())

    @property
    def algorithm(self) -> str:
        """How it signs, as the log names it."""
        if isinstance(self.signer.key, Ed25519PrivateKey):
            return "ed25519"
        return "rsa-pss-sha256" if isinstance(self.signer.key, rsa.RSAPrivateKey) else "ecdsa-sha256"

    @property
    def introduction(self) -> Mapping[str, Any]:
        """What the log says of this examiner before the first signed act."""
        return {
            "name": self.name, "role": self.role, "organisation": self.organisation, "key": self.key_id,
            "public_key": self.public_pem().decode("ascii"),
            "certificate": None if self.certificate is None else _pem(self.certificate).decode("ascii"),
        }  # fmt: skip

    def sign(self, data: bytes) -> bytes:
        """The signature over the data."""
        return self.signer.sign(data)

    def public_pem(self) -> bytes:
        """The public key as PEM."""
        return self.signer.public_pem()

    def cms(self, data: bytes) -> bytes:
        """A detached CMS signature (DER) with the certificate in it; for RSA and EC keys (RFC 5652)."""
        key = self.signer.key
        if self.certificate is None:
            raise CaseError(f"{self.name}: a CMS signature needs a certificate in the profile")
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise CaseError(f"{self.name}: a CMS signature needs an RSA or EC key here")
        builder = (
            pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(self.certificate, key, hashes.SHA256())
        )
        options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
        return builder.sign(serialization.Encoding.DER, options)

    @classmethod
    def load(cls, profile: Path, passphrase: Passphrase | None = None) -> Self:
        """The examiner of a profile file; CaseError says in one line what is wrong with it."""
        facts = _facts(profile)
        key_file = profile.parent / facts["key"]
        certificate: x509.Certificate | None = None
        if key_file.suffix.lower() in _PKCS12:
            signer, certificate = _from_pkcs12(key_file, passphrase)
        else:
            signer = signer_from_pem(key_file, passphrase)
        if facts["certificate"]:
            certificate = _certificate(profile.parent / facts["certificate"])
        made = cls(facts["name"], facts["role"], facts["organisation"], signer, certificate)
        if certificate is not None and fingerprint(certificate.public_key()) != made.key_id:  # type: ignore[arg-type]
            raise CaseError(f"{profile}: the certificate is of another key")
        return made


def new_examiner(
    folder: Path,
    name: str,
    role: str,
    organisation: str,
    *,
    passphrase: bytes | None = None,
    key: Path | None = None,
    certificate: Path | None = None,
) -> Path:
    """Write a profile into a folder; the profile's path.

    With a new Ed25519 key, encrypted with `passphrase`, or for an existing `key` file, which is named and not
    copied. CaseError when something is in the way or a text cannot be used.
    """
    facts = {"name": name, "role": role, "organisation": organisation}
    for field, text in facts.items():
        _check_text(field, text)
    profile = folder / PROFILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if key is None:
            if passphrase is None or len(passphrase) < LEAST_PASSPHRASE:
                raise CaseError(f"a new key needs a passphrase of at least {LEAST_PASSPHRASE} bytes")
            _write_key(folder, passphrase)
            facts["key"] = KEY
        else:
            facts["key"] = str(key.resolve())
        if certificate is not None:
            facts["certificate"] = str(certificate.resolve())
        text = "[examiner]\n" + "".join(f"{field} = {_toml(value)}\n" for field, value in facts.items())
        write_private(profile, text.encode("utf-8"))
        sync_folder(folder)
    except FileExistsError as error:
        raise CaseError(f"{error.filename or profile}: exists already") from error
    except OSError as error:
        raise CaseError(f"{profile}: cannot be written: {error.strerror}") from error
    return profile


def _write_key(folder: Path, passphrase: bytes) -> None:
    made = Ed25519PrivateKey.generate()
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )
    write_private(folder / KEY, pem)
    write_private(folder / PUBLIC, KeySigner(made).public_pem())


def _facts(profile: Path) -> dict[str, str]:
    try:
        whole = tomllib.loads(_read(profile).decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise CaseError(f"{profile}: no examiner's profile: {error}") from error
    table = whole.get("examiner")
    if not isinstance(table, dict) or set(whole) != {"examiner"}:
        raise CaseError(f"{profile}: no examiner's profile: it must hold one table, [examiner]")
    if odd := sorted(set(table) - {*_FIELDS, "key", "certificate"}):
        raise CaseError(f"{profile}: unknown: {', '.join(map(repr, odd))}")
    facts: dict[str, str] = {"certificate": ""}
    for name in (*_FIELDS, "key", *(["certificate"] if "certificate" in table else [])):
        value = table.get(name)
        if not isinstance(value, str):
            raise CaseError(f"{profile}: {name} is missing or no text")
        if name in _FIELDS:
            _check_text(name, value)
        facts[name] = value
    return facts


def _check_text(name: str, text: str) -> None:
    if not text.strip() or len(text) > MAX_TEXT or not text.isprintable():
        raise CaseError(f"{name}: a text of 1 to {MAX_TEXT} visible characters is needed")


def _from_pkcs12(path: Path, passphrase: Passphrase | None) -> tuple[KeySigner, x509.Certificate | None]:
    data = _read(path)
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(data, passphrase() if passphrase else None)
    except (ValueError, TypeError) as error:
        raise CaseError(f"{path}: wrong passphrase, or no PKCS#12 file") from error
    if not isinstance(key, PrivateKey):
        raise CaseError(f"{path}: holds no Ed25519, RSA or EC key")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048:
        raise CaseError(f"{path}: an RSA key of {key.key_size} bits is too short")
    return KeySigner(key), certificate


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except (ValueError, x509.InvalidVersion) as error:
        raise CaseError(f"{path}: no certificate in PEM") from error


def read_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file, one at least."""
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except (ValueError, x509.InvalidVersion) as error:
        raise CaseError(f"{path}: no certificates in PEM") from error


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise CaseError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_PEM_BYTES:
        raise CaseError(f"{path}: longer than {MAX_PEM_BYTES} bytes")
    return data


def _toml(text: str) -> str:
    """A basic string of TOML 1.0; the text holds no control characters."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
