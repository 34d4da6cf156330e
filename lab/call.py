"""One side of a call: a WebRTC connection, relayed by the TURN server or direct."""

import asyncio
from collections.abc import Iterator
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaBlackhole

from lab.hosts import TURN_NAME
from lab.journal import Journal, now_ns
from lab.plan import Call
from lab.voice import Voice


class CallLeg:
    """One person's side of a call; the descriptions travel over XMPP (`xmpp_client.py`)."""

    def __init__(self, call: Call, user: str, password: str, seed: int, journal: Journal) -> None:
        if call.relayed:
            turn = RTCIceServer(f"turn:{TURN_NAME}:3478?transport=udp", username=user, credential=password)
            configuration = RTCConfiguration([turn], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
        else:
            configuration = RTCConfiguration([RTCIceServer(f"stun:{TURN_NAME}:3478")])
        self._id, self._user, self._journal = call.id, user, journal
        self._peer = RTCPeerConnection(configuration)
        self._peer.addTrack(Voice(seed))
        self._sink = MediaBlackhole()
        self._peer.on("track", self._sink.addTrack)
        self.connected = asyncio.Event()
        self._path_then: dict[str, Any] | None = None
        self._peer.on("connectionstatechange", self._state_changed)

    async def offer(self) -> str:
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return self._own_description()

    async def answer(self, offer: str) -> str:
        await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        await self._sink.start()
        return self._own_description()

    async def accept(self, answer: str) -> None:
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await self._sink.start()

    async def close(self) -> None:
        totals: dict[str, Any] = {}
        for report in (await self._peer.getStats()).values():
            if report.type in ("outbound-rtp", "inbound-rtp"):
                totals["sent" if report.type == "outbound-rtp" else "received"] = {
                    "ssrc": report.ssrc,
                    "packets": report.packetsSent
                    if report.type == "outbound-rtp"
                    else report.packetsReceived,
                }
        path = self._path() or self._path_then  # the other side may have hung up first
        ended = now_ns()
        await self._peer.close()
        await self._sink.stop()
        self._journal.write("leg-closed", call=self._id, ended_ns=ended, media=totals, path=path)

    def _own_description(self) -> str:
        for protocol in self._protocols():
            mapped = protocol.transport.get_extra_info("related_address")
            if mapped is None:
                continue  # a host socket, not an allocation
            relayed = protocol.transport.get_extra_info("sockname")
            self._journal.write(
                "allocation",
                call=self._id,
                username=self._user,
                client_ip=mapped[0],
                client_port=mapped[1],
                relayed_ip=relayed[0],
                relayed_port=relayed[1],
            )
        text: str = self._peer.localDescription.sdp
        return text

    def _path(self) -> dict[str, Any] | None:
        """The pair of addresses that ICE chose last; None when it chose none."""
        pair = self._ice()._nominated.get(1)
        if pair is None:
            return None
        return {
            "candidate_type": pair.local_candidate.type,
            "local": list(pair.local_addr[:2]),
            "remote": list(pair.remote_addr[:2]),
        }

    def _ice(self) -> Any:
        return self._peer.getTransceivers()[0].sender.transport.transport.iceGatherer._connection

    def _protocols(self) -> Iterator[Any]:
        """aioice's sockets. They are private, but the description hides the addresses the truth must tell."""
        yield from self._ice()._protocols

    def _state_changed(self) -> None:
        if self._peer.connectionState == "connected":
            self._journal.write("leg-connected", call=self._id, at_ns=now_ns())
            self._path_then = self._path()
            self.connected.set()
