"""Which names the capture gave to which addresses, and when: the passive DNS of one exhibit.

Two tables, both filled by kernels: what anybody called an address (rows of `names`), and what each client had
learnt from DNS for each address (which names the flows it opens later).
"""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.flows.strings import LOWER, StringTable, intern
from wirecover.capture.flows.texts import addresses, named
from wirecover.capture.kernels import kernel

MAX_NAMES: Final = 1 << 18
"""(address, name, source) triples held; when so many are, they are written, and begin anew if seen again."""
MAX_LEARNT: Final = 1 << 17
"""(client, address) pairs held; beyond, the half that was not told for longest is forgotten."""
MAX_PER_ADDRESS: Final = 16
FRESH_NS: Final = 1_000_000_000
"""A flow that begins at most so long after an answer may be what the client asked for."""
STALE_NS: Final = 5_000_000_000
"""So much older must the other names of the address be."""
MAX_TEXT: Final = 256 << 20
"""Bytes of distinct names; later ones are not learnt and not kept, and counted."""
NOTED_AT_ONCE: Final = 64
"""Rows of `seen` that are free, at least, once room was made."""
LIST: Final = 1 + 2 * MAX_PER_ADDRESS
"""Room for one list of names: how many, then (name, frame) each."""

SEEN: Final = np.dtype(
    [("hi", "u8"), ("lo", "u8"), ("first_ts", "i8"), ("last_ts", "i8"), ("flow_no", "i8"), ("frame", "i8"),
     ("name", "i4"), ("version", "u1"), ("source", "u1")]
)  # fmt: skip
LEARNT: Final = np.dtype(
    [("client_hi", "u8"), ("client_lo", "u8"), ("hi", "u8"), ("lo", "u8"), ("told", "i8"), ("list", "i8"),
     ("frame", "i8", MAX_PER_ADDRESS), ("ts", "i8", MAX_PER_ADDRESS),
     ("name", "i4", MAX_PER_ADDRESS), ("count", "i4"), ("version", "u1")]
)  # fmt: skip
"""told: how many answers were learnt before this pair's last one. list: where its names stand in `lists`, 0 if they
do not yet."""

SOURCES: Final = ("dns", "sni", "certificate", "dhcp", "mdns", "llmnr", "netbios", "ssdp")
DNS, SNI, CERTIFICATE = range(3)
"""Index into SOURCES."""


class Names(NamedTuple):
    """The arrays, as kernels take them."""

    strings: Any
    seen: Any
    seen_index: Any
    learnt: Any
    learnt_index: Any
    lists: Any
    counts: Any
    """Rows of `seen`, rows of `learnt`, used of `lists`, answers learnt, names that found no room."""
    seed: Any


_SEEN, _LEARNT, _LISTS, _TOLD, _LOST = range(5)


@kernel
def _mix(value: Any) -> Any:
    value ^= value >> np.uint64(31)
    value *= np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(29)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    return value ^ (value >> np.uint64(32))


@kernel
def _seen_place(names: Any, version: int, hi: Any, lo: Any, name: int, source: int) -> int:
    mask = len(names.seen_index) - 1
    code = _mix(lo ^ np.uint64(names.seed) ^ _mix(hi ^ (np.uint64(name) << np.uint64(8)) ^ np.uint64(source)))
    place = np.int64(code & np.uint64(mask))
    while names.seen_index[place] >= 0:
        row = names.seen[names.seen_index[place]]
        if (
            row.lo == lo
            and row.hi == hi
            and row.name == name
            and row.source == source
            and row.version == version
        ):
            break
        place = (place + 1) & mask
    return place


@kernel
def note(
    names: Any, version: int, hi: Any, lo: Any, name: int, source: int, flow_no: int, frame: int, ts: int
) -> bool:
    """An address was called by name number `name` in `frame`; False when there is no room."""
    place = _seen_place(names, version, hi, lo, name, source)
    if names.seen_index[place] >= 0:
        row = names.seen[names.seen_index[place]]
        row.first_ts, row.last_ts = min(row.first_ts, ts), max(row.last_ts, ts)
        if frame < row.frame:
            row.frame, row.flow_no = frame, flow_no
        return True
    count = names.counts[0]
    if count >= len(names.seen):
        return False
    row = names.seen[count]
    row.hi, row.lo, row.version, row.name, row.source = hi, lo, version, name, source
    row.first_ts = row.last_ts = ts
    row.flow_no, row.frame = flow_no, frame
    names.seen_index[place] = count
    names.counts[0] += 1
    return True


