"""The scope at packet rate: which rows of a batch may be looked at any further.

Everything behind the decoder sees only what `ScopeFilter.take` gives back. What it leaves out is counted by reason,
in packets and bytes on the wire, and nothing else of it is kept. The order of the reasons is that of `scope.py`;
each packet is counted once.
"""

import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import HELD, OK, PART, T_GTP, WHOLE
from wirecover.capture.scope import Scope, Selector, Span, mac_number
from wirecover.capture.scope_layers import frame_ends

TIME, EXCLUDED, EXCLUDED_NAME, NO_END, TARGET_TIME, THIRD_PARTY = (
    "time", "excluded", "excluded-name", "no-address", "target-time", "third-party",
)  # fmt: skip
PSEUDONYMISED: Final = "pseudonymised"
DROPPED: Final = "dropped"
PSEUDONYM_HIGH: Final = 0x0100_0000_0000_0000
"""Pseudonyms are addresses of 100::/64, which no host may have (RFC 6666)."""
MAX_PSEUDONYMS: Final = 1 << 16
"""Addresses whose pseudonym is remembered; forgetting costs time only."""

SELECTOR: Final = np.dtype(
    [
        ("hi", "u8"), ("lo", "u8"), ("mask_hi", "u8"), ("mask_lo", "u8"), ("first", "i8"), ("last", "i8"),
        ("kind", "u1"), ("unused1", "u1"), ("unused2", "u2"), ("unused3", "u4"),
    ]
)  # fmt: skip
_MAC, _TEID = 48, 32
_FIRST, _LAST = -(1 << 63), (1 << 63) - 1
_PUT_TOGETHER: Final = np.array([PART, HELD, WHOLE], np.uint8)
_PORTS: Final = np.array([6, 17, 132, 136], np.uint8)
"""Transports of which a third party's packets are kept under pseudonyms: the others say more than sizes and times."""


