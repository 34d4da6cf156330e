"""The shape of a hello: what it stands for is what the parser says of the hello itself, or it is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import tls_bytes as tls

from wirecover.capture.flows.handshake import ClientFacts, ServerFacts
from wirecover.capture.flows.hellos import SHAPE_BYTES, hash_shape, shape_client_hello, shape_server_hello
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.tls import parse_client_hello, parse_server_hello

GREASE = [0x0A0A | step << 12 | step << 4 for step in range(16)]


def client_shape(body: bytes) -> tuple[bytes, str | None] | None:
    """The shape and the server name that the kernel sees; None: refused."""
    shape, found = np.zeros(SHAPE_BYTES, np.uint8), np.zeros(2, np.int64)
    buffer = np.frombuffer(bytearray(b"\xee" * 7 + body + b"\xee" * 300), np.uint8)
    size = shape_client_hello(buffer, 7, 7 + len(body), shape, found)
    if size < 0:
        return None
    name = bytes(buffer[found[0] : found[0] + found[1]]).decode("ascii") if found[1] else None
    return bytes(shape[:size]), name


def server_shape(body: bytes) -> bytes | None:
    shape = np.zeros(SHAPE_BYTES, np.uint8)
    buffer = np.frombuffer(bytearray(body + b"\xee" * 300), np.uint8)
    size = shape_server_hello(buffer, 0, len(body), shape)
    return None if size < 0 else bytes(shape[:size])


def client_facts(body: bytes) -> ClientFacts:
    return ClientFacts.of(parse_client_hello(body), "tcp")


def server_facts(body: bytes) -> dict[str, Any]:
    facts = ServerFacts.of(parse_server_hello(body))
    return {name: getattr(facts, name) for name in ServerFacts.__slots__ if name != "hello"}


# --- hellos of every kind ---------------------------------------------------------------------------

numbers = st.one_of(
    st.sampled_from([*GREASE, 0x1301, 0x1302, 0xC02F, 29, 23, 0x0304, 0x0303]), st.integers(0, 0xFFFF)
)
names = st.text("abcXYZ019.-_", min_size=0, max_size=40).map(lambda text: text.encode())
wild = st.binary(max_size=24)


@st.composite
def extensions(draw: st.DrawFn) -> bytes:
    few = st.lists(numbers, max_size=6)
    match draw(st.integers(0, 13)):
        case 0 | 1:
            return tls.server_name(draw(st.one_of(names, wild)))
        case 2:
            return tls.alpn(
                *draw(st.lists(st.one_of(st.sampled_from([b"h2", b"http/1.1", b"x"]), wild), max_size=3))
            )
        case 3:
            return tls.supported_versions(*draw(few))
        case 4:
            return tls.groups(*draw(few))
        case 5:
            return tls.signature_algorithms(*draw(few))
        case 6:
            return tls.extension(11, tls.vector(draw(st.binary(max_size=4)), 1))
        case 7:
            shares = [number.to_bytes(2, "big") + tls.vector(draw(wild)) for number in draw(few)]
            return tls.extension(51, tls.vector(b"".join(shares)))
        case 8:
            key, sealed = draw(wild), draw(wild)
            return tls.extension(0xFE0D, b"\0\0\1\0\1\7" + tls.vector(key) + tls.vector(sealed))
        case 9:
            return tls.extension(0xFE0D, draw(wild))
        case 10:
            return tls.extension(draw(st.sampled_from(GREASE)), draw(wild))
        case 11:
            return tls.extension(
                draw(st.sampled_from([5, 17, 18, 21, 23, 27, 35, 41, 42, 44, 45, 0xFF01, 17513])), draw(wild)
            )
        case 12:
            return tls.extension(draw(st.sampled_from([0, 10, 11, 13, 16, 43, 51])), draw(wild))
        case _:
            return tls.extension(draw(st.integers(0, 0xFFFF)), draw(wild))


@st.composite
def client_hellos(draw: st.DrawFn) -> bytes:
    body = tls.client_hello(
        draw(st.one_of(st.none(), st.lists(extensions(), max_size=9).map(b"".join))),
        ciphers=draw(st.lists(numbers, max_size=9)),
        version=draw(
            st.sampled_from([0x0303, 0x0303, 0x0301, 0x0300, 0x0304, 0x0A0A, 0x1A1A, 0x0103, 0xFEFD])
        ),
        session_id=draw(st.binary(max_size=40)),
    )
    return bytes(broken(draw, body))


def broken(draw: st.DrawFn, body: bytes) -> bytearray:
    """Sometimes cut, lengthened or changed in a few bytes."""
    data = bytearray(body)
    for at, value in draw(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=2)):
        if draw(st.booleans()):
            data[at % len(data)] = value
    cut = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 5]))
    return data[: len(data) - cut] + bytearray(draw(st.sampled_from([0, 0, 0, 1])))


def check_client(body: bytes, seen: dict[bytes, tuple[ClientFacts, bytes]]) -> None:
    shaped = client_shape(body)
    try:
        facts = client_facts(body)
    except Malformed:
        assert shaped is None, "the parser refuses what has a shape"
        return
    if facts.problems:
        assert shaped is None, facts.problems
    if shaped is None:
        return
    shape, name = shaped
    assert name == parse_client_hello(body).sni
    first, other = seen.setdefault(shape, (facts, body))
    assert facts == first, f"one shape, two facts: {other.hex()} and {body.hex()}"


@settings(max_examples=150, deadline=None)
@given(st.lists(client_hellos(), min_size=1, max_size=8))
def test_a_shape_stands_for_what_the_parser_says(bodies: list[bytes]) -> None:
    seen: dict[bytes, tuple[ClientFacts, bytes]] = {}
    for body in bodies:
        check_client(body, seen)
        # what may differ within a shape: the random, the session id, the bytes of keys; GREASE for GREASE
        check_client(body[:2] + bytes(32) + body[34:], seen)


@pytest.mark.parametrize("version", [0x0A0A, 0x1A1A, 0x0103, 0x0504, 0xFEFD, 0x7F17])
def test_a_version_that_the_parser_refuses_has_no_shape(version: int) -> None:
    """decode() asks the parser for each new shape and counts on an answer."""
    body = tls.client_hello(tls.server_name(b"a.example"), version=version)
    with pytest.raises(Malformed):
        parse_client_hello(body)
    assert client_shape(body) is None


def chrome(grease: int, name: bytes, random: bytes, alpn: tuple[bytes, ...] = (b"h2", b"http/1.1")) -> bytes:
    body = tls.client_hello(
        tls.extension(grease)
        + tls.server_name(name)
        + tls.groups(grease, 29, 23)
        + tls.alpn(*alpn)
        + tls.signature_algorithms(0x0403, 0x0804)
        + tls.supported_versions(grease, 0x0304, 0x0303)
        + tls.extension(
            51, tls.vector(grease.to_bytes(2, "big") + b"\0\1\0" + b"\0\x1d" + tls.vector(random))
        )
        + tls.extension(0xFE0D, b"\0\0\1\0\1" + random[:1] + tls.vector(random) + tls.vector(random * 4))
        + tls.extension(21, bytes(16)),
        ciphers=(grease, 0x1301, 0x1302),
        session_id=random,
    )
    return body[:2] + random + body[34:]


def test_hellos_of_one_browser_share_a_shape() -> None:
    shapes = {
        client_shape(chrome(GREASE[step], b"host%d.example" % step, bytes([step]) * 32))[0]  # type: ignore[index]
        for step in range(16)
    }
    assert len(shapes) == 1


def test_other_protocols_are_another_shape() -> None:
    shapes = [
        client_shape(chrome(GREASE[0], b"a.example", bytes(32), alpn))
        for alpn in ((b"h2",), (b"h3",), (b"h", b"2"))
    ]
    assert len({shape[0] for shape in shapes if shape}) == 3


@pytest.mark.parametrize(
    "name", [b"", b"caf\xc3\xa9.example", b"a b.example", b"a\\b.example", b"\0", b"*.example", b"x" * 256]
)
def test_a_name_that_is_not_plain_is_left_to_the_parser(name: bytes) -> None:
    assert client_shape(tls.client_hello(tls.server_name(name))) is None


def test_a_length_is_never_taken_for_grease() -> None:
    """A length in the shape must be the length: 0x0A0A and 0x1A1A bytes are not the same."""
    shapes = []
    for length in (0x0A0A, 0x1A1A):
        body = tls.client_hello(tls.extension(0x4242), ciphers=[0x1301] * (length // 2))
        found = client_shape(body)
        if found is not None:
            shapes.append(found[0][2:4])
    assert len(set(shapes)) == len(shapes)


def test_no_bytes_outside_the_shape_are_written() -> None:
    """The greatest hello the kernel takes: every list as long as it can be."""
    for filler in (
        tls.groups(*[29] * 3500),
        tls.alpn(*[b"x" * 255] * 27),
        b"".join(tls.extension(0x4242 + i % 50) for i in range(1900)),
        tls.extension(51, tls.vector(b"\0\x1d\0\0" * 1800)),
        tls.extension(11, tls.vector(b"\0" * 255, 1)),
    ):
        shape, found = np.zeros(SHAPE_BYTES + 4096, np.uint8), np.zeros(2, np.int64)
        body = tls.client_hello(filler)
        shape_client_hello(np.frombuffer(bytearray(body), np.uint8), 0, len(body), shape, found)
        assert not shape[SHAPE_BYTES:].any()


# --- servers ----------------------------------------------------------------------------------------


@st.composite
def server_hellos(draw: st.DrawFn) -> bytes:
    choices = [
        tls.extension(43, draw(st.sampled_from([b"\3\4", b"\3\4", b"\3\4", b"\3\3", b"\x7f\x1c", b"\3"]))),
        tls.extension(51, b"\0\x1d" + tls.vector(draw(wild))),
        tls.extension(41, draw(st.sampled_from([b"\0\0", b"\0\1", b""]))),
        tls.extension(16, tls.vector(tls.vector(b"h2", 1))),
        tls.extension(draw(st.integers(0, 0xFFFF)), draw(wild)),
    ]
    parts = draw(st.lists(st.sampled_from(choices), max_size=5))
    random = draw(
        st.sampled_from(
            [
                tls.RANDOM,
                bytes(32),
                bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"),
            ]
        )
    )
    body = tls.server_hello(
        b"".join(parts),
        cipher=draw(numbers),
        version=draw(st.sampled_from([0x0303, 0x0303, 0x0301, 0x7F17, 0x0A0A, 0x0203])),
        session_id=draw(st.binary(max_size=40)),
        random=random,
    )
    return bytes(broken(draw, body))


@settings(max_examples=120, deadline=None)
@given(st.lists(server_hellos(), min_size=1, max_size=10))
@example(
    [
        tls.server_hello(
            tls.extension(43, b"\3\4") + tls.extension(51, b"\0\x1d" + tls.vector(bytes(32))), cipher=0x1301
        )
    ]
)
def test_a_servers_shape_stands_for_what_the_parser_says(bodies: list[bytes]) -> None:
    seen: dict[bytes, dict[str, Any]] = {}
    for body in bodies:
        shape = server_shape(body)
        try:
            facts = server_facts(body)
        except Malformed:
            assert shape is None, "the parser refuses what has a shape"
            continue
        if parse_server_hello(body).problems:
            assert shape is None, parse_server_hello(body).problems
        if shape is not None:
            assert parse_server_hello(body).version == 0x0304
            assert not facts["is_hello_retry"]
            assert seen.setdefault(shape, facts) == facts


@pytest.mark.parametrize("version", [0x0A0A, 0x0203, 0x7F17, 0x0000])
def test_a_servers_version_that_the_parser_refuses_has_no_shape(version: int) -> None:
    parts = tls.extension(43, b"\3\4") + tls.extension(51, b"\0\x1d" + tls.vector(bytes(32)))
    body = tls.server_hello(parts, cipher=0x1301, version=version)
    with pytest.raises(Malformed):
        parse_server_hello(body)
    assert server_shape(body) is None


@pytest.mark.parametrize("number", [0xFE0D, 51, 41])
def test_an_extension_sent_twice_has_no_shape(number: int) -> None:
    sealed = b"\0\0\1\0\1\7" + tls.vector(b"k") + tls.vector(b"sealed")
    share = b"\0\x1d" + tls.vector(bytes(32))
    one = tls.extension(number, {0xFE0D: sealed, 51: share, 41: b"\0\0"}[number])
    if number == 0xFE0D:
        assert client_shape(tls.client_hello(one + one)) is None
    else:
        assert server_shape(tls.server_hello(tls.extension(43, b"\3\4") + one + one, cipher=0x1301)) is None


def test_the_usual_server_has_a_shape() -> None:
    shares = [tls.extension(51, b"\0\x1d" + tls.vector(bytes([i]) * 32)) for i in range(3)]
    shapes = {
        server_shape(
            tls.server_hello(tls.extension(43, b"\3\4") + share, cipher=0x1301, session_id=bytes(32))
        )
        for share in shares
    }
    assert len(shapes) == 1
    assert None not in shapes


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=64), st.binary(min_size=1, max_size=64), st.integers(0, 2**56 - 1))
def test_other_shapes_have_other_hashes(one: bytes, other: bytes, seed: int) -> None:
    hashes = [
        tuple(
            int(hash_shape(np.frombuffer(bytearray(shape), np.uint8), len(shape), seed, half))
            for half in (0, 1)
        )
        for shape in (one, other)
    ]
    assert (hashes[0] == hashes[1]) == (one == other)
