"""A whole case as one sealed file, and back.

Sealing: a reader's hold on the catalogue keeps every writer out, the custody log is taken as it is then (it only
grows), and within one logged act the files are hashed, listed, signed and sealed. A killed run leaves a partial
file of ciphertext under a hidden name, which the next run to the same target removes, and an act without its end.

Unsealing: into a private folder beside the target, every byte checked on its way; the act is logged in the copy;
one rename makes it a case. Until then there is no case.
"""

import re
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final

from wirecover.capture.version import tool_version
from wirecover.casefile import receipt
from wirecover.casefile.authority_store import KEY_FILE
from wirecover.casefile.bundle import (
    Accept,
    Folder,
    Opened,
    Sealed,
    SealError,
    Source,
    facts_of,
    open_bundle,
    seal_files,
)
from wirecover.casefile.bundle_archive import fits
from wirecover.casefile.bundle_keys import Identities, Recipients, key_name
from wirecover.casefile.bundle_manifest import BundleManifest, Kind, Member
from wirecover.casefile.bundle_names import clash, fault
from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, head, note, record
from wirecover.casefile.durable import sync_folder
from wirecover.casefile.errors import IntegrityError
from wirecover.casefile.layout import EVIDENCE, EXPORTS, MARKER, REPORTS, read_marker
from wirecover.casefile.log_file import HEAD_FILE, LOG, LOG_FILE, Head, locked_log, records
from wirecover.casefile.manifest_signature import Signer
from wirecover.casefile.private_files import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    clear_partial,
    only_writer,
    partial_of,
    private_folder,
    publish_file,
)

READ_ONLY: Final = 0o400
_LOCKS: Final = re.compile(rf"{LOG}/(lock|act-[0-9]+\.lock)(\.held)?")
"""Of running processes; never a record of anything."""


@dataclass(frozen=True, slots=True)
class SealResult:
    """What sealing gave."""

    sealed: Sealed
    receipt: Path
    left_out: int
    """Hidden and unfinished files of the case folder that are not part of the case."""
    cleared: bool
    """Whether a partial file of an earlier, killed run was removed."""


def seal(
    case: Case, out: Path, to: Recipients, signer: Signer, *, with_pseudonym_key: bool = False
) -> SealResult:
    """Seal a case for its recipients. CaseError when `out` is taken, inside the case, or the case is in use.

    The key of the pseudonyms stays behind unless it is asked for: whoever has it can find out who third parties are.
    To give it away is an act of its own in the log, `unmask`, for which the authority may ask for two persons.
    """
    check_target(out, case.path)
    if with_pseudonym_key:
        note(
            case,
            Act("unmask", {"name": out.name, "how": "the key of the pseudonyms was sealed with the case"}),
        )
    act = Act("seal", {"name": out.name, "recipients": [key_name(key) for key in to.keys]}, export=True)
    with only_writer(out):
        cleared = clear_target(out)
        make_current(case)
        return _seal(case, act, out, to, signer, cleared=cleared, with_key=with_pseudonym_key)


def _seal(
    case: Case, act: Act, out: Path, to: Recipients, signer: Signer, *, cleared: bool, with_key: bool
) -> SealResult:
    with closing(case.connect()):  # a reader keeps writers out until the last byte is read
        state = log_state(case)
        with record(case, act) as entry:
            sources, left_out = case_files(case.path, state, without=() if with_key else (KEY_FILE,))
            manifest = describe(case, state, "case", to, [one for one, _ in sources], {})
            result = write_sealed(out, sources, manifest, to, signer)
            entry.result(result.sealed.sha256, **facts_of(manifest))
    return SealResult(result.sealed, result.receipt, left_out, cleared)


def make_current(case: Case) -> None:
    """Let the case be brought up to this version, and finish what a killed run began."""
    case.connect(write=True).close()


@dataclass(frozen=True, slots=True)
class LogState:
    """The custody log at one moment: what is appended later is not in the bundle."""

    first: str
    """Hash of its first act: the name of the case."""
    head: Head
    sources: tuple[Source, ...]


def log_state(case: Case) -> LogState:
    """The log as it is now."""
    folder = case.path / LOG
    with locked_log(case.path, "seal"):
        end = head(case.path)
        first = next(records(case.path)).sha256
        kept = (folder / HEAD_FILE).read_bytes()
        sources: list[Source] = [
            (Member(f"{LOG}/{HEAD_FILE}", len(kept), sha256(kept).hexdigest()), kept),
            (member(folder / LOG_FILE, f"{LOG}/{LOG_FILE}"), folder / LOG_FILE),
        ]
    return LogState(first, end, tuple(sources))


@dataclass(frozen=True, slots=True)
class Written:
    """A sealed file and its receipt."""

    sealed: Sealed
    receipt: Path


def write_sealed(
    out: Path, sources: Sequence[Source], manifest: BundleManifest, to: Recipients, signer: Signer
) -> Written:
    """Seal files to `out`, with a receipt beside it; whole or not at all. Only under the target's lock."""
    partial = partial_of(out)
    try:
        sealed = seal_files(partial, sources, manifest, to, signer)
        beside = receipt.write(out, sealed, signer)
        publish_file(partial, out)
    except BaseException:
        clear_partial(out)
        raise
    return Written(sealed, beside)


def check_target(out: Path, case: Path) -> None:
    """SealError unless there is a folder for it, outside the case."""
    parent = out.absolute().parent
    if not parent.is_dir():
        raise SealError(f"{out}: there is no folder {parent}")
    if case.resolve() in (parent.resolve(), *parent.resolve().parents):
        raise SealError(f"{out}: inside the case that is to leave it")


