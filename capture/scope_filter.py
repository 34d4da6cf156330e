"""The scope at packet rate: which rows of a batch may be looked at any further.

Everything behind the decoder sees only what `ScopeFilter.take` gives back. What it leaves out is counted by reason,
in packets and bytes on the wire, and nothing else of it is kept. The order of the reasons is that of `scope.py`;
each packet is counted once.
"""

import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.packets.record import HELD, OK, PART, WHOLE
from wirecover.capture.scope import Scope, Selector
from wirecover.capture.scope_ends import (
    FIRST,
    LAST,
    SELECTOR,
    Columns,
    mixed_key,
    selector_row,
    selector_table,
)

TIME, EXCLUDED, EXCLUDED_NAME, NO_END, TARGET_TIME, THIRD_PARTY = (
    "time", "excluded", "excluded-name", "no-address", "target-time", "third-party",
)  # fmt: skip
PSEUDONYMISED: Final = "pseudonymised"
DROPPED: Final = "dropped"
PSEUDONYM_HIGH: Final = 0x0100_0000_0000_0000
"""Pseudonyms are addresses of 100::/64, which no host may have (RFC 6666)."""
MAX_PSEUDONYMS: Final = 1 << 16
"""Addresses whose pseudonym is remembered; forgetting costs time only."""

_NONE: Final[dict[int, NDArray[Any]]] = {}
_NO_HEADS: Final[dict[int, bytes]] = {}
_PUT_TOGETHER: Final = np.array([PART, HELD, WHOLE], np.uint8)
_PORTS: Final = np.array([6, 17, 132, 136], np.uint8)
"""Transports of which a third party's packets are kept under pseudonyms: the others say more than sizes and times."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What stands for excluded names in one capture; see `name_hunt`."""

    addresses: frozenset[tuple[int, int, int]] = frozenset()
    """(version, high half, low half) that were known by such a name."""
    pairs: frozenset[tuple[tuple[int, int, int], tuple[int, int, int]]] = frozenset()
    """Both ends of flows that showed one, the smaller first."""
    frames: frozenset[int] = frozenset()
    """Frames that spell one out."""


@dataclass(slots=True)
class Tally:
    """Packets and bytes of one reason; `records` are rows about others that were inside kept packets or the file."""

    packets: int = 0
    bytes: int = 0
    records: int = 0


