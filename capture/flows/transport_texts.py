"""The transport parameters of a ClientHello over QUIC (RFC 9000 18), as texts, by a kernel."""

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.flows.texts import named, put_number, text_array
from wirecover.capture.flows.varints import varint
from wirecover.capture.kernels import kernel
from wirecover.capture.registries.quic_versions import version_name

MAX_PARAMETERS: Final = 32
"""In one hello; one with more is left to the parser."""
MAX_OFFERED: Final = 16
_TEXT_ROOM: Final = 48
_AGENT_ROOM: Final = 256
_EXTENSION, _DRAFT_EXTENSION = 0x39, 0xFFA5
_IDLE, _VERSIONS, _AGENT, _DRAFT_VERSIONS = 0x01, 0x11, 0x3129, 0xFF73DB
_OF_BYTES: Final = (0x00, 0x02, 0x0D, 0x0F, 0x10, 0x11, 0x3129, 0xFF73DB)
"""Ids, tokens, addresses, lists and texts (RFC 9000 18.2), which may look like an integer."""
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8).copy()


class Parameters(NamedTuple):
    """Columns, a row a hello."""

    arena: Any
    offsets: Any
    """int32: text k lies in arena[offsets[k]:offsets[k + 1]]."""
    ends: Any
    """int32: the texts of hello k are those from ends[k] to ends[k + 1]."""
    idle: Any
    """max_idle_timeout, milliseconds; -1: none."""
    versions: Any
    version_ends: Any
    """int32: available versions of hello k lie in versions[version_ends[k]:version_ends[k + 1]]."""
    agent: Any
    """A row of bytes a hello: Google's user agent."""
    agent_length: Any


def new_parameters(hellos: int) -> Parameters:
    """Room for so many hellos."""
    texts = hellos * MAX_PARAMETERS
    return Parameters(
        np.empty(texts * _TEXT_ROOM, np.uint8), np.zeros(texts + 1, np.int32), np.zeros(hellos + 1, np.int32),
        np.full(hellos, -1, np.int64), np.zeros(hellos * MAX_OFFERED, np.int64), np.zeros(hellos + 1, np.int32),
        np.empty((hellos, _AGENT_ROOM), np.uint8), np.full(hellos, -1, np.int32),
    )  # fmt: skip


@kernel
def _put_hex_number(out: Any, at: int, value: int) -> int:
    """`0x` and the value without leading zeros."""
    out[at], out[at + 1] = 48, 120
    at += 2
    started = False
    for place in range(15, -1, -1):
        digit = (value >> (4 * place)) & 15
        if digit or started or place == 0:
            out[at] = _HEX[digit]
            at += 1
            started = True
    return at


@kernel
def _extension(body: Any, at: int, end: int) -> tuple[int, int]:
    """Where the transport parameters of a hello, whose framing holds, begin and end; (0, -1) without any."""
    at += 34
    at += 1 + np.int64(body[at])
    at += 2 + ((np.int64(body[at]) << 8) | np.int64(body[at + 1]))
    at += 1 + np.int64(body[at])
    at += 2
    while at + 4 <= end:
        kind = (np.int64(body[at]) << 8) | np.int64(body[at + 1])
        size = (np.int64(body[at + 2]) << 8) | np.int64(body[at + 3])
        if kind in (_EXTENSION, _DRAFT_EXTENSION):
            return at + 4, at + 4 + size
        at += 4 + size
    return 0, -1


@kernel
def _take(body: Any, number: int, at: int, end: int, row: int, columns: Any, seen: Any) -> bool:
    """What is kept of one parameter besides its text; False if it is irregular."""
    which = -1
    if number == _IDLE:
        which = 0
    elif number == _VERSIONS:
        which = 1
    elif number == _DRAFT_VERSIONS:
        which = 2
    elif number == _AGENT:
        which = 3
    if which < 0:
        return True
    if seen[which]:
        return False
    seen[which] = True
    if which == 0 and end > at and end - at == 1 << (body[at] >> 6):
        columns.idle[row], _ = varint(body, at, end)
    elif which == 1 or which == 2:
        if seen[1] and seen[2]:
            return False
        count = (end - at) // 4
        if count > MAX_OFFERED:
            return False
        if (end - at) % 4 == 0:
            for k in range(1, count):  # the first is the version in use
                value = np.int64(0)
                for i in range(4):
                    value = (value << 8) | np.int64(body[at + 4 * k + i])
                columns.versions[columns.version_ends[row + 1]] = value
                columns.version_ends[row + 1] += 1
    elif which == 3 and end > at:
        if end - at > _AGENT_ROOM:
            return False
        for i in range(at, end):
            if body[i] < 0x20 or body[i] > 0x7E or body[i] == 0x5C:
                return False
            columns.agent[row, i - at] = body[i]
        columns.agent_length[row] = end - at
    return True


@kernel
def read_parameters(body: Any, start: int, end: int, row: int, columns: Any) -> bool:
    """Put the parameters of the ClientHello in [start, end) into row `row`; False if only the parser can."""
    at, end = _extension(body, start, end)
    if end < 0 or (end - at >= 6 and ((np.int64(body[at]) << 8) | np.int64(body[at + 1])) == end - at - 2):
        return False  # none, or in the drafts' fixed width
    seen = np.zeros(4, np.bool_)
    count = 0
    while at < end:
        number, at = varint(body, at, end)
        if at < 0:
            return False
        size, at = varint(body, at, end)
        if at < 0 or size > end - at or count == MAX_PARAMETERS:
            return False
        if not _take(body, number, at, at + size, row, columns, seen):
            return False
        text = columns.ends[row + 1]
        put = _put_hex_number(columns.arena, np.int64(columns.offsets[text]), number)
        plain = size > 0 and size == 1 << (body[at] >> 6)
        for known in _OF_BYTES:
            plain = plain and number != known
        columns.arena[put] = 61 if plain else 58
        value = size
        if plain:
            value, _ = varint(body, at, at + size)
        columns.offsets[text + 1] = put_number(columns.arena, put + 1, value)
        columns.ends[row + 1] += 1
        count += 1
        at += size
    return True


def parameter_columns(columns: Parameters, rows: NDArray[np.int64]) -> dict[str, pa.Array]:
    """What these rows say, as columns of `tables.QUIC_HANDSHAKES`."""
    count = int(columns.ends[-1])
    texts = pa.ListArray.from_arrays(
        pa.array(columns.ends), text_array(columns.arena, columns.offsets[: count + 1])
    )
    ends = columns.version_ends
    numbers, which = np.unique(columns.versions[: ends[-1]], return_inverse=True)
    versions = named(which, [version_name(number) for number in numbers.tolist()])
    empty = ends[1:] == ends[:-1]
    agents = [
        columns.agent[row, :length].tobytes().decode("ascii") if length >= 0 else None
        for row, length in zip(rows.tolist(), columns.agent_length[rows].tolist(), strict=True)
    ]
    return {
        "transport_parameters": texts.take(pa.array(rows)),
        "available_versions": pa.ListArray.from_arrays(pa.array(ends), versions, mask=pa.array(empty)).take(
            pa.array(rows)
        ),
        "idle_timeout_ms": pa.array(columns.idle[rows], mask=columns.idle[rows] < 0),
        "user_agent": pa.array(agents, pa.string()),
    }
