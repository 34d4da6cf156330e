"""QUIC handshakes that kernels read say what the parsers say of them; those they do not fit are the parsers'."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import conversations as talk
from support import quic_packets as quic
from support import tls_bytes as tls
from support.traffic import MS, START, Connection, Frame, write_capture

from wirecover.capture.decode import decode
from wirecover.capture.flows.conversations import Conversations
from wirecover.capture.flows.initials import InitialBook
from wirecover.capture.protocols.messenger_bytes import FirstPayload, messenger_signatures
from wirecover.capture.tables import TABLES

Contents = dict[str, list[str]]
SCID, SERVER_SCID = b"\5" * 5, b"\x77" * 8


def parameters(*more: bytes) -> bytes:
    """A transport_parameters extension."""
    body = quic.varint(1) + b"\2" + quic.varint(30000, 2) + quic.varint(0x0F) + tls.vector(SCID, 1)
    return tls.extension(0x39, body + b"".join(more))


def client_hello(*more: bytes, extensions: bytes = b"", name: bytes = b"www.quic.example") -> bytes:
    parts = tls.server_name(name) + tls.alpn(b"h3") + tls.supported_versions(0x0304)
    parts += tls.extension(51, tls.vector(b"\0\x1d" + tls.vector(bytes(range(32))))) + extensions
    return tls.message(1, tls.client_hello(parts + (parameters(*more) if more != (b"none",) else b"")))


def parameter(number: int, value: bytes) -> bytes:
    return quic.varint(number) + quic.varint(len(value)) + value


HELLOS = (
    client_hello(),
    client_hello(name=b"Other.QUIC.example"),
    client_hello(
        parameter(0x3129, b"Chrome/99 Linux"), parameter(0x11, bytes.fromhex("000000016b3343cf1a2a3a4a"))
    ),
    client_hello(parameter(0x3129, b"odd\\agent\1")),
    client_hello(
        parameter(0xFF73DB, bytes.fromhex("0000000100000001")), parameter(0x7F2A1B, b"\xc0" + bytes(7))
    ),
    client_hello(parameter(0x11, b""), parameter(0xFF73DB, b"\0\0\0\1")),
    client_hello(parameter(0x11, b"\0\0\0\1\0")),
    client_hello(parameter(1, b"\1")),
    client_hello(*[parameter(100 + i, b"\5") for i in range(40)]),
    client_hello(*[parameter(100 + i, b"\x05") for i in range(70)]),
    client_hello(parameter(0x20, b"")),
    client_hello(quic.varint(5) + b"\x3f"),
    client_hello(b"none"),
    client_hello(b"none", extensions=tls.extension(0xFFA5, b"\0\6\0\1\0\2\x40\x64")),
    client_hello(extensions=tls.extension(0xFE0D, b"\0\0\1\0\1\x2a\0\4abcd\0\x05hello")),
    client_hello(extensions=b"\xff\xff"),
    client_hello(name=b"not a name\x1b[31m"),
    tls.message(5, bytes(40)),
)
ANSWERS = (
    talk.server_13(),
    talk.server_13(),
    tls.message(2, b"\3\3" + bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
                + tls.server_hello(tls.extension(43, b"\3\4"), cipher=0x1301)[34:]),
    talk.server_12(),
    tls.message(4, bytes(30)),
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """How one connection is cut into datagrams."""

    seed: int
    hello: int
    answer: int
    pieces: int
    datagrams: int
    version: int
    odd: str


ODDITIES = (
    "", "", "", "", "early", "handshake behind", "token", "twice", "conflict", "stun between", "stun after", "retry",
    "negotiation", "wrong tag", "short between", "cut", "fixed bit", "other version", "no answer", "server first",
    "more behind", "two in one", "acks", "close", "dns port", "old version", "answer twice", "garbage behind",
)  # fmt: skip


def shapes() -> st.SearchStrategy[Shape]:
    return st.builds(
        Shape, st.integers(0, 1 << 30), st.sampled_from([0] * 8 + list(range(len(HELLOS)))),
        st.sampled_from([0, *range(len(ANSWERS))]), st.integers(1, 5), st.integers(1, 3),
        st.sampled_from([quic.V1, quic.V2]), st.sampled_from(ODDITIES),
    )  # fmt: skip


def crypto_frames(message: bytes, count: int, chance: Random) -> list[bytes]:
    """CRYPTO frames that hold the message, out of order, with PADDING and PING between."""
    cuts = sorted(chance.randrange(1, len(message)) for _ in range(count - 1))
    edges = [0, *cuts, len(message)]
    found = [quic.crypto(a, message[a:b]) for a, b in pairwise(edges)]
    chance.shuffle(found)
    return [chance.choice((b"", b"\0\0", b"\1")) + one for one in found]


STUN = b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)
ACK = b"\2" + bytes.fromhex("05100102") + b"\0" * 2


def conversation(shape: Shape, number: int) -> list[Frame]:
    """The datagrams of one connection."""
    chance = Random(shape.seed)
    odd, version = shape.odd, shape.version
    dcid = chance.randbytes(8)
    port = 53 if odd == "dns port" else 443
    line = Connection("10.0.0.2", f"192.0.2.{1 + number % 200}", 20000 + number, port, ts=START + number * MS)
    keys: dict[str, Any] = {"key_dcid": dcid, "version": version}
    frames = crypto_frames(HELLOS[shape.hello], shape.pieces, chance)
    if odd == "conflict":
        frames.append(quic.crypto(10, b"\xee" * 4))
    if odd == "acks":
        frames.insert(0, ACK)
    if odd == "close":
        frames.append(b"\x1c\0\0\0")
    if odd == "more behind":
        frames.append(quic.crypto(len(HELLOS[shape.hello]), b"\1\0"))
    parts = [b"".join(frames[i :: shape.datagrams]) for i in range(shape.datagrams)]
    token = b"t" * 20 if odd == "token" else b""
    up = [
        quic.initial(part, number=i, scid=SCID, token=token, pad_to=1200, fixed=odd != "fixed bit", **keys)
        for i, part in enumerate(parts)
    ]
    answer = ANSWERS[shape.answer]
    down = quic.initial(
        ACK + quic.crypto(0, answer), side="server", dcid=SCID, scid=SERVER_SCID, pad_to=200, **keys
    ) + quic.opaque(2, version=version, dcid=SCID, scid=SERVER_SCID)  # fmt: skip
    said = [(True, one) for one in up]
    if odd == "twice":
        said.append(said[-1])
    if odd == "early":
        said[-1] = (True, said[-1][1] + quic.opaque(1, version=version, dcid=dcid, scid=SCID))
    if odd == "handshake behind":
        said.append((True, quic.opaque(2, version=version)))
    if odd == "wrong tag":
        said[0] = (True, said[0][1][:-1] + b"\0")
    if odd == "cut":
        said[0] = (True, said[0][1][:-9])
    if odd == "two in one":
        said[0] = (True, said[0][1] + quic.initial(b"\1", number=9, scid=SCID, pad_to=80, **keys))
    if odd == "garbage behind":
        said[0] = (True, said[0][1] + b"\xc0\0\0\0\1\xff")
    if odd == "stun between":
        said.append((chance.random() < 0.5, STUN))
    if odd == "short between":
        said.append((True, b"\x40" + bytes(50)))
    if odd == "retry":
        key, nonce = "be0c690b9f66575a1d766b54e368c84e", "461599d35d632bf2239825bb"
        said.append(
            (False, quic.retry(b"tok", dcid=SCID, scid=b"r" * 8, original=dcid, key=key, nonce=nonce))
        )
    if odd == "negotiation":
        said.append((False, quic.negotiation([quic.V2, 0x1A2A3A4A], dcid=SCID, scid=dcid)))
    if odd == "other version":
        said.append(
            (True, quic.initial(b"\1" * 20, number=3, key_dcid=dcid, version=quic.V2 ^ quic.V1 ^ version))
        )
    if odd == "old version":
        said = [
            (True, quic.initial(part, key_dcid=dcid, version=quic.DRAFT_29, pad_to=1200)) for part in parts
        ]
    if odd == "server first":
        said.insert(0, (False, down))
    elif odd != "no answer":
        said.append((False, down))
    if odd == "answer twice":
        said.append((False, down))
    said += [(False, quic.opaque(2, version=version)), (True, up[-1]), (True, b"\x40" + bytes(60))]
    if odd == "stun after":
        said.append((True, STUN))
    return talk.datagrams(line, *said)


def contents(frames: list[Frame], folder: Path) -> Contents:
    out = folder / "out"
    out.mkdir(parents=True)
    decode(write_capture(folder / "a.pcap", sorted(frames, key=lambda frame: frame.ts)), out)
    return {name: sorted(map(repr, pq.read_table(out / f"{name}.parquet").to_pylist())) for name in TABLES}


class _Both:
    """The same frames with and without the kernels; counts the flows that parsers read with them."""

    def __init__(self, frames: list[Frame]) -> None:
        with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
            opened: list[int] = []
            before: Callable[..., Any] = Conversations._open

            def counted(self: Conversations, slot: int, flow_no: int) -> Any:
                opened.append(flow_no)
                return before(self, slot, flow_no)

            patch.setattr(Conversations, "_open", counted)
            self.read = contents(frames, Path(name) / "kernels")
            self.spoken = len(set(opened))
            patch.setattr(InitialBook, "read", lambda self, *arguments: None)
            self.parsed = contents(frames, Path(name) / "parsers")
            self.spoken_without = len(set(opened)) - self.spoken


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(shapes(), min_size=1, max_size=40))
def test_kernels_and_parsers_say_the_same(talks: list[Shape]) -> None:
    both = _Both([frame for number, one in enumerate(talks) for frame in conversation(one, number)])
    for name in TABLES:
        assert both.read[name] == both.parsed[name], name


@pytest.mark.parametrize("odd", sorted(set(ODDITIES)))
def test_each_oddity_in_each_version(odd: str) -> None:
    talks = [Shape(7, 0, 0, pieces, count, version, odd)
             for version in (quic.V1, quic.V2) for pieces, count in ((1, 1), (4, 2))]  # fmt: skip
    both = _Both([frame for number, one in enumerate(talks) for frame in conversation(one, number)])
    assert both.read == both.parsed


def test_regular_handshakes_need_no_parser() -> None:
    regular = [Shape(seed, hello, 0, 1 + seed % 5, 1 + seed % 3, version, odd)
               for seed, odd in enumerate(("", "early", "token", "twice", "acks", "answer twice"))
               for hello in (0, 1, 2, 4, 14) for version in (quic.V1, quic.V2)]  # fmt: skip
    both = _Both([frame for number, one in enumerate(regular) for frame in conversation(one, number)])
    assert both.spoken == 0
    assert both.spoken_without == len(regular) == len(both.read["quic_handshakes"])
    assert both.read == both.parsed


@given(st.binary(max_size=1400), st.integers(0xC0, 0xFF), st.sampled_from([quic.V1, quic.V2]))
def test_no_pattern_of_a_messenger_fits_the_first_initial(data: bytes, first: int, version: int) -> None:
    """The kernels keep no payload of a QUIC flow for the patterns: none can fit the one that is seen."""
    datagram = bytes([first]) + version.to_bytes(4, "big") + data
    for up in (True, False):
        assert messenger_signatures([FirstPayload(up, len(datagram), datagram)], "udp") == frozenset()
