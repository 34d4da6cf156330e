"""JA3 and JA3S: MD5 over what a hello says, in wire order.

Specification: https://github.com/salesforce/ja3 (README, "How it works"). GREASE numbers are left out
wherever the hash uses 16-bit numbers. The version is the one of the hello itself, not of supported_versions.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import md5

from wirecover.capture.protocols.tls_extensions import GREASE
from wirecover.capture.protocols.tls_hello import ClientHello, ServerHello


def _list(numbers: Iterable[int]) -> str:
    return "-".join([str(number) for number in numbers if number not in GREASE])


@lru_cache(maxsize=4096)
def _cached_list(numbers: tuple[int, ...]) -> str:
    return _list(numbers)


def _numbers(numbers: tuple[int, ...]) -> str:
    # Clients repeat their lists exactly; a crafted list of thousands must not fill the cache.
    return _cached_list(numbers) if len(numbers) <= 256 else _list(numbers)


def _hash(text: str) -> str:
    return md5(text.encode("ascii"), usedforsecurity=False).hexdigest()


def ja3_text(hello: ClientHello) -> str:
    """The text that JA3 hashes: version,ciphers,extensions,groups,point formats."""
    return ",".join(
        (
            str(hello.legacy_version),
            _numbers(hello.ciphers),
            _list([number for number, _ in hello.extensions]),
            _numbers(hello.groups),
            "-".join(map(str, hello.point_formats)),
        )
    )


def ja3(hello: ClientHello) -> str:
    """JA3 as 32 lower-case hex digits."""
    return _hash(ja3_text(hello))


def ja3s_text(hello: ServerHello) -> str:
    """The text that JA3S hashes: version,cipher,extensions."""
    return f"{hello.legacy_version},{hello.cipher},{_list([number for number, _ in hello.extensions])}"


def ja3s(hello: ServerHello) -> str:
    """JA3S as 32 lower-case hex digits."""
    return _hash(ja3s_text(hello))
