"""InitialReader: RFC vectors, reassembly, key changes, limits, and what it must refuse."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.quic_packets import (
    DCID,
    DRAFT_29,
    SALTS,
    V1,
    V2,
    crypto,
    initial,
    message,
    negotiation,
    opaque,
    retry,
    varint,
    vector_bytes,
)
from support.tls_bytes import client_hello, server_name

from wirecover.capture.protocols import tls
from wirecover.capture.protocols.quic import (
    MAX_COALESCED,
    MAX_DATAGRAMS,
    InitialReader,
    QuicHello,
    parse_google_hello,
    version_name,
)

V1_RETRY_KEY = {"key": "be0c690b9f66575a1d766b54e368c84e", "nonce": "461599d35d632bf2239825bb"}
CLIENT_BODY = client_hello(server_name(b"chat.example.org"))
CLIENT = message(1, CLIENT_BODY)
SERVER_BODY = b"\x03\x03" + bytes(32) + b"\x00\x13\x01\x00\x00\x00"
SERVER = message(2, SERVER_BODY)
RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
CLIENT_SCID = b"\xc1\xc1\xc1"
SERVER_SCID = b"\x5e\x5e\x5e\x5e"


def from_client(data: bytes, offset: int = 0, **options: object) -> bytes:
    return initial(crypto(offset, data), scid=CLIENT_SCID, pad_to=1200, **options)  # type: ignore[arg-type]


def from_server(data: bytes = SERVER, **options: object) -> bytes:
    options = {"dcid": CLIENT_SCID, "scid": SERVER_SCID, **options}
    return initial(b"\x02\x00\x00\x00\x00" + crypto(0, data), side="server", **options)  # type: ignore[arg-type]


def kinds(hellos: list[QuicHello]) -> list[str]:
    return [hello.kind for hello in hellos]


@pytest.mark.parametrize(("rfc", "version"), [("rfc9001", V1), ("rfc9369", V2)])
@pytest.mark.parametrize("direction_known", [True, False])
def test_rfc_vectors(rfc: str, version: int, direction_known: bool) -> None:
    reader = InitialReader()
    client = reader.feed(vector_bytes(f"{rfc}_a2_client_initial"), True if direction_known else None)
    assert reader.sender == "client"
    assert not reader.done
    server = reader.feed(vector_bytes(f"{rfc}_a3_server_initial"), False if direction_known else None)
    assert reader.sender == "server"
    assert kinds(client + server) == ["client", "server"]
    assert tls.parse_client_hello(client[0].body).sni == "example.com"
    assert tls.parse_server_hello(server[0].body).cipher == 0x1301
    assert (client[0].version, server[0].version, reader.version) == (version, version, version)
    assert (reader.original_dcid, reader.client_scid) == (DCID, b"")
    assert reader.server_scid == bytes.fromhex("f067a5502a4262b5")
    assert reader.done
    assert not reader.problems
    assert not reader.contradicted


def test_a_flipped_bit_anywhere_is_refused() -> None:
    whole = vector_bytes("rfc9001_a2_client_initial")
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 0x04
        reader = InitialReader()
        assert reader.feed(bytes(damaged), True) == [], position


@pytest.mark.parametrize("version", sorted(SALTS))
def test_versions_open_with_their_own_salt_only(version: int) -> None:
    name = version_name(version)
    if name == "Q050":
        return  # its handshake is another: test_gquic.py
    assert kinds(InitialReader().feed(from_client(CLIENT, version=version))) == ["client"]
    wrong = next(salt for other, salt in SALTS.items() if other != version)
    reader = InitialReader()
    assert reader.feed(from_client(CLIENT, version=version, salt=wrong), True) == []
    assert "authenticate" in reader.problems[0].reason


def test_hello_over_shuffled_frames_and_datagrams_with_padding_between() -> None:
    """As Chrome sends it: many small CRYPTO frames out of order, PING and PADDING between them."""
    whole = message(1, client_hello(server_name(b"chat.example.org") + b"\xaa\xaa\x06\x40" + bytes(1600)))
    cuts = [0, 1, 3, 4, 40, 41, 300, 700, 701, 1100, 1400, len(whole)]
    frames = [crypto(start, whole[start:stop]) for start, stop in itertools.pairwise(cuts)]
    shuffle = random.Random(9001)
    for _ in range(20):
        shuffle.shuffle(frames)
        packets = [
            initial(b"\x01\x00\x00".join(group), number=number, pad_to=1200)
            for number, group in enumerate((frames[0::2], frames[1::2]))
        ]
        reader = InitialReader()
        assert reader.feed(packets[0]) == []
        (hello,) = reader.feed(packets[1])
        assert hello.body == whole[4:]
        assert (hello.first_datagram, hello.datagram) == (1, 2)
        assert not reader.problems


def test_overlaps_and_duplicates_are_read_once() -> None:
    reader = InitialReader()
    first = from_client(CLIENT[:50])
    assert reader.feed(first) == []
    assert reader.feed(first) == []
    assert kinds(reader.feed(from_client(CLIENT[20:], 20, number=1))) == ["client"]
    assert reader.feed(from_client(CLIENT, number=2)) == []
    assert not reader.problems


def test_contradicting_overlap_keeps_the_first_and_says_so() -> None:
    reader = InitialReader()
    reader.feed(from_client(CLIENT[:60]))
    forged = bytes(byte ^ 1 for byte in CLIENT[:60])
    (hello,) = reader.feed(from_client(forged + CLIENT[60:], number=1))
    assert hello.body == CLIENT_BODY
    assert "different content" in reader.problems[0].reason


def test_coalesced_packets_in_one_datagram() -> None:
    client = initial(crypto(0, CLIENT), scid=CLIENT_SCID) + opaque(1, scid=CLIENT_SCID, size=900)
    reader = InitialReader()
    assert kinds(reader.feed(client)) == ["client"]
    assert reader.early_data
    datagram = from_server() + opaque(2, dcid=CLIENT_SCID) + b"\x40" + bytes(30)
    assert kinds(reader.feed(datagram)) == ["server"]
    assert not reader.problems


def test_packets_of_a_datagram_are_bounded() -> None:
    datagram = opaque(2) * (MAX_COALESCED - 1) + from_client(CLIENT)
    assert kinds(InitialReader().feed(datagram)) == ["client"]
    assert InitialReader().feed(opaque(2) + datagram) == []


def test_client_keeps_the_first_keys_when_it_takes_up_the_servers_id() -> None:
    reader = InitialReader()
    assert reader.feed(from_client(CLIENT[:30]), True) == []
    assert (
        reader.feed(initial(b"\x02\x00\x00\x00\x00", side="server", dcid=CLIENT_SCID, scid=SERVER_SCID)) == []
    )
    rest = from_client(CLIENT[30:], 30, dcid=SERVER_SCID, number=1)
    assert kinds(reader.feed(rest, True)) == ["client"]
    assert reader.original_dcid == DCID


def test_retry_moves_the_keys_to_the_id_the_server_chose() -> None:
    reader = InitialReader()
    assert kinds(reader.feed(from_client(CLIENT), True)) == ["client"]
    packet = retry(b"token!", dcid=CLIENT_SCID, scid=b"\x99\x98", original=DCID, **V1_RETRY_KEY)
    assert reader.feed(packet, False) == []
    assert (reader.retry_scid, reader.retry_holds) == (b"\x99\x98", True)
    again = from_client(CLIENT, key_dcid=b"\x99\x98", number=1, token=b"token!")
    assert reader.feed(again, True) == [], "the same hello is not delivered twice"
    assert reader.token_bytes == 6
    assert kinds(reader.feed(from_server(key_dcid=b"\x99\x98"), False)) == ["server"]
    assert reader.original_dcid == DCID
    assert not reader.problems


def test_forged_retry_is_marked() -> None:
    reader = InitialReader()
    reader.feed(from_client(CLIENT), True)
    reader.feed(retry(b"t", dcid=CLIENT_SCID, scid=b"\x99", original=b"12345678", **V1_RETRY_KEY), False)
    assert reader.retry_holds is False
    assert kinds(reader.feed(from_server(), False)) == ["server"], "the first keys still serve"


def test_retry_without_its_cause_cannot_be_checked() -> None:
    reader = InitialReader()
    reader.feed(vector_bytes("rfc9001_a4_retry"), False)
    assert reader.retry_holds is None
    assert reader.sender == "server"


def test_hello_retry_request_delivers_both_rounds() -> None:
    request_body = b"\x03\x03" + RETRY_REQUEST_RANDOM + b"\x00\x13\x01\x00\x00\x00"
    second = message(1, client_hello(server_name(b"chat.example.org"), session_id=b"2"))
    reader = InitialReader()
    hellos = reader.feed(from_client(CLIENT), True)
    hellos += reader.feed(from_server(message(2, request_body)), False)
    assert not reader.done
    hellos += reader.feed(from_client(second, len(CLIENT), dcid=SERVER_SCID, number=1), True)
    rest = initial(crypto(4 + len(request_body), SERVER), side="server", dcid=CLIENT_SCID, number=1)
    hellos += reader.feed(rest, False)
    assert [(hello.kind, hello.retry_request) for hello in hellos] == [
        ("client", False), ("server", True), ("client", False), ("server", False),
    ]  # fmt: skip
    assert reader.done


def test_version_negotiation_starts_over() -> None:
    reader = InitialReader()
    reader.feed(from_client(CLIENT, version=DRAFT_29), True)
    reader.feed(negotiation((V1, 0x1A2A3A4A), dcid=CLIENT_SCID, scid=DCID), False)
    assert reader.offered_versions == (V1, 0x1A2A3A4A)
    other = message(1, client_hello(server_name(b"other.example.org")))
    (hello,) = reader.feed(from_client(other), True)
    assert hello.replaces
    assert hello.version == V1
    assert tls.parse_client_hello(hello.body).sni == "other.example.org"
    assert kinds(reader.feed(from_server(), False)) == ["server"]
    assert not reader.problems


@pytest.mark.parametrize(
    "packet",
    [
        negotiation((V1,), dcid=CLIENT_SCID, scid=DCID),  # lists the version in use (RFC 9000 6.2)
        negotiation((V2,), dcid=CLIENT_SCID, scid=b"not DCID"),  # does not echo the client's ids
    ],
)
def test_negotiation_a_client_must_ignore_changes_nothing(packet: bytes) -> None:
    reader = InitialReader()
    reader.feed(from_client(CLIENT[:40]), True)
    reader.feed(packet, False)
    assert kinds(reader.feed(from_client(CLIENT[40:], 40, number=1), True)) == ["client"]


def test_reserved_version_is_opened_with_the_keys_of_a_real_one() -> None:
    """A client that forces version negotiation, whose answer was not captured."""
    reader = InitialReader()
    (forced,) = reader.feed(from_client(CLIENT, version=0xBABABABA, salt=SALTS[V1]), True)
    assert version_name(forced.version) == "reserved-0xbabababa"
    (hello,) = reader.feed(from_client(CLIENT), True)
    assert hello.replaces
    assert hello.version == V1


def test_compatible_negotiation_to_version_2() -> None:
    """RFC 9368: first flight in version 1, the server answers in version 2 with keys of the same DCID."""
    reader = InitialReader()
    assert kinds(reader.feed(from_client(CLIENT), True)) == ["client"]
    (hello,) = reader.feed(from_server(version=V2), False)
    assert hello.version == V2
    assert (reader.client_version, reader.server_version, reader.version) == (V1, V2, V2)


def test_server_seen_before_the_client_waits() -> None:
    reader = InitialReader()
    assert reader.feed(from_server()) == []
    hellos = reader.feed(from_client(CLIENT))
    assert [(hello.kind, hello.datagram) for hello in hellos] == [("client", 2), ("server", 1)]
    assert reader.sender == "client"
    assert reader.done


def test_server_alone_is_no_guess() -> None:
    reader = InitialReader()
    for number in range(8):
        assert reader.feed(from_server(number=number), False) == []
    assert reader.version is None
    assert reader.original_dcid is None
    assert len(reader.problems) == 4, "four wait, the others are noted"


def test_client_initial_cut_by_the_capture_still_names_the_servers_keys() -> None:
    reader = InitialReader()
    assert reader.feed(from_client(CLIENT)[:96], True) == []
    assert "cut short" in reader.problems[0].reason
    assert kinds(reader.feed(from_server(), False)) == ["server"]
    assert reader.original_dcid == DCID


def test_wrong_direction_is_found_out() -> None:
    reader = InitialReader()
    assert kinds(reader.feed(from_client(CLIENT), False)) == ["client"]
    assert reader.contradicted
    assert reader.sender == "client"
    assert kinds(reader.feed(from_server(), True)) == ["server"]


def test_packet_numbers_far_from_zero() -> None:
    """RFC 9000 appendix A.3: the number is completed from the largest one seen."""
    reader = InitialReader()
    assert reader.feed(from_client(CLIENT[:40], number=0x1F0, size=2)) == []
    assert reader.feed(from_client(CLIENT[40:60], 40, number=0x1FF, size=1)) == []
    assert kinds(reader.feed(from_client(CLIENT[60:], 60, number=0x201, size=1))) == ["client"]


def test_mid_way_capture_shows_nothing_and_ends() -> None:
    reader = InitialReader()
    for _ in range(2 * MAX_DATAGRAMS):
        assert not reader.done
        assert reader.feed(b"\x41" + bytes(range(200)), True) == []
    assert reader.done
    assert reader.feed(from_client(CLIENT), True) == []
    assert not reader.problems


def test_one_side_cannot_use_up_the_others_datagrams() -> None:
    reader = InitialReader()
    reader.feed(from_client(CLIENT), True)
    for _ in range(MAX_DATAGRAMS - 1):
        reader.feed(opaque(1, scid=CLIENT_SCID, size=1100), True)
    assert kinds(reader.feed(from_server(), False)) == ["server"]


def test_handshake_data_is_bounded() -> None:
    reader = InitialReader()
    reader.feed(from_client(b"\x01\xff\xff\xff" + bytes(50)))
    assert "handshake message" in reader.problems[0].reason
    reader = InitialReader()
    reader.feed(initial(crypto(1 << 40, b"far away"), pad_to=1200))
    assert "more handshake data" in reader.problems[0].reason
    assert reader.feed(from_client(CLIENT, number=1)) == [], "a stream that broke its bounds is not read on"


def test_many_one_byte_frames_end_the_reading() -> None:
    frames = b"".join(crypto(2 * index, b"x") for index in range(300))
    reader = InitialReader()
    reader.feed(initial(frames, pad_to=1200))
    assert "more handshake data" in reader.problems[0].reason


def test_message_that_is_no_hello() -> None:
    reader = InitialReader()
    assert reader.feed(from_client(SERVER)) == []
    assert "type 2" in reader.problems[0].reason


def test_frame_that_has_no_place_in_an_initial() -> None:
    reader = InitialReader()
    frames = crypto(0, CLIENT) + b"\x08" + bytes(20)
    assert kinds(reader.feed(initial(frames))) == ["client"], "what stands before it was authentic"
    assert "0x08" in reader.problems[0].reason


def test_ids_beyond_the_limit_are_forgotten_not_piled_up() -> None:
    reader = InitialReader()
    for number in range(40):
        reader.feed(from_client(b"", key_dcid=number.to_bytes(8, "big"), salt="00"), True)
    assert len(reader._attempts) <= 6
    assert len(reader.problems) <= 16
    assert kinds(reader.feed(from_client(CLIENT), True)) == ["client"]


@pytest.mark.parametrize("frame_type", [6, 8])
def test_t051_reads_tls(frame_type: int) -> None:
    ack = bytes.fromhex("40 01 0000 01 00")
    frame = bytes([frame_type]) + crypto(0, CLIENT)[1:]
    (hello,) = InitialReader().feed(initial(ack + b"\x07" + frame, version=0x54303531, pad_to=1200))
    assert not hello.google
    assert hello.body == CLIENT_BODY
    assert version_name(hello.version) == "T051"


def test_q050_reads_the_chlo() -> None:
    values = b"chat.example.org" + b"Chrome/80"
    table = b"SNI\x00" + (16).to_bytes(4, "little") + b"UAID" + (25).to_bytes(4, "little")
    chlo = b"CHLO\x02\x00\x00\x00" + table + values
    frame = b"\x08" + varint(0) + varint(len(chlo)) + chlo
    reader = InitialReader()
    (hello,) = reader.feed(initial(frame, version=0x51303530, pad_to=1200))
    assert hello.google
    parsed = parse_google_hello(hello.body)
    assert parsed is not None
    assert (parsed.sni, parsed.user_agent) == ("chat.example.org", "Chrome/80")
    assert reader.done


PIECES = [
    vector_bytes("rfc9001_a2_client_initial"),
    vector_bytes("rfc9001_a3_server_initial"),
    vector_bytes("rfc9001_a4_retry"),
    vector_bytes("rfc9369_a2_client_initial"),
    negotiation((V1, V2), dcid=b"", scid=DCID),
    from_client(CLIENT[:40]),
    from_client(CLIENT, version=0xBABABABA, salt=SALTS[V1]),
    from_server(),
    opaque(1),
    opaque(2),
    b"\x0d12345678Q043\x01" + bytes(12) + b"\xa0\x01\x04\x00CHLO",
    b"\xc3Q046\x50" + bytes(9) + bytes(13) + b"\xa0\x01\x00\x20CHLO" + bytes(28),
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(PIECES),
            st.integers(0, 1300),
            st.binary(max_size=40),
            st.sampled_from([True, False, None]),
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_feed_raises_nothing_and_stays_bounded(fed: list[tuple[bytes, int, bytes, bool | None]]) -> None:
    reader = InitialReader()
    delivered: list[QuicHello] = []
    for piece, cut, noise, direction in fed:
        delivered += reader.feed(piece[:cut] + noise + piece[cut + len(noise) :], direction)
        delivered += reader.feed(noise, direction)
    keys = [(hello.kind, hello.version, hello.body) for hello in delivered if not hello.replaces]
    assert len(keys) == len(set(keys)), "a hello was delivered twice"
    assert len(reader.problems) <= 16
    assert len(reader._attempts) <= 6
    assert len(reader._waiting) <= 4