@kernel
def _learnt_place(names: Any, version: int, client_hi: Any, client_lo: Any, hi: Any, lo: Any) -> int:
    mask = len(names.learnt_index) - 1
    code = _mix(lo ^ np.uint64(names.seed) ^ _mix(client_lo ^ _mix(hi ^ (client_hi << np.uint64(1)))))
    place = np.int64(code & np.uint64(mask))
    while names.learnt_index[place] >= 0:
        row = names.learnt[names.learnt_index[place]]
        if (
            row.lo == lo and row.client_lo == client_lo and row.hi == hi and row.client_hi == client_hi
            and row.version == version
        ):  # fmt: skip
            break
        place = (place + 1) & mask
    return place


@kernel
def learn(
    names: Any, version: int, client_hi: Any, client_lo: Any, hi: Any, lo: Any, name: int, frame: int, ts: int
) -> bool:
    """A DNS answer in `frame` told a client that name number `name` is at an address; False without room.

    Without its time (-1) the answer is never the freshest.
    """
    place = _learnt_place(names, version, client_hi, client_lo, hi, lo)
    if names.learnt_index[place] < 0:
        count = names.counts[1]
        if count >= len(names.learnt):
            return False
        row = names.learnt[count]
        row.client_hi, row.client_lo, row.hi, row.lo, row.version = client_hi, client_lo, hi, lo, version
        row.count = 0
        names.learnt_index[place] = count
        names.counts[1] += 1
    row = names.learnt[names.learnt_index[place]]
    names.counts[3] += 1
    row.told, row.list = names.counts[3], 0
    kept = 0
    for i in range(row.count):  # the name goes to the end, as the newest
        if row.name[i] != name:
            row.name[kept], row.frame[kept], row.ts[kept] = row.name[i], row.frame[i], row.ts[i]
            kept += 1
    if kept == MAX_PER_ADDRESS:
        for i in range(1, kept):
            row.name[i - 1], row.frame[i - 1], row.ts[i - 1] = row.name[i], row.frame[i], row.ts[i]
        kept -= 1
    row.name[kept], row.frame[kept], row.ts[kept] = name, frame, ts
    row.count = kept + 1
    return True


@kernel
def asked(names: Any, version: int, client_hi: Any, client_lo: Any, hi: Any, lo: Any) -> int:
    """Where in `lists` the names stand that a client had learnt for an address; 0: none; -1: no room."""
    if names.counts[1] == 0:
        return 0
    place = _learnt_place(names, version, client_hi, client_lo, hi, lo)
    if names.learnt_index[place] < 0:
        return 0
    row = names.learnt[names.learnt_index[place]]
    if row.list == 0:
        at = names.counts[2]
        if at + LIST > len(names.lists):
            return -1
        names.lists[at] = row.count
        for i in range(row.count):
            names.lists[at + 1 + 2 * i], names.lists[at + 2 + 2 * i] = row.name[i], row.frame[i]
        row.list = at
        names.counts[2] += 1 + 2 * row.count
    return np.int64(row.list)


@kernel
def fresh(names: Any, version: int, client_hi: Any, client_lo: Any, hi: Any, lo: Any, ts: int) -> int:
    """The name that a client asked for right before `ts`, when it had asked for no other of the address for a while;
    -1: there is none.

    Bermudez et al., DNS to the Rescue (ACM IMC 2012), name flows by the last answer before them; here others must be
    out of the way, too.
    """
    place = _learnt_place(names, version, client_hi, client_lo, hi, lo)
    if names.learnt_index[place] < 0:
        return -1
    row = names.learnt[names.learnt_index[place]]
    latest, before, name = np.int64(-1), np.int64(-1), np.int64(-1)
    for i in range(row.count):
        when = row.ts[i]
        if when > ts:
            continue
        if when > latest:
            latest, before, name = when, latest, np.int64(row.name[i])
        elif when > before:
            before = when
    if name < 0 or latest < 0 or ts - latest > FRESH_NS or (before >= 0 and ts - before < STALE_NS):
        return -1
    return name


@kernel
def _note_servers(
    names: Any, start: int, version: Any, hi: Any, lo: Any, sni: Any, flow_no: Any, frame: Any, ts: Any
) -> int:
    """Note server names (numbers, as the client wrote them) of many flows; the flow reached when room ran out."""
    ends, arena = names.strings.ends, names.strings.arena
    for i in range(start, len(sni)):
        name = intern(names.strings, arena, ends[sni[i]], ends[sni[i] + 1], LOWER)
        if name < 0 or not note(names, version[i], hi[i], lo[i], name, 1, flow_no[i], frame[i], ts[i]):
            return i
    return len(sni)


@kernel
def _index_learnt(names: Any) -> None:
    names.learnt_index[:] = -1
    for number in range(names.counts[1]):
        row = names.learnt[number]
        place = _learnt_place(names, row.version, row.client_hi, row.client_lo, row.hi, row.lo)
        names.learnt_index[place] = number


