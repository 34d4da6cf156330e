"""Variable-length integers: the examples of RFC 9000 appendix A.1, and every cut."""

import pytest

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_varint import read_varint

EXAMPLES = [
    ("c2197c5eff14e88c", 151288809941952652),
    ("9d7f3e7d", 494878333),
    ("7bbd", 15293),
    ("25", 37),
    ("4025", 37),
]


@pytest.mark.parametrize(("text", "value"), EXAMPLES)
def test_examples(text: str, value: int) -> None:
    data = bytes.fromhex(text)
    assert read_varint(b"\xff" + data + b"\xff", 1, 2 + len(data)) == (value, 1 + len(data))
    for end in range(len(data)):
        with pytest.raises(Malformed):
            read_varint(data, 0, end)
    with pytest.raises(Malformed):
        read_varint(data[:-1], 0, len(data) - 1)
