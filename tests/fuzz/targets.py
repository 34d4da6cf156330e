"""What is fuzzed: every parser, stream reader, file reader and decoder, as a callable from bytes.

A target returns, or raises what it may not raise. A parser may return anything and raise only `Malformed`, whose
offset lies inside its bytes; a stream reader's `feed` raises nothing, and says the same whatever pieces it is fed.
"""

import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from support.captures import pcap_header
from support.traffic import START, Frame, batch_of

from wirecover.capture.decode import decode
from wirecover.capture.errors import CaptureError
from wirecover.capture.files.reader import CaptureReader
from wirecover.capture.flows.hellos import SHAPE_BYTES, shape_client_hello, shape_server_hello
from wirecover.capture.flows.quic_handshake import transport_parameters
from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.arp import parse_arp
from wirecover.capture.protocols.dhcp import parse_dhcp
from wirecover.capture.protocols.dhcp6 import parse_dhcp6
from wirecover.capture.protocols.dns import DnsTcpReader, looks_like_dns, parse_dns
from wirecover.capture.protocols.dtls import DtlsReader, looks_like_dtls
from wirecover.capture.protocols.exchanges import Said, recognise_exchange
from wirecover.capture.protocols.gquic import parse_google_hello
from wirecover.capture.protocols.gtpc import looks_like_gtpc, parse_gtpc
from wirecover.capture.protocols.http_head import parse_http_head
from wirecover.capture.protocols.isakmp import looks_like_ike, parse_esp_in_udp, parse_isakmp
from wirecover.capture.protocols.messenger_frames import open_talk
from wirecover.capture.protocols.nbns import parse_nb_datagram, parse_nbns
from wirecover.capture.protocols.ndp import parse_neighbour
from wirecover.capture.protocols.opcua import OpcUaReader
from wirecover.capture.protocols.quic import InitialReader, looks_like_quic
from wirecover.capture.protocols.radius import parse_radius
from wirecover.capture.protocols.rtp import parse_rtcp, parse_rtp
from wirecover.capture.protocols.sdp import parse_sdp
from wirecover.capture.protocols.services import cleartext_service
from wirecover.capture.protocols.sip import SipStream, parse_sip
from wirecover.capture.protocols.socks import parse_socks_request
from wirecover.capture.protocols.ssdp import parse_ssdp
from wirecover.capture.protocols.ssh import SshReader
from wirecover.capture.protocols.ssl2 import parse_ssl2_server_hello
from wirecover.capture.protocols.stun import looks_like_stun, parse_stun
from wirecover.capture.protocols.stun_tcp import StunTcpReader
from wirecover.capture.protocols.tls import (
    HandshakeReader,
    find_hello,
    parse_certificate_message,
    parse_client_hello,
    parse_cut_client_hello,
    parse_server_hello,
)
from wirecover.capture.protocols.x509 import parse_certificate
from wirecover.capture.protocols.x509_der import walk_certificate
from wirecover.capture.protocols.zoom import zoom_header

Target = Callable[[bytes], None]
MAX_INPUT: Final = 1 << 14


def _parses(*parsers: Callable[[bytes], Any]) -> Target:
    def run(data: bytes) -> None:
        for parse in parsers:
            try:
                parse(data)
            except Malformed as refused:
                assert 0 <= refused.offset <= len(data), f"offset {refused.offset} of {len(data)} bytes"
                assert refused.reason

    return run


def _reads(make: Callable[[], Any]) -> Target:
    """Fed whole and fed in pieces of 7, a reader gives the same records, unless one of them breaks the framing."""

    def run(data: bytes) -> None:
        whole, pieces = make(), make()
        at_once = list(whole.feed(data))
        in_pieces = [one for at in range(0, len(data), 7) for one in pieces.feed(data[at : at + 7])]
        assert in_pieces[: len(at_once)] == at_once[: len(in_pieces)], "pieces change what is read"

    return run


def _datagrams(make: Callable[[], Any], looks: Callable[[bytes], bool]) -> Target:
    """The input is datagrams, each behind two bytes of length."""

    def run(data: bytes) -> None:
        reader = make()
        for datagram in _split(data):
            looks(datagram)
            reader.feed(datagram)

    return run


def _split(data: bytes) -> Iterable[bytes]:
    at = 0
    while at + 2 < len(data):
        size = 1 + int.from_bytes(data[at : at + 2], "big") % 1500
        yield data[at + 2 : at + 2 + size]
        at += 2 + size