@kernel
def hold_against(kind: Any, hi: Any, lo: Any, ts: Any, selectors: Any, found: Any) -> None:
    """Raise `found[i]` to 2 where value i is selected at its time, to 1 where it is at another."""
    for i in range(len(ts)):
        if kind[i] == 0 or found[i] == 2:
            continue
        for k in range(len(selectors)):
            one = selectors[k]
            if one.kind == kind[i] and (hi[i] & one.mask_hi) == one.hi and (lo[i] & one.mask_lo) == one.lo:
                if one.first <= ts[i] and ts[i] <= one.last:
                    found[i] = 2
                    break
                found[i] = 1


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
        self._excluded = _table(scope.excluded)
        self._targets = None if scope.targets is None else _Targets(scope.targets, name)
        self._named = np.array([_row(*one, 128) for one in sorted(learned.addresses)], SELECTOR)
        self._named_frames = np.array(sorted(learned.frames), np.int64)
        self._named_pairs = _pair_keys(learned.pairs)

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

    def again(self, batch: Any, rows: NDArray[Any], links: NDArray[np.int32]) -> NDArray[Any]:
        """The rows that may be kept once fragments were put together: only then they show whose they are.

        A later fragment that came before the first is judged by the ends of its own IP header.
        """
        changed = (rows["fragment"] >= 0) | np.isin(rows["status"], _PUT_TOGETHER)
        if not np.any(changed):
            return rows
        kept = self._judged(batch, rows[changed], links)
        keep = ~changed
        keep[changed] = _same_rows(rows[changed], kept)
        return rows[keep]

    def _judged(self, batch: Any, rows: NDArray[Any], links: NDArray[np.int32]) -> NDArray[Any]:
        columns = _Columns(batch, rows, links)
        if len(self._excluded) and len(rows):
            rows = self._filter(rows, columns, columns.held(self._excluded, "any") != 2, EXCLUDED)
        if self._any_named and len(rows):
            rows = self._filter(rows, columns, ~self._of_excluded_name(rows, columns), EXCLUDED_NAME)
        if self._targets is None or not len(rows):
            return rows
        return self._of_targets(rows, columns, self._targets)

    # ---- time ----------------------------------------------------------------------------------------------

    def _in_time(self, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not self._spans:
            return np.ones(len(ts), np.bool_)
        keep = np.zeros(len(ts), np.bool_)
        for first, last in self._spans:
            keep |= (ts >= (_FIRST if first is None else first)) & (ts <= (_LAST if last is None else last))
        return keep

    # ---- ends ----------------------------------------------------------------------------------------------

    def _of_targets(self, rows: NDArray[Any], columns: "_Columns", targets: "_Targets") -> NDArray[Any]:
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

    def _of_excluded_name(self, rows: NDArray[Any], columns: "_Columns") -> NDArray[np.bool_]:
        gone: NDArray[np.bool_] = np.isin(rows["frame"], self._named_frames)
        gone |= columns.held(self._named, "any") != 0
        for keys in columns.pair_keys():
            gone |= np.isin(keys, self._named_pairs)
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
            found = int.from_bytes(hmac.digest(self._key, octets, "sha256")[:8], "big")
            self._pseudonyms[address] = found
        return found

    # ---- counts --------------------------------------------------------------------------------------------

    def _filter(
        self, rows: NDArray[Any], columns: "_Columns", keep: NDArray[np.bool_], reason: str
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


def _same_rows(rows: NDArray[Any], kept: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of the rows were kept: `kept` holds some of them, unchanged and in their order."""
    keep = np.zeros(len(rows), np.bool_)
    at = 0
    for i in range(len(rows)):  # few: rows of fragments
        if at < len(kept) and rows[i] == kept[at]:
            keep[i] = True
            at += 1
    return keep


class _Columns:
    """What the rows of one batch are held against, read when first asked for."""

    def __init__(self, batch: Any, rows: NDArray[Any], links: NDArray[np.int32]) -> None:
        self.ts = np.ascontiguousarray(rows["ts"])
        self._rows = rows
        self._ends = frame_ends(batch, rows["frame"], links)
        is_arp = self._ends["arp"] == 1
        version = rows["ip_version"]
        self._version = np.where(is_arp & (version == 0), np.uint8(4), version).astype(np.uint8)
        self._inner = [
            np.where(is_arp & (version == 0), self._ends[name], rows[name])
            for name in ("src_hi", "src_lo", "dst_hi", "dst_lo")
        ]

    def keep(self, keep: NDArray[np.bool_]) -> None:
        """Let go of the rows that are not kept."""
        self.ts, self._rows, self._ends = self.ts[keep], self._rows[keep], self._ends[keep]
        self._version, self._inner = self._version[keep], [column[keep] for column in self._inner]

    @property
    def has_end(self) -> NDArray[np.bool_]:
        """Whether anything is known of the ends of a packet."""
        known: NDArray[np.bool_] = (self._version != 0) | (self._ends["version"] != 0)
        return known

    def held(self, selectors: NDArray[Any], layer: str) -> NDArray[np.uint8]:
        """0 no selector, 1 one at another time, 2 one at its time; networks at the layer."""
        found = np.zeros(len(self.ts), np.uint8)
        kinds = set(np.unique(selectors["kind"]).tolist())
        if kinds & {4, 6}:
            for version, *halves in self._layers(layer):
                for hi, lo in (halves[:2], halves[2:]):
                    hold_against(version, hi, lo, self.ts, selectors, found)
        zeros = np.zeros(len(self.ts), np.uint64)
        if _MAC in kinds:
            for end in ("src", "dst"):
                kind = (self._ends[f"has_mac_{end}"] * np.uint8(_MAC)).astype(np.uint8)
                value = np.ascontiguousarray(self._ends[f"mac_{end}"])
                hold_against(kind, zeros, value, self.ts, selectors, found)
        if _TEID in kinds:
            tunnelled = (self._rows["tunnel"] == T_GTP).astype(np.uint8) * np.uint8(_TEID)
            number = np.ascontiguousarray(self._rows["tunnel_id"]).astype(np.uint64)
            hold_against(tunnelled, zeros, number, self.ts, selectors, found)
        return found

    def pair_keys(self) -> Iterator[NDArray[np.uint64]]:
        """A number for both ends of every row, the same in both directions, by layer."""
        for version, *halves in self._layers("any"):
            yield _mixed(version, *halves[:2]) + _mixed(version, *halves[2:])

    def _layers(self, layer: str) -> Iterator[tuple[NDArray[Any], ...]]:
        if layer in ("inner", "any"):
            yield self._version, *(np.ascontiguousarray(column) for column in self._inner)
        if layer in ("outer", "any"):
            ends = self._ends
            yield tuple(
                np.ascontiguousarray(ends[name])
                for name in ("version", "src_hi", "src_lo", "dst_hi", "dst_lo")
            )


class _Targets:
    """The targets of a scope, by the layer on which their networks are held."""

    def __init__(self, selectors: Sequence[Selector], name: str) -> None:
        self._tables = [
            (layer, table)
            for layer in ("inner", "outer", "any")
            if len(table := _table([one for one in selectors if one.layer == layer]))
        ]
        self._whole = [
            span
            for one in selectors
            if one.kind == "recording" and is_recording_of(name, one.value)
            for span in one.spans or ((None, None),)
        ]

    def hold(self, columns: _Columns) -> NDArray[np.uint8]:
        """0 no target, 1 one at another time, 2 one at its time."""
        found = np.zeros(len(columns.ts), np.uint8)
        for layer, table in self._tables:
            found = np.maximum(found, columns.held(table, layer))
        for first, last in self._whole:
            ts = columns.ts
            inside = (ts >= (_FIRST if first is None else first)) & (ts <= (_LAST if last is None else last))
            found = np.maximum(found, np.where(inside, np.uint8(2), np.uint8(1)))
        return found


def is_recording_of(name: str, identifier: str) -> bool:
    """Whether a file's name says that it is the recording of this intercept: `openli_<identifier>_<time>...`."""
    return re.fullmatch(rf"(?:openli_)?{re.escape(identifier)}_\d+(?:\..*)?", name) is not None


def _table(selectors: Sequence[Selector]) -> NDArray[Any]:
    """A row for each selector and span."""
    rows = []
    for one in selectors:
        for span in one.spans or ((None, None),):
            if one.kind == "network":
                network = ip_network(one.value, strict=False)
                hi, lo = divmod(int(network.network_address), 1 << 64)
                rows.append(_row(network.version, hi, lo, _bits(network), span))
            elif one.kind == "mac":
                rows.append(_row(_MAC, 0, mac_number(one.value), 128, span))
            elif one.kind == "teid":
                rows.append(_row(_TEID, 0, int(one.value), 128, span))
    return np.array(rows, SELECTOR)


def _bits(network: IPv4Network | IPv6Network) -> int:
    """Length of the prefix, counted as in 128 bits."""
    return network.prefixlen + (96 if network.version == 4 else 0)


def _row(kind: int, hi: int, lo: int, bits: int, span: Span = (None, None)) -> tuple[int, ...]:
    mask_hi, mask_lo = divmod((1 << 128) - (1 << 128 - bits), 1 << 64)
    first, last = span
    return (
        hi, lo, mask_hi, mask_lo, _FIRST if first is None else first, _LAST if last is None else last, kind, 0, 0, 0,
    )  # fmt: skip


def _mixed(version: NDArray[np.uint8], hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number of 64 bits for an address. One that was crafted to collide is left out as well, and counted."""
    value: Any = hi * np.uint64(0x9E3779B97F4A7C15)
    value = value ^ lo * np.uint64(0xC2B2AE3D27D4EB4F) ^ version.astype(np.uint64)
    value = (value ^ (value >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed: NDArray[np.uint64] = value ^ (value >> np.uint64(32))
    return mixed


def _pair_keys(pairs: Iterable[tuple[tuple[int, int, int], tuple[int, int, int]]]) -> NDArray[np.uint64]:
    ends = sorted(pairs)
    columns = [
        (np.array([e[k][0] for e in ends], np.uint8), np.array([e[k][1] for e in ends], np.uint64),
         np.array([e[k][2] for e in ends], np.uint64))
        for k in (0, 1)
    ]  # fmt: skip
    return np.unique(_mixed(*columns[0]) + _mixed(*columns[1]))


def warm() -> None:
    """Compile the filter with the argument types it is used with."""
    one = np.zeros(1, np.uint64)
    hold_against(
        np.zeros(1, np.uint8), one, one, np.zeros(1, np.int64), np.zeros(1, SELECTOR), np.zeros(1, np.uint8)
    )
