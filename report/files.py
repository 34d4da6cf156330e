"""Files written whole or not at all."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from wirecover.report.errors import ReportError


def write_together(files: Mapping[Path, bytes]) -> None:
    """Writes each file beside its place, then moves all there. `ReportError` names the one that failed."""
    waiting: dict[Path, Path] = {}
    path = Path()
    try:
        for path, data in files.items():
            waiting[path] = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            with waiting[path].open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        for path, whole in waiting.items():
            whole.replace(path)
    except OSError as error:
        raise ReportError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        for whole in waiting.values():
            with contextlib.suppress(OSError):
                whole.unlink()
