"""Writing evidence so that it is whole or not there, on any of the three systems.

A folder is written under a temporary name, every file is flushed to the disk and made read-only, and one
rename publishes it. A rename inside one file system is atomic on all of them.
"""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})
_READ_ONLY: Final = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, means that no space is left."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        text = str(cause).lower()  # Arrow and DuckDB carry the system's message without its number
        if "no space left on device" in text or "not enough space on the disk" in text:
            return True
        cause = cause.__cause__
    return False


def seal_folder(folder: Path) -> None:
    """Flush every file of a folder to the disk and make it read-only."""
    for path in sorted(folder.iterdir()):
        with path.open("rb+") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
        path.chmod(_READ_ONLY)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk, where the system can (Windows does so by itself)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without this service
            raise
    finally:
        os.close(handle)


def publish(partial: Path, final: Path) -> None:
    """Give a sealed folder its final name."""
    partial.rename(final)
    sync_folder(final.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder whose files may be read-only (Windows removes no read-only file)."""
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top) / name
            if not path.is_symlink():
                path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    shutil.rmtree(folder)
