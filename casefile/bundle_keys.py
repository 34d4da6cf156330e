"""Keys that bundles are sealed for: age X25519, and beside it a post-quantum kind.

age keys are those of https://age-encryption.org/v1 (`age-keygen` makes them, any age program opens the file).
The post-quantum kind is HPKE (RFC 9180) with the hybrid MLKEM768_X25519 of the installed `cryptography`: who
records today and has a quantum computer later must break both. It wraps a one-time age identity (bundle.py).

A key file is text: lines beginning with '#' are comments, each other line is one key.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import pyrage
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from wirecover.casefile.errors import CaseError, IntegrityError

MAX_FILE_BYTES: Final = 1 << 20
MAX_KEYS: Final = 1000
_AGE_PUBLIC: Final = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_AGE_SECRET: Final = re.compile(r"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")
_PQ_PUBLIC: Final = "wirecover-pq1:"
_PQ_SECRET: Final = "WIRECOVER-PQ-SECRET-KEY-1:"  # noqa: S105 - the mark of such a line, no secret
_SEED_BYTES: Final = 64
_CURVE_BYTES: Final = 32
_ENCAPSULATION_BYTES: Final = 1184
"""ML-KEM-768 encapsulation key, FIPS 203 table 3."""
_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_INFO: Final = b"wirecover bundle v1: one-time age identity"


class KeyFileError(CaseError):
    """A key file that is none."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """Whom a bundle is sealed for; all of one kind, for the weaker kind decides."""

    keys: tuple[str, ...]
    """As in their files, sorted."""
    post_quantum: bool

    def age(self) -> list[pyrage.x25519.Recipient]:
        """The age recipients; none when post-quantum."""
        return [] if self.post_quantum else [pyrage.x25519.Recipient.from_str(key) for key in self.keys]


@dataclass(frozen=True, slots=True)
class PqIdentity:
    """A post-quantum private key."""

    seed: bytes
    """Seed of the ML-KEM-768 key (d and z), 64 bytes."""
    scalar: bytes
    """X25519 private key, 32 bytes."""

    @property
    def public(self) -> str:
        """The public key as in its file."""
        lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(self.seed).public_key().public_bytes_raw()
        curve = X25519PrivateKey.from_private_bytes(self.scalar).public_key().public_bytes_raw()
        return _PQ_PUBLIC + _text(lattice + curve)

    def unwrap(self, wrapped: bytes) -> str:
        """The one-time age identity; ValueError when it was wrapped for another key."""
        key = hpke.MLKEM768X25519PrivateKey(
            mlkem.MLKEM768PrivateKey.from_seed_bytes(self.seed),
            X25519PrivateKey.from_private_bytes(self.scalar),
        )
        try:
            return _SUITE.decrypt(wrapped, key, info=_INFO).decode("ascii")
        except Exception as error:
            raise ValueError("not for this key") from error

    def secret_line(self) -> str:
        """The private key as in its file."""
        return _PQ_SECRET + _text(self.seed + self.scalar)


@dataclass(frozen=True, slots=True)
class Identities:
    """Private keys of whoever opens a bundle."""

    age: tuple[str, ...]
    pq: tuple[PqIdentity, ...]

    def publics(self) -> frozenset[str]:
        """The public keys that belong to them."""
        own = {str(identity.to_public()) for identity in self.age_identities()}
        return frozenset(own | {key.public for key in self.pq})

    def age_identities(self) -> list[pyrage.x25519.Identity]:
        """The age identities."""
        return [pyrage.x25519.Identity.from_str(text) for text in self.age]


def read_recipients(paths: Sequence[Path]) -> Recipients:
    """The public keys of some files; KeyFileError when one holds none, or when kinds are mixed."""
    keys: set[str] = set()
    for path in paths:
        lines = _lines(path)
        if not lines:
            raise KeyFileError(f"{path}: no public key in it")
        for number, line in lines:
            if not _is_public(line):
                kind = "a private key: give the public one" if "SECRET" in line.upper() else "no public key"
                raise KeyFileError(f"{path}: line {number} is {kind} (age1... or {_PQ_PUBLIC}...)")
            keys.add(line)
    kinds = {key.startswith(_PQ_PUBLIC) for key in keys}
    if len(kinds) != 1:
        raise KeyFileError(
            "post-quantum and other recipients cannot share a bundle: the weaker kind would open it"
        )
    if len(keys) > MAX_KEYS:
        raise KeyFileError(f"more than {MAX_KEYS} recipients")
    return Recipients(tuple(sorted(keys)), kinds == {True})


def read_identities(path: Path) -> Identities:
    """The private keys of a file."""
    age: list[str] = []
    pq: list[PqIdentity] = []
    for number, line in _lines(path):
        if _AGE_SECRET.fullmatch(line) and _is_age_identity(line):
            age.append(line)
        elif line.startswith(_PQ_SECRET):
            pq.append(_pq_identity(line, path, number))
        else:
            raise KeyFileError(f"{path}: line {number} is no private key")
    if not age and not pq:
        raise KeyFileError(f"{path}: no private key in it")
    return Identities(tuple(age), tuple(pq))


def wrap(secret: str, publics: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """(name of the key, one-time age identity sealed for it) of each post-quantum recipient."""
    for public in publics:
        raw = _bytes(public.removeprefix(_PQ_PUBLIC))
        key = hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(raw[:_ENCAPSULATION_BYTES]),
            X25519PublicKey.from_public_bytes(raw[_ENCAPSULATION_BYTES:]),
        )
        try:
            yield key_name(public), _SUITE.encrypt(secret.encode("ascii"), key, info=_INFO)
        except ValueError:  # a point that makes every secret the same
            raise KeyFileError(f"the recipient {key_name(public)} is no key that can be sealed for") from None


def key_name(public: str) -> str:
    """A public key by the SHA-256 of its text: short enough for a log."""
    return sha256(public.encode("ascii")).hexdigest()


def new_identity(*, post_quantum: bool) -> tuple[str, str]:
    """(text of the private key file, text of the public one) of a new pair."""
    if post_quantum:
        seed = mlkem.MLKEM768PrivateKey.generate().private_bytes_raw()
        key = PqIdentity(seed, X25519PrivateKey.generate().private_bytes_raw())
        secret, public = key.secret_line(), key.public
    else:
        identity = pyrage.x25519.Identity.generate()
        secret, public = str(identity), str(identity.to_public())
    return f"# public key: {public}\n{secret}\n", f"{public}\n"


def _lines(path: Path) -> list[tuple[int, str]]:
    """(number, text) of the lines that hold keys."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        text = data.decode("ascii")
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{path}: no key file (it holds other than ASCII)") from None
    if len(data) > MAX_FILE_BYTES:
        raise KeyFileError(f"{path}: longer than {MAX_FILE_BYTES} bytes, no key file")
    kept = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in kept if line and not line.startswith("#")]


