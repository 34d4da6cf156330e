"""The end of a case: its files are erased, and a signed record of that remains.

    <case>.destroyed/   record.json (what, hashes, under which authority, when, by whom), record.sig, signer.pem,
                        custody.jsonl, authority.toml: the log speaks by reference only, and the key that could turn
                        its references back into addresses (log/reference.key) is erased with the case

Steps, each of which a killed run can be resumed from: the plan (every file with its hash) is written beside the
case; one rename takes the case out of use; its files are overwritten once, cut to nothing and removed, one by one;
the record is signed and the plan removed.

What this cannot do: an SSD, a journal, a snapshot, a copy-on-write file system or a backup may hold what was
overwritten. Only a medium that was encrypted as a whole can be made unreadable for sure, by its key.
"""

import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from wirecover.capture.version import tool_version
from wirecover.casefile import manifest_signature
from wirecover.casefile.authority_file import read_authority
from wirecover.casefile.bundle_manifest import canonical
from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, actor, head, record
from wirecover.casefile.demands import AUTHORITY_FILE
from wirecover.casefile.durable import sync_folder
from wirecover.casefile.errors import CaseError, IntegrityError
from wirecover.casefile.log_file import LOG, LOG_FILE, records
from wirecover.casefile.manifest_signature import Signer
from wirecover.casefile.private_files import flush, only_writer, private_folder, write_private

FORMAT: Final = "wirecover-destruction"
PLAN: Final = "plan.json"
RECORD: Final = "record.json"
SIGNATURE: Final = "record.sig"
SIGNER: Final = "signer.pem"
LIMITS: Final = (
    "Files were overwritten once and removed. Solid-state disks, journals, snapshots, copy-on-write file systems, "
    "memory and backups may still hold former contents; this program cannot reach them."
)
_PIECE: Final = 1 << 20
_SHORT: Final = 16
"""Characters of the case's name that confirm the destruction of a case without an authority."""


class DestroyError(CaseError):
    """The case cannot be destroyed as asked."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What remains."""

    folder: Path
    files: int
    bytes: int
    resumed: bool
    """Whether a killed run had begun it."""
    signer: str


def remains_of(case: Path) -> Path:
    """Where the record of a destroyed case lies."""
    return case.with_name(f"{case.name}.destroyed")


def doomed_of(case: Path) -> Path:
    """Under which name a case lies while it is erased."""
    return case.with_name(f".{case.name}.destroying")


def destroy(
    path: Path,
    confirm: str,
    signer: Signer,
    *,
    act_on: Case | None = None,
    clock: Callable[[], int] | None = None,
) -> Destroyed:
    """Erase a case whose reference `confirm` repeats; DestroyError when it does not. Resumes a killed run.

    `act_on` is the case with who acts and why, if it is not just opened here.
    """
    home = path.resolve()
    now = clock or (act_on or Case(home, training=False)).clock
    manifest_signature.check(b"test", signer.sign(b"test"), signer.public_pem())  # before anything is gone
    with only_writer(home):
        resumed = doomed_of(home).exists() or (remains_of(home) / PLAN).exists()
        if home.exists():
            given = act_on or Case.open(home)
            _condemn(replace(given, path=home, clock=now), confirm)
        plan = _plan(home, confirm)
        _erase(doomed_of(home))
        return _certify(home, plan, signer, now, resumed=resumed)


def reference_of(case: Case) -> str:
    """What must be repeated to destroy a case: its authority's reference, or the beginning of its own name."""
    if (case.path / AUTHORITY_FILE).is_file():
        return read_authority(case.path / AUTHORITY_FILE).authority.reference
    return next(records(case.path)).sha256[:_SHORT]


def _condemn(case: Case, confirm: str) -> None:
    """Write the plan and take the case out of use."""
    wanted = reference_of(case)
    if confirm != wanted:
        what = "authority's reference" if (case.path / AUTHORITY_FILE).is_file() else f"name, {wanted}"
        raise DestroyError(f"{case.path}: not confirmed: --confirm must repeat the case's {what}")
    remains = remains_of(case.path)
    if (remains / RECORD).exists():
        raise DestroyError(f"{remains}: the record of another case of this name is there; move it away first")
    case.connect(write=True).close()  # nobody else is at it
    facts = _facts(case, confirm)
    with record(case, Act("destroy", {"files": len(facts["files"])})):
        if not remains.is_dir():
            private_folder(remains)
    facts["log"] = {"acts": head(case.path).seq, "sha256": head(case.path).sha256}
    for name, source in (
        (LOG_FILE, case.path / LOG / LOG_FILE),
        (AUTHORITY_FILE, case.path / AUTHORITY_FILE),
    ):
        (remains / name).unlink(missing_ok=True)
        if source.is_file():
            write_private(remains / name, source.read_bytes())
    _replace(remains / PLAN, canonical(facts))
    case.path.rename(doomed_of(case.path))
    sync_folder(case.path.parent)