@dataclass(slots=True)
class LeftOut:
    """What was not kept as it was, by (reason, action)."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def of(self, reason: str, action: str = DROPPED) -> Tally:
        """The tally of a reason, to count into."""
        return self.tallies.setdefault((reason, action), Tally())

    @property
    def dropped(self) -> int:
        """Packets of which nothing is kept."""
        return sum(one.packets for (_, action), one in self.tallies.items() if action == DROPPED)

    def rows(self) -> Iterator[tuple[str, str, int, int, int]]:
        """Values in the order of `tables.OUT_OF_SCOPE`, sorted."""
        for (reason, action), one in sorted(self.tallies.items()):
            yield reason, action, one.packets, one.bytes, one.records


class ScopeFilter:
    """One scope over one capture, whose file name may say whose recording it is."""

    def __init__(self, scope: Scope, name: str, learned: Learned, left_out: LeftOut) -> None:
        self._spans = scope.spans
        self._left_out = left_out
        self._any_named = bool(learned.addresses or learned.pairs or learned.frames)
        self._key = scope.key if scope.others == "pseudonymise" else b""
        self._pseudonyms: dict[tuple[int, int, int], int] = {}
        self._excluded = selector_table(scope.excluded)
        self._targets = None if scope.targets is None else _Targets(scope.targets, name)
        self._named = np.array([selector_row(*one, 128) for one in sorted(learned.addresses)], SELECTOR)
        self._named_frames = np.array(sorted(learned.frames), np.int64)
        self._named_pairs = _pair_keys(learned.pairs)
        self.excluded_fragments: set[int] = set()
        """Frames of fragments that the last call of `again` left out because they are excluded."""

    def take(self, batch: Any, rows: NDArray[Any], links: NDArray[np.int32]) -> NDArray[Any]:
        """The rows that may be kept, those of third parties under pseudonyms where the scope says so."""
        rows = self._leave(rows, self._in_time(rows["ts"]), TIME)
        if not len(rows):
            return rows
        waits = rows["fragment"] >= 0
        if not np.any(waits):
            return self._judged(batch, rows, links)
        kept = self._judged(batch, rows[~waits], links)  # those of fragments are judged by `again`
        both = np.concatenate([kept, rows[waits]])
        return both[np.argsort(both["frame"], kind="stable")]

    def again(
        self, batch: Any, rows: NDArray[Any], links: NDArray[np.int32],
        made: dict[int, NDArray[Any]], heads: dict[int, bytes],
    ) -> NDArray[Any]:  # fmt: skip
        """The rows that may be kept once fragments were put together: only then they show whose they are.

        A later fragment that came before the first is judged by the ends of its own IP header. `made` and `heads`:
        frame -> the layers, and the first octets, of the datagram that its row shows.
        """
        self.excluded_fragments.clear()
        changed = (rows["fragment"] >= 0) | np.isin(rows["status"], _PUT_TOGETHER)
        if not np.any(changed):
            return rows
        kept = self._judged(batch, rows[changed], links, made, heads, self.excluded_fragments)
        keep = ~changed
        keep[changed] = _same_rows(rows[changed], kept)
        return rows[keep]

    def _judged(
        self, batch: Any, rows: NDArray[Any], links: NDArray[np.int32], made: dict[int, NDArray[Any]] = _NONE,
        heads: dict[int, bytes] = _NO_HEADS, gone: set[int] | None = None,
    ) -> NDArray[Any]:  # fmt: skip
        columns = Columns(batch, rows, links, made, heads)
        before = rows["frame"]
        if len(self._excluded) and len(rows):
            rows = self._filter(rows, columns, columns.held(self._excluded, "every") != 2, EXCLUDED)
        if self._any_named and len(rows):
            rows = self._filter(rows, columns, ~self._of_excluded_name(rows, columns), EXCLUDED_NAME)
        if gone is not None:
            gone.update(np.setdiff1d(before, rows["frame"]).tolist())
        if self._targets is None or not len(rows):
            return rows
        return self._of_targets(rows, columns, self._targets)

    # ---- time ----------------------------------------------------------------------------------------------

    def _in_time(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not self._spans:
            return np.ones(len(ts), np.bool_)
        keep = np.zeros(len(ts), np.bool_)
        for first, last in self._spans:
            keep |= (ts >= (FIRST if first is None else first)) & (ts <= (LAST if last is None else last))
        return keep

    # ---- ends ----------------------------------------------------------------------------------------------

    def _of_targets(self, rows: NDArray[Any], columns: "Columns", targets: "_Targets") -> NDArray[Any]:
        found = targets.hold(columns)
        for verdict, reason in ((0, NO_END), (1, TARGET_TIME)):
            chosen = found == verdict
            if verdict == 0:
                chosen &= ~columns.has_end
            if np.any(chosen):
                rows = self._filter(rows, columns, ~chosen, reason)
                found = found[~chosen]
        others = found == 0
        if not np.any(others):
            return rows
        if not self._key:
            return self._leave(rows, ~others, THIRD_PARTY)
        return self._pseudonymise(rows, others)

    def _of_excluded_name(self, rows: NDArray[Any], columns: "Columns") -> NDArray[np.bool_]:
        gone: NDArray[np.bool_] = np.isin(rows["frame"], self._named_frames)
        gone |= columns.held(self._named, "every") != 0
        for chosen, keys in columns.pair_keys():
            gone[chosen] |= np.isin(keys, self._named_pairs)
        return gone

    def _pseudonymise(self, rows: NDArray[Any], others: NDArray[np.bool_]) -> NDArray[Any]:
        """Third parties' datagrams and segments without their bytes and between pseudonyms; the rest is dropped."""
        whole = (rows["status"] == OK) & (rows["more_fragments"] == 0) & np.isin(rows["protocol"], _PORTS)
        kept = others & whole
        rows = rows.copy()
        self._tally(rows[kept], PSEUDONYMISED, THIRD_PARTY)
        changed = rows[kept]
        for end in ("src", "dst"):
            version, hi, lo = changed["ip_version"], changed[f"{end}_hi"], changed[f"{end}_lo"]
            known = zip(version.tolist(), hi.tolist(), lo.tolist(), strict=True)
            changed[f"{end}_lo"] = np.fromiter(map(self._pseudonym, known), np.uint64, len(changed))
            changed[f"{end}_hi"] = PSEUDONYM_HIGH
        changed["ip_version"] = 6
        changed["payload_captured"], changed["cut"], changed["checksum"] = 0, 0, 0
        changed["tunnel"], changed["tunnel_id"], changed["vlan"], changed["ip_id"] = 0, 0, -1, 0
        changed["layers"], changed["segment"] = 0, 0
        for place in ("network", "transport"):
            if place in (changed.dtype.names or ()):
                changed[place] = -1
        rows[kept] = changed
        return self._leave(rows, ~others | whole, THIRD_PARTY)

    def _pseudonym(self, address: tuple[int, int, int]) -> int:
        """The low half of an address's pseudonym: the first 64 bits of its HMAC-SHA256."""
        found = self._pseudonyms.get(address)
        if found is None:
            if len(self._pseudonyms) >= MAX_PSEUDONYMS:
                self._pseudonyms.clear()
            version, hi, lo = address
            octets = lo.to_bytes(4, "big") if version == 4 else hi.to_bytes(8, "big") + lo.to_bytes(8, "big")
            found = _low_half(self._key, octets)
            self._pseudonyms[address] = found
        return found

    # ---- counts --------------------------------------------------------------------------------------------

    def _filter(
        self, rows: NDArray[Any], columns: "Columns", keep: NDArray[np.bool_], reason: str
    ) -> NDArray[Any]:
        if not np.all(keep):
            columns.keep(keep)
        return self._leave(rows, keep, reason)

    def _leave(self, rows: NDArray[Any], keep: NDArray[np.bool_], reason: str) -> NDArray[Any]:
        if np.all(keep):
            return rows
        self._tally(rows[~keep], DROPPED, reason)
        return rows[keep]

    def _tally(self, rows: NDArray[Any], action: str, reason: str) -> None:
        if len(rows):
            tally = self._left_out.of(reason, action)
            tally.packets += int(np.count_nonzero(rows["packets"]))
            tally.bytes += int(rows["wire_bytes"].sum(dtype=np.int64))