@kernel
def _index_seen(names: Any) -> None:
    names.seen_index[:] = -1
    for number in range(names.counts[0]):
        row = names.seen[number]
        names.seen_index[_seen_place(names, row.version, row.hi, row.lo, row.name, row.source)] = number


@kernel
def _keep_lists(names: Any, held: Any, old: Any) -> None:
    """Copy the lists from `old` that `held` (offsets, updated) and the learnt pairs need to the front of `lists`.

    old[at] becomes the negated new place of a list that was moved, so that those who share one go on sharing it.
    """
    names.counts[2] = 1
    for i in range(len(held)):
        held[i] = _move_list(names, np.int64(held[i]), old)
    for number in range(names.counts[1]):
        row = names.learnt[number]
        row.list = -old[row.list] if row.list and old[row.list] < 0 else 0


@kernel
def _move_list(names: Any, at: int, old: Any) -> int:
    if at == 0:
        return 0
    if old[at] < 0:
        return np.int64(-old[at])
    to, size = names.counts[2], 1 + 2 * old[at]
    for i in range(size):
        names.lists[to + i] = old[at + i]
    old[at] = -to
    names.counts[2] += size
    return np.int64(to)


class NameBook:
    """Collects rows of the `names` table, and answers what a client had asked for before it connected."""

    def __init__(self, seed: int = 0, spill: Callable[[list[pa.Array]], None] | None = None) -> None:
        """`spill` is given columns of `names` that have to make room; without it they are kept for `columns`."""
        self._spill = spill
        self._spilt: list[list[pa.Array]] = []
        self._sources = list(SOURCES)
        self.strings = StringTable(seed, MAX_TEXT)
        rows = 1 << 10
        self._arrays = Names(
            self.strings.strings, np.zeros(rows, SEEN), np.full(2 * rows, -1, np.int32), np.zeros(rows, LEARNT),
            np.full(2 * rows, -1, np.int32), np.zeros(LIST * 64, np.int64), np.array([0, 0, 1, 0, 0], np.int64), seed,
        )  # fmt: skip

    # ---- for kernels -------------------------------------------------------------------------------------

    @property
    def arrays(self) -> Names:
        """What the kernels take; after `make_room` it is another."""
        return self._arrays

    @property
    def lost(self) -> int:
        """Names that found no room in MAX_TEXT."""
        return int(self._arrays.counts[_LOST])

    def make_room(self, held: NDArray[np.int64] | None = None) -> bool:
        """Room for more of everything, after a kernel ran out of it. False: no more text may be kept.

        `held` are the lists of names that flows alive need; they may be moved, and the places in `held` updated.
        """
        arrays = self._arrays
        if arrays.counts[_SEEN] + max(arrays.counts[_SEEN], NOTED_AT_ONCE) > len(arrays.seen):
            self._grow_seen()
        if 2 * arrays.counts[_LEARNT] > len(arrays.learnt):
            self._grow_learnt()
        if held is not None and arrays.counts[_LISTS] + LIST > len(arrays.lists):
            self._grow_lists(held)
        room = self.strings.make_room(max(256, len(self.strings) // 2), 1 << 16)
        self._arrays = self._arrays._replace(strings=self.strings.strings)
        return room

    def _grow_seen(self) -> None:
        arrays = self._arrays
        if len(arrays.seen) >= MAX_NAMES:
            if self._spill is None:
                self._spilt.append(self._columns())
            else:
                self._spill(self._columns())
            arrays.counts[_SEEN] = 0
            arrays.seen_index[:] = -1
            return
        grown = np.zeros(4 * max(len(arrays.seen), NOTED_AT_ONCE), SEEN)
        grown[: len(arrays.seen)] = arrays.seen
        self._arrays = arrays._replace(seen=grown, seen_index=np.full(2 * len(grown), -1, np.int32))
        _index_seen(self._arrays)

    def _grow_learnt(self) -> None:
        arrays = self._arrays
        count = int(arrays.counts[_LEARNT])
        if len(arrays.learnt) >= MAX_LEARNT:
            kept = np.sort(np.argsort(arrays.learnt["told"][:count])[count // 2 :])
            arrays.learnt[: len(kept)] = arrays.learnt[kept]
            arrays.counts[_LEARNT] = len(kept)
        else:
            grown = np.zeros(4 * len(arrays.learnt), LEARNT)
            grown[:count] = arrays.learnt[:count]
            self._arrays = arrays._replace(learnt=grown, learnt_index=np.full(2 * len(grown), -1, np.int32))
        _index_learnt(self._arrays)

    def _grow_lists(self, held: NDArray[np.int64]) -> None:
        arrays = self._arrays
        old = arrays.lists.copy()
        _keep_lists(arrays, held, old)
        if arrays.counts[_LISTS] + max(arrays.counts[_LISTS], LIST) > len(arrays.lists):
            grown = np.zeros(2 * len(arrays.lists), np.int64)
            grown[: len(arrays.lists)] = arrays.lists
            self._arrays = arrays._replace(lists=grown)

    # ---- for parsers -------------------------------------------------------------------------------------

    def note(self, ip: str, name: str, source: str, flow_no: int, frame: int, ts: int) -> None:
        """`ip` was called `name` at `ts`."""
        number = self.number(name)
        if number < 0:
            return
        if source not in self._sources:
            self._sources.append(source)
        self._with_room(note, (*_halves(ip), number, self._sources.index(source), flow_no, frame, ts))

    def learn(self, client: str, ip: str, name: str, frame: int, ts: int = -1) -> None:
        """A DNS answer told `client` that `name` is at `ip`. Only what a client asked itself names its flows.

        Without its time (-1) the answer is never the freshest.
        """
        (version, *asker), (of, *address) = _halves(client), _halves(ip)
        number = self.number(name)
        if number < 0 or version != of:  # no flow goes from the one to the other
            return
        self._with_room(learn, (version, *asker, *address, number, frame, ts))

    def note_servers(
        self, version: NDArray[np.uint8], hi: NDArray[np.uint64], lo: NDArray[np.uint64], sni: NDArray[np.int32],
        flow_no: NDArray[np.int64], frame: NDArray[np.int64], ts: NDArray[np.int64],
    ) -> None:  # fmt: skip
        """Servers were called by these names (by number) in the hellos of these flows."""
        columns = [np.ascontiguousarray(one) for one in (version, hi, lo, sni, flow_no, frame, ts)]
        at = 0
        while (at := _note_servers(self._arrays, at, *columns)) < len(sni):
            if not self.make_room():
                self._arrays.counts[_LOST] += 1
                at += 1

    def number(self, name: str) -> int:
        """The number of a name; negative when no more text may be kept."""
        number = self.strings.number(name.encode())
        if number < 0:
            self._arrays.counts[_LOST] += 1
        self._arrays = self._arrays._replace(strings=self.strings.strings)
        return number

    def _with_room(self, act: Callable[..., bool], values: tuple[Any, ...]) -> None:
        while not act(self._arrays, *values):
            self.make_room()

    def names_at(self, at: int) -> tuple[tuple[str, int], ...]:
        """(name, frame of the answer) of the list at this place of `lists`, oldest first."""
        lists = self._arrays.lists
        pairs = lists[at + 1 : at + 1 + 2 * int(lists[at])].tolist() if at else []
        return tuple([(self.text(name), frame) for name, frame in zip(pairs[::2], pairs[1::2], strict=True)])

    def text(self, number: int) -> str:
        """The name of a number."""
        return self.strings.data(number).decode()

    # ---- the table ---------------------------------------------------------------------------------------

    def columns(self) -> list[pa.Array]:
        """Columns in the order of `tables.NAMES`, in the order of address, name and source."""
        parts = [*self._spilt, self._columns()]
        return [pa.concat_arrays(list(column)) for column in zip(*parts, strict=True)]

    def _columns(self) -> list[pa.Array]:
        rows = self._arrays.seen[: self._arrays.counts[_SEEN]]
        table = pa.table(
            {"ip": addresses(rows["version"], rows["hi"], rows["lo"]),
             "name": self.strings.texts(np.ascontiguousarray(rows["name"])), "first_ts": rows["first_ts"],
             "last_ts": rows["last_ts"], "source": named(rows["source"], self._sources), "flow_no": rows["flow_no"],
             "frame": rows["frame"]}
        )  # fmt: skip
        ordered = table.sort_by([("ip", "ascending"), ("name", "ascending"), ("source", "ascending")])
        return [column.combine_chunks() for column in ordered.columns]


def _halves(ip: str) -> tuple[int, Any, Any]:
    """Version and halves of an address, as kernels take them."""
    address = ip_address(ip)
    value = int(address)
    return address.version, np.uint64(value >> 64), np.uint64(value & 0xFFFFFFFFFFFFFFFF)


def warm() -> None:
    """Compile the kernels of this module."""
    book = NameBook()
    book.learn("10.0.0.1", "10.0.0.2", "a", 1)
    book.note("10.0.0.2", "a", "dns", 0, 1, 1)
    book._grow_seen()
    book._grow_learnt()
    book._grow_lists(np.zeros(1, np.int64))
    one, some = np.uint64(1), np.ones(1, np.uint64)
    book.note_servers(
        *(np.zeros(1, np.uint8), some, some, np.zeros(1, np.int32)), *[np.zeros(1, np.int64)] * 3
    )
    asked(book.arrays, 4, one, one, one, one)
    fresh(book.arrays, 4, one, one, one, one, 1)
