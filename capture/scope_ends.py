"""The ends of packets in columns, held against selectors: addresses of hosts, hardware addresses, tunnels.

A selector is a row of `SELECTOR` for each span of time in which it selects. Ends are those of `scope_layers.py`.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import BY_IP4, T_GTP
from wirecover.capture.scope import Selector, Span, mac_number
from wirecover.capture.scope_layers import frame_ends, layers_around, spells_mac

SELECTOR: Final = np.dtype(
    [
        ("hi", "u8"), ("lo", "u8"), ("mask_hi", "u8"), ("mask_lo", "u8"), ("first", "i8"), ("last", "i8"),
        ("kind", "u1"), ("unused1", "u1"), ("unused2", "u2"), ("unused3", "u4"),
    ]
)  # fmt: skip
_MAC, _TEID = 48, 32
FIRST, LAST = -(1 << 63), (1 << 63) - 1
_PIECE: Final = 4096
"""Rows whose layers are looked at together."""


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


class Columns:
    """What the rows of one batch are held against, read when first asked for."""

    def __init__(
        self, batch: Any, rows: NDArray[Any], links: NDArray[np.int32], made: dict[int, NDArray[Any]],
        heads: dict[int, bytes],
    ) -> None:  # fmt: skip
        self.ts = np.ascontiguousarray(rows["ts"])
        self._rows = rows
        self._batch, self._links, self._made, self._heads = batch, links, made, heads
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
        """0 no selector, 1 one at another time, 2 one at its time; networks at the layer, or at `every` one."""
        found = np.zeros(len(self.ts), np.uint8)
        if not len(selectors):
            return found
        kinds = set(np.unique(selectors["kind"]).tolist())
        if kinds & {4, 6}:
            for version, *halves in self._layers("any" if layer == "every" else layer):
                for hi, lo in (halves[:2], halves[2:]):
                    hold_against(version, hi, lo, self.ts, selectors, found)
            if layer == "every":
                self._hold_between(selectors, found)
        if _MAC in kinds and layer == "every":
            spelled = spells_mac(
                self._batch, self._rows, selectors["lo"][selectors["kind"] == _MAC], self._heads
            )
            found[spelled == 1] = 2  # exclusions have no times
        elif _MAC in kinds:
            zeros = np.zeros(len(self.ts), np.uint64)
            for end in ("src", "dst"):
                kind = (self._ends[f"has_mac_{end}"] * np.uint8(_MAC)).astype(np.uint8)
                value = np.ascontiguousarray(self._ends[f"mac_{end}"])
                hold_against(kind, zeros, value, self.ts, selectors, found)
        if _TEID in kinds:
            self._hold_tunnels(selectors, found)
        return found

    def _around(self) -> Iterator[tuple[NDArray[np.int64], NDArray[Any], NDArray[np.bool_]]]:
        """(rows, their layers, whether not all of them are known) of all rows that have any, in pieces."""
        chosen = np.flatnonzero(self._rows["layers"])
        for start in range(0, len(chosen), _PIECE):
            piece = chosen[start : start + _PIECE]
            yield piece, *layers_around(self._batch, self._links, self._rows[piece], self._made)

    def _between(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8], list[NDArray[np.uint64]]]]:
        """(rows, IP version, source and destination in halves) of each layer that an IP header carries."""
        for piece, stacks, _ in self._around():
            for depth in range(int(stacks["kind"].any(axis=0).sum())):
                layer = stacks[:, depth]
                version = np.where(layer["carrier"] >= BY_IP4, layer["carrier"], 0).astype(np.uint8)
                if np.any(version):
                    ends = ("src_hi", "src_lo", "dst_hi", "dst_lo")
                    yield piece, version, [np.ascontiguousarray(layer[name]) for name in ends]

    def _hold_between(self, selectors: NDArray[Any], found: NDArray[np.uint8]) -> None:
        """Networks against every IP header around a packet; what has more than can be known is taken to be held."""
        for piece, version, halves in self._between():
            of_piece, ts = found[piece], self.ts[piece]
            for hi, lo in (halves[:2], halves[2:]):
                hold_against(version, hi, lo, ts, selectors, of_piece)
            found[piece] = of_piece
        for piece, _, hidden in self._around():
            found[piece[hidden]] = 2

    def _hold_tunnels(self, selectors: NDArray[Any], found: NDArray[np.uint8]) -> None:
        """Numbers of GTP-U tunnels, at any depth."""
        for piece, stacks, _ in self._around():
            of_piece, ts, zeros = found[piece], self.ts[piece], np.zeros(len(piece), np.uint64)
            for depth in range(int(stacks["kind"].any(axis=0).sum())):
                layer = stacks[:, depth]
                tunnelled = ((layer["kind"] == T_GTP) & (layer["identifier"] >= 0)).astype(np.uint8)
                number = np.maximum(layer["identifier"], 0).astype(np.uint64)
                hold_against(tunnelled * np.uint8(_TEID), zeros, number, ts, selectors, of_piece)
            found[piece] = of_piece

    def pair_keys(self) -> Iterator[tuple[NDArray[np.int64] | slice, NDArray[np.uint64]]]:
        """(rows, a number for both ends of each, the same in both directions), by layer."""
        for version, *halves in self._layers("any"):
            yield slice(None), mixed_key(version, *halves[:2]) + mixed_key(version, *halves[2:])
        for piece, version, halves in self._between():
            yield piece, mixed_key(version, *halves[:2]) + mixed_key(version, *halves[2:])

    def _layers(self, layer: str) -> Iterator[tuple[NDArray[Any], ...]]:
        if layer in ("inner", "any"):
            yield self._version, *(np.ascontiguousarray(column) for column in self._inner)
        if layer in ("outer", "any"):
            ends = self._ends
            yield tuple(
                np.ascontiguousarray(ends[name])
                for name in ("version", "src_hi", "src_lo", "dst_hi", "dst_lo")
            )


def selector_table(selectors: Sequence[Selector]) -> NDArray[Any]:
    """A row for each selector and span."""
    rows = []
    for one in selectors:
        for span in one.spans or ((None, None),):
            if one.kind == "network":
                network = ip_network(one.value, strict=False)
                hi, lo = divmod(int(network.network_address), 1 << 64)
                rows.append(selector_row(network.version, hi, lo, _bits(network), span))
            elif one.kind == "mac":
                rows.append(selector_row(_MAC, 0, mac_number(one.value), 128, span))
            elif one.kind == "teid":
                rows.append(selector_row(_TEID, 0, int(one.value), 128, span))
    return np.array(rows, SELECTOR)


def _bits(network: IPv4Network | IPv6Network) -> int:
    """Length of the prefix, counted as in 128 bits."""
    return network.prefixlen + (96 if network.version == 4 else 0)


def selector_row(kind: int, hi: int, lo: int, bits: int, span: Span = (None, None)) -> tuple[int, ...]:
    mask_hi, mask_lo = divmod((1 << 128) - (1 << 128 - bits), 1 << 64)
    first, last = span
    return (
        hi, lo, mask_hi, mask_lo, FIRST if first is None else first, LAST if last is None else last, kind, 0, 0, 0,
    )  # fmt: skip


def mixed_key(
    version: NDArray[np.uint8], hi: NDArray[np.uint64], lo: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """A number of 64 bits for an address. One that was crafted to collide is left out as well, and counted."""
    value: Any = hi * np.uint64(0x9E3779B97F4A7C15)
    value = value ^ lo * np.uint64(0xC2B2AE3D27D4EB4F) ^ version.astype(np.uint64)
    value = (value ^ (value >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed: NDArray[np.uint64] = value ^ (value >> np.uint64(32))
    return mixed


def warm() -> None:
    """Compile the filter with the argument types it is used with."""
    one = np.zeros(1, np.uint64)
    hold_against(
        np.zeros(1, np.uint8), one, one, np.zeros(1, np.int64), np.zeros(1, SELECTOR), np.zeros(1, np.uint8)
    )
