"""ClientHello and ServerHello: RFC 8448 traces, built hellos of every kind, and hostile bytes."""

import hashlib

import pytest
from support import rfc8448, tls_bytes
from support.parser_outcomes import ANY, RECORD, check_cuts, check_outcomes, check_random
from support.tls_bytes import client_hello, extension, server_hello, vector

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.tls import (
    OuterEch,
    highest_version,
    parse_client_hello,
    parse_cut_client_hello,
    parse_server_hello,
    resumed,
)


def test_the_vectors_are_those_of_the_rfc() -> None:
    # RFC 8448 section 3 prints this hash under "derive secret for handshake".
    transcript = hashlib.sha256(rfc8448.CLIENT_HELLO + rfc8448.SERVER_HELLO).hexdigest()
    assert transcript == "860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8"


def test_client_hello_of_rfc_8448() -> None:
    hello = parse_client_hello(rfc8448.CLIENT_HELLO[4:])
    assert hello.legacy_version == 0x0303
    assert hello.version == 0x0304
    assert hello.random.hex() == "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7"
    assert hello.session_id == b""
    assert hello.ciphers == (0x1301, 0x1303, 0x1302)
    assert hello.compressions == b"\0"
    assert [number for number, _ in hello.extensions] == [0, 65281, 10, 35, 51, 43, 13, 45, 28]
    assert hello.sni == "server"
    assert hello.alpn == ()
    assert hello.supported_versions == (0x0304,)
    assert hello.groups == (29, 23, 24, 25, 256, 257, 258, 259, 260)
    assert hello.key_share_groups == (29,)
    assert hello.signature_algorithms[:3] == (0x0403, 0x0503, 0x0603)
    assert len(hello.signature_algorithms) == 15
    assert not hello.session_ticket  # the extension is there, and empty
    assert not hello.psk_offered
    assert not hello.early_data
    assert hello.ech is None
    assert hello.problems == ()
    assert hello.complete


def test_resumed_client_hello_of_rfc_8448() -> None:
    hello = parse_client_hello(rfc8448.RESUMED_CLIENT_HELLO[4:])
    assert hello.psk_offered
    assert hello.early_data
    assert hello.problems == ()


def test_server_hello_of_rfc_8448() -> None:
    hello = parse_server_hello(rfc8448.SERVER_HELLO[4:])
    assert (hello.legacy_version, hello.version) == (0x0303, 0x0304)
    assert hello.cipher == 0x1301
    assert hello.key_share_group == 29
    assert not hello.is_hello_retry
    assert hello.alpn is None
    assert hello.problems == ()


def test_hello_retry_request_of_rfc_8448() -> None:
    hello = parse_server_hello(rfc8448.HELLO_RETRY_REQUEST[4:])
    assert hello.is_hello_retry
    assert hello.version == 0x0304
    assert hello.key_share_group == 23  # the group asked for, not a share
    assert resumed(None, hello) is None


def test_client_hello_outcomes() -> None:
    # A cut can fall just behind the compression methods: there a hello may end.
    check_outcomes(parse_client_hello, rfc8448.CLIENT_HELLO[4:], cut=ANY, longer=RECORD)
    # What hypothesis cannot guess: bytes behind a sound fixed part.
    fixed = client_hello(None)
    check_random(parse_client_hello, [fixed, fixed + b"\x00\x20", fixed + b"\x00\x08\x00\x00"], examples=400)


def test_server_hello_outcomes() -> None:
    check_outcomes(parse_server_hello, rfc8448.SERVER_HELLO[4:], cut=ANY, longer=RECORD)
    check_random(parse_server_hello, [server_hello(None), server_hello(None) + b"\x00\x09"], examples=400)


def test_only_a_hello_without_extensions_may_be_a_prefix_of_another() -> None:
    body = rfc8448.CLIENT_HELLO[4:]
    ends = [length for length in range(len(body)) if _parses(body[:length])]
    assert ends == [len(client_hello(None, ciphers=(1, 2, 3)))]


def _parses(body: bytes) -> bool:
    try:
        parse_client_hello(body)
    except Malformed:
        return False
    return True


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302, 0x0303])
def test_hello_without_extensions(version: int) -> None:
    hello = parse_client_hello(client_hello(None, version=version, ciphers=(0x0005, 0x000A)))
    assert hello.version == version
    assert hello.extensions == ()
    assert hello.sni is None
    assert parse_server_hello(server_hello(None, version=version)).version == version


