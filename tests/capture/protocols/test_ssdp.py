"""SSDP (UPnP Device Architecture 2.0, sections 1.2 and 1.3)."""

import pytest
from support.parser_outcomes import RECORD, check_outcomes

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.ssdp import parse_ssdp

NOTIFY = (
    b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=1800\r\n"
    b"LOCATION: http://192.0.2.9:49152/secret/desc.xml\r\nNT: urn:schemas-upnp-org:device:MediaRenderer:1\r\n"
    b"NTS: ssdp:alive\r\nSERVER: Linux/4.9 UPnP/1.0 Speaker/2.1\r\n"
    b"USN: uuid:2fac1234-31f8-11b4-a222-08002b34c003::urn:schemas-upnp-org:device:MediaRenderer:1\r\n\r\n"
)
SEARCH = (
    b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n'
    b"USER-AGENT: Windows/10.0 UPnP/2.0 Player/1\r\nCPFN.UPNP.ORG: Anna's tablet\r\n\r\n"
)


def test_a_device_announces_itself() -> None:
    found = check_outcomes(parse_ssdp, NOTIFY, cut=None, longer=RECORD)
    assert (found.kind, found.state) == ("notify", "ssdp:alive")
    assert (found.server, found.location_host) == ("Linux/4.9 UPnP/1.0 Speaker/2.1", "192.0.2.9")
    assert found.usn.startswith("uuid:2fac1234") and found.target.endswith("MediaRenderer:1")
    assert "secret" not in repr(found)


def test_a_control_point_searches() -> None:
    found = check_outcomes(parse_ssdp, SEARCH, cut=None, longer=RECORD)
    assert (found.kind, found.target, found.server) == ("search", "ssdp:all", None)
    assert (found.user_agent, found.friendly_name) == ("Windows/10.0 UPnP/2.0 Player/1", "Anna's tablet")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (b"http://[fe80::1]:80/x", "fe80::1"), (b"https://user:pass@Router.Example/x", "router.example"),
        (b"http://192.0.2.1", "192.0.2.1"), (b"ftp://192.0.2.1/", None), (b"", None), (b"http:///x", None),
    ],
)  # fmt: skip
def test_of_a_location_the_host_alone(url: bytes, host: str | None) -> None:
    found = parse_ssdp(b"HTTP/1.1 200 OK\r\nLOCATION: " + url + b"\r\n\r\n")
    assert found is not None and (found.kind, found.location_host) == ("response", host)


@pytest.mark.parametrize("start", [b"NOTIFY / HTTP/1.1", b"GET * HTTP/1.1", b"HTTP/1.1 OK"])
def test_what_is_refused(start: bytes) -> None:
    with pytest.raises(Malformed):
        parse_ssdp(start + b"\r\n\r\n")
