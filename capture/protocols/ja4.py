"""JA4, the fingerprint of a ClientHello that does not depend on the order of ciphers and extensions.

Specification: https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md (JA4 itself is
BSD-3-Clause; the other members of the JA4+ family have another licence and are not here). Where the text
leaves a choice:

* "the highest value" of supported_versions is the greatest number, which for DTLS is not the newest version:
tools
  that compare fingerprints agree on that reading. A number without a letter pair of its own gives "00".
* an extension or cipher that is sent twice counts twice.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Final

from wirecover.capture.protocols.tls_extensions import ALPN, GREASE, SERVER_NAME
from wirecover.capture.protocols.tls_hello import ClientHello

_VERSIONS: Final = {
    0x0002: "s2",
    0x0300: "s3",
    0x0301: "10",
    0x0302: "11",
    0x0303: "12",
    0x0304: "13",
    0xFEFF: "d1",
    0xFEFD: "d2",
    0xFEFC: "d3",
}
_NOTHING: Final = "000000000000"
_CARRIERS: Final = frozenset("tqd")  # TLS over TCP, QUIC, DTLS
_CACHED: Final = 256  # longest list that is cached: a crafted hello of thousands must not fill the memory


def ja4(hello: ClientHello, carrier: str) -> str:
    """JA4 for a hello that came over `carrier`: 't' (TCP), 'q' (QUIC) or 'd' (DTLS)."""
    extensions = tuple([number for number, _ in hello.extensions])
    cipher_count, cipher_hash = _cipher_part(hello.ciphers)
    extension_count, extension_hash = _extension_part(extensions, hello.signature_algorithms)
    return f"{_head(hello, carrier, cipher_count, extension_count)}_{cipher_hash}_{extension_hash}"


def ja4_raw(hello: ClientHello, carrier: str) -> str:
    """JA4_r: the same with the sorted lists in place of their hashes, for who wants to see why two differ."""
    ciphers = _real(hello.ciphers)
    extensions = _real(tuple(number for number, _ in hello.extensions))
    head = _head(hello, carrier, len(ciphers), len(extensions))
    return f"{head}_{_sorted_hex(ciphers)}_{_extension_text(extensions, hello.signature_algorithms)}"


def _head(hello: ClientHello, carrier: str, cipher_count: int, extension_count: int) -> str:
    if carrier not in _CARRIERS:
        raise ValueError(f"carrier is 't', 'q' or 'd', not {carrier!r}")
    version = max(_real(hello.supported_versions), default=hello.legacy_version)
    named = any(number == SERVER_NAME for number, _ in hello.extensions)
    return (
        f"{carrier}{_VERSIONS.get(version, '00')}{'d' if named else 'i'}"
        f"{min(cipher_count, 99):02}{min(extension_count, 99):02}{_protocol(hello.alpn_raw)}"
    )


def _real(numbers: tuple[int, ...]) -> list[int]:
    return [number for number in numbers if number not in GREASE]


def _protocol(names: tuple[bytes, ...]) -> str:
    """First and last character of the first ALPN name; of its hex form where either is not alphanumeric."""
    if not names or not names[0]:
        return "00"
    first, last = names[0][:1], names[0][-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    return first.hex()[0] + last.hex()[1]


def _hash(text: str) -> str:
    return sha256(text.encode("ascii")).hexdigest()[:12] if text else _NOTHING


def _sorted_hex(numbers: list[int]) -> str:
    return ",".join([f"{number:04x}" for number in sorted(numbers)])


def _extension_text(real: list[int], algorithms: tuple[int, ...]) -> str:
    text = _sorted_hex([number for number in real if number not in (SERVER_NAME, ALPN)])
    signatures = ",".join([f"{number:04x}" for number in _real(algorithms)])
    return f"{text}_{signatures}" if signatures else text


def _cipher_hash(ordered: tuple[int, ...]) -> str:
    return _hash(_sorted_hex(list(ordered)))


def _extension_hash(ordered: tuple[int, ...], algorithms: tuple[int, ...]) -> str:
    if not any(number not in (SERVER_NAME, ALPN) for number in ordered):
        return _NOTHING
    return _hash(_extension_text(list(ordered), algorithms))


_cached_cipher_hash = lru_cache(maxsize=4096)(_cipher_hash)
_cached_extension_hash = lru_cache(maxsize=4096)(_extension_hash)


def _cipher_part(ciphers: tuple[int, ...]) -> tuple[int, str]:
    ordered = tuple(sorted(_real(ciphers)))
    hashed = _cached_cipher_hash if len(ordered) <= _CACHED else _cipher_hash
    return len(ordered), hashed(ordered)


def _extension_part(extensions: tuple[int, ...], algorithms: tuple[int, ...]) -> tuple[int, str]:
    ordered = tuple(sorted(_real(extensions)))
    hashed = _cached_extension_hash if len(ordered) + len(algorithms) <= _CACHED else _extension_hash
    return len(ordered), hashed(ordered, algorithms)
