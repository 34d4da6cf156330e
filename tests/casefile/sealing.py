"""What tests of sealed files share: a case, keys, and files made by a hand that keeps no rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_decode import decode, write_capture

from wirecover.casefile.bundle_archive import Entry, written
from wirecover.casefile.bundle_keys import (
    Identities,
    Recipients,
    new_identity,
    read_identities,
    read_recipients,
)
from wirecover.casefile.case import Case
from wirecover.casefile.manifest_signature import KeySigner, fingerprint


@dataclass(frozen=True, slots=True)
class Keys:
    """One person: what is sealed for him, and what he signs with."""

    identity: Path
    public: Path
    pem: Path
    signer: KeySigner

    @property
    def identities(self) -> Identities:
        return read_identities(self.identity)

    @property
    def recipients(self) -> Recipients:
        return read_recipients([self.public])

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.signer.key.public_key())


def keys(folder: Path, name: str, *, post_quantum: bool = False) -> Keys:
    folder.mkdir(parents=True, exist_ok=True)
    secret, public = new_identity(post_quantum=post_quantum)
    key = Ed25519PrivateKey.generate()
    made = Keys(folder / name, folder / f"{name}.pub", folder / f"{name}.pem", KeySigner(key))
    made.identity.write_text(secret)
    made.public.write_text(public)
    made.pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (folder / f"{name}.signer.pem").write_bytes(made.signer.public_pem())
    return made


def small_case(root: Path, name: str = "case", captures: tuple[str, ...] = ("packets=3",)) -> Case:
    case = Case.create(root / name, training=True)
    for number, text in enumerate(captures):
        write_capture(root / f"{name}-in" / f"{number}.pcap", text)
    case.ingest([root / f"{name}-in"], decoder=decode)
    return case


def sealed_by_hand(path: Path, members: Iterable[tuple[str, bytes]], to: Recipients) -> Path:
    """An age file around any members at all, with none of the writer's own checks."""
    data = b"".join(written(Entry(name, len(body), [body]) for name, body in members))
    return sealed_bytes(path, data, to)


def sealed_bytes(path: Path, data: bytes, to: Recipients) -> Path:
    """An age file around any bytes."""
    path.write_bytes(pyrage.encrypt(data, to.age()))
    return path


def opened_by_hand(path: Path, identities: Identities) -> bytes:
    return pyrage.decrypt(path.read_bytes(), identities.age_identities())