def test_bytes_behind_the_extensions_are_noted() -> None:
    hello = parse_client_hello(client_hello(tls_bytes.server_name(b"a.example")) + b"xyz")
    assert hello.sni == "a.example"
    assert hello.problems == ("3 bytes after the extensions",)


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (0, b""),
        (0, b"\x00\x09\x00\x00\x03abc"),
        (0, b"\x00\x06\x00\x00\x09abc"),
        (10, b"\x00\x03\x00\x1d\x00"),
        (10, b"\x00\x04\x00\x1d"),
        (11, b""),
        (11, b"\x02\x00"),
        (13, b"\x00"),
        (16, b"\x00\x04\x09h2"),
        (16, b"\x00"),
        (43, b"\x03\x03\x04\x03"),
        (43, b""),
        (51, b"\x00\x04\x00\x1d\x00\x20"),
        (51, b"\x00\x02\x00\x1d"),
        (0xFE0D, b""),
        (0xFE0D, b"\x02"),
        (0xFE0D, b"\x00\x00\x01"),
        (0xFE0D, b"\x00\x00\x01\x00\x01\x07\x00\x20"),
        (0xFE0D, b"\x00\x00\x01\x00\x01\x07\x00\x00\x00\x05abc"),
    ],
)
def test_an_odd_extension_is_kept_and_does_not_cost_the_hello(number: int, body: bytes) -> None:
    parts = [extension(number, body)]
    if number != 0:
        parts.insert(0, tls_bytes.server_name(b"kept.example"))
    if number != 16:
        parts.append(tls_bytes.alpn(b"h2"))
    hello = parse_client_hello(client_hello(b"".join(parts)))
    assert (number, body) in hello.extensions
    assert len(hello.problems) == 1
    assert hello.problems[0].startswith(f"extension {number}: ")
    assert hello.sni == (None if number == 0 else "kept.example")
    assert hello.alpn == (() if number == 16 else ("h2",))
    assert hello.ech is None


def test_unknown_extensions_are_kept_in_wire_order() -> None:
    block = extension(0xABCD, b"\x01\x02") + extension(0x0A0A) + extension(23)
    assert parse_client_hello(client_hello(block)).extensions == (
        (0xABCD, b"\x01\x02"),
        (0x0A0A, b""),
        (23, b""),
    )


def test_the_first_of_two_extensions_counts() -> None:
    hello = parse_client_hello(
        client_hello(tls_bytes.server_name(b"one.example") + tls_bytes.server_name(b"two"))
    )
    assert hello.sni == "one.example"
    assert hello.problems == ("extension 0 sent twice",)


def test_thousands_of_odd_extensions_give_a_few_notes() -> None:
    hello = parse_client_hello(client_hello(extension(10, b"x") * 10_000))
    assert len(hello.extensions) == 10_000
    assert len(hello.problems) == 16


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"Example.COM", "Example.COM"),
        (b"", ""),
        (b"a\x00b", "a\\x00b"),
        (b"a\\b", "a\\x5cb"),
        (b"\xc3\xa9.example", "\\xc3\\xa9.example"),
        (b"line\r\nbreak\x1b[2J", "line\\x0d\\x0abreak\\x1b[2J"),
    ],
)
def test_names_never_hold_a_byte_that_does_not_print(raw: bytes, shown: str) -> None:
    assert parse_client_hello(client_hello(tls_bytes.server_name(raw))).sni == shown
    if raw:
        hello = parse_client_hello(client_hello(tls_bytes.alpn(raw, b"h2")))
        assert hello.alpn == (shown, "h2")
        assert hello.alpn_raw == (raw, b"h2")


def test_a_name_of_another_type_is_passed_over() -> None:
    names = b"\x07" + vector(b"other") + b"\x00" + vector(b"host.example")
    assert parse_client_hello(client_hello(extension(0, vector(names)))).sni == "host.example"
    only_other = parse_client_hello(client_hello(extension(0, vector(b"\x07" + vector(b"other")))))
    assert (only_other.sni, only_other.problems) == (None, ())


def test_versions_ignore_grease_and_know_drafts() -> None:
    hello = parse_client_hello(client_hello(tls_bytes.supported_versions(0x7A7A, 0x0303, 0x0304)))
    assert hello.supported_versions == (0x7A7A, 0x0303, 0x0304)
    assert hello.version == 0x0304
    assert highest_version((0x0A0A,)) is None
    assert highest_version((0xFEFD, 0xFEFC)) == 0xFEFC  # DTLS 1.3: its numbers fall
    assert parse_client_hello(client_hello(tls_bytes.supported_versions(0x7F1C, 0x0303))).version == 0x7F1C
    assert (
        highest_version((0x7F1C, 0x0304, 0xFB1A, 0x0303)) == 0x0304
    )  # drafts have greater numbers, and are older


def test_outer_ech() -> None:
    body = b"\x00" + b"\x00\x01" + b"\x00\x03" + b"\x2a" + vector(b"k" * 32) + vector(b"p" * 144)
    hello = parse_client_hello(client_hello(extension(0xFE0D, body)))
    assert hello.ech == "outer"
    assert hello.outer_ech == OuterEch(kdf=1, aead=3, config_id=42, key_bytes=32, payload_bytes=144)
    inner = parse_client_hello(client_hello(extension(0xFE0D, b"\x01")))
    assert (inner.ech, inner.outer_ech) == ("inner", None)


def test_dtls_cookie() -> None:
    body = client_hello(tls_bytes.server_name(b"d.example"), version=0xFEFD, cookie=b"biscuit")
    hello = parse_client_hello(body, dtls=True)
    assert (hello.cookie, hello.sni, hello.legacy_version) == (b"biscuit", "d.example", 0xFEFD)
    with pytest.raises(Malformed, match="not a version"):
        parse_client_hello(body)
    check_outcomes(lambda data: parse_client_hello(data, dtls=True), body, longer=RECORD)