def _shapes(data: bytes) -> None:
    """Where the kernel takes a hello by its shape, the parser takes it too."""
    body = np.frombuffer(data.ljust(1, b"\0"), np.uint8).copy()
    shape, found = np.zeros(SHAPE_BYTES, np.uint8), np.zeros(2, np.int64)
    if shape_client_hello(body, 0, len(data), shape, found) >= 0:
        hello = parse_client_hello(data)
        name = data[found[0] : found[0] + found[1]].decode("ascii") or None
        assert hello.sni == name, f"{hello.sni!r} is not {name!r}"
    if shape_server_hello(body, 0, len(data), shape) >= 0:
        parse_server_hello(data)


def _exchange(data: bytes) -> None:
    said = [Said(bool(one[0] & 1), len(one), one[1:289]) for one in _split(data) if one][:8]
    for transport, port in (("tcp", 443), ("udp", 1194), ("udp", 4500)):
        recognise_exchange(said, transport, port)


def _service(data: bytes) -> None:
    for port in (21, 22, 25, 53, 80, 88, 123, 161, 389, 443, 500, 1080, 1812, 2123, 5060, 5222):
        for transport in ("tcp", "udp"):
            cleartext_service(data, len(data) % 2 == 0, port, transport)


def _talk(data: bytes) -> None:
    pieces = list(_split(data))
    talk = open_talk(pieces[0], len(pieces[0])) if pieces else None
    for number, piece in enumerate(pieces):
        if talk is not None:
            talk.feed(up=number % 3 != 1, data=piece)


def _headers(link: int, data: bytes) -> None:
    """One frame of a link type through the packet decoder."""
    decode_batch(batch_of([Frame(data, START)]), np.array([link], np.int32))


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="wirecover-fuzz-")


def _file(data: bytes) -> None:
    """A capture file of any format, read frame by frame."""
    with _folder() as name:
        path = Path(name) / "a"
        path.write_bytes(data)
        try:
            with CaptureReader(path) as reader:
                for batch in reader:
                    assert (batch.offset + batch.captured <= len(batch.buffer)).all()
        except CaptureError:
            return


def _decode(data: bytes) -> None:
    """Frames, each behind two bytes of length, as a capture through everything."""
    frames = [
        int(number).to_bytes(4, "little") + bytes(4) + len(one).to_bytes(4, "little") * 2 + one
        for number, one in enumerate(_split(data))
    ]
    with _folder() as name:
        path, out = Path(name) / "a.pcap", Path(name) / "out"
        out.mkdir()
        path.write_bytes(pcap_header() + b"".join(frames))
        decode(path, out)


LINKS: Final = (0, 1, 9, 12, 50, 101, 104, 105, 107, 108, 113, 127, 192, 228, 229, 239, 276)

TARGETS: Final[dict[str, Target]] = {
    "arp": _parses(parse_arp), "dhcp": _parses(parse_dhcp), "dhcp6": _parses(parse_dhcp6),
    "ndp": _parses(parse_neighbour), "nbns": _parses(parse_nbns, parse_nb_datagram), "ssdp": _parses(parse_ssdp),
    "http_head": _parses(parse_http_head, partial(parse_http_head, cut=True)),
    "dns": _parses(parse_dns, lambda data: looks_like_dns(data, known_port=False)), "dns_tcp": _reads(DnsTcpReader),
    "tls_hello": _parses(
        parse_client_hello, partial(parse_client_hello, dtls=True), parse_cut_client_hello, parse_server_hello
    ),
    "tls_shape": _shapes, "tls_reader": _reads(HandshakeReader), "tls_find": _parses(find_hello),
    "tls_certificates": _parses(parse_certificate_message, partial(parse_certificate_message, tls13=True)),
    "ssl2": _parses(parse_ssl2_server_hello), "x509": _parses(parse_certificate), "x509_der": _parses(walk_certificate),
    "dtls": _datagrams(DtlsReader, looks_like_dtls), "quic": _datagrams(InitialReader, looks_like_quic),
    "quic_transport": _parses(transport_parameters), "gquic": _parses(parse_google_hello),
    "stun": _parses(parse_stun, looks_like_stun), "stun_tcp": _reads(StunTcpReader),
    "rtp": _parses(parse_rtp, parse_rtcp), "zoom": _parses(zoom_header), "ssh": _reads(SshReader),
    "sip": _parses(parse_sip, partial(parse_sip, cut=True)),
    "sip_stream": _reads(SipStream), "sdp": _parses(parse_sdp), "radius": _parses(parse_radius),
    "gtpc": _parses(parse_gtpc, looks_like_gtpc), "isakmp": _parses(parse_isakmp, looks_like_ike, parse_esp_in_udp),
    "opcua": _reads(OpcUaReader), "socks": _parses(parse_socks_request), "exchanges": _exchange, "services": _service,
    "messenger_frames": _talk,
    **{f"link_{link}": partial(_headers, link) for link in LINKS},
    "file": _file, "decode": _decode,
}  # fmt: skip
"""By name."""
