"""The custody log as a file: CASE/log/custody.jsonl, one act a line, only ever appended to.

    line    canonical JSON of one record (sorted keys, no spaces, UTF-8), then a newline
    body    all fields but `signatures` and `sha256`: what examiners sign
    sha256  over the canonical JSON of all fields but `sha256`, so it covers the signatures too
    prev_sha256  `sha256` of the line before; 64 zeros in the first

A line is written with one call under the log's lock and flushed to the disk before anything is done upon it. A
line that a crash cut short stays where it is, ended by CAN and a newline: the next record says how long it was
and what its hash is (`torn`), so that nothing is ever taken out of the file. Beside it, head.json repeats
number and hash of the last line: a counter that a shortened log does not fit.
"""

import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from wirecover.casefile.durable import is_disk_full, sync_folder
from wirecover.casefile.errors import CaseBusyError, CaseError, IntegrityError
from wirecover.casefile.lock import FileLock

GENESIS: Final = "0" * 64
LOG: Final = "log"
LOG_FILE: Final = "custody.jsonl"
HEAD_FILE: Final = "head.json"
UNFINISHED_HEAD: Final = f".{HEAD_FILE}.new"
"""The counter while it is being written; a kill leaves it."""
LOCK_FILE: Final = "lock"
WAIT_S: Final = 30.0
"""How long a verb waits for another process to write its line (which takes milliseconds)."""
MAX_LINE: Final = 8 << 20
CANCEL: Final = b"\x18"
"""ASCII CAN: the last byte of a line that a crash cut short. JSON never holds it as such."""
_BLOCK: Final = 1 << 16


def canonical(value: object) -> str:
    """JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the log: how many acts it holds, and the hash of the last."""

    seq: int = 0
    sha256: str = GENESIS


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log."""

    seq: int
    ts: int
    """Nanoseconds since 1970, UTC, by the clock of the machine."""
    actor: str
    """Login name of who acted."""
    verb: str
    phase: str
    """begun, then done, failed, refused, stopped or abandoned; noted, withdrawn: parts of an act."""
    act: int
    """Number of the record that began the act; the record's own when it began it."""
    arguments: dict[str, Any] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    """What the act concerns, by reference: exhibit:<sha256>, pattern:<name>, query:<name>, ..."""
    reason: str | None = None
    examiner: str | None = None
    role: str | None = None
    organisation: str | None = None
    result: str | None = None
    """SHA-256 of what came out, where something did."""
    tool_version: str = ""
    clock_back_ns: int = 0
    """By how much the clock stood before the time of an earlier act; 0 when it did not."""
    torn: dict[str, Any] | None = None
    """bytes and sha256 of the unfinished lines right before this one, left by crashes."""
    prev_sha256: str = GENESIS
    signatures: tuple[dict[str, str], ...] = ()
    """Each: key (SHA-256 of the public key), algorithm, value (base64)."""
    sha256: str = ""

    def body(self) -> bytes:
        """What is signed."""
        facts = self._facts()
        del facts["signatures"], facts["sha256"]
        return canonical(facts).encode()

    def digest(self) -> str:
        """What `sha256` must be."""
        facts = self._facts()
        del facts["sha256"]
        return sha256(canonical(facts).encode()).hexdigest()

    def line(self) -> bytes:
        """The line in the file, with its newline."""
        return canonical(self._facts()).encode() + b"\n"

    def _facts(self) -> dict[str, Any]:
        facts = asdict(self)
        facts["subjects"], facts["signatures"] = list(self.subjects), list(self.signatures)
        return facts

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """The record of a line without its newline; ValueError unless it is the very line that it gives."""
        facts = json.loads(line)
        if not isinstance(facts, dict) or set(facts) != {one.name for one in fields(cls)}:
            raise ValueError("not the fields of a record")
        whole = {"seq", "ts", "act", "clock_back_ns"}
        if any(type(facts[name]) is not int for name in whole) or not isinstance(facts["arguments"], dict):
            raise ValueError("a field of a record has another type")
        texts = ("actor", "verb", "phase", "tool_version", "prev_sha256", "sha256")
        if any(not isinstance(facts[name], str) for name in texts):
            raise ValueError("a field of a record has another type")
        if not isinstance(facts["subjects"], list) or not isinstance(facts["signatures"], list):
            raise ValueError("a field of a record has another type")
        if facts["torn"] is not None and not isinstance(facts["torn"], dict):
            raise ValueError("a field of a record has another type")
        if not all(isinstance(one, dict) for one in facts["signatures"]):
            raise ValueError("a field of a record has another type")
        facts["subjects"] = tuple(str(one) for one in facts["subjects"])
        facts["signatures"] = tuple(facts["signatures"])
        record = cls(**facts)
        if record.line() != line + b"\n":
            raise ValueError("not written in the one form a record has")
        return record


