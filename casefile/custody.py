"""The custody log: who did what upon the case, when, why and with what outcome; hash-chained, append-only.

How another verb logs an act (the whole API):

    from wirecover.casefile.custody import Act, record

    case = Case.open(path, by=examiner, second=other, reason="asked by the magistrate on ...")   # last three: optional
    act = Act("share", {"recipients": 2, "handling": "AMBER"}, subjects=("exhibit:" + sha256,), export=True)
    with record(case, act) as entry:        # writes "begun", flushed to the disk, before the block runs
        entry.note("bundle", {"sha256": ...})     # a fact within the act, at once, with its own line
        entry.result(sha256_hex)                  # digest of what came out
    # writes "done"; or "failed", "refused" (exit code 4), "stopped" (Ctrl-C) when the block raised. Killed: the
    # next act on the case finds it unfinished and writes "abandoned".

    note(case, Act(...), phase="done")      # one line, for what is over in an instant
    head(case) -> Head(seq, sha256)         # the end of the log: put it in every seal, manifest and report
    holds_head(case, Head(...)) -> str      # "" when that head is in the log, else why not (rollback, rewriting)

What must not be in `arguments`: secrets, and personal data as such. Give names of files without their folders,
counts, digests, and `reference(case, value)` for an address or a name (a keyed digest: whoever has the case can
confirm a value, whoever has the log alone cannot). `record` raises AuthorityError (exit code 4) when the
authority asks for a reason or a second examiner and there is none, and CaseError when the log cannot be written:
then nothing is done, since nothing is done unlogged.
"""

import base64
import getpass
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

from wirecover.capture.errors import EXIT_REFUSED, WirecoverError
from wirecover.capture.version import tool_version
from wirecover.casefile.demands import demands
from wirecover.casefile.durable import is_disk_full
from wirecover.casefile.errors import AuthorityError, CaseError
from wirecover.casefile.lock import FileLock
from wirecover.casefile.log_file import (
    GENESIS,
    LOG,
    Head,
    OpenLog,
    Record,
    canonical,
    last_record,
    locked_log,
    records,
)

__all__ = [
    "GENESIS", "Act", "Entry", "Head", "Signer", "Witness", "actor", "canonical", "head", "holds_head", "note",
    "record", "reference", "start_log",
]  # fmt: skip

REFERENCE_KEY: Final = "reference.key"
"""CASE/log/reference.key: what keys `reference`. It stays in the case."""
MAX_ARGUMENTS: Final = 4 << 20
MAX_REASON: Final = 1000
KEYS: Final = "keys"
ENDINGS: Final = frozenset({"done", "failed", "refused", "stopped", "abandoned"})


