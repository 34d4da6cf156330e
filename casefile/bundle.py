"""A bundle: one sealed file that holds an archive of a signed manifest and what it lists.

    manifest.json  manifest.sig  signer.pem  members, by path

Sealed with age for its recipients, so that `age -d | tar x` and OpenSSL open and check it without this program.
For post-quantum recipients a header goes before the age file, which is then sealed for a one-time identity:

    wirecover-pq-v1 LF  length (4 bytes, big-endian)  JSON {"keys": [[name of key, wrapped identity], ...]}  age file

Opening pushes every byte through one reader that holds a header and a piece, never a file: signature first, then
each member against the manifest, in its order. What it hands on may be thrown away (`Nowhere`: so a bundle is
checked before anything is written) or written into a folder (`Folder`).
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import pyrage

from wirecover.casefile import manifest_signature
from wirecover.casefile.bundle_archive import ArchiveReader, Entry, Members, file_pieces, written
from wirecover.casefile.bundle_keys import Identities, Recipients, key_name, one_time_identity, wrap
from wirecover.casefile.bundle_manifest import MAX_BYTES, BundleManifest, Member
from wirecover.casefile.errors import CaseError, IntegrityError
from wirecover.casefile.manifest_signature import MAX_PEM_BYTES, MAX_SIGNATURE_BYTES, Signer
from wirecover.casefile.private_files import flush, private_file, private_folder

MANIFEST_FILE: Final = "manifest.json"
SIGNATURE_FILE: Final = "manifest.sig"
SIGNER_FILE: Final = "signer.pem"
_HEAD: Final = (
    (MANIFEST_FILE, MAX_BYTES),
    (SIGNATURE_FILE, MAX_SIGNATURE_BYTES),
    (SIGNER_FILE, MAX_PEM_BYTES),
)
AGE_MAGIC: Final = b"age-encryption.org/v1\n"
PQ_MAGIC: Final = b"wirecover-pq-v1\n"
MAX_HEADER_BYTES: Final = 4 << 20
"""Of either header: a thousand recipients and room to spare."""


class SealError(CaseError):
    """The file cannot be sealed or opened as asked."""


# ---- writing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed file as it was written."""

    bytes: int
    sha256: str
    manifest: BundleManifest
    signer: str
    """Fingerprint of the key that signed the manifest."""


Source = tuple[Member, Path | bytes]
"""A member, and where its bytes are; of a longer file the first ones, as many as the member has."""


def seal_files(
    out: Path,
    sources: Sequence[Source],
    manifest: BundleManifest,
    to: Recipients,
    signer: Signer,
) -> Sealed:
    """Write manifest, signature and files, sealed, as one new private file; flushed, not yet published."""
    head = manifest.to_bytes()
    pem = signer.public_pem()
    signature = signer.sign(head)
    name = manifest_signature.check(head, signature, pem)
    entries = _entries(((MANIFEST_FILE, head), (SIGNATURE_FILE, signature), (SIGNER_FILE, pem)), sources)
    with private_file(out) as file:
        sink = _HashedFile(file)
        _encrypt(written(entries), sink, to)
        flush(file)
    return Sealed(sink.bytes, sink.digest.hexdigest(), manifest, name)


def _entries(head: Iterable[tuple[str, bytes]], sources: Sequence[Source]) -> Iterator[Entry]:
    for name, data in head:
        yield Entry(name, len(data), (data,))
    for member, source in sources:
        pieces = (source,) if isinstance(source, bytes) else _unchanged(member, source)
        yield Entry(member.path, member.bytes, pieces)


def _unchanged(member: Member, path: Path) -> Iterator[bytes]:
    """A file's bytes; CaseError when they are not those that the manifest was made from."""
    digest = sha256()
    with path.open("rb") as file:
        for piece in file_pieces(file, member.bytes):
            digest.update(piece)
            yield piece
    if digest.hexdigest() != member.sha256:
        raise CaseError(f"{path}: changed while it was being sealed")


class _HashedFile:
    """What pyrage writes to: a file, its length and its hash; keeps the error that a write raised."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = sha256()
        self.bytes = 0
        self.failure: BaseException | None = None

    def write(self, data: bytes) -> int:
        if self.failure is not None:
            raise self.failure
        try:
            self._file.write(data)
        except BaseException as error:  # handed over: the encryptor gives only its text
            self.failure = error
            raise
        self.digest.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()


class _Pulled:
    """What pyrage reads from: pieces of any size; keeps the error that making one raised."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.failure: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        if self.failure is not None:
            raise self.failure
        try:
            while not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    return b""
                self._rest = memoryview(piece)
        except BaseException as error:  # handed over: the encryptor gives only its text
            self.failure = error
            raise
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        return bytes(taken)


