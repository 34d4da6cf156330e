"""The web server: HTTPS on TCP 443 (http.server) and HTTP/3 on UDP 443 (aioquic), one certificate.

A request for /bytes/N is answered with N bytes of filler.
"""

import argparse
import asyncio
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent

from lab.journal import filler

LARGEST = 64_000


def body_of(path: str) -> bytes:
    return filler(min(LARGEST, int(path.removeprefix("/bytes/")))).encode()


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "lab", ""

    def do_GET(self) -> None:
        body = body_of(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """No log: the visitors keep the journal."""


class Http3(QuicConnectionProtocol):
    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._http: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if self._http is None:
            return
        for http_event in self._http.handle_event(event):
            if isinstance(http_event, HeadersReceived):
                path = dict(http_event.headers)[b":path"].decode()
                body = body_of(path)
                headers = [(b":status", b"200"), (b"content-length", str(len(body)).encode())]
                self._http.send_headers(http_event.stream_id, headers)
                self._http.send_data(http_event.stream_id, body, end_stream=True)
                self.transmit()


async def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--chain", required=True)
    arguments.add_argument("--key", required=True)
    options = arguments.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.chain, options.key)
    context.set_alpn_protocols(["http/1.1"])
    pages = ThreadingHTTPServer(("", 443), Page)
    pages.socket = context.wrap_socket(pages.socket, server_side=True)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False)
    configuration.load_cert_chain(options.chain, options.key)
    await serve("0.0.0.0", 443, configuration=configuration, create_protocol=Http3)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