class Signer(Protocol):
    """An examiner who signs; `wirecover.casefile.examiner.Examiner` is one."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def organisation(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def introduction(self) -> Mapping[str, Any]: ...
    def sign(self, data: bytes) -> bytes: ...


class Witness(Protocol):
    """What the log needs of a case; `wirecover.casefile.case.Case` is one."""

    @property
    def path(self) -> Path: ...
    @property
    def clock(self) -> Callable[[], int]: ...
    @property
    def by(self) -> Signer | None: ...
    @property
    def second(self) -> Signer | None: ...
    @property
    def reason(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Act:
    """What is about to be done."""

    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    """What it concerns, by reference: exhibit:<sha256>, pattern:<name>, query:<name>, table:<name>."""
    export: bool = False
    """True when rows leave the case: a file is written outside it."""


class Entry:
    """An act that is going on."""

    def __init__(self, case: Witness, begun: Record, found: tuple[str, ...]) -> None:
        self._case = case
        self.begun = begun
        self.found = found
        """What earlier runs left behind, in words: unfinished acts, a line cut short. To be told to the user."""
        self.digest: str | None = None
        self.facts: dict[str, Any] = {}

    def note(
        self, verb: str, arguments: Mapping[str, Any], subjects: tuple[str, ...] = (), *, phase: str = "noted"
    ) -> Record:
        """Write a fact within the act, at once."""
        with locked_log(self._case.path, verb) as log:
            return _append(self._case, log, Act(verb, arguments, subjects), phase, within=self.begun.seq)

    def found_more(self, what: Iterable[str]) -> None:
        """More that earlier runs left behind."""
        self.found += tuple(what)

    def result(self, digest: str | None, **facts: Any) -> None:
        """SHA-256 of what came out, and counts worth keeping; both go into the closing line."""
        self.digest = digest
        self.facts.update(facts)


@contextmanager
def record(case: Witness, act: Act) -> Iterator[Entry]:
    """Log an act with its beginning and its outcome; see the head of this module."""
    _require(case, act)
    with locked_log(case.path, act.verb) as log:
        found = _settle(case, log)
        _introduce(case, log)
        lock = _running(case.path, log.head.seq + 1)
        try:
            begun = _append(case, log, act, "begun", both=True)
        except BaseException:
            _drop(lock)
            raise
    entry = Entry(case, begun, found)
    try:
        yield entry
    except BaseException as error:
        _close_failed(case, act, entry, error)
        raise
    else:
        _close(case, act, entry, "done", entry.facts)
    finally:
        _drop(lock)


def note(case: Witness, act: Act, *, phase: str = "done") -> Record:
    """Log in one line what is over in an instant."""
    _require(case, act)
    with locked_log(case.path, act.verb) as log:
        _introduce(case, log)
        return _append(case, log, act, phase, both=True)


def start_log(case: Witness, arguments: Mapping[str, Any]) -> Record:
    """Begin the log of a new case with its act `init`."""
    with locked_log(case.path, "init", create=True) as log:
        key = case.path / LOG / REFERENCE_KEY
        if not key.exists():
            key.write_bytes(secrets.token_bytes(32))
            with suppress(OSError):
                key.chmod(0o600)
        facts = dict(arguments) | {"reference_key_sha256": sha256(key.read_bytes()).hexdigest()}
        first = _append(case, log, Act("init", facts), "done")
        _introduce(case, log)
        return first


def head(case: Path) -> Head:
    """The end of the log, by reading its last record. CaseError when it has none."""
    last = last_record(case)
    if last is None:
        raise CaseError(f"{case}: its custody log holds no act")
    return Head(last.seq, last.sha256)


def holds_head(case: Path, known: Head) -> str:
    """ "" when the log holds that very act, else what is wrong with it in one line."""
    for one in records(case, b'"seq":%d,' % known.seq):
        if one.seq == known.seq:
            return "" if one.sha256 == known.sha256 else f"act {known.seq} is not the one that was noted"
    return f"the log ends before act {known.seq}: acts were taken away, or an older copy was put back"


def reference(case: Path, value: str) -> str:
    """A keyed digest that stands for a value in the log: hmac:<hex of HMAC-SHA-256>.

    The key lies in the case, so whoever holds the case can confirm that a value was meant, by making the
    reference anew; the log alone gives nothing away.
    """
    try:
        key = (case / LOG / REFERENCE_KEY).read_bytes()
    except OSError as error:
        raise CaseError(f"{case}: {LOG}/{REFERENCE_KEY} cannot be read: {error.strerror}") from error
    return "hmac:" + hmac.digest(key, value.encode("utf-8", "backslashreplace"), "sha256").hex()


def adopt_line(
    log: OpenLog, row: tuple[Any, ...] | None, *, case: Witness | None = None, act: Act | None = None
) -> None:
    """A line for an act of a former log (former_log.py), or the act that ends its adoption."""
    if case is not None and act is not None:
        _append(case, log, act, "done")
    if row is None:
        return
    _, ts, who, verb, arguments, tool, _, digest = row
    facts = json.loads(arguments)
    line = Record(
        seq=log.head.seq + 1, ts=ts, actor=who, verb=verb, phase="done", act=log.head.seq + 1,
        arguments={**(facts if isinstance(facts, dict) else {}), "former": digest}, tool_version=tool,
        prev_sha256=log.head.sha256,
    )  # fmt: skip
    log.append(replace(line, sha256=line.digest()))


def actor() -> str:
    """Login name of who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user in the password database, or no such database
        return "unknown"


def _require(case: Witness, act: Act) -> None:
    """What the authority asks of an act; AuthorityError when it is not given."""
    asked = demands(case.path)
    if asked.reason and not (case.reason or "").strip():
        raise AuthorityError(f"{act.verb}: the authority of this case asks for a reason (--reason TEXT)")
    if asked.two_person & ({act.verb, "export"} if act.export else {act.verb}):
        if case.by is None or case.second is None:
            raise AuthorityError(
                f"{act.verb}: the authority of this case asks for two examiners (--examiner and --second)"
            )
        if case.by.key_id == case.second.key_id:
            raise AuthorityError(f"{act.verb}: the second examiner must be another one (it is the same key)")


def _append(
    case: Witness,
    log: OpenLog,
    act: Act,
    phase: str,
    *,
    within: int | None = None,
    result: str | None = None,
    both: bool = False,
) -> Record:
    """Write one line, signed by the examiner there is; with `both`, by the second one as well."""
    now = case.clock()
    latest = log.last.ts + log.last.clock_back_ns if log.last else now
    seq = log.head.seq + 1
    by = case.by
    line = Record(
        seq=seq, ts=now, actor=_plain(actor()), verb=act.verb, phase=phase,
        act=seq if within is None else within, arguments=_bounded(act.arguments),
        subjects=tuple(_plain(one) for one in (*act.subjects, *(("export",) if act.export else ()))),
        reason=_plain(case.reason or "").strip()[:MAX_REASON] or None,
        examiner=by.name if by else None, role=by.role if by else None,
        organisation=by.organisation if by else None, result=result, tool_version=tool_version(),
        clock_back_ns=max(0, latest - now), torn=log.torn_facts(), prev_sha256=log.head.sha256,
    )  # fmt: skip
    signers = [one for one in (by, case.second if both else None) if one is not None]
    line = replace(line, signatures=tuple(_signature(one, line.body()) for one in signers))
    line = replace(line, sha256=line.digest())
    try:
        log.append(line)
    except OSError as error:
        reason = "the disk is full" if is_disk_full(error) else error.strerror or str(error)
        raise CaseError(f"{case.path}: the custody log cannot be written: {reason}") from error
    return line