class OpenLog:
    """The log while its lock is held: its head is known and cannot change under our hands."""

    def __init__(self, folder: Path, handle: int) -> None:
        self.folder = folder
        self._handle = handle
        self._size = os.fstat(handle).st_size
        self.last, self.torn = _tail(handle, self._size)

    @property
    def head(self) -> Head:
        """Number and hash of the last whole record."""
        return Head(self.last.seq, self.last.sha256) if self.last else Head()

    def clear_unfinished_head(self) -> bool:
        """Remove the counter that a killed process was writing; whether there was one."""
        left = [path for path in self.folder.glob(f".{HEAD_FILE}.*") if path.is_file() or path.is_symlink()]
        for path in left:
            path.unlink()
        return bool(left)

    def torn_facts(self) -> dict[str, Any] | None:
        """What the next record says of an unfinished line before it; None when there is none."""
        left = self.torn + self._cancel()
        return {"bytes": len(left), "sha256": sha256(left).hexdigest()} if left else None

    def _cancel(self) -> bytes:
        """What ends an unfinished line, marked as such: else it could pass for a damaged record."""
        return CANCEL + b"\n" if self.torn and not self.torn.endswith(CANCEL + b"\n") else b""

    def append(self, record: Record) -> None:
        """Write one line and flush it. OSError when it cannot be; the log then ends as it did before."""
        line = record.line()
        if len(line) > MAX_LINE:
            raise CaseError(f"an act of {len(line)} bytes is too long for the custody log")
        try:
            _write(self._handle, self._cancel() + line)
            os.fsync(self._handle)
        except OSError:
            with suppress(OSError):  # else the piece stays, and the next record says so
                os.ftruncate(self._handle, self._size)
            raise
        self._size = os.fstat(self._handle).st_size
        self.last, self.torn = record, b""
        _write_head(self.folder, self.head)


_guard = threading.Lock()
_threads: dict[str, threading.RLock] = {}
_open: dict[str, OpenLog] = {}


@contextmanager
def locked_log(case: Path, purpose: str = "", *, create: bool = False) -> Iterator[OpenLog]:
    """Hold the log of a case; nobody else writes to it meanwhile. May be nested in one thread.

    CaseBusyError when another process does not let go of it; CaseError when it cannot be written.
    """
    folder = case.resolve() / LOG
    key = str(folder)
    with _guard:
        mine = _threads.setdefault(key, threading.RLock())
    with mine:
        if key in _open:
            yield _open[key]
            return
        if create:
            folder.mkdir(exist_ok=True)
        lock = FileLock(folder / LOCK_FILE)
        try:
            if not lock.acquire(WAIT_S, purpose):
                who = lock.holder() or "another process"
                raise CaseBusyError(f"{case}: the custody log is held by {who}")
        except OSError as error:
            raise _unwritable(case, error) from error
        try:
            try:
                flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
                handle = os.open(folder / LOG_FILE, flags | (os.O_CREAT if create else 0), 0o600)
                if create:
                    sync_folder(folder)
            except OSError as error:
                raise _unwritable(case, error) from error
            try:
                _open[key] = OpenLog(folder, handle)
                yield _open[key]
            finally:
                _open.pop(key, None)
                os.close(handle)
        finally:
            lock.release()