def _encrypt(pieces: Iterator[bytes], sink: _HashedFile, to: Recipients) -> None:
    recipients = to.age()
    if to.post_quantum:
        once = pyrage.x25519.Identity.generate()
        keys = [
            [name, base64.b64encode(wrapped).decode("ascii")] for name, wrapped in wrap(str(once), to.keys)
        ]
        head = json.dumps({"keys": keys}, separators=(",", ":")).encode("ascii")
        sink.write(PQ_MAGIC + len(head).to_bytes(4, "big") + head)
        recipients = [once.to_public()]
    source = _Pulled(pieces)
    try:
        pyrage.encrypt_io(source, sink, recipients)
    except (pyrage.EncryptError, OSError, CaseError) as error:
        raise (source.failure or sink.failure or SealError(f"cannot be sealed: {error}")) from None


# ---- the envelope --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Envelope:
    """What can be seen of a sealed file without a key."""

    post_quantum: bool
    recipients: int
    """Stanzas of the age header, or wrapped keys of the post-quantum one. age adds a meaningless stanza at times."""
    wrapped: tuple[tuple[str, bytes], ...]
    start: int
    """Where the age file begins."""


def is_bundle(path: Path) -> bool:
    """Whether a file begins like a sealed one."""
    try:
        with path.open("rb") as file:
            return file.read(len(AGE_MAGIC)).startswith((AGE_MAGIC, PQ_MAGIC))
    except OSError:
        return False


def read_envelope(file: BinaryIO) -> Envelope:
    """The headers of a sealed file, within bounds; IntegrityError when they are none."""
    wrapped: tuple[tuple[str, bytes], ...] = ()
    start = 0
    if file.read(len(PQ_MAGIC)) == PQ_MAGIC:
        wrapped, start = _pq_header(file)
    file.seek(start)
    stanzas = _age_header(file)
    return Envelope(bool(wrapped), len(wrapped) or stanzas, wrapped, start)


