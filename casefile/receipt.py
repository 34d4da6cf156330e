"""The receipt beside a sealed file: what may be known of it without opening it, signed.

FILE.receipt.json holds one statement (hash and size of the sealed file, hash of the manifest inside, kind, number of
recipients, handling code if it is a share), the signature over the statement's bytes, and the signer's public key.
It names no address, no case and no recipient. Who has no key can still say whether the file is the one that was
signed; nothing in it replaces the check of the manifest when the file is opened.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wirecover.casefile import manifest_signature
from wirecover.casefile.bundle import Sealed
from wirecover.casefile.bundle_manifest import canonical, is_count, is_hash
from wirecover.casefile.errors import IntegrityError
from wirecover.casefile.manifest_signature import Signer
from wirecover.casefile.private_files import write_private

FORMAT: Final = "wirecover-receipt"
SUFFIX: Final = ".receipt.json"
MAX_BYTES: Final = 1 << 20
_FIELDS: Final = {"format", "version", "kind", "bytes", "sha256", "manifest_sha256", "recipients", "handling"}


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt whose signature holds."""

    kind: str
    bytes: int
    sha256: str
    manifest_sha256: str
    recipients: int
    handling: str
    signer: str
    """Fingerprint of the key that signed it."""


def path_of(sealed: Path) -> Path:
    """Where the receipt of a sealed file lies."""
    return sealed.with_name(sealed.name + SUFFIX)


def write(out: Path, sealed: Sealed, signer: Signer) -> Path:
    """Write the receipt of a sealed file beside its place; one of an unfinished run is replaced."""
    statement = {
        "format": FORMAT, "version": 1, "kind": sealed.manifest.kind, "bytes": sealed.bytes,
        "sha256": sealed.sha256, "manifest_sha256": sealed.manifest.digest(),
        "recipients": len(sealed.manifest.recipients), "handling": str(sealed.manifest.share.get("handling", "")),
    }  # fmt: skip
    signed = canonical(statement)
    signature = signer.sign(signed)
    manifest_signature.check(signed, signature, signer.public_pem())
    text = json.dumps(
        {
            "statement": statement,
            "signature": base64.b64encode(signature).decode("ascii"),
            "signer": signer.public_pem().decode("ascii"),
        },
        indent=2,
        sort_keys=True,
    )
    path = path_of(out)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    write_private(partial, text.encode("ascii") + b"\n")
    partial.replace(path)
    return path


def read(path: Path) -> Receipt:
    """A receipt; IntegrityError when it is none or its signature does not hold."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        facts: dict[str, Any] = json.loads(data[:MAX_BYTES])
        statement = facts["statement"]
        signature = base64.b64decode(facts["signature"], validate=True)
        pem = facts["signer"].encode("ascii")
        whole = set(statement) == _FIELDS and statement["format"] == FORMAT and statement["version"] == 1
        whole = whole and is_hash(statement["sha256"]) and is_hash(statement["manifest_sha256"])
        whole = whole and is_count(statement["bytes"]) and is_count(statement["recipients"])
        whole = whole and all(isinstance(statement[key], str) for key in ("kind", "handling"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{path}: no receipt that can be read: {error}") from None
    if not whole:
        raise IntegrityError(f"{path}: not a receipt of a sealed file")
    signer = manifest_signature.check(canonical(statement), signature, pem)
    named = {key: statement[key] for key in _FIELDS - {"format", "version"}}
    return Receipt(**named, signer=signer)
