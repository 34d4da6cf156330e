"""Record data as text, per type; RFC 9460 vectors: https://www.rfc-editor.org/rfc/rfc9460 appendix D."""

import pytest

from wirecover.capture.protocols.dns_rdata import rdata_text

IN = 1
TARGET = b"\3foo\7example\3com\0"


@pytest.mark.parametrize(
    ("type_", "data", "text"),
    [
        (1, bytes([192, 0, 2, 1]), "192.0.2.1"),
        (28, bytes.fromhex("20010db8" + "00" * 11 + "01"), "2001:db8::1"),
        (2, TARGET, "foo.example.com"),
        (5, b"\0", "."),
        (6, b"\2ns\0\4root\0" + b"".join(n.to_bytes(4, "big") for n in (2026, 7200, 900, 1209600, 86400)),
         "ns root 2026 7200 900 1209600 86400"),
        (12, b"\4a.b.\0", "a\\.b\\."),
        (13, b"\3CPU\2OS", '"CPU" "OS"'),
        (15, b"\0\x0a" + TARGET, "10 foo.example.com"),
        (16, b"\x05v=\"1\\\x00\x02\xff\x1b", '"v=\\"1\\\\" "" "\\255\\027"'),
        (33, b"\0\1\0\2\x14\x66" + TARGET, "1 2 5222 foo.example.com"),
        (35, b"\0\x0a\0\1\1s\x08SIPS+D2T\0" + b"\3sip\0", '10 1 "s" "SIPS+D2T" "" sip'),
        (43, b"\x30\x39\x0d\x02" + bytes(range(4)), "12345 13 2 00010203"),
        (44, b"\4\2\xab\xcd", "4 2 abcd"),
        (48, b"\1\1\3\x0d" + b"key", "257 3 13 a2V5"),
        # the example of RFC 4034 section 4.3
        (47, bytes.fromhex("04686f7374076578616d706c6503636f6d00 000640010000 0003 041b" + "00" * 26 + "20"),
         "host.example.com A MX RRSIG NSEC TYPE1234"),
        (52, b"\3\1\1\xff", "3 1 1 ff"),
        (256, b"\0\1\0\2https://a", '1 2 "https://a"'),
        (257, b"\0\x05issueca.example", '0 issue "ca.example"'),
        (46, b"\0\1\x0d\2" + (300).to_bytes(4, "big") + bytes(7) + b"\1" + b"\0\7" + b"\3com\0" + b"sig",
         "A 13 2 300 0 1 7 com c2ln"),
    ],
)  # fmt: skip
def test_text(type_, data, text):
    assert rdata_text(type_, IN, b"head" + data + b"tail", 4, 4 + len(data)) == (text, True)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("0000 03666f6f076578616d706c6503636f6d00", "0 foo.example.com"),  # figure 2
        ("0001 00", "1 ."),  # figure 3
        ("0010 03666f6f076578616d706c6503636f6d00 0003 0002 0035", "16 foo.example.com port=53"),  # figure 4
        ("0001 03666f6f076578616d706c6503636f6d00 029b 0005 68656c6c6f",
         '1 foo.example.com key667="hello"'),  # figure 5
        ("0001 03666f6f076578616d706c6503636f6d00 029b 0009 68656c6c6fd2716f6f",
         '1 foo.example.com key667="hello\\210qoo"'),  # figure 6
        (("0001 03666f6f076578616d706c6503636f6d00 0006 0020 20010db8000000000000000000000001"
         " 20010db8000000000000000000530001"),
         "1 foo.example.com ipv6hint=2001:db8::1,2001:db8::53:1"),  # figure 7
        (("0010 03666f6f076578616d706c65036f726700 0000 0004 00010004 0001 0009 026832 0568332d3139"
         " 0004 0004 c0000201"),
         '16 foo.example.org mandatory=alpn,ipv4hint alpn="h2,h3-19" ipv4hint=192.0.2.1'),  # figure 9
        ("0010 03666f6f076578616d706c65036f726700 0001 000c 08665c6f6f2c626172 026832",
         '16 foo.example.org alpn="f\\\\\\\\oo\\\\,bar,h2"'),  # figure 10
        ("0001 00 0002 0000", "1 . no-default-alpn"),
        ("0001 00 0005 0003 fe0d00", '1 . ech="/g0A"'),
        ("0001 00 0007 0003 2f6471", '1 . dohpath="/dq"'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("type_", [64, 65])
def test_service_binding(type_, data, text):
    raw = bytes.fromhex(data)
    assert rdata_text(type_, IN, raw, 0, len(raw)) == (text, True)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        (1, bytes(3)), (1, bytes(5)), (28, bytes(4)), (5, b"\3foo"), (5, b"\0x"), (5, b"\xc0\x00"),
        (15, b"\0"),
        (16, b"\5abc"), (33, b"\0\1\0\2\0"), (6, b"\0\0" + bytes(19)), (257, b"\0\3a=b"), (52, b"\1"),
        (47, b"\0\0\0"), (47, b"\0\1\1\x40\0\1\x40"), (47, b"\0\0\x21" + bytes(33)),
        (65, b"\0\1\0\0\3\0\3\0\0\0"),  # port of three bytes
        (65, b"\0\1\0\0\3\0\2\0\x35\0\3\0\2\0\x35"),  # the same key twice
        (65, b"\0\1\0\0\5\0\1x\0\3\0\2\0\x35"),  # keys falling
        (65, b"\0\1\0\0\1\0\3\2h2\0\4\0\0"),  # an empty list of hints
        (65, b"\0\1\0\0\1\0\2\0\0"), (65, b"\0\1\0\0\0\0\1\0"), (65, b"\0\1\0\xff"),
    ],
)  # fmt: skip
def test_what_breaks_its_format_is_kept_in_hexadecimal(type_, data):
    assert rdata_text(type_, IN, data, 0, len(data)) == (f"\\# {len(data)} {data.hex()}", False)


def test_unknown_types_and_classes_are_kept_in_hexadecimal():
    assert rdata_text(65280, IN, b"\x01\xff", 0, 2) == ("\\# 2 01ff", True)
    assert rdata_text(1, 3, b"\x01\x02\x03\x04", 0, 4) == ("\\# 4 01020304", True)
    assert rdata_text(1, 255, b"", 0, 0) == ("\\# 0", True)


def test_a_name_may_point_before_its_record_but_not_run_past_it():
    message = b"\3com\0" + b"\1a\xc0\x00"
    assert rdata_text(5, IN, message, 5, 9) == ("a.com", True)
    assert rdata_text(5, IN, message, 5, 8) == ("\\# 3 0161c0", False)
