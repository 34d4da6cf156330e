"""Crafted messages of SSL 2.0."""

import struct


def server_hello(der: bytes, *, hit: int = 0, kind: int = 1, ciphers: bytes = b"\1\0\x80\7\0\xc0") -> bytes:
    body = struct.pack(">BBBHHHH", 4, hit, kind, 2, len(der), len(ciphers), 16) + der + ciphers + bytes(16)
    return struct.pack(">H", 0x8000 | len(body)) + body
