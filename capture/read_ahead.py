"""The next batch is read and decoded in a second thread while its caller follows the present one.

Scanning and decoding are kernels without the GIL. The order is that of the file and each batch is decoded by itself,
so nothing depends on which thread was faster.
"""

import queue
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.files.batch import FrameBatch
from wirecover.capture.files.reader import CaptureReader
from wirecover.capture.packets.decode import decode_batch


class Frames(NamedTuple):
    """A batch, decoded."""

    batch: FrameBatch
    links: NDArray[np.int32]
    """Link type of each interface known when the batch was read."""
    rows: NDArray[Any]
    """PACKET rows, one a frame."""


class ReadAhead:
    """Iterates the batches of a reader, one ahead. What the reader raises is raised here."""

    def __init__(self, reader: CaptureReader) -> None:
        self._reader = reader
        self._go = threading.Semaphore(1)
        self._ready: queue.SimpleQueue[Frames | BaseException | None] = queue.SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="wirecover-ahead", daemon=True)

    def __iter__(self) -> Iterator[Frames]:
        self._thread.start()
        try:
            while (item := self._ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                self._go.release()
                yield item
        finally:
            self._stopped = True
            self._go.release()
            self._thread.join()

    def _run(self) -> None:
        try:
            batches = iter(self._reader)
            while True:
                self._go.acquire()
                batch = None if self._stopped else next(batches, None)
                if batch is None:
                    break
                links = np.array([one.link_type for one in self._reader.interfaces], np.int32)
                self._ready.put(Frames(batch, links, decode_batch(batch, links)))
            self._ready.put(None)
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            self._ready.put(error)
