"""What holds of a sealed file: without a key as far as can be seen, with one all of it, and nothing is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from wirecover.casefile import receipt
from wirecover.casefile.bundle import Nowhere, Opened, SealError, open_bundle, read_envelope
from wirecover.casefile.bundle_keys import Identities
from wirecover.casefile.bundle_manifest import BundleManifest
from wirecover.casefile.errors import CaseError, IntegrityError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `holds` is None when it could not be checked here, and `detail` says why."""

    subject: str
    holds: bool | None
    detail: str


def check_bundle(file: Path, identities: Identities | None = None, trusted: str | None = None) -> list[Check]:
    """Everything that can be said of a sealed file; with identities its inside is checked, on the way to nowhere."""
    checks = [*_outside(file, trusted)]
    if identities is None:
        return [
            *checks,
            Check("inside", None, "sealed; give --identity KEYFILE to check signature and every file"),
        ]
    return [*checks, *_inside(file, identities, trusted)]


def _outside(file: Path, trusted: str | None) -> Iterator[Check]:
    try:
        with file.open("rb") as data:
            envelope = read_envelope(data)
            data.seek(0)
            digest = file_digest(data, "sha256").hexdigest()
            size = data.tell()
    except OSError as error:
        raise SealError(f"{file}: {error.strerror}") from error
    except IntegrityError as error:
        yield Check("envelope", holds=False, detail=str(error))
        return
    kind = "post-quantum (MLKEM768_X25519) over age" if envelope.post_quantum else "age"
    yield Check("envelope", holds=True, detail=f"{kind}, {envelope.recipients} key entries, {size} bytes")
    yield from _receipt(file, digest, size, trusted)


def _receipt(file: Path, digest: str, size: int, trusted: str | None) -> Iterator[Check]:
    path = receipt.path_of(file)
    if not path.exists():
        yield Check("receipt", None, f"{path.name} is not beside it")
        return
    try:
        found = receipt.read(path)
    except IntegrityError as error:
        yield Check("receipt", holds=False, detail=str(error))
        return
    if (found.sha256, found.bytes) != (digest, size):
        yield Check("receipt", holds=False, detail=f"is of another file than this one ({digest})")
        return
    yield Check("receipt", holds=True, detail=f"{digest}, signed")
    yield _signer("signer of the receipt", found.signer, trusted)


def _signer(subject: str, signer: str, trusted: str | None) -> Check:
    if trusted is None:
        return Check(subject, None, f"key {signer}: compare it with the one you know, or give --signer PEM")
    return Check(
        subject, signer == trusted, f"key {signer}" + ("" if signer == trusted else ", not the one given")
    )


def _inside(file: Path, identities: Identities, trusted: str | None) -> Iterator[Check]:
    try:
        opened = open_bundle(file, identities, _anyone, Nowhere())
    except IntegrityError as error:
        yield Check("inside", holds=False, detail=str(error))
        return
    except CaseError as error:
        yield Check("inside", None, str(error))
        return
    yield from _told(opened)
    yield _signer("signer of the manifest", opened.signer, trusted)
    path = receipt.path_of(file)
    if path.exists():
        try:
            same = receipt.read(path).manifest_sha256 == opened.manifest_sha256
        except IntegrityError:
            return
        yield Check("receipt and manifest", same, "agree" if same else "the receipt names another manifest")


def _anyone(manifest: BundleManifest, signer: str) -> None:
    """Every kind of bundle and every signer may be looked at."""


def _told(opened: Opened) -> Iterator[Check]:
    manifest = opened.manifest
    count, size = len(manifest.members), sum(one.bytes for one in manifest.members)
    yield Check("manifest", holds=True, detail=f"{opened.manifest_sha256}, signature fits")
    yield Check("files", holds=True, detail=f"{count} files, {size} bytes, each as signed")
    what = "a whole case" if manifest.kind == "case" else "a share from a case"
    what += f" ({manifest.case_id}), its custody log then {manifest.log_acts} acts to {manifest.log_sha256}"
    yield Check("what it is", holds=True, detail=what + (", training" if manifest.training else ""))
    if manifest.kind == "share":
        share = manifest.share
        code = f"handling {share.get('handling')}, reference {share.get('reference')}, edition {share.get('edition')}"
        yield Check("conditions", holds=True, detail=code)