def _is_public(line: str) -> bool:
    try:
        if line.startswith(_PQ_PUBLIC):
            raw = _bytes(line.removeprefix(_PQ_PUBLIC))
            mlkem.MLKEM768PublicKey.from_public_bytes(raw[:_ENCAPSULATION_BYTES])
            return len(raw) == _ENCAPSULATION_BYTES + _CURVE_BYTES
        if _AGE_PUBLIC.fullmatch(line):
            pyrage.x25519.Recipient.from_str(line)
            return True
    except (ValueError, pyrage.RecipientError):
        return False
    return False


def _is_age_identity(line: str) -> bool:
    try:
        pyrage.x25519.Identity.from_str(line)
    except pyrage.IdentityError:
        return False
    return True


def _pq_identity(line: str, path: Path, number: int) -> PqIdentity:
    try:
        raw = _bytes(line.removeprefix(_PQ_SECRET))
    except ValueError:
        raw = b""
    if len(raw) != _SEED_BYTES + _CURVE_BYTES:
        raise KeyFileError(f"{path}: line {number} is no private key")
    return PqIdentity(raw[:_SEED_BYTES], raw[_SEED_BYTES:])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes:
    """ValueError unless the text is the one way to write those bytes."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if _text(raw) != text:
        raise ValueError("not in its one form")
    return raw


def one_time_identity(text: str) -> pyrage.x25519.Identity:
    """The age identity that a post-quantum key opened."""
    if not _is_age_identity(text):
        raise IntegrityError("what the post-quantum key opened is no key")
    return pyrage.x25519.Identity.from_str(text)