def clear_target(out: Path, *more: Path) -> bool:
    """Remove what a killed run left; SealError when the file itself is there. Only under the target's lock."""
    cleared = [clear_partial(path) for path in (out, receipt.path_of(out), *more)]
    if out.exists() or out.is_symlink():
        raise SealError(f"{out}: exists already")
    return any(cleared)


def case_files(case: Path, state: LogState, without: Container[str] = ()) -> tuple[list[Source], int]:
    """Every file of a case, by name, and how many were left out (hidden, unfinished, locks)."""
    found: list[Source] = list(state.sources)
    own = {one.path for one, _ in found}
    hidden = 0
    for path in sorted(case.rglob("*")):
        name = path.relative_to(case).as_posix()
        if path.is_symlink():
            raise SealError(f"{path}: a link; a case holds none")
        if path.is_dir() or name in own:
            continue
        if any(part.startswith(".") for part in name.split("/")):
            hidden += 1
        elif not path.is_file():
            raise SealError(f"{path}: not a regular file")
        elif not _LOCKS.fullmatch(name) and name not in without:
            found.append((member(path, name), path))
    _portable(one.path for one, _ in found)
    return sorted(found, key=lambda one: one[0].path), hidden


def _portable(names: Iterable[str]) -> None:
    listed = list(names)
    for name in listed:
        reason = fault(name) or (None if fits(name) else "too long for its folder")
        if reason is not None:
            raise SealError(f"{name!r} has a name that not every system can hold ({reason}); rename it")
    pair = clash(listed)
    if pair is not None:
        raise SealError(f"{pair[0]!r} and {pair[1]!r} are one file on some systems; rename one")


def member(path: Path, name: str) -> Member:
    """A file as the manifest lists it."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return Member(name, file.tell(), digest)


def describe(
    case: Case, state: LogState, kind: Kind, to: Recipients, members: list[Member], share: dict[str, Any]
) -> BundleManifest:
    """The manifest of a bundle made from a case now."""
    return BundleManifest(
        kind=kind, case_id=state.first, log_acts=state.head.seq, log_sha256=state.head.sha256,
        made_at=case.clock(), tool_version=tool_version(), training=case.training, recipients=to.keys,
        members=tuple(sorted(members, key=lambda one: one.path)), share=share,
    )  # fmt: skip


# ---- back --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A case that was unsealed."""

    case: Case
    opened: Opened
    cleared: bool
    """Whether what an earlier, killed run had left was removed."""


def unseal(
    file: Path,
    identities: Identities,
    out: Path,
    *,
    trusted: str | None = None,
    clock: Callable[[], int] | None = None,
) -> Unsealed:
    """Make the case folder `out` from a sealed file, whole or not at all.

    `trusted` is the fingerprint that the signer must have; without it the signature is still checked, and who
    signed is for the caller to judge.
    """
    if not out.absolute().parent.is_dir():
        raise SealError(f"{out}: there is no folder {out.absolute().parent}")
    home = out.resolve()
    with only_writer(home):
        cleared = clear_partial(home)
        _free(out)
        partial = partial_of(home)
        folder: Folder | None = None
        try:
            folder = Folder(partial)
            opened = open_bundle(file, identities, expect("case", trusted), folder)
            _make_whole(partial, opened)
            case = Case.open(partial) if clock is None else Case.open(partial, clock=clock)
            _agrees(case, opened.manifest)
            note(case, Act("unseal", {"signer": opened.signer, **facts_of(opened.manifest)}))
            if home.exists():
                home.rmdir()
            partial.rename(home)
            sync_folder(home.parent)
        except BaseException:
            if folder is not None:
                folder.abandon()
            clear_partial(home)
            raise
    return Unsealed(Case(out, case.training, case.clock), opened, cleared)


def expect(kind: Kind, trusted: str | None) -> Accept:
    """Refuse bundles of another kind, and other signers than the trusted one."""

    def ask(manifest: BundleManifest, signer: str) -> None:
        if trusted is not None and signer != trusted:
            raise IntegrityError(f"signed by {signer}, not by the key that was to sign ({trusted})")
        if manifest.kind != kind:
            verb = "unseal" if manifest.kind == "case" else "receive"
            raise SealError(f"this is a sealed {manifest.kind}, not a {kind}: use wirecover {verb}")
        if kind == "case":
            for one in manifest.members:
                if any(part.startswith(".") for part in one.path.split("/")):
                    raise IntegrityError(f"{one.path}: a hidden file, which no sealed case holds")

    return ask


def _free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise SealError(f"{out}: exists and is not an empty folder")


def _make_whole(folder: Path, opened: Opened) -> None:
    """Folders that were empty, evidence read-only again; all flushed."""
    for name in (EVIDENCE, REPORTS, EXPORTS):
        if not (folder / name).is_dir():
            private_folder(folder / name)
    for one in opened.manifest.members:
        path = folder / one.path
        path.chmod(READ_ONLY if one.path.startswith(f"{EVIDENCE}/") else PRIVATE_FILE)
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            path.chmod(PRIVATE_FOLDER)
            sync_folder(path)
    sync_folder(folder)


def _agrees(case: Case, manifest: BundleManifest) -> None:
    """The log that came must be the one that the manifest names, and the catalogue one that can be opened."""
    read_marker(case.path)
    acts = [one.sha256 for one in records(case.path)]
    found = (acts[0], len(acts), acts[-1]) if acts else None
    if (
        found != (manifest.case_id, manifest.log_acts, manifest.log_sha256)
        or case.training != manifest.training
    ):
        raise IntegrityError(f"{LOG}/{LOG_FILE} or {MARKER} is not the one that the manifest describes")
    case.exhibits()
