"""The lab's certificate authority: made anew for each recording, its keys thrown away after it."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LIFETIME = datetime.timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Issued:
    chain: Path
    """PEM: leaf, then the authority."""
    key: Path
    sha256: str
    """Of the leaf's DER, hex."""


class Authority:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - datetime.timedelta(days=1)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("wirecover lab CA, tests only")
        builder = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.bundle = folder / "lab-ca.pem"
        self.bundle.write_bytes(_pem(self._certificate))

    def issue(self, label: str, names: list[str], *, use_rsa: bool = False) -> Issued:
        key: Key = (
            rsa.generate_private_key(65537, 2048) if use_rsa else ec.generate_private_key(ec.SECP256R1())
        )
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = self._builder(_name(names[0]), key).add_extension(alternatives, critical=False)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        leaf = builder.add_extension(usage, critical=False).sign(self._key, hashes.SHA256())
        chain, key_file = self._folder / f"{label}.crt", self._folder / f"{label}.key"
        chain.write_bytes(_pem(leaf) + _pem(self._certificate))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Issued(chain, key_file, leaf.fingerprint(hashes.SHA256()).hex())

    def _builder(self, subject: x509.Name, key: Key) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._start)
            .not_valid_after(self._start + LIFETIME)
        )


def _name(common_name: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "wirecover lab, not the named service")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
