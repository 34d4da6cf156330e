"""A lock on a file that its holder's death sets free, on any of the three systems.

The system's own file locks are used (flock, or msvcrt on Windows): the kernel lets go of them when the holder
dies, also by kill -9, so that nothing can be stale. Where a file system has no such locks (some network
mounts), a file that only one process can make stands in; it names its maker, and is taken over when that
process is no more on the same machine. The lock file itself is never a record of anything.
"""

import errno
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_NO_SUCH_SERVICE: Final = frozenset(
    getattr(errno, name) for name in ("ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS") if hasattr(errno, name)
)
_WINDOWS_BYTE: Final = 1 << 30
"""The byte that is locked on Windows: far behind the text, which others must be able to read."""
_PAUSE_S: Final = 0.005


class FileLock:
    """One lock file, held or not. Not shared between threads; two objects exclude each other everywhere."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None
        self._made: Path | None = None

    def try_acquire(self, purpose: str = "") -> bool:
        """Take the lock if it is free. OSError when the lock file cannot be opened or made."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            taken = self._take(handle)
        except BaseException:
            os.close(handle)
            raise
        if not taken:
            os.close(handle)
            return False
        self._handle = handle
        with suppress(OSError):  # who holds it is said for the message of others only
            os.ftruncate(handle, 0)
            os.write(handle, _holder(purpose))
        return True

    def acquire(self, seconds: float, purpose: str = "") -> bool:
        """Take the lock, waiting for it up to that long; False when it stayed taken."""
        end = time.monotonic() + seconds
        while not self.try_acquire(purpose):
            if time.monotonic() >= end:
                return False
            time.sleep(_PAUSE_S)
        return True

    def release(self) -> None:
        """Let go; nothing happens when it is not held."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with suppress(OSError):
            os.ftruncate(handle, 0)
        os.close(handle)  # which lets go of the system's lock
        if self._made is not None:
            self._made.unlink(missing_ok=True)
            self._made = None

    def holder(self) -> str:
        """Who holds it, in words; empty when not known."""
        for path in (self.path, _stand_in(self.path)):
            facts = _read_holder(path)
            if facts:
                what = f" ({facts['purpose']})" if facts.get("purpose") else ""
                return f"process {facts.get('pid')} on {facts.get('host')}{what}"
        return ""

    def _take(self, handle: int) -> bool:
        try:
            return _system_lock(handle)
        except OSError as error:
            if error.errno not in _NO_SUCH_SERVICE:
                raise
        made = _stand_in(self.path)
        if not _make_stand_in(made):
            return False
        self._made = made
        return True


@contextmanager
def held(path: Path, seconds: float, purpose: str = "") -> Iterator[bool]:
    """Hold a lock for a block; gives whether it was had."""
    lock = FileLock(path)
    taken = lock.acquire(seconds, purpose)
    try:
        yield taken
    finally:
        lock.release()


if sys.platform == "win32":
    import msvcrt

    def _system_lock(handle: int) -> bool:
        os.lseek(handle, _WINDOWS_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK, errno.EAGAIN):
                return False
            raise
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
        return True
else:
    import fcntl

    def _system_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK):
                return False
            raise
        return True


def _holder(purpose: str) -> bytes:
    facts = {"pid": os.getpid(), "host": _host(), "born": _born(os.getpid()), "purpose": purpose}
    return json.dumps(facts, sort_keys=True).encode()


def _host() -> str:
    return platform.node()


def _born(pid: int) -> str:
    """When a process began, in ticks since the machine did (Linux); empty elsewhere.

    It tells a process from a later one with the same number. proc(5): field 22, after the name in brackets.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _read_holder(path: Path) -> dict[str, object]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _stand_in(path: Path) -> Path:
    return path.with_name(path.name + ".held")


def _make_stand_in(path: Path) -> bool:
    """Make the file that only one process can make, taking over one whose maker is dead."""
    for _ in range(2):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if not _is_stale(_read_holder(path)) or not _clear_away(path):
                return False
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(_holder(""))
        return True
    return False


def _clear_away(path: Path) -> bool:
    """Remove a stale stand-in; False when another process was quicker, whose own must stay."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.rename(aside)
    except OSError:
        return False
    stale = _is_stale(_read_holder(aside))
    if not stale:
        with suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)
    return stale


def _is_stale(facts: dict[str, object]) -> bool:
    """Whether the process that made a stand-in surely is no more: only on its own machine can that be told."""
    pid = facts.get("pid")
    if sys.platform == "win32" or not isinstance(pid, int) or pid <= 0 or facts.get("host") != _host():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it lives, under another user
        return False
    born = facts.get("born")
    return bool(born) and born != _born(pid)
