import pytest

from wirecover.capture.protocols.wire_text import wire_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"plain text", "plain text"),
        ("Zo\u00eb \u6f22".encode(), "Zo\u00eb \u6f22"),
        (b"a\nb\x00\x7f", "a\\u{a}b\\u{0}\\u{7f}"),
        ("\u202egpj.exe".encode(), "\\u{202e}gpj.exe"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),  # a surrogate is no UTF-8
        (b"\\u{a}", "\\\\u{a}"),
        ("\U000e0041".encode(), "\\u{e0041}"),
    ],
)
def test_text(raw, text):
    assert wire_text(raw) == text


def test_different_bytes_have_different_texts():
    texts = {wire_text(bytes([a, b])) for a in range(256) for b in range(0, 256, 5)}
    assert len(texts) == 256 * len(range(0, 256, 5))
    assert all(text.isprintable() for text in texts)