def test_pre_standard_dtls_is_not_taken_for_ssl_2() -> None:
    assert (
        parse_client_hello(client_hello(None, version=0x0100, cookie=b""), dtls=True).legacy_version == 0x0100
    )


@pytest.mark.parametrize("body", [client_hello(None, version=0x0500), client_hello(None, version=0xFEFD)])
def test_another_version_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        parse_client_hello(body)
    assert refused.value.offset == 0


def test_an_odd_number_of_cipher_bytes_is_refused() -> None:
    body = b"\x03\x03" + tls_bytes.RANDOM + b"\0" + vector(b"\x13\x01\x13") + b"\x01\0"
    with pytest.raises(Malformed, match="odd length"):
        parse_client_hello(body)


def test_a_session_id_that_is_too_long_is_noted() -> None:
    hello = parse_client_hello(client_hello(b"", session_id=b"s" * 33))
    assert hello.problems == ("session id of more than 32 bytes",)


def _ssl2_hello(
    version: int = 0x0301, kinds: bytes = b"\x00\x00\x05\x01\x00\x80", challenge: bytes = b"c" * 16
) -> bytes:
    sizes = len(kinds).to_bytes(2, "big") + b"\x00\x00" + len(challenge).to_bytes(2, "big")
    return b"\x01" + version.to_bytes(2, "big") + sizes + kinds + challenge


def test_ssl_2_hello() -> None:
    hello = parse_client_hello(_ssl2_hello())
    assert hello.legacy_version == 0x0301
    assert hello.ciphers == (0x000005, 0x010080)
    assert hello.random == b"c" * 16
    assert hello.extensions == ()
    assert parse_client_hello(_ssl2_hello(version=2)).version == 2
    check_outcomes(parse_client_hello, _ssl2_hello(), cut=Malformed, longer=RECORD)
    with pytest.raises(Malformed, match="3-byte"):
        parse_client_hello(_ssl2_hello(kinds=b"\x00\x00\x05\x01"))


def test_early_drafts_have_a_shorter_server_hello() -> None:
    body = (
        b"\x7f\x12" + tls_bytes.RANDOM + b"\x13\x01" + vector(extension(51, b"\x00\x1d" + vector(b"k" * 32)))
    )
    hello = parse_server_hello(body)
    assert (hello.version, hello.cipher, hello.session_id, hello.key_share_group) == (0x7F12, 0x1301, b"", 29)


def test_server_hello_alpn_and_odd_extensions() -> None:
    hello = parse_server_hello(server_hello(tls_bytes.alpn(b"h2") + extension(43, b"\x03")))
    assert hello.alpn == "h2"
    assert hello.version == 0x0303  # the odd supported_versions is not believed
    assert hello.problems == ("extension 43: not a 16-bit number at byte 0",)
    assert parse_server_hello(server_hello(extension(16, b"\x00\x00"))).alpn is None


def _tls13(*, accepted: bool) -> bytes:
    chosen = extension(43, b"\x03\x04")
    return server_hello(chosen + (extension(41, b"\x00\x00") if accepted else b""), session_id=b"same")


def test_resumption() -> None:
    ours = parse_client_hello(client_hello(b"", session_id=b"same"))
    ticket = parse_client_hello(client_hello(extension(35, b"ticket")))
    bare = parse_client_hello(client_hello(extension(35)))
    assert resumed(ours, parse_server_hello(_tls13(accepted=True))) is True
    # In TLS 1.3 the echo of the session id means nothing (RFC 8446 appendix D.4).
    assert resumed(ours, parse_server_hello(_tls13(accepted=False))) is False
    same = parse_server_hello(server_hello(session_id=b"same"))
    other = parse_server_hello(server_hello(session_id=b"else"))
    assert resumed(ours, same) is True
    assert resumed(ours, other) is False
    assert resumed(ours, other, abbreviated=True) is True
    assert resumed(ours, same, abbreviated=False) is False
    assert resumed(ticket, other) is None
    assert resumed(bare, other) is False
    assert resumed(None, other) is None


def test_a_cut_hello_gives_what_stands_before_the_cut() -> None:
    name = tls_bytes.server_name(b"cut.example")
    body = client_hello(name + tls_bytes.alpn(b"h2", b"http/1.1") + extension(21, b"\0" * 200))
    begins = len(client_hello(None)) + 2
    for length in range(len(body)):
        hello = parse_cut_client_hello(body[:length])
        if length < begins - 2:
            assert hello is None
            continue
        assert hello is not None
        assert not hello.complete
        assert hello.problems == ("cut short",)
        assert hello.sni == ("cut.example" if length >= begins + len(name) else None)
    check_random(parse_cut_client_hello, [b"", b"\x03\x03", body[: begins + 8]])
    check_cuts(
        lambda data: parse_cut_client_hello(data, dtls=True), client_hello(name, version=0xFEFD, cookie=b"c")
    )
    with pytest.raises(Malformed):
        parse_cut_client_hello(b"GET / HTTP/1.1")