def _unwritable(case: Path, error: OSError) -> CaseError:
    if isinstance(error, FileNotFoundError):
        return IntegrityError(f"{case}: its custody log ({LOG}/{LOG_FILE}) is missing")
    reason = "the disk is full" if is_disk_full(error) else error.strerror or str(error)
    return CaseError(f"{case}: its custody log cannot be written ({reason}), and nothing is done unlogged")


def _write(handle: int, data: bytes) -> None:
    """All of it: on a nearly full disk the system may take a part only, and says why at the next try."""
    done = 0
    while done < len(data):
        done += os.write(handle, data[done:])


def _write_head(folder: Path, head: Head) -> None:
    """Repeat the head beside the log. It may lag behind after a crash, and never be ahead. Only under the lock."""
    new = folder / UNFINISHED_HEAD
    with new.open("wb") as file:
        file.write(canonical(asdict(head)).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / HEAD_FILE)


def read_head(case: Path) -> Head | None:
    """What head.json says; None when it is not there. IntegrityError when it is none."""
    path = case / LOG / HEAD_FILE
    try:
        data = path.read_bytes()
        facts = json.loads(data)
        head = Head(facts["seq"], facts["sha256"])
        if type(head.seq) is not int or data != canonical(asdict(head)).encode() + b"\n":
            raise ValueError("not as this program writes it")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from error
    return head


def _read_back(handle: int, size: int) -> bytes:
    """The end of the file from the start of its last whole line on that nobody cancelled (all, if none)."""
    found = b""
    start = size
    while start > 0:
        step = min(max(_BLOCK, len(found)), start)
        start -= step
        os.lseek(handle, start, os.SEEK_SET)
        found = _read(handle, step) + found
        end = found.rfind(b"\n")
        while end > 0 and found[end - 1 : end] == CANCEL:
            end = found.rfind(b"\n", 0, end)
        before = found.rfind(b"\n", 0, max(end, 0))
        if before >= 0:
            return found[before + 1 :]
        if len(found) > 3 * MAX_LINE:
            raise IntegrityError("the custody log ends in a line that no record can be")
    return found


def _read(handle: int, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = os.read(handle, size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _tail(handle: int, size: int) -> tuple[Record | None, bytes]:
    """(last record, what a crash left behind it). IntegrityError when the last whole line is no record."""
    found = _read_back(handle, size)
    end = found.find(b"\n")
    if end < 0 or found[end - 1 : end] == CANCEL:
        return None, found
    try:
        return Record.from_line(found[:end]), found[end + 1 :]
    except (ValueError, TypeError, RecursionError) as error:
        raise IntegrityError(
            f"the last line of the custody log is no record ({error}): nothing is added to a broken log; "
            "see wirecover verify"
        ) from error


def lines(case: Path) -> Iterator[tuple[int, bytes, bool]]:
    """(line number from 1, bytes without newline, whether a newline ended it) of the log, lazily.

    CaseError when it cannot be read. A line longer than any record comes cut, as unfinished.
    """
    path = case / LOG / LOG_FILE
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                yield number, line.removesuffix(b"\n"), line.endswith(b"\n")
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CaseError:
    kind = IntegrityError if isinstance(error, FileNotFoundError) else CaseError
    return kind(f"{path}: {error.strerror or error}")


def records(case: Path, only: bytes = b"") -> Iterator[Record]:
    """Every line of the log that is a record, in order; what is not is skipped (`verify` finds it).

    `only` is what a line must hold to be read at all, such as `"verb":"exhibit"`: most lines are of no interest.
    """
    for _, line, ended in lines(case):
        if not ended or only not in line:
            continue
        try:
            yield Record.from_line(line)
        except (ValueError, TypeError, RecursionError):
            continue


def last_record(case: Path) -> Record | None:
    """The last whole record, without reading the log from its start; None when there is none."""
    path = case / LOG / LOG_FILE
    try:
        with path.open("rb") as file:
            return _tail(file.fileno(), os.fstat(file.fileno()).st_size)[0]
    except OSError as error:
        raise _unreadable(path, error) from error


def make_private(folder: Path) -> None:
    """Only the owner enters, where the system knows such a thing."""
    with suppress(OSError):
        folder.chmod(stat.S_IRWXU)
