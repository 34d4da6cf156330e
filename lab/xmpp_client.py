"""An XMPP client: timed messages with delivery receipts (XEP-0184), pings, and the signalling of calls."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from slixmpp import ClientXMPP

from lab.call import CallLeg
from lab.hosts import HOSTS, XMPP_DOMAIN
from lab.journal import Journal, client_context, filler, now_ns, tls_facts
from lab.plan import Account, Call, Message

PING_INTERVAL_S = 30
ALPN = ["xmpp-client"]


class XmppClient:
    def __init__(self, account: Account, secrets: dict[str, Any], bundle: Path, journal: Journal) -> None:
        self._account, self._secrets, self._journal = account, secrets, journal
        direct = account.settings["direct_tls"]
        self._alpn = ALPN if direct else []
        self._stream = stream = ClientXMPP(f"{account.person}@{XMPP_DOMAIN}", secrets["xmpp"][account.person])
        stream.ssl_context = client_context(bundle, self._alpn, account.settings["tls"])
        stream.enable_direct_tls, stream.enable_starttls = direct, not direct
        stream.use_ipv6 = HOSTS[account.person].ipv6
        stream.register_plugin("xep_0184", {"auto_request": True})
        stream.register_plugin("xep_0199", {"keepalive": True, "interval": PING_INTERVAL_S, "timeout": 10})
        self._begun_ns = 0
        self._ready = asyncio.Event()
        self._legs: dict[str, CallLeg] = {}
        self._answers: dict[str, asyncio.Future[str]] = {}
        self._steps: list[asyncio.Task[None]] = []
        stream.add_event_handler("session_start", self._session_started)
        stream.add_event_handler("tls_success", self._tls_done)
        stream.add_event_handler("message", self._message_came)
        stream.add_event_handler("receipt_received", self._receipt_came)
        self._calls: dict[str, Call] = {}
        self._unsent: dict[str, tuple[str, dict[str, str]]] = {}
        self._write = stream.send_raw
        stream.send_raw = self._send_raw

    async def open(self, calls: dict[str, Call]) -> None:
        self._calls = calls
        self._begun_ns = now_ns()
        self._stream.connect()
        await asyncio.wait_for(self._ready.wait(), 20)

    async def close(self) -> None:
        await asyncio.gather(*self._steps)
        await self._stream.disconnect(wait=2.0)

    async def send_text(self, message: Message) -> None:
        stanza = self._stream.make_message(
            mto=f"{message.recipient}@{XMPP_DOMAIN}", mbody=filler(message.body_bytes), mtype="chat"
        )
        stanza["id"] = message.id
        self._unsent[message.id] = ("sent", {})
        stanza.send()

    async def place_call(self, call: Call) -> None:
        """Offer, wait for the answer, talk, hang up; or hang up when nobody answers while it rings."""
        self._journal.write("call-setup", call=call.id, at_ns=now_ns())
        leg = self._new_leg(call)
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers[call.id] = answer
        self._signal(call.callee, "offer", call.id, await leg.offer())
        self._journal.write("call-offered", call=call.id, at_ns=now_ns())
        if call.talk_s:
            await leg.accept(await asyncio.wait_for(answer, call.ring_s + 15))
            await asyncio.wait_for(leg.connected.wait(), 15)
            await asyncio.sleep(call.talk_s)
        else:
            await asyncio.sleep(call.ring_s)
        self._signal(call.callee, "hangup", call.id, "")
        self._journal.write("call-ended", call=call.id, at_ns=now_ns())
        await self._legs.pop(call.id).close()

    def _new_leg(self, call: Call) -> CallLeg:
        person = self._account.person
        seed = int(call.id.rpartition("-")[2]) * 100 + HOSTS[person].number
        leg = CallLeg(call, person, self._secrets["turn"][person], seed, self._journal)
        self._legs[call.id] = leg
        return leg

    def _signal(self, other: str, step: str, call_id: str, description: str) -> None:
        """Call signalling is a stanza of its own type, told apart from messages; it draws receipts like them."""
        body = json.dumps({"call": call_id, "step": step, "description": description})
        recipient = f"{other}@{XMPP_DOMAIN}"
        stanza = self._stream.make_message(mto=recipient, mbody=body, msubject="call", mtype="headline")
        stanza["id"] = f"{call_id}-{step}"
        self._unsent[stanza["id"]] = ("signal", {"call": call_id, "step": step, "to": other})
        stanza.send()

    def _send_raw(self, data: str | bytes) -> None:
        """Stand between the stream and its socket: only here the final bytes and the moment are known."""
        raw = data.encode() if isinstance(data, str) else data
        sent = now_ns()
        self._write(data)
        for identifier in re.findall(rb"<message[^>]* id=\"([^\"]+)\"", raw):
            if identifier.decode() in self._unsent:
                what, fields = self._unsent.pop(identifier.decode())
                self._journal.write(
                    what, id=identifier.decode(), sent_ns=sent, application_bytes=len(raw), **fields
                )

    async def _session_started(self, _: object) -> None:
        self._stream.send_presence()
        await self._stream.get_roster()
        self._ready.set()

    def _tls_done(self, _: object) -> None:
        assert self._stream.transport is not None
        facts = tls_facts(self._stream.transport.get_extra_info("ssl_object"), self._alpn)
        facts["starttls"] = not self._account.settings["direct_tls"]
        addresses = (
            self._stream.transport.get_extra_info("sockname"),
            self._stream.transport.get_extra_info("peername"),
        )
        self._journal.handshake("tcp", XMPP_DOMAIN, self._begun_ns, addresses, facts)

    def _receipt_came(self, stanza: Any) -> None:
        self._journal.write("receipt", id=stanza["receipt"], at_ns=now_ns())

    def _message_came(self, stanza: Any) -> None:
        if stanza["type"] != "headline":
            if stanza["body"]:
                self._journal.write("received", id=stanza["id"], received_ns=now_ns())
            return
        signal = json.loads(stanza["body"])
        self._steps.append(asyncio.create_task(self._call_step(signal, stanza["from"].user)))

    async def _call_step(self, signal: dict[str, str], other: str) -> None:
        call_id = signal["call"]
        if signal["step"] == "offer" and self._calls[call_id].talk_s:
            await asyncio.sleep(self._calls[call_id].ring_s)
            self._journal.write("call-answered", call=call_id, at_ns=now_ns())
            leg = self._new_leg(self._calls[call_id])
            self._signal(other, "answer", call_id, await leg.answer(signal["description"]))
        elif signal["step"] == "answer":
            self._answers[call_id].set_result(signal["description"])
        elif signal["step"] == "hangup" and call_id in self._legs:
            await self._legs.pop(call_id).close()
