"""pcapng options and names: bounded lists out of bytes that anyone may have written.

https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/ sections 3.5 (options), 4.5 (names), 4.6
(statistics)
"""

import ipaddress
from collections.abc import Iterator
from typing import Final, Literal

Order = Literal["big", "little"]

MAX_OPTIONS: Final = 1000
"""Options of one block that are looked at."""
MAX_TEXT: Final = 4096
"""Bytes of one text that are kept."""


class BadOptionError(ValueError):
    """An option that does not fit its block; those before it were good."""


def number(data: bytes, at: int, size: int, order: Order, *, signed: bool = False) -> int:
    return int.from_bytes(data[at : at + size], order, signed=signed)


def options(data: bytes, at: int, end: int, order: Order) -> Iterator[tuple[int, bytes]]:
    """(code, value) of the options in data[at:end]; values are cut at `MAX_TEXT`. Raises BadOptionError."""
    for _ in range(MAX_OPTIONS):
        if at + 4 > end:
            return
        code, length = number(data, at, 2, order), number(data, at + 2, 2, order)
        if code == 0:
            return
        if at + 4 + length > end:
            raise BadOptionError(f"option {code} is {length} bytes long, its block ends before")
        yield code, data[at + 4 : at + 4 + min(length, MAX_TEXT)]
        at += 4 + padded(length)
    if at + 4 <= end and number(data, at, 2, order):
        raise BadOptionError(f"more than {MAX_OPTIONS} options in a block")


def padded(length: int) -> int:
    """`length` rounded up to the 32-bit words that pcapng is made of."""
    return (length + 3) // 4 * 4


def text(value: bytes) -> str:
    """UTF-8 as the format demands; what is not becomes U+FFFD. Ends at a NUL, as some writers add one."""
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


def resolved_names(data: bytes, at: int, end: int, order: Order) -> Iterator[tuple[str, str]]:
    """(address, name) of the records of a Name Resolution Block: IPv4 and IPv6, all names of each address."""
    while at + 4 <= end:
        kind, length = number(data, at, 2, order), number(data, at + 2, 2, order)
        if kind == 0:
            return
        if at + 4 + length > end:
            raise BadOptionError(f"a name record is {length} bytes long, its block ends before")
        size = {1: 4, 2: 16}.get(kind)
        if size is not None and length > size:
            value = data[at + 4 : at + 4 + length]
            address = str(ipaddress.ip_address(value[:size]))
            for name in value[size:].split(b"\0"):
                if name:
                    yield address, text(name)
        at += 4 + padded(length)


def resolution_ns(byte: int) -> int:
    """Nanoseconds of a unit of if_tsresol, rounded, 1 at least."""
    power = byte & 0x7F
    unit = round(1_000_000_000 / (1 << power)) if byte & 0x80 else int(10 ** max(9 - power, 0))
    return max(1, unit)
