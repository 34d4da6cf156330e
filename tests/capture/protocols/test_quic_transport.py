"""Transport parameters."""

import pytest
from support.parser_outcomes import check_outcomes
from support.quic_packets import V1, V2, varint

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_transport import (
    GOOGLE_USER_AGENT,
    INITIAL_SOURCE_CONNECTION_ID,
    MAX_IDLE_TIMEOUT,
    VERSION_INFORMATION,
    TransportParameters,
    parse_transport_parameters,
)


def parameter(number: int, value: bytes) -> bytes:
    return varint(number) + varint(len(value)) + value


WHOLE = (
    parameter(MAX_IDLE_TIMEOUT, varint(30000))
    + parameter(27 + 31 * 4, b"grease")
    + parameter(INITIAL_SOURCE_CONNECTION_ID, b"\xc1\xc2")
    + parameter(VERSION_INFORMATION, b"".join(v.to_bytes(4, "big") for v in (V1, V1, V2)))
    + parameter(GOOGLE_USER_AGENT, b"Chrome/120.0 X11; \x1b[31mred\\")
)


def test_known_and_unknown() -> None:
    parsed = check_outcomes(parse_transport_parameters, WHOLE)
    assert isinstance(parsed, TransportParameters)
    assert [number for number, _ in parsed.parameters] == [1, 151, 15, 17, 0x3129]
    assert parsed.value(151) == b"grease"
    assert parsed.integer(MAX_IDLE_TIMEOUT) == 30000
    assert parsed.integer(151) is None
    assert parsed.integer(0x99) is None
    assert parsed.version_information == (V1, (V1, V2))
    assert parsed.user_agent == "Chrome/120.0 X11; \\x1b[31mred\\x5c"


def test_absent_and_broken_values() -> None:
    empty = parse_transport_parameters(b"")
    assert (empty.parameters, empty.user_agent, empty.version_information) == ((), None, None)
    odd = parse_transport_parameters(parameter(VERSION_INFORMATION, b"12345"))
    assert odd.version_information is None


def test_fixed_width_form_of_the_drafts() -> None:
    fields = bytes.fromhex("0001 0004 80007530 0003 0002 45ac 7a1b 0003 616263")
    parsed = check_outcomes(parse_transport_parameters, len(fields).to_bytes(2, "big") + fields)
    assert isinstance(parsed, TransportParameters)
    assert parsed.integer(MAX_IDLE_TIMEOUT) == 30000
    assert parsed.value(0x7A1B) == b"abc"


@pytest.mark.parametrize(
    "bad", [WHOLE[:-1], bytes.fromhex("0006 0001 0004 8000"), bytes.fromhex("0004 01000000")[:5]]
)
def test_refused(bad: bytes) -> None:
    with pytest.raises(Malformed):
        parse_transport_parameters(bad)