def _low_half(key: bytes, octets: bytes) -> int:
    return int.from_bytes(hmac.digest(key, octets, "sha256")[:8], "big")


def pseudonym(key: bytes, octets: bytes) -> str:
    """The pseudonym of an address, given as its 4 or 16 octets, as the evidence writes it."""
    return str(IPv6Address((PSEUDONYM_HIGH << 64) | _low_half(key, octets)))


def _same_rows(rows: NDArray[Any], kept: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the rows were kept: `kept` holds some of them, unchanged and in their order."""
    keep = np.zeros(len(rows), np.bool_)
    at = 0
    for i in range(len(rows)):  # few: rows of fragments
        if at < len(kept) and rows[i] == kept[at]:
            keep[i] = True
            at += 1
    return keep


class _Targets:
    """The targets of a scope, by the layer on which their networks are held."""

    def __init__(self, selectors: Sequence[Selector], name: str) -> None:
        self._tables = [
            (layer, table)
            for layer in ("inner", "outer", "any")
            if len(table := selector_table([one for one in selectors if one.layer == layer]))
        ]
        self._whole = [
            span
            for one in selectors
            if one.kind == "recording" and is_recording_of(name, one.value)
            for span in one.spans or ((None, None),)
        ]

    def hold(self, columns: Columns) -> NDArray[np.uint8]:
        """0 no target, 1 one at another time, 2 one at its time."""
        found = np.zeros(len(columns.ts), np.uint8)
        for layer, table in self._tables:
            found = np.maximum(found, columns.held(table, layer))
        for first, last in self._whole:
            ts = columns.ts
            inside = (ts >= (FIRST if first is None else first)) & (ts <= (LAST if last is None else last))
            found = np.maximum(found, np.where(inside, np.uint8(2), np.uint8(1)))
        return found


def is_recording_of(name: str, identifier: str) -> bool:
    """Whether a file's name says that it is the recording of this intercept: `openli_<identifier>_<time>...`."""
    return re.fullmatch(rf"(?:openli_)?{re.escape(identifier)}_\d+(?:\..*)?", name) is not None


def _pair_keys(pairs: Iterable[tuple[tuple[int, int, int], tuple[int, int, int]]]) -> NDArray[np.uint64]:
    ends = sorted(pairs)
    columns = [
        (np.array([e[k][0] for e in ends], np.uint8), np.array([e[k][1] for e in ends], np.uint64),
         np.array([e[k][2] for e in ends], np.uint64))
        for k in (0, 1)
    ]  # fmt: skip
    return np.unique(mixed_key(*columns[0]) + mixed_key(*columns[1]))
