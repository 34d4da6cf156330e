"""Batches read ahead: the same as those read one by one, and what the reader raises."""

from pathlib import Path

import numpy as np
import pytest

from wirecover.capture.errors import CaptureError
from wirecover.capture.files.pipe import RawFile
from wirecover.capture.files.reader import CaptureReader
from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.read_ahead import ReadAhead

CAPTURES = Path(__file__).parents[1] / "captures"
SMALL = 40_000


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.name)
def test_a_batch_stays_whole_while_the_next_is_read(capture: Path) -> None:
    with CaptureReader(capture, buffer_bytes=SMALL) as reader:
        alone = [
            (batch.first_frame, [bytes(batch.buffer[at : at + size]) for at, size in spans(batch)])
            for batch in reader
        ]
    found = []
    with CaptureReader(capture, buffer_bytes=SMALL) as reader:
        for batch, links, rows in ReadAhead(reader):
            again = decode_batch(batch, links)  # by now the second thread is reading the next
            assert np.array_equal(again, rows)
            found.append(
                (batch.first_frame, [bytes(batch.buffer[at : at + size]) for at, size in spans(batch)])
            )
        assert found == alone
        assert len(found) > 2
        assert len(reader.sha256) == 64


def test_what_the_reader_raises_is_raised_where_the_batches_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capture = next(iter(sorted(CAPTURES.glob("*.pcapng"))))
    with CaptureReader(capture, buffer_bytes=SMALL) as reader:
        whole = RawFile.readinto

        def fails(self: RawFile, view: memoryview) -> int:
            if self.position > 4 * SMALL:
                raise CaptureError(self.name, "cannot be read: Input/output error", self.position)
            return whole(self, view)

        monkeypatch.setattr(RawFile, "readinto", fails)
        batches = iter(ReadAhead(reader))
        next(batches)
        with pytest.raises(CaptureError, match="Input/output error"):
            for _ in batches:
                continue


def test_a_caller_may_stop_early() -> None:
    capture = next(iter(sorted(CAPTURES.glob("*.pcapng"))))
    with CaptureReader(capture, buffer_bytes=SMALL) as reader:
        batches = iter(ReadAhead(reader))
        assert next(batches).batch.first_frame == 1
        batches.close()  # type: ignore[attr-defined]


def spans(batch: object) -> list[tuple[int, int]]:
    return list(zip(batch.offset.tolist(), batch.captured.tolist(), strict=True))  # type: ignore[attr-defined]
