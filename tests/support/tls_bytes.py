"""TLS messages built byte by byte, for tests that need a hello of their own making."""

from collections.abc import Sequence

RANDOM = bytes(range(32))


def vector(content: bytes, width: int = 2) -> bytes:
    """Content behind its length in `width` bytes."""
    return len(content).to_bytes(width, "big") + content


def numbers(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def extension(number: int, body: bytes = b"") -> bytes:
    return number.to_bytes(2, "big") + vector(body)


def server_name(name: bytes) -> bytes:
    return extension(0, vector(b"\0" + vector(name)))


def alpn(*names: bytes) -> bytes:
    return extension(16, vector(b"".join(vector(name, 1) for name in names)))


def supported_versions(*versions: int) -> bytes:
    return extension(43, vector(numbers(versions), 1))


def signature_algorithms(*schemes: int) -> bytes:
    return extension(13, vector(numbers(schemes)))


def groups(*values: int) -> bytes:
    return extension(10, vector(numbers(values)))


def client_hello(
    extensions: bytes | None = b"",
    *,
    ciphers: Sequence[int] = (0x1301, 0x1302),
    version: int = 0x0303,
    session_id: bytes = b"",
    cookie: bytes | None = None,
) -> bytes:
    """A ClientHello body; `extensions=None` leaves the whole block out, `cookie` makes it DTLS."""
    return (
        version.to_bytes(2, "big")
        + RANDOM
        + vector(session_id, 1)
        + (b"" if cookie is None else vector(cookie, 1))
        + vector(numbers(ciphers))
        + vector(b"\0", 1)
        + (b"" if extensions is None else vector(extensions))
    )


def server_hello(
    extensions: bytes | None = b"",
    *,
    cipher: int = 0xC02F,
    version: int = 0x0303,
    session_id: bytes = b"",
    random: bytes = RANDOM,
) -> bytes:
    """A ServerHello body."""
    return (
        version.to_bytes(2, "big")
        + random
        + vector(session_id, 1)
        + cipher.to_bytes(2, "big")
        + b"\0"
        + (b"" if extensions is None else vector(extensions))
    )


def message(kind: int, body: bytes = b"") -> bytes:
    """A handshake message: type, 24-bit length, body."""
    return bytes([kind]) + vector(body, 3)


def record(kind: int, fragment: bytes, version: int = 0x0303) -> bytes:
    """A TLS record."""
    return bytes([kind]) + version.to_bytes(2, "big") + vector(fragment)
