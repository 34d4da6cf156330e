"""The stand-in for a messenger's server: a WebSocket server that passes messages between logins.

It says honestly what a messenger server does on the wire: it acknowledges each message to the
sender, pushes it to the recipient if connected, keeps it otherwise. It is nobody's real protocol.
"""

import argparse
import asyncio
import json
import ssl
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, serve


class Relay:
    def __init__(self) -> None:
        self._online: dict[str, ServerConnection] = {}
        self._kept: dict[str, list[str]] = defaultdict(list)

    async def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        login = connection.request.path.rpartition("=")[2]
        self._online[login] = connection
        for kept in self._kept.pop(login, []):
            await connection.send(kept)
        try:
            async for frame in connection:
                message = json.loads(frame)
                await connection.send(json.dumps({"kind": "ack", "id": message["id"], "pad": ""}))
                await self._pass_on(message["to"], json.dumps({**message, "from": login}))
        finally:
            del self._online[login]

    async def _pass_on(self, recipient: str, text: str) -> None:
        if recipient in self._online:
            await self._online[recipient].send(text)
        else:
            self._kept[recipient].append(text)


async def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--chain", required=True)
    arguments.add_argument("--key", required=True)
    arguments.add_argument("--tls", choices=("1.2", "1.3"), required=True)
    options = arguments.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.chain, options.key)
    context.set_alpn_protocols(["http/1.1"])
    if options.tls == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    relay = Relay()
    # Only the clients keep the connection alive, as phones do; permessage-deflate would hide the sizes.
    async with serve(relay.handle, None, 443, ssl=context, compression=None, ping_interval=None) as server:
        print("ready", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
