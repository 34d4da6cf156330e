"""Files and folders that only their owner may read, and one writer a target.

What is being written lies beside its target under a fixed name, and one lock a target says whether somebody is
writing: so whoever has the lock knows that what lies there was left by a process that was killed, and removes it.
Where the system knows no modes (Windows), the folder's own rights hold.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from wirecover.casefile.durable import remove_tree, sync_folder
from wirecover.casefile.errors import CaseBusyError, CaseError

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
_FLAGS: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
)


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can enter, whatever the umask."""
    path.mkdir(mode=PRIVATE_FOLDER)
    path.chmod(PRIVATE_FOLDER)
    return path


def private_file(path: Path) -> BinaryIO:
    """Make a file that only its owner can read; OSError when something is there already."""
    handle = os.open(path, _FLAGS, PRIVATE_FILE)
    return os.fdopen(handle, "wb")


def write_private(path: Path, data: bytes) -> None:
    """A whole new file, flushed to the disk."""
    with private_file(path) as file:
        file.write(data)
        flush(file)


def flush(file: BinaryIO) -> None:
    """To the disk, not only to the system."""
    file.flush()
    os.fsync(file.fileno())


def partial_of(target: Path) -> Path:
    """Where a target is written before it has its name."""
    return target.with_name(f".{target.name}.partial")


def clear_partial(target: Path) -> bool:
    """Remove what a killed process left of a target; whether there was anything. Only under its lock."""
    partial = partial_of(target)
    if partial.is_symlink() or partial.is_file():
        partial.unlink()
    elif partial.is_dir():
        remove_tree(partial)
    else:
        return False
    return True


def publish_file(partial: Path, target: Path) -> None:
    """Give a finished file its name; CaseError when that is taken by now."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise CaseError(f"{target}: exists already") from None
    except (OSError, NotImplementedError, AttributeError):  # a file system without links
        if target.exists():
            raise CaseError(f"{target}: exists already") from None
        partial.rename(target)
    else:
        partial.unlink()
    sync_folder(target.parent)


@contextmanager
def only_writer(target: Path) -> Iterator[None]:
    """Hold the lock of a target; CaseBusyError when another process does. The system lets go when it dies."""
    place = target.with_name(f".{target.name}.lock")
    while True:
        file = os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT, PRIVATE_FILE), "rb+")
        if not _take(file):
            file.close()
            raise CaseBusyError(f"{target}: another process is writing it")
        if _is_still(file, place):
            break
        file.close()  # its last holder removed the name between our two steps
    try:
        yield
    finally:
        if os.name == "posix":
            place.unlink(missing_ok=True)
            file.close()
        else:
            file.close()
            with suppress(OSError):  # somebody else holds it by now
                place.unlink(missing_ok=True)


def _take(file: BinaryIO) -> bool:
    try:
        import fcntl
    except ImportError:
        return _take_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True


def _take_on_windows(file: BinaryIO) -> bool:
    import msvcrt

    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    return True


def _is_still(file: BinaryIO, place: Path) -> bool:
    if os.name != "posix":
        return True
    try:
        there = place.stat()
    except FileNotFoundError:
        return False
    own = os.fstat(file.fileno())
    return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)