def _signature(by: Signer, body: bytes) -> dict[str, str]:
    value = base64.b64encode(by.sign(body)).decode("ascii")
    return {"key": by.key_id, "algorithm": by.algorithm, "value": value}


def _plain(text: str) -> str:
    """Text that UTF-8 can hold: a file name may have bytes that are not text (lone surrogates)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _bounded(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as they are kept; of what is larger than a line may be, only size and digest."""
    kept: dict[str, Any] = _scrubbed(json.loads(canonical(dict(arguments))))
    data = canonical(kept).encode()
    if len(data) > MAX_ARGUMENTS:
        return {"omitted_bytes": len(data), "sha256": sha256(data).hexdigest()}
    return kept


def _scrubbed(value: Any) -> Any:
    """A JSON value with all its texts made plain."""
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, list):
        return [_scrubbed(one) for one in value]
    if isinstance(value, dict):
        return {_plain(name): _scrubbed(one) for name, one in value.items()}
    return value


def _close(case: Witness, act: Act, entry: Entry, phase: str, facts: Mapping[str, Any]) -> None:
    closing = Act(act.verb, facts, act.subjects, act.export)
    with locked_log(case.path, act.verb) as log:
        _append(case, log, closing, phase, within=entry.begun.seq, result=entry.digest)


def _close_failed(case: Witness, act: Act, entry: Entry, error: BaseException) -> None:
    """The outcome of an act that raised; the error itself stays the one to see."""
    phase = "failed"
    if isinstance(error, WirecoverError) and error.exit_code == EXIT_REFUSED:
        phase = "refused"
    elif not isinstance(error, Exception):  # an interrupt
        phase = "stopped"
    try:  # not the message: it may hold data
        _close(case, act, entry, phase, entry.facts | {"error": type(error).__name__})
    except CaseError as second:
        error.add_note(f"and its outcome could not be logged: {second}")


def _running(case: Path, seq: int) -> FileLock:
    """The lock that an act holds as long as its process lives."""
    lock = FileLock(case / LOG / f"act-{seq}.lock")
    if not lock.acquire(0):
        raise CaseError(f"{case}: act {seq} is running, but is not in the custody log")
    return lock


def _drop(lock: FileLock) -> None:
    lock.release()
    with suppress(OSError):  # Windows removes no file that another process is just looking at
        lock.path.unlink(missing_ok=True)


def _settle(case: Witness, log: OpenLog) -> tuple[str, ...]:
    """Write down what earlier runs left unfinished; the same in words."""
    found: list[str] = []
    if log.torn:
        found.append(
            f"{len(log.torn)} bytes of a line that was never finished, at the end of the custody log"
        )
    if log.clear_unfinished_head():
        found.append("an unfinished copy of the custody log's counter, which was removed")
    for path in sorted((case.path / LOG).glob("act-*.lock")):
        lock = FileLock(path)
        number = path.stem.removeprefix("act-")
        if not number.isdecimal() or not lock.acquire(0):
            continue
        begun = _unfinished(case.path, int(number))
        if begun is not None:
            facts = {"actor": begun.actor, "begun": begun.ts}
            _append(case, log, Act(begun.verb, facts, begun.subjects), "abandoned", within=begun.seq)
            found.append(f"act {begun.seq} ({begun.verb}, by {begun.actor}) was begun and never ended")
        _drop(lock)
    return tuple(found)


def _unfinished(case: Path, seq: int) -> Record | None:
    """The record that began that act, if none ends it."""
    begun: Record | None = None
    for one in records(case, b'"act":%d,' % seq):
        if one.act == seq and one.phase == "begun":
            begun = one
        elif one.act == seq and one.phase in ENDINGS:
            return None
    return begun


def _introduce(case: Witness, log: OpenLog) -> None:
    """Enter the public keys of examiners who sign in this log for the first time."""
    for one in (case.by, case.second):
        if one is None:
            continue
        seen = case.path / LOG / KEYS / one.key_id
        if not seen.exists():
            _append(_As(case.path, case.clock, one), log, Act("examiner", one.introduction), "noted")
            seen.parent.mkdir(exist_ok=True)
            seen.touch()


@dataclass(frozen=True, slots=True)
class _As:
    """A case upon which somebody else acts."""

    path: Path
    clock: Callable[[], int]
    by: Signer | None
    second: Signer | None = None
    reason: str | None = None
