"""Names: text form, compression, and the refusals that keep the work bounded."""

import pytest

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns_name import canonical_name, read_name


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"\0", "."),
        (b"\3www\7Example\3com\0", "www.Example.com"),
        (b"\3a.b\1c\0", "a\\.b.c"),
        (b'\4a\\b"\0', 'a\\\\b\\"'),
        (b"\5\x00\x1b \xff~\0", "\\000\\027\\032\\255~"),
        (b"\4(;@$\0", "\\(\\;\\@\\$"),
        (b"\x08_xmpp-cl\0", "_xmpp-cl"),
    ],
)
def test_text_form(wire, text):
    assert read_name(wire + b"after", 0) == (text, len(wire))


def test_every_byte_has_its_own_text():
    texts = {read_name(bytes([1, byte, 0]), 0) for byte in range(256)}
    assert len(texts) == 256


def test_compression():
    message = b"\3com\0" + b"\7example\xc0\x00" + b"\1a\xc0\x05" + b"!"
    assert read_name(message, 15) == ("a.example.com", 19)
    assert read_name(message, 17) == ("example.com", 19)  # nothing but a pointer


@pytest.mark.parametrize(
    ("message", "offset"),
    [
        (b"\xc0\x00", 0),  # to itself
        (b"\1a\xc0\x00", 0),  # to the label it follows: a loop
        (b"\xc0\x02\xc0\x00", 0),  # forward
        (b"\1a\xc0\x04\1b\xc0\x00", 4),  # two that lead to each other
        (b"\1a\1b\xc0\x02", 0),  # into the same name
    ],
)
def test_loops_and_forward_pointers_are_refused(message, offset):
    with pytest.raises(Malformed, match="backwards"):
        read_name(message, offset)


def test_a_chain_of_pointers_is_cut_short():
    chain = b"\0" + b"".join((0xC000 | max(0, 2 * at - 1)).to_bytes(2, "big") for at in range(200))
    with pytest.raises(Malformed, match="too many"):
        read_name(chain, len(chain) - 2)
    assert read_name(chain, 1 + 2 * 100) == (".", 3 + 2 * 100)


def test_longest_name():
    longest = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"
    assert len(longest) == 255
    found = read_name(longest, 0)
    assert found is not None and found[1] == 255
    with pytest.raises(Malformed, match="255"):
        read_name(b"\1c" + longest, 0)


@pytest.mark.parametrize("wire", [b"", b"\3", b"\3ww", b"\3www", b"\xc0"])
def test_more_bytes_needed(wire):
    assert read_name(wire, 0) is None


@pytest.mark.parametrize("first", [0x40, 0x41, 0x80, 0xBF])
def test_reserved_label_types(first):
    with pytest.raises(Malformed, match="reserved"):
        read_name(bytes([first]) + bytes(100), 0)


def test_the_end_hides_what_follows():
    assert read_name(b"\3www\0", 0, 4) is None
    assert read_name(b"\3www\0", 0, 5) == ("www", 5)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("WWW.Example.COM", "www.example.com"),
        ("example.com.", "example.com"),
        (".", "."),
        ("a\\.", "a\\."),
        ("\\195\\156.DE", "\\195\\156.de"),
        ("K\u212a", "k\u212a"),  # only ASCII letters have a case in names (RFC 4343)
    ],
)
def test_canonical_name(name, canonical):
    assert canonical_name(name) == canonical
