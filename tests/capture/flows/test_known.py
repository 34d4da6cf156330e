"""What kernels learn of flows is what the parsers would have: the same capture, with the kernels left without room."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from wirecover.capture.decode import decode
from wirecover.capture.flows import flights, names, shapes
from wirecover.capture.flows.conversations import Conversations
from wirecover.capture.tables import TABLES

CAPTURES = Path(__file__).parents[2] / "captures"
CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
OF_THE_CORPUS = (
    "FoxIO/tls-handshake.pcapng", "nDPI/viber.pcap", "nDPI/signal.pcap", "nDPI/instagram.pcap",
)  # fmt: skip
FILES = [*sorted(CAPTURES.glob("*.pcap*")), *(CORPUS / name for name in OF_THE_CORPUS)]
Contents = dict[str, list[str]]


def contents(capture: Path, folder: Path) -> Contents:
    folder.mkdir()
    decode(capture, folder)
    return {name: sorted(map(repr, pq.read_table(folder / f"{name}.parquet").to_pylist())) for name in TABLES}


def spoken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the flows that get a dialogue."""
    count = [0]
    before = Conversations._open

    def opened(self: Conversations, slot: int, flow_no: int) -> Any:
        count[0] += 1
        return before(self, slot, flow_no)

    monkeypatch.setattr(Conversations, "_open", opened)
    return count


@pytest.mark.parametrize("capture", FILES, ids=lambda path: path.name)
def test_kernels_without_room_leave_all_to_the_parsers_which_say_the_same(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not capture.exists():
        pytest.skip("the corpus is not here")
    count = spoken(monkeypatch)
    usual = contents(capture, tmp_path / "usual")
    few, count[0] = count[0], 0
    monkeypatch.setattr(shapes.ShapeTable, "is_full", property(lambda self: True))
    deck = flights.FlightDeck.__init__

    def without_blocks(self: flights.FlightDeck, seed: int) -> None:
        deck(self, seed)
        self.flights.count[flights.FREE] = 0

    monkeypatch.setattr(flights.FlightDeck, "__init__", without_blocks)
    assert contents(capture, tmp_path / "parsed") == usual
    assert count[0] > few


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.name)
def test_room_that_runs_out_in_the_middle_changes_nothing(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables that begin with next to no room ask for more in the middle of the loop."""
    usual = contents(capture, tmp_path / "usual")
    asked = [0]
    before, make_room = names.NameBook.__init__, names.NameBook.make_room

    def small(self: names.NameBook, *arguments: Any) -> None:
        before(self, *arguments)
        arrays = self._arrays
        self._arrays = arrays._replace(
            seen=arrays.seen[:1].copy(), seen_index=arrays.seen_index[:2].copy(), learnt=arrays.learnt[:1].copy(),
            learnt_index=arrays.learnt_index[:2].copy(), lists=arrays.lists[: names.LIST + 1].copy(),
        )  # fmt: skip

    def counted(self: names.NameBook, *arguments: Any) -> bool:
        asked[0] += 1
        return make_room(self, *arguments)

    monkeypatch.setattr(names.NameBook, "__init__", small)
    monkeypatch.setattr(names.NameBook, "make_room", counted)
    assert contents(capture, tmp_path / "tight") == usual
    assert asked[0]