def _pq_header(file: BinaryIO) -> tuple[tuple[tuple[str, bytes], ...], int]:
    size = int.from_bytes(file.read(4), "big")
    if not 0 < size <= MAX_HEADER_BYTES:
        raise IntegrityError("the post-quantum header is of an impossible size")
    try:
        facts = json.loads(file.read(size))
        pairs = [(str(name), base64.b64decode(text, validate=True)) for name, text in facts["keys"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise IntegrityError("the post-quantum header cannot be read") from None
    if not pairs:
        raise IntegrityError("the post-quantum header names no recipient")
    return tuple(pairs), len(PQ_MAGIC) + 4 + size


def _age_header(file: BinaryIO) -> int:
    """Number of stanzas; the age library would read a header of any length into memory."""
    left = MAX_HEADER_BYTES
    if file.read(len(AGE_MAGIC)) != AGE_MAGIC:
        raise IntegrityError("not a sealed file (no age header)")
    stanzas = 0
    while left > 0:
        line = file.readline(min(left, 4096))
        left -= len(line)
        if not line.endswith(b"\n"):
            break
        if line.startswith(b"--- "):
            return stanzas
        stanzas += line.startswith(b"-> ")
    raise IntegrityError("the age header is cut off, or too long")


# ---- opening -------------------------------------------------------------------------------------------------


class Sink(Protocol):
    """Where members go that are as the manifest says."""

    def begin(self, member: Member) -> None: ...

    def data(self, piece: bytes) -> None: ...

    def end(self) -> None: ...


class Nowhere:
    """For a bundle that is only checked."""

    def begin(self, member: Member) -> None: ...

    def data(self, piece: bytes) -> None: ...

    def end(self) -> None: ...


class Folder:
    """Writes members under a folder that it makes; every file private, new, and flushed."""

    def __init__(self, root: Path, name: Callable[[str], str] | None = None) -> None:
        self.root = private_folder(root)
        self._name = name or str
        self._file: BinaryIO | None = None

    def begin(self, member: Member) -> None:
        path = self.root
        *folders, last = self._name(member.path).split("/")
        for folder in folders:
            path = path / folder
            if not path.is_dir():
                private_folder(path)
        self._file = private_file(path / last)

    def data(self, piece: bytes) -> None:
        assert self._file is not None
        self._file.write(piece)

    def end(self) -> None:
        assert self._file is not None
        flush(self._file)
        self._file.close()
        self._file = None

    def abandon(self) -> None:
        """Close what is open: Windows removes no open file."""
        if self._file is not None:
            self._file.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle of which everything held."""

    manifest: BundleManifest
    manifest_sha256: str
    signer: str
    """Fingerprint of the key that signed."""
    head: tuple[bytes, bytes, bytes]
    """manifest.json, manifest.sig, signer.pem as they came."""


Accept = Callable[[BundleManifest, str], None]
"""Asked once manifest and signature hold, before any member: raise to refuse (manifest, fingerprint)."""


class _Checked(Members):
    """Signature, then every member against the manifest."""

    def __init__(self, accept: Accept, sink: Sink) -> None:
        self._accept, self._sink = accept, sink
        self._head: list[bytearray] = []
        self._manifest: BundleManifest | None = None
        self._signer = ""
        self._next = 0
        self._digest = sha256()

    def begin(self, name: str, size: int) -> None:
        if self._manifest is None:
            want, most = _HEAD[len(self._head)]
            if name != want or size > most:
                raise IntegrityError(f"{want} (at most {most} bytes) is not where it should be")
            self._head.append(bytearray())
            return
        if self._next == len(self._manifest.members):
            raise IntegrityError(f"{name!r}: not in the manifest")
        member = self._manifest.members[self._next]
        if (member.path, member.bytes) != (name, size):
            raise IntegrityError(
                f"{name!r}: the manifest says that {member.path!r} of {member.bytes} bytes comes here"
            )
        self._digest = sha256()
        self._sink.begin(member)

    def data(self, piece: bytes) -> None:
        if self._manifest is None:
            self._head[-1] += piece
        else:
            self._digest.update(piece)
            self._sink.data(piece)

    def end(self) -> None:
        if self._manifest is not None:
            member = self._manifest.members[self._next]
            if self._digest.hexdigest() != member.sha256:
                raise IntegrityError(f"{member.path}: not the bytes that were signed")
            self._next += 1
            self._sink.end()
        elif len(self._head) == len(_HEAD):
            data, signature, pem = map(bytes, self._head)
            self._signer = manifest_signature.check(data, signature, pem)
            manifest = BundleManifest.from_bytes(data)
            self._accept(manifest, self._signer)
            self._manifest = manifest

    def opened(self) -> Opened:
        if self._manifest is None:
            raise IntegrityError("there is no manifest")
        if self._next != len(self._manifest.members):
            raise IntegrityError(f"{len(self._manifest.members) - self._next} members are missing")
        data, signature, pem = map(bytes, self._head)
        return Opened(self._manifest, sha256(data).hexdigest(), self._signer, (data, signature, pem))


class _Pushed:
    """What pyrage writes plain text to; keeps the error that the reader raised."""

    def __init__(self, reader: ArchiveReader) -> None:
        self._reader = reader
        self.failure: BaseException | None = None

    def write(self, data: bytes) -> int:
        if self.failure is not None:  # the decryptor may go on after an error; nothing more is handed on
            raise self.failure
        try:
            self._reader.feed(data)
        except BaseException as error:  # handed over: the decryptor may give only its text
            self.failure = error
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


def open_bundle(path: Path, identities: Identities, accept: Accept, sink: Sink) -> Opened:
    """Open a sealed file, check all of it, and hand its members to the sink as they come.

    IntegrityError when anything does not hold; what the sink was given by then is to be thrown away.
    """
    try:
        with path.open("rb") as file:
            envelope = read_envelope(file)
            keys = _keys(envelope, identities, path)
            file.seek(envelope.start)
            checked = _Checked(_for_us(identities, accept), sink)
            reader = ArchiveReader(checked)
            _decrypt(file, reader, keys, path)
            reader.close()
    except OSError as error:
        raise SealError(f"{path}: {error.strerror or error}") from error
    except IntegrityError as error:
        raise type(error)(f"{path}: {error}") from error
    return checked.opened()


def _for_us(identities: Identities, accept: Accept) -> Accept:
    """Refuse what its signer sealed for others: somebody has sealed it anew."""

    def ask(manifest: BundleManifest, signer: str) -> None:
        if not identities.publics() & set(manifest.recipients):
            raise IntegrityError("its signer did not seal it for this key: somebody passed it on")
        accept(manifest, signer)

    return ask


def _keys(envelope: Envelope, identities: Identities, path: Path) -> list[pyrage.x25519.Identity]:
    if not envelope.post_quantum:
        if not identities.age:
            raise SealError(f"{path}: sealed for age keys, and the identity file holds none")
        return identities.age_identities()
    own = {key_name(key.public): key for key in identities.pq}
    for name, wrapped in envelope.wrapped:
        if name in own:
            try:
                return [one_time_identity(own[name].unwrap(wrapped))]
            except ValueError:
                raise IntegrityError(
                    "the post-quantum header was changed: it does not open with its key"
                ) from None
    raise SealError(f"{path}: not sealed for any key in the identity file")


def _decrypt(file: BinaryIO, reader: ArchiveReader, keys: list[pyrage.x25519.Identity], path: Path) -> None:
    sink = _Pushed(reader)
    try:
        pyrage.decrypt_io(file, sink, keys)
    except BaseException as error:
        if sink.failure is not None:
            raise sink.failure from None
        if isinstance(error, pyrage.DecryptError):
            if "matching keys" in str(error):
                raise SealError(f"{path}: not sealed for any key in the identity file") from None
            raise IntegrityError(f"cannot be opened: {error}") from None
        if isinstance(error, OSError) and error.errno is None:  # the library's word for a failed check
            raise IntegrityError("cut off or changed: what comes next is not what was sealed") from None
        raise


def facts_of(manifest: BundleManifest) -> dict[str, Any]:
    """What a log keeps of a bundle: by reference, not its rows."""
    return {
        "kind": manifest.kind, "manifest_sha256": manifest.digest(), "case_id": manifest.case_id,
        "log_acts": manifest.log_acts, "log_sha256": manifest.log_sha256,
        "recipients": [key_name(key) for key in manifest.recipients], "members": len(manifest.members),
    }  # fmt: skip