def _facts(case: Case, confirm: str) -> dict[str, Any]:
    by = case.by
    return {
        "format": FORMAT, "version": 1, "case": case.path.name, "case_id": next(records(case.path)).sha256,
        "training": case.training, "confirmed": confirm, "reason": case.reason, "actor": actor(),
        "examiner": None if by is None else {"name": by.name, "role": by.role, "organisation": by.organisation},
        "authority": _authority(case.path), "terms_of_partners": _terms(case), "begun_at": case.clock(),
        "files": _files(case.path), "tool_version": tool_version(), "limits": LIMITS,
    }  # fmt: skip


def _authority(case: Path) -> dict[str, Any] | None:
    path = case / AUTHORITY_FILE
    if not path.is_file():
        return None
    found = read_authority(path)
    retention = found.authority.retention
    return {
        "reference": found.authority.reference, "instrument": found.authority.instrument, "sha256": found.sha256,
        "destroy_by": None if retention is None else retention.destroy_by,
        "rule": None if retention is None else retention.rule,
    }  # fmt: skip


def _terms(case: Case) -> list[dict[str, Any]]:
    """What partners wanted destroyed with it, and by when."""
    from wirecover.casefile.foreign import BUNDLES

    with closing(case.connect()) as connection:
        rows = connection.execute(
            f"SELECT bundle_sha256, reference, epoch_ns(destroy_by) FROM {BUNDLES} ORDER BY 1"  # noqa: S608 - our own name
        ).fetchall()
    return [{"bundle": one, "reference": reference, "destroy_by": until} for one, reference, until in rows]


def _files(case: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(case.rglob("*")):
        name = path.relative_to(case).as_posix().encode("utf-8", "backslashreplace").decode()
        if path.is_symlink():
            found.append({"path": name, "bytes": 0, "sha256": None, "names": 1, "kind": "link"})
        elif path.is_file():
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
                size, names = file.tell(), path.stat().st_nlink
            found.append({"path": name, "bytes": size, "sha256": digest, "names": names, "kind": "file"})
    return found


def _plan(home: Path, confirm: str) -> dict[str, Any]:
    path = remains_of(home) / PLAN
    try:
        plan: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DestroyError(f"{home}: no such case, and none that is being destroyed") from None
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from None
    if plan.get("confirmed") != confirm:
        raise DestroyError(f"{home}: is being destroyed under another reference")
    return plan


def _erase(doomed: Path) -> None:
    """Overwrite and remove everything; a file that has another name elsewhere is only removed here."""
    if not doomed.exists():
        return
    for path in sorted(doomed.rglob("*")):
        if not path.is_symlink() and path.is_file() and path.stat().st_nlink == 1:
            _overwrite(path)
    for path in sorted(doomed.rglob("*"), key=lambda one: len(one.parts), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    doomed.rmdir()
    sync_folder(doomed.parent)


def _overwrite(path: Path) -> None:
    path.chmod(0o600)
    size = path.stat().st_size
    with path.open("r+b") as file:
        for place in range(0, size, _PIECE):
            file.write(bytes(min(_PIECE, size - place)))
        flush(file)
        file.truncate(0)
        os.fsync(file.fileno())


def _certify(
    home: Path, plan: dict[str, Any], signer: Signer, now: Callable[[], int], *, resumed: bool
) -> Destroyed:
    """Sign what was done; the plan goes last, so that a run killed before has its end to do again."""
    remains = remains_of(home)
    ended = now()
    due = (plan.get("authority") or {}).get("destroy_by")
    facts = {
        **plan, "ended_at": ended, "resumed": resumed,
        "not_overwritten": [one["path"] for one in plan["files"] if one["names"] > 1],
        "late": None if due is None else ended > due,
    }  # fmt: skip
    data = canonical(facts)
    signature = signer.sign(data)
    name = manifest_signature.check(data, signature, signer.public_pem())
    for file, content in ((SIGNER, signer.public_pem()), (SIGNATURE, signature), (RECORD, data)):
        _replace(remains / file, content)
    (remains / PLAN).unlink()
    sync_folder(remains)
    return Destroyed(remains, len(plan["files"]), sum(one["bytes"] for one in plan["files"]), resumed, name)


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    write_private(partial, data)
    partial.replace(path)
    sync_folder(path.parent)


def check_record(folder: Path) -> tuple[dict[str, Any], str]:
    """(record, fingerprint of its signer) of a destroyed case; IntegrityError when it does not hold."""
    try:
        data, signature, pem = ((folder / name).read_bytes() for name in (RECORD, SIGNATURE, SIGNER))
        facts: dict[str, Any] = json.loads(data)
        log = (folder / LOG_FILE).read_bytes()
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(f"{folder}: no record of a destruction that can be read: {error}") from None
    name = manifest_signature.check(data, signature, pem)
    last = json.loads(log.splitlines()[-1]) if log.strip() else {}
    if (
        not isinstance(facts, dict)
        or facts.get("format") != FORMAT
        or last.get("sha256") != facts["log"]["sha256"]
    ):
        raise IntegrityError(f"{folder}: the custody log is not the one that the record names")
    return facts, name
