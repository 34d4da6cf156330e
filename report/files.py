"""Files written whole or not at all."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from wirecover.casefile.private_files import (
    clear_partial,
    flush,
    only_writer,
    partial_of,
    private_file,
)
from wirecover.report.errors import ReportError


def write_together(files: Mapping[Path, bytes]) -> None:
    """Writes each file beside its place, then moves all there. `ReportError` names the one that failed.

    What a killed run left beside a place is removed. CaseBusyError when another process is writing to one of them.
    """
    path = Path()
    with ExitStack() as held:
        try:
            for path in sorted(files):
                held.enter_context(only_writer(path))
                clear_partial(path)
                held.callback(clear_partial, path)
            for path, data in files.items():
                with private_file(partial_of(path)) as out:
                    out.write(data)
                    flush(out)
            for path in files:
                partial_of(path).replace(path)
        except OSError as error:
            raise ReportError(f"{path}: cannot be written: {error.strerror or error}") from error
