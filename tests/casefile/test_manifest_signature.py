"""Signatures over manifests, and keys that are not good enough."""

import datetime
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from wirecover.casefile import manifest_signature
from wirecover.casefile.errors import CaseError, IntegrityError
from wirecover.casefile.manifest_signature import (
    KeySigner,
    check,
    fingerprint,
    signer_from_pem,
    trusted_fingerprint,
)

KEYS = {
    "ed25519": Ed25519PrivateKey.generate(), "rsa": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()), "p521": ec.generate_private_key(ec.SECP521R1()),
}  # fmt: skip
DATA = b'{"format":"wirecover-bundle"}\n'


def pem(key, password: bytes | None = None) -> bytes:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_fits_its_data_and_key_only(kind: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem(KEYS[kind]))
    signer = signer_from_pem(tmp_path / "key.pem")
    signature = signer.sign(DATA)
    assert check(DATA, signature, signer.public_pem()) == fingerprint(KEYS[kind].public_key())
    other = KeySigner(Ed25519PrivateKey.generate())
    for data, mark, public in (
        (DATA + b" ", signature, signer.public_pem()),
        (DATA, signature[:-1], signer.public_pem()),
        (DATA, signature, other.public_pem()),
        (DATA, b"", signer.public_pem()),
    ):
        with pytest.raises(IntegrityError):
            check(data, mark, public)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
@pytest.mark.parametrize("kind", KEYS)
def test_openssl_checks_it_as_the_module_says(kind: str, tmp_path: Path) -> None:
    signer = KeySigner(KEYS[kind])
    for name, data in (("m", DATA), ("s", signer.sign(DATA)), ("k", signer.public_pem())):
        (tmp_path / name).write_bytes(data)
    if kind == "ed25519":
        command = ["pkeyutl", "-verify", "-pubin", "-inkey", "k", "-rawin", "-in", "m", "-sigfile", "s"]
    else:
        pss = ["-sigopt", "rsa_padding_mode:pss"] if kind == "rsa" else []
        command = ["dgst", "-sha256", "-verify", "k", *pss, "-signature", "s", "m"]
    done = subprocess.run(["openssl", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(KEYS["ed25519"], b"open"))
    assert (
        signer_from_pem(path, lambda: b"open").key.private_bytes_raw() == KEYS["ed25519"].private_bytes_raw()
    )
    with pytest.raises(CaseError, match="wrong passphrase"):
        signer_from_pem(path, lambda: b"shut")
    with pytest.raises(CaseError, match="no passphrase"):
        signer_from_pem(path)


def test_keys_that_are_not_good_enough_are_refused(tmp_path: Path) -> None:
    weak = [
        pem(rsa.generate_private_key(65537, 1024)), pem(dsa.generate_private_key(2048)),
        pem(ec.generate_private_key(ec.SECP256K1())), b"", b"no key", KeySigner(KEYS["rsa"]).public_pem(),
        b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 400_000,
    ]  # fmt: skip
    for data in weak:
        (tmp_path / "key.pem").write_bytes(data)
        with pytest.raises(CaseError):
            signer_from_pem(tmp_path / "key.pem")
    with pytest.raises(CaseError):
        signer_from_pem(tmp_path / "none")
    public = rsa.generate_private_key(65537, 1024).public_key()
    text = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(IntegrityError, match="cannot be read"):
        check(DATA, b"x" * 128, text)


def test_a_certificate_names_the_same_key(tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Examiner")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
        .public_key(KEYS["p256"].public_key()).not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=9)).sign(KEYS["p256"], hashes.SHA256())
    )  # fmt: skip
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(KeySigner(KEYS["p256"]).public_pem())
    assert trusted_fingerprint(tmp_path / "cert.pem") == trusted_fingerprint(tmp_path / "key.pem")
    (tmp_path / "key.pem").write_bytes(pem(KEYS["p256"]))
    with pytest.raises(CaseError):
        trusted_fingerprint(tmp_path / "key.pem")


def test_a_key_is_read_within_bounds() -> None:
    with pytest.raises(ValueError, match="longer than"):
        manifest_signature.public_from_pem(b"x" * (manifest_signature.MAX_PEM_BYTES + 1))
