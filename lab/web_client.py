"""Web visits: HTTPS over TLS 1.3, and HTTP/3 over QUIC version 1 or 2."""

import asyncio
import http.client
import socket
import ssl
from pathlib import Path
from typing import Any

import dns.asyncresolver
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent
from aioquic.quic.packet import QuicProtocolVersion

from lab.hosts import FILES_NAME, WEB_NAME
from lab.journal import Journal, client_context, now_ns, tls_facts
from lab.plan import Visit

HTTPS_ALPN = ["http/1.1"]


class Connection(http.client.HTTPSConnection):
    """An HTTPS connection that can resume an earlier one's TLS session."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None) -> None:
        super().__init__(WEB_NAME, timeout=10, context=context)
        self._tls, self._session = context, session

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=WEB_NAME, session=self._session)


def visit_https(visit: Visit, bundle: Path, journal: Journal) -> None:
    """The first request on a connection of its own, the others on a second one that resumes its session."""
    context, session = client_context(bundle, HTTPS_ALPN, "1.3"), None
    for sizes in (visit.sizes[:1], visit.sizes[1:]):
        connection = Connection(context, session)
        begun = now_ns()
        connection.connect()
        addresses = (connection.sock.getsockname(), connection.sock.getpeername())
        journal.handshake("tcp", WEB_NAME, begun, addresses, tls_facts(connection.sock, HTTPS_ALPN))
        for size in sizes:
            asked = now_ns()
            connection.request("GET", f"/bytes/{size}")
            got = len(connection.getresponse().read())
            journal_request(journal, visit, asked, got)
        session = connection.sock.session  # TLS 1.3 tickets come after the handshake
        connection.close()


class Http3Client(QuicConnectionProtocol):
    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._http = H3Connection(self._quic)
        self._bodies: dict[int, tuple[list[int], asyncio.Future[int]]] = {}

    async def get(self, authority: str, path: str) -> int:
        """The number of body bytes that came."""
        stream = self._quic.get_next_available_stream_id()
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._bodies[stream] = ([], done)
        pairs = {":method": "GET", ":scheme": "https", ":authority": authority, ":path": path}
        headers = [(name.encode(), value.encode()) for name, value in pairs.items()]
        self._http.send_headers(stream, headers, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(done, 10)

    def quic_event_received(self, event: QuicEvent) -> None:
        for http_event in self._http.handle_event(event):
            if isinstance(http_event, DataReceived):
                sizes, done = self._bodies[http_event.stream_id]
                sizes.append(len(http_event.data))
                if http_event.stream_ended:
                    done.set_result(sum(sizes))


async def visit_http3(visit: Visit, bundle: Path, journal: Journal) -> None:
    # What a browser asks before it tries HTTP/3 (RFC 9460).
    await dns.asyncresolver.resolve(FILES_NAME, "HTTPS")
    version = QuicProtocolVersion.VERSION_2 if visit.kind == "h3-v2" else QuicProtocolVersion.VERSION_1
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN,
        is_client=True,
        cafile=str(bundle),
        supported_versions=[version],
        idle_timeout=20,
    )
    loop = asyncio.get_running_loop()
    resolved = await loop.getaddrinfo(FILES_NAME, 443, type=socket.SOCK_DGRAM)
    begun = now_ns()
    async with connect(FILES_NAME, 443, configuration=configuration, create_protocol=Http3Client) as client:
        assert isinstance(client, Http3Client)
        port = client._transport.get_extra_info("sockname")[1]
        facts = {
            "alpn_offered": list(H3_ALPN),
            "alpn_selected": client._quic.tls.alpn_negotiated,
            "version": "TLSv1.3",
            "quic_version": f"0x{client._quic._version:08x}",
            "resumed": False,
            "cipher_openssl": client._quic.tls.key_schedule.cipher_suite.name,
        }
        local = own_address(resolved[0][4][0])
        journal.handshake("quic", FILES_NAME, begun, ((local, port), resolved[0][4]), facts)
        for size in visit.sizes:
            asked = now_ns()
            got = await client.get(FILES_NAME, f"/bytes/{size}")
            journal_request(journal, visit, asked, got)
            await asyncio.sleep(0.4)


def journal_request(journal: Journal, visit: Visit, asked_ns: int, body_bytes: int) -> None:
    fields = {"visit": visit.id, "protocol": visit.kind, "asked_ns": asked_ns, "done_ns": now_ns()}
    journal.write("request", **fields, body_bytes=body_bytes)


def own_address(peer: str) -> str:
    """The address this host uses towards `peer` (a connected UDP socket sends nothing)."""
    family = socket.AF_INET6 if ":" in peer else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((peer, 443))
        return str(probe.getsockname()[0])
