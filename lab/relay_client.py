"""A client of the messenger stand-ins: one long-lived WebSocket over TLS with keep-alives."""

import asyncio
import json
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from lab.journal import Journal, client_context, filler, now_ns, tls_facts
from lab.plan import Account, Message

ALPN = ["http/1.1"]


class RelayClient:
    def __init__(self, account: Account, host_name: str, bundle: Path, journal: Journal) -> None:
        self._account, self._host_name, self._bundle, self._journal = account, host_name, bundle, journal
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        begun = now_ns()
        self._connection = connection = await connect(
            f"wss://{self._host_name}/v1/websocket/?login={self._account.person}",
            ssl=client_context(self._bundle, ALPN, "1.3"),
            compression=None,
            ping_interval=self._account.settings["keepalive_s"],
            user_agent_header=None,
            proxy=None,
        )
        transport = connection.transport
        facts = tls_facts(transport.get_extra_info("ssl_object"), ALPN)
        addresses = (connection.local_address, connection.remote_address)
        self._journal.handshake("tcp", self._host_name, begun, addresses, facts)
        self._reader = asyncio.create_task(self._read())

    async def send(self, message: Message) -> None:
        assert self._connection is not None
        frame = self._frame(message.id, message.recipient, message.kind, filler(message.body_bytes))
        sent = now_ns()
        await self._connection.send(frame)
        self._journal.write("sent", id=message.id, sent_ns=sent, application_bytes=len(frame))

    async def close(self) -> None:
        assert self._connection is not None and self._reader is not None
        await self._connection.close()
        await self._reader

    def _frame(self, identifier: str, recipient: str, kind: str, body: str) -> str:
        """Padded to a multiple of the account's block, as messengers do to blur lengths."""
        fields = {"id": identifier, "to": recipient, "kind": kind, "body": body, "pad": ""}
        fields["pad"] = "." * (-len(json.dumps(fields)) % self._account.settings["pad"])
        return json.dumps(fields)

    async def _read(self) -> None:
        assert self._connection is not None
        async for frame in self._connection:
            message = json.loads(frame)
            if message["kind"] in ("ack", "receipt"):
                self._journal.write(message["kind"], id=message["id"], at_ns=now_ns())
                continue
            self._journal.write("received", id=message["id"], received_ns=now_ns())
            await self._connection.send(self._frame(message["id"], message["from"], "receipt", ""))
