"""The handshake reader: any slicing of the stream, both ends of every version, and what must stop it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import rfc8448, tls_bytes
from support.tls_bytes import client_hello, extension, message, record, server_hello, vector

from wirecover.capture.protocols.tls import HandshakeMessage, HandshakeReader, find_hello, parse_client_hello
from wirecover.capture.protocols.tls_reader import LIMIT

CCS = record(20, b"\x01")
CERTIFICATES = message(11, vector(vector(b"c" * 700, 3) + vector(b"i" * 900, 3), 3))
TLS12_SERVER = message(2, server_hello()) + CERTIFICATES + message(12, b"kex") + message(14)
ENCRYPTED_FINISHED = record(22, bytes(range(100, 140)))


def read(stream: bytes, sizes: list[int] | None = None) -> tuple[HandshakeReader, list[HandshakeMessage]]:
    """Feed a stream in pieces of these sizes (then the rest)."""
    reader = HandshakeReader()
    messages: list[HandshakeMessage] = []
    position = 0
    for size in sizes or []:
        messages += reader.feed(stream[position : position + size])
        position += size
    messages += reader.feed(stream[position:])
    return reader, messages


def types(messages: list[HandshakeMessage]) -> list[int]:
    return [found.type for found in messages]


def test_several_messages_in_one_record() -> None:
    stream = record(22, TLS12_SERVER)
    reader, messages = read(stream)
    assert types(messages) == [2, 11, 12, 14]
    assert {found.offset for found in messages} == {0}
    assert messages[0].end == 5 + len(message(2, server_hello()))
    assert messages[-1].end == len(stream)
    assert not reader.done
    assert reader.problem is None


def test_one_message_over_many_records() -> None:
    fragments = [TLS12_SERVER[at : at + 50] for at in range(0, len(TLS12_SERVER), 50)]
    stream = b"".join(record(22, fragment) for fragment in fragments)
    _, messages = read(stream)
    assert types(messages) == [2, 11, 12, 14]
    assert messages[1].body == CERTIFICATES[4:]
    # The certificate ends at byte 1690 of the handshake: in record 33, which begins at 33 * 55.
    last = len(message(2, server_hello())) + len(CERTIFICATES)
    assert messages[1].offset == (last - 1) // 50 * 55
    assert messages[1].end == (last - 1) // 50 * 55 + 5 + (last - 1) % 50 + 1


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 64, 1000])
def test_the_answer_does_not_depend_on_how_the_stream_is_cut(size: int) -> None:
    stream = record(22, TLS12_SERVER[:90]) + record(22, TLS12_SERVER[90:]) + CCS + ENCRYPTED_FINISHED
    whole = read(stream)
    sliced = read(stream, [size] * (len(stream) // size))
    assert sliced[1] == whole[1]
    assert sliced[0].done is whole[0].done is True
    assert sliced[0].problem is whole[0].problem is None


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    data=st.binary(max_size=300),
    sizes=st.lists(st.integers(0, 40), max_size=20),
    start=st.sampled_from([0, 1, 2, 3]),
)
def test_random_streams_raise_nothing_and_slicing_changes_nothing(
    data: bytes, sizes: list[int], start: int
) -> None:
    begin = [b"", b"\x16\x03\x01", record(22, rfc8448.CLIENT_HELLO), b"\x80\x2e\x01\x03\x01"][start]
    stream = begin + data
    whole, sliced = read(stream), read(stream, sizes)
    assert whole[1] == sliced[1]
    assert str(whole[0].problem) == str(sliced[0].problem)
    assert whole[0].done == sliced[0].done


def test_tls_1_2_ends_at_change_cipher_spec() -> None:
    reader, messages = read(
        record(22, message(1, client_hello())) + record(22, message(16, b"k")) + CCS + ENCRYPTED_FINISHED
    )
    assert types(messages) == [1, 16]
    assert reader.done
    assert reader.problem is None
    assert reader.change_cipher_spec
    assert reader.feed(record(22, message(1, client_hello()))) == []


def test_abbreviated_handshake_of_tls_1_2() -> None:
    full, _ = read(record(22, TLS12_SERVER + message(4, b"ticket")) + CCS)
    short, _ = read(record(22, message(2, server_hello())) + CCS)
    running, _ = read(record(22, message(2, server_hello())))
    assert (full.abbreviated, short.abbreviated, running.abbreviated) == (False, True, None)


def test_an_encrypted_finished_behind_the_hello_is_not_read() -> None:
    # TLS 1.2 resumption: ClientHello, ChangeCipherSpec, and a Finished encrypted in a handshake record.
    for seed in range(50):
        encrypted = bytes([1]) + random.Random(seed).randbytes(39)
        reader, messages = read(record(22, message(1, client_hello())) + CCS + record(22, encrypted))
        assert types(messages) == [1]
        assert reader.done
        assert reader.problem is None


def test_tls_1_3_ends_behind_the_server_hello() -> None:
    reader, messages = read(record(22, rfc8448.SERVER_HELLO) + CCS + record(23, b"e" * 700))
    assert types(messages) == [2]
    assert reader.done
    assert reader.problem is None


def test_hello_retry_both_sides() -> None:
    server = (
        record(22, rfc8448.HELLO_RETRY_REQUEST)
        + CCS
        + record(22, rfc8448.SERVER_HELLO)
        + record(23, b"e" * 80)
    )
    reader, messages = read(server)
    assert types(messages) == [2, 2]
    assert reader.done
    client = record(22, rfc8448.CLIENT_HELLO) + CCS + record(22, rfc8448.CLIENT_HELLO) + record(23, b"e" * 53)
    reader, messages = read(client)
    assert types(messages) == [1, 1]
    assert reader.done
    assert reader.problem is None


def test_hello_retry_of_early_drafts_is_a_type_of_its_own() -> None:
    reader, messages = read(record(22, message(6, b"\x7f\x12") + rfc8448.SERVER_HELLO))
    assert types(messages) == [6, 2]
    assert reader.done


def test_application_data_ends_and_a_half_message_is_a_problem() -> None:
    reader, messages = read(record(22, message(1, client_hello())) + record(23, b"0-rtt"))
    assert (types(messages), reader.done, reader.problem) == ([1], True, None)
    half = record(22, message(1, client_hello())[:-3])
    reader, messages = read(half + record(23, b"x"))
    assert messages == []
    assert reader.problem is not None
    assert reader.problem.offset == len(half)


def test_alerts() -> None:
    reader, messages = read(
        record(21, b"\x01\x70") + record(22, message(2, server_hello())) + record(21, b"\x02\x28")
    )
    assert types(messages) == [2]
    assert reader.alerts == [(1, 112), (2, 40)]
    assert reader.done
    flood = HandshakeReader()
    flood.feed(record(21, b"\x01\x70") * 1000)
    assert flood.done
    assert len(flood.alerts) < 20


def test_an_encrypted_alert_ends_and_is_not_shown() -> None:
    reader, _ = read(record(21, b"e" * 26))
    assert (reader.done, reader.alerts, reader.problem) == (True, [], None)


def test_heartbeats_are_passed_over() -> None:
    reader, messages = read(record(24, b"beat") + record(22, message(2, server_hello())))
    assert types(messages) == [2]
    assert not reader.done


def test_a_broken_server_hello_does_not_break_the_framing() -> None:
    reader, messages = read(record(22, message(2, b"nonsense") + message(14)))
    assert types(messages) == [2, 14]
    assert reader.problem is None


def test_nothing_is_read_behind_finished() -> None:
    reader, messages = read(
        record(22, message(1, client_hello()) + rfc8448.CLIENT_FINISHED + message(16, b"k"))
    )
    assert types(messages) == [1, 20]
    assert reader.done


def test_ssl_2_hello_then_tls() -> None:
    hello = b"\x01\x03\x01\x00\x03\x00\x00\x00\x10" + b"\x00\x00\x05" + b"c" * 16
    stream = b"\x80" + bytes([len(hello)]) + hello + record(22, message(16, b"key"), 0x0301)
    for size in (1, 7, 500):
        reader, messages = read(stream, [size] * (len(stream) // size))
        assert types(messages) == [1, 16]
        assert parse_client_hello(messages[0].body).legacy_version == 0x0301
        assert messages[0].end == 2 + len(hello)
        assert messages[1].offset == 2 + len(hello)
        assert not reader.done


def test_ssl_2_itself_is_over_after_its_hello() -> None:
    hello = b"\x01\x00\x02\x00\x03\x00\x00\x00\x10" + b"\x01\x00\x80" + b"c" * 16
    reader, messages = read(b"\x80" + bytes([len(hello)]) + hello + b"\x80\x40anything")
    assert types(messages) == [1]
    assert reader.done
    assert reader.problem is None
    server, messages = read(b"\x84\x00\x04\x00\x01\x00\x02" + b"s" * 20)
    assert (server.done, messages) == (True, [])


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x02\x00\x00\x01x",
        b"\x16\x03\x03\x48\x01",
        b"\x80\x2e\x09\x03\x01xxxx",
        b"SSH-2",
    ],
)
def test_other_protocols_break_it_at_once(stream: bytes) -> None:
    reader, messages = read(stream)
    assert messages == []
    assert reader.done
    assert reader.problem is not None
    assert reader.problem.offset == 0


def test_broken_framing_is_never_searched_for_a_new_beginning() -> None:
    good = record(22, message(1, client_hello()))
    reader, messages = read(good + b"junk!" + good)
    assert types(messages) == [1]
    assert reader.problem is not None
    assert reader.problem.offset == len(good)


def test_memory_is_bounded() -> None:
    reader = HandshakeReader()
    piece = record(22, message(0) * 4000)
    fed = 0
    while not reader.done and fed < 4 * LIMIT:
        reader.feed(piece)
        fed += len(piece)
    assert reader.done
    assert reader.problem is not None
    assert fed < 2 * LIMIT
    long = HandshakeReader()
    long.feed(record(22, b"\x0b\xff\xff\xff"))
    assert long.problem is not None
    assert len(long.unfinished) == 0


@pytest.mark.parametrize(
    "piece", [record(22, b""), CCS, record(24, b""), record(22, message(1, client_hello()))]
)
def test_a_flood_of_any_record_ends(piece: bytes) -> None:
    reader = HandshakeReader()
    reader.feed(record(22, message(1, client_hello())) + CCS)
    reader.feed(piece * (LIMIT // len(piece) + 1))
    assert reader.done


def test_a_cut_hello_is_at_hand() -> None:
    stream = record(
        22, message(1, client_hello(tls_bytes.server_name(b"cut.example") + extension(21, b"\0" * 300)))
    )
    reader = HandshakeReader()
    assert reader.feed(stream[:200]) == []
    assert reader.unfinished == stream[5:200]
    split = record(22, stream[5:105]) + record(22, stream[105:])
    reader = HandshakeReader()
    assert reader.feed(split[:220]) == []
    assert reader.unfinished == stream[5 : 5 + 220 - 10]


def test_tls_inside_another_stream() -> None:
    before = b"220 mail\r\n\x16\x03STARTTLS\r\n"
    hello = record(22, message(1, client_hello(tls_bytes.server_name(b"mail.example"))), 0x0301)
    stream = before + hello
    start = find_hello(stream)
    assert start == len(before)
    reader = HandshakeReader(start=start)
    (found,) = reader.feed(stream[start:])
    assert (found.offset, found.end) == (len(before), len(stream))
    assert parse_client_hello(found.body).sni == "mail.example"
    assert find_hello(stream, kind=2) is None
    server = b"AUTH TLS ok\r\n" + record(22, TLS12_SERVER)
    assert find_hello(server, kind=2) == 13
    assert find_hello(hello[:43]) is None
    assert find_hello(random.Random(7).randbytes(200_000)) is None


def test_a_problem_behind_a_start_counts_from_the_stream() -> None:
    reader = HandshakeReader(start=100)
    reader.feed(b"\x80\x2e\x09\x03\x01xxxx")
    assert reader.problem is not None
    assert reader.problem.offset == 100
