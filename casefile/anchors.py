"""Time stamps over heads of the custody log: asked for, attached, checked. They are kept in CASE/log/anchors.

What is stamped is the text `<number>:<sha256>` and a newline, as `wirecover log CASE --head` prints it, so that
any other program can make the request or check the answer:

    wirecover log CASE --head > head.txt;  openssl ts -verify -data head.txt -in 7.tsr -CAfile tsa.pem
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509

from wirecover.casefile.custody import Act, note, record
from wirecover.casefile.durable import sync_folder
from wirecover.casefile.errors import CaseError, IntegrityError
from wirecover.casefile.log_file import LOG, Head, records
from wirecover.casefile.private_files import write_private
from wirecover.casefile.timestamp_token import MAX_BYTES, Stamp, check_stamp, read_nonce, request

if TYPE_CHECKING:
    from wirecover.casefile.custody import Witness
    from wirecover.casefile.log_check import LogState

ANCHORS: Final = "anchors"


def stamped(known: Head) -> bytes:
    """The bytes that a time stamp of a head is over."""
    return f"{known.seq}:{known.sha256}\n".encode()


def make_request(case: "Witness") -> tuple[Head, bytes]:
    """(head, TimeStampReq over it) for the head of the log now; the request is kept in the case too."""
    folder = case.path / LOG / ANCHORS
    with record(case, Act("anchor-request")) as entry:
        known = Head(entry.begun.seq, entry.begun.sha256)
        asked = request(stamped(known), secrets.randbits(63))
        try:
            folder.mkdir(exist_ok=True)
            write_private(folder / f"{known.seq}.tsq", asked)
            sync_folder(folder)
        except OSError as error:
            raise CaseError(f"{folder}: {error.strerror}") from error
        entry.result(None, head=f"{known.seq}:{known.sha256}")
    return known, asked


def attach(case: "Witness", response: bytes, trusted: list[x509.Certificate]) -> tuple[Head, Stamp]:
    """Keep an authority's answer to one of our requests, when it holds; IntegrityError otherwise."""
    folder = case.path / LOG / ANCHORS
    reasons: list[str] = []
    for path in sorted(folder.glob("*.tsq")):
        known = _head_at(case.path, path)
        if known is None:
            continue
        try:
            stamp = check_stamp(response, stamped(known), trusted, nonce=read_nonce(path.read_bytes()))
        except IntegrityError as error:
            reasons.append(str(error))
            continue
        try:
            write_private(folder / f"{known.seq}.tsr", response)
            sync_folder(folder)
        except FileExistsError as error:
            raise CaseError(f"act {known.seq} has a time stamp already") from error
        note(case, Act("anchor", {"act": known.seq, "at": stamp.at, "serial": str(stamp.serial)}))
        return known, stamp
    told = sorted({reason for reason in reasons if "something else" not in reason})
    raise IntegrityError(told[0] if told else "the time stamp answers no request that this case made")


def _head_at(case: Path, path: Path) -> Head | None:
    """The head that a file of the folder is named after."""
    if not path.stem.isdecimal():
        return None
    seq = int(path.stem)
    return next((Head(seq, one.sha256) for one in records(case) if one.seq == seq), None)


def anchor_lines(
    case: Path, state: "LogState", trusted: list[x509.Certificate]
) -> Iterator[tuple[bool | None, str]]:
    """(whether it holds, what it says) of every time stamp in the case."""
    for path in sorted((case / LOG / ANCHORS).glob("*.tsr")):
        name = f"time stamp {path.name}"
        digest = state.heads.get(int(path.stem)) if path.stem.isdecimal() else None
        if digest is None:
            yield False, f"{name}: the log has no such act: acts are missing"
            continue
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            stamp = check_stamp(data, stamped(Head(int(path.stem), digest)), trusted)
        except (OSError, IntegrityError) as error:
            yield False, f"{name}: {error}"
            continue
        told = f"{name}: the log up to act {path.stem} existed at {stamp.at // 10**9} s since 1970 (UTC)"
        if stamp.trusted:
            yield True, f"{told}, says {stamp.signer}"
        else:
            yield (
                None,
                f"{told}, says {stamp.signer}; give that authority's certificate (--tsa) to check whether it is it",
            )
    told_of = {one.arguments.get("act") for one in state.acts if one.verb == "anchor"}
    for seq in sorted(one for one in told_of if isinstance(one, int)):
        if not (case / LOG / ANCHORS / f"{seq}.tsr").is_file():
            yield False, f"time stamp {seq}.tsr: logged, and missing"
