"""Where fuzzing starts: the vectors and examples of the tests, gathered from their modules."""

import runpy
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

from fuzz.targets import MAX_INPUT, TARGETS
from support import captures as files
from support import conversations as talk
from support import gtpc_messages as gtp
from support import packet_zoo
from support.quic_packets import vector_bytes
from support.ssl2_messages import server_hello

TESTS: Final = Path(__file__).parent.parent
MODULES: Final[dict[str, tuple[str, ...]]] = {
    "dns_tcp": ("dns",), "tls_shape": ("tls_hello",), "tls_find": ("tls_reader",), "tls_certificates": ("x509",),
    "sip_stream": ("sip",), "quic_transport": ("tls_hello", "quic_transport"), "quic": ("quic", "quic_header"),
    "stun_tcp": ("stun",), "x509_der": ("x509", "x509_der"),
}  # fmt: skip
"""Tests whose examples serve a target, where they are not called like it."""
FRAMED: Final = frozenset({"dtls", "quic", "exchanges", "messenger_frames", "decode"})
"""Targets whose input is messages behind two bytes of length."""
MOST: Final = 60
_DEEP: Final = 4


def _bytes_in(value: Any, depth: int = 0) -> Iterator[bytes]:
    if isinstance(value, bytes):
        if 4 <= len(value) <= MAX_INPUT:
            yield value
    elif isinstance(value, list | tuple) and depth < _DEEP:
        for one in value:
            yield from _bytes_in(one, depth + 1)
    elif isinstance(value, dict) and depth < _DEEP:
        yield from _bytes_in(list(value.values()), depth + 1)


@cache
def _examples(protocol: str) -> tuple[bytes, ...]:
    """The bytes at the top level of a protocol's test module, and its vectors."""
    found: list[bytes] = []
    examples = TESTS / "capture" / "protocols" / f"test_{protocol}.py"
    if examples.is_file():
        for name, value in runpy.run_path(str(examples)).items():
            if not name.startswith("__"):
                found += _bytes_in(value)
    if protocol == "gtpc":
        found += [gtp.create_1(), gtp.created_1(), gtp.create_2(), gtp.created_2()]
    if protocol in ("quic", "quic_header"):
        found += [vector_bytes(path.stem) for path in sorted((TESTS / "vectors").glob("*.hex"))]
    return tuple(dict.fromkeys(found))


def _behind_length(messages: list[bytes]) -> bytes:
    return b"".join((len(one) - 1).to_bytes(2, "big") + one for one in messages if 0 < len(one) <= 1500)


def _special(name: str) -> Iterator[bytes]:
    conversation = [frame.data for frame in talk.everything()]
    hello = talk.hello(b"www.seed.example", b"h2", b"http/1.1")
    if name.startswith("link_"):
        yield from (frame[14:] if name != "link_1" else frame for frame in conversation)
        yield from (one.data for one in packet_zoo._zoo() if f"link_{one.link}" == name)
    elif name == "decode":
        yield from (_behind_length(conversation[at : at + 12]) for at in range(0, len(conversation), 12))
    elif name == "file":
        yield files.pcap(files.frames(4))
        yield files.shb() + files.idb() + files.epb(b"a frame") + files.spb(b"abcd") + files.isb()
    elif name in ("tls_hello", "tls_shape", "quic_transport"):
        yield hello[4:]
        yield talk.server_13()[4:]
    elif name in ("tls_reader", "tls_find"):
        yield b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello
    elif name == "tls_certificates":
        yield talk.certificates(talk.certificate("a.example"))[4:]
    elif name == "arp":
        yield bytes.fromhex("0001080006040001020202020202c0000201000000000000c0000202")
    elif name == "ndp":
        yield bytes.fromhex("8700000000000000") + bytes(15) + b"\1" + bytes.fromhex("0101020202020202")
        yield bytes.fromhex("88000000e0000000") + bytes(15) + b"\1" + bytes.fromhex("0201020202020202")
    elif name == "ssl2":
        yield server_hello(b"certificate")
    elif name in ("x509", "x509_der"):
        yield talk.certificate("a.example", 3)


def seeds_of(name: str) -> list[bytes]:
    """The seeds of a target; at least one, none longer than `targets.MAX_INPUT`."""
    assert name in TARGETS
    found = list(dict.fromkeys(_special(name)))
    for protocol in MODULES.get(name, (name,)):
        examples = list(_examples(protocol))
        if name in FRAMED and name != "decode" and examples:
            found += [_behind_length(examples[at : at + 6]) for at in range(0, len(examples), 3)]
        else:
            found += examples
    return list(islice((one for one in found if 0 < len(one) <= MAX_INPUT), MOST)) or [bytes(range(64))]
