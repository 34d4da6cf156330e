"""A progress bar over the bytes of the captures, on standard error and only for eyes.

rich draws it, and is imported only when there is a terminal to draw on.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from wirecover.cli.streams import plain

if TYPE_CHECKING:
    import rich.progress

    from wirecover.casefile.ingest import IngestEvent


class Progress:
    """Context manager; `take` is what an ingest reports its events to."""

    def __init__(self, sizes: Mapping[Path, int]) -> None:
        self._sizes = sizes
        self._running: list[Path] = []
        self._bar: rich.progress.Progress | None = None
        self._task: rich.progress.TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr is not None and sys.stderr.isatty():
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def take(self, event: "IngestEvent") -> None:
        """A capture was begun or is finished."""
        if event.outcome is None:
            self._running.append(event.path)
        elif event.path in self._running:
            self._running.remove(event.path)
        if self._bar is None or self._task is None:
            return
        ended = self._sizes.get(event.path, 0) if event.outcome is not None else 0
        self._bar.update(self._task, advance=ended, what=self._words(event))

    def refresh(self) -> None:
        """Draw now; otherwise it is drawn ten times a second."""
        if self._bar is not None:
            self._bar.refresh()

    def _words(self, event: "IngestEvent") -> str:
        names = ", ".join(plain(path.name) for path in self._running[:2])
        return f"{event.number}/{event.total} {names}"

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            SpinnerColumn(), BarColumn(), DownloadColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[what]}", markup=False),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("ingest", total=sum(self._sizes.values()), what="")
        self._bar.start()
