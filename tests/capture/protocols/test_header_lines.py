"""Heads of HTTP: bounds, and that nothing else is kept."""

import pytest
from support.parser_outcomes import RECORD, check_outcomes

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.header_lines import MAX_HEAD, MAX_LINES, read_head

HEAD = (
    b"GET / HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n folded: b\r\nhost: second\nUser-Agent:\tx \r\n\r\nbody"
)


def test_only_what_is_wanted_is_kept() -> None:
    found = check_outcomes(
        lambda data: read_head(data, {b"host", b"user-agent"}), HEAD[:-4], cut=None, longer=RECORD
    )
    assert found.start == b"GET / HTTP/1.1"
    assert found.fields == {b"host": b"a", b"user-agent": b"x"}


def test_a_cut_head_gives_its_whole_lines() -> None:
    assert read_head(HEAD[:33], {b"host"}) is None
    found = read_head(HEAD[:33], {b"host", b"cookie"}, cut=True)
    assert found is not None and found.fields == {b"host": b"a"}
    assert read_head(b"GET / HT", {b"host"}, cut=True) is None


@pytest.mark.parametrize(
    "data",
    [
        b"x" * MAX_HEAD,
        b"x\r\n" + b"a: " + b"x" * MAX_HEAD,
        b"x\r\nno field\r\n",
        b"x\r\n: none\r\n",
        b"x\r\na b: c\r\n",
        b"x\r\n" + b"a:b\r\n" * (MAX_LINES + 1),
    ],
)
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_head(data, {b"host"})
