"""One module a protocol: bytes in, frozen record out.

A parser here does no I/O, reads no clock, logs nothing, and imports nothing but the standard library and
`cryptography` (and dpkt where it already reads a format right). It has three outcomes:

* a frozen record;
* `None`: the bytes are a proper prefix, more are needed;
* `Malformed(offset, reason)` raised: no continuation of these bytes can be valid.

"Not this protocol" is decided before, by the detector (`looks_like_*`). What is unknown is kept as a number with
its bytes, never dropped, and shown as `unknown-0x...`.
"""


class Malformed(ValueError):
    """Bytes that break their protocol. `offset` counts from the start of the bytes given to the parser."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(f"{reason} at byte {offset}")
