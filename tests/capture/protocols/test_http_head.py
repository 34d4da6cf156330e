"""HTTP heads: software and server names, never content."""

import pytest
from support.parser_outcomes import RECORD, check_outcomes

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.http_head import parse_http_head

REQUEST = (
    b"GET /inbox?token=secret HTTP/1.1\r\nHost: example.org\r\nCookie: secret\r\nReferer: http://secret/\r\n"
    b"Authorization: Basic secret\r\nUser-Agent: curl/8.5.0\r\n\r\n"
)
RESPONSE = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nSet-Cookie: secret\r\nLocation: http://secret/\r\n\r\n"


def test_a_request() -> None:
    found = check_outcomes(parse_http_head, REQUEST, cut=None, longer=RECORD)
    assert (found.method, found.status, found.host, found.user_agent) == (
        "GET",
        None,
        "example.org",
        "curl/8.5.0",
    )
    assert not found.proxied


def test_a_response() -> None:
    found = check_outcomes(parse_http_head, RESPONSE, cut=None, longer=RECORD)
    assert (found.method, found.status, found.server, found.host) == (None, 200, "nginx", None)


@pytest.mark.parametrize("data", [REQUEST + b"secret", RESPONSE + b"secret"])
def test_content_is_never_kept(data: bytes) -> None:
    assert "secret" not in repr(parse_http_head(data))


@pytest.mark.parametrize("start", [b"GET http://example.org/ HTTP/1.1", b"CONNECT example.org:443 HTTP/1.1"])
def test_through_a_proxy_the_host_is_not_the_receiver(start: bytes) -> None:
    found = parse_http_head(start + b"\r\nHost: example.org\r\nUser-Agent: x\r\n\r\n")
    assert found is not None and (found.proxied, found.host, found.user_agent) == (True, None, "x")


def test_a_cut_request() -> None:
    assert parse_http_head(REQUEST[:-10]) is None
    found = parse_http_head(REQUEST[:-10], cut=True)
    assert found is not None and (found.host, found.user_agent) == ("example.org", None)


@pytest.mark.parametrize(
    "start", [b"SIP/2.0 200 OK", b"GET /", b"get / HTTP/1.1", b"HTTP/1.1 999 no", b"\x16\x03\x01"]
)
def test_other_protocols_are_refused(start: bytes) -> None:
    with pytest.raises(Malformed):
        parse_http_head(start + b"\r\n\r\n")
