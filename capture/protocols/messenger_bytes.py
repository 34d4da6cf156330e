"""Byte patterns by which messengers without readable names give themselves away in the first payloads of a
flow.

A pattern here says only "these bytes are there"; what that is worth for which application is in the
application rules (capture/apps/rules), as evidence of the kind `signature`, with its source. Each is a pure
function of the first payloads; none looks at addresses or ports.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from wirecover.capture.protocols.messenger_datagrams import (
    REFLECTOR_HELLO,
    FirstPayload,
    facetime_probe,
    opendht,
    tox_bootstrap,
    tox_nodes,
    wechat_voip,
    zalo_call,
)
from wirecover.capture.protocols.mtproto import parse_obfuscated_header, plain_transport

__all__ = ["FIRST_PAYLOADS", "SIGNATURES", "FirstPayload", "messenger_signatures"]

FIRST_PAYLOADS: Final = 8
"""So many payloads from the start of a flow are worth giving; a longer list is cut to it."""


_Payloads = Sequence[FirstPayload]


def messenger_signatures(payloads: Sequence[FirstPayload], transport: str) -> frozenset[str]:
    """Names of the patterns found; empty for most flows."""
    checks = SIGNATURES.get(transport)
    if not checks or not payloads:
        return frozenset()
    first = payloads[:FIRST_PAYLOADS]
    return frozenset(name for name, check in checks.items() if check(first))


def _whatsapp_hello(payloads: _Payloads) -> bool:
    """`WA`, two bytes of version, a 3-byte length, then field 2 of a message; maybe behind routing data."""
    opening = payloads[0]
    data = opening.data
    if not opening.up:
        return False
    if data[:4] == b"ED\x00\x01":
        data = data[7 + int.from_bytes(data[4:7], "big") :]
    return data[:2] == b"WA" and len(data) >= 8 and data[2] < 16 and data[4] == 0 and data[7] == 0x12


def _telegram_obfuscated(payloads: _Payloads) -> bool:
    return payloads[0].up and parse_obfuscated_header(payloads[0].data) is not None


def _telegram_plain(payloads: _Payloads) -> bool:
    return payloads[0].up and plain_transport(payloads[0].data) is not None


def _threema_sizes(payloads: _Payloads) -> bool:
    """48 bytes up, 80 down, then 144 and more up: the lengths of the handshake's three messages."""
    return [p.up for p in payloads[:3]] == [True, False, True] and (
        payloads[0].length == 48 and payloads[1].length == 80 and 144 <= payloads[2].length <= 512
    )


def _viber_hello(payloads: _Payloads) -> bool:
    """Own length in the first two bytes, then at bytes 6, 7 and 9 fc ff .. 80."""
    opening = payloads[0]
    return (
        opening.up
        and opening.length >= 11
        and int.from_bytes(opening.data[:2], "little") == opening.length
        and opening.data[6:8] == b"\xfc\xff"
        and opening.data[9:10] == b"\x80"
    )


def _viber_frames(payloads: _Payloads) -> bool:
    """Later on: own length, a kind below 64, two bytes of zero; in the first packet and two more."""
    framed = [
        int.from_bytes(p.data[:2], "little") == p.length and p.data[2:3] == b"\0" and p.data[4:7] == bytes(3)
        for p in payloads
        if len(p.data) >= 8
    ]
    return len(framed) >= 3 and framed[0] and sum(framed) >= 3


def _viber_datagrams(payloads: _Payloads) -> bool:
    """A two-byte id that both sides repeat, then kinds of known lengths."""
    ids = {p.data[:2] for p in payloads}
    kinds = {(p.data[2:4], p.length) for p in payloads}
    opening = any(p.data[2:6] == b"\x01\x00\x05\x00" for p in payloads) or (b"\x19\x00", 34) in kinds
    return len(ids) == 1 and opening and len(payloads) >= 2


def _kakaotalk_loco(payloads: _Payloads) -> bool:
    """Key exchange: length of the key 256, its cipher 12, the payload's cipher 2, then the key."""
    return payloads[0].up and payloads[0].length >= 268 and payloads[0].data[:12] == _LOCO_START


def _kakaotalk_voice(payloads: _Payloads) -> bool:
    """RTCP receiver reports of 78 bytes and sender reports of 98, on a port of their own."""
    kinds = {(p.data[:4], p.length) for p in payloads}
    return {(b"\x81\xc9\x00\x07", 78), (b"\x81\xc8\x00\x0c", 98)} <= kinds


def _wechat_mmtls(payloads: _Payloads) -> bool:
    """A record header like that of TLS with version 0xf103 or 0xf104, of the length that follows."""
    data = payloads[0].data
    return (
        payloads[0].up
        and data[:3] in (b"\x16\xf1\x03", b"\x16\xf1\x04", b"\x19\xf1\x03", b"\x19\xf1\x04")
        and (5 < 5 + int.from_bytes(data[3:5], "big") <= payloads[0].length)
    )


def _line_legacy(payloads: _Payloads) -> bool:
    """12 bytes 80 02 00 06, answered by 60 bytes 80 02 00 04."""
    asked = any(p.up and p.length == 12 and p.data[:4] == b"\x80\x02\x00\x06" for p in payloads)
    return asked and any(not p.up and p.length == 60 and p.data[:4] == b"\x80\x02\x00\x04" for p in payloads)


def _line_call(payloads: _Payloads) -> bool:
    """0xb6, a kind, and the length of what follows: twice at least, the first datagram being one."""
    fits = [p.data[:1] == b"\xb6" and int.from_bytes(p.data[2:4], "big") == p.length - 4 for p in payloads]
    return fits[0] and sum(fits) >= 2


def _discord_discovery(payloads: _Payloads) -> bool:
    """IP discovery: 74 bytes, kind 1 or 2, length 70; the request is empty after the SSRC."""
    return any(
        p.length == 74
        and (
            p.data[:4] == b"\x00\x02\x00\x46" or (p.data[:4] == b"\x00\x01\x00\x46" and not any(p.data[8:72]))
        )
        for p in payloads
    )


def _discord_keepalive(payloads: _Payloads) -> bool:
    return any(p.length == 8 and p.data[:4] == b"\x13\x37\xca\xfe" for p in payloads)


def _telegram_reflector(payloads: _Payloads) -> bool:
    """40 bytes: a peer tag of 16, 12 of 0xff, fe ff ff ff, and the number 123 in eight bytes."""
    return any(p.length == 40 and p.data[16:] == REFLECTOR_HELLO for p in payloads)


def _zoom_session(payloads: _Payloads) -> bool:
    """A request 01 00, an answer 02 00 that repeats its next 18 bytes."""
    asked = {p.data[2:20] for p in payloads if p.up and p.data[:2] == b"\x01\x00" and p.length > 100}
    return any(
        not p.up and p.data[:2] == b"\x02\x00" and p.length >= 40 and p.data[2:20] in asked for p in payloads
    )


def _zoom_media(payloads: _Payloads) -> bool:
    """Kind 5 of the relay's header, then a known media kind at byte 8, in most packets."""
    fits = [p.data[:1] == b"\x05" and len(p.data) > 24 and p.data[8] in _ZOOM_MEDIA for p in payloads]
    return len(fits) >= 3 and 2 * sum(fits) > len(fits)


def _imo_datagrams(payloads: _Payloads) -> bool:
    """11 bytes 00 09 03 or 10 bytes 09 02, a counter, and five bytes of zero."""
    return any(
        (p.length == 11 and p.data[:3] == b"\x00\x09\x03" and p.data[6:] == bytes(5))
        or (p.length == 10 and p.data[:2] == b"\x09\x02" and p.data[5:] == bytes(5))
        for p in payloads
    )


def _mumble_ping(payloads: _Payloads) -> bool:
    """12 bytes beginning with four of zero, answered by 24 bytes that repeat the last eight."""
    return any(
        a.up and not b.up and a.length == 12 and b.length == 24
        and a.data[:4] == bytes(4) and any(a.data[4:12]) and a.data[4:12] == b.data[4:12]
        for a, b in pairwise(payloads)
    )  # fmt: skip


def _signal_rtp_data(payloads: _Payloads) -> bool:
    """RTP of payload type 101 with SSRC 13: the data channel of a one-to-one call."""
    return any(
        p.length > 12 and p.data[:1] == b"\x80" and p.data[1] & 0x7F == 101 and p.data[8:12] == b"\0\0\0\x0d"
        for p in payloads
        if len(p.data) >= 12
    )


def _whatsapp_warp(payloads: _Payloads) -> bool:
    """RTP with a header extension of profile 0xdebe and payload type 120 or 121."""
    return any(
        p.data[:1] == b"\x90"
        and len(p.data) >= 16
        and p.data[1] & 0x7F in (120, 121)
        and p.data[12:14] == b"\xde\xbe"
        for p in payloads
    )


_LOCO_START: Final = b"\x00\x01\x00\x00\x0c\x00\x00\x00\x02\x00\x00\x00"
_ZOOM_MEDIA: Final = frozenset({13, 15, 16, 30, 33, 34, 35})

SIGNATURES: Final[dict[str, dict[str, Callable[[_Payloads], bool]]]] = {
    "tcp": {
        "whatsapp-hello": _whatsapp_hello,
        "telegram-obfuscated": _telegram_obfuscated,
        "telegram-plain": _telegram_plain,
        "threema-sizes": _threema_sizes,
        "viber-hello": _viber_hello,
        "viber-frames": _viber_frames,
        "kakaotalk-loco": _kakaotalk_loco,
        "wechat-mmtls": _wechat_mmtls,
        "line-legacy": _line_legacy,
    },
    "udp": {
        "line-call": _line_call,
        "discord-discovery": _discord_discovery,
        "discord-keepalive": _discord_keepalive,
        "telegram-reflector": _telegram_reflector,
        "kakaotalk-voice": _kakaotalk_voice,
        "viber-datagrams": _viber_datagrams,
        "zoom-session": _zoom_session,
        "zoom-media": _zoom_media,
        "imo-datagrams": _imo_datagrams,
        "mumble-ping": _mumble_ping,
        "signal-rtp-data": _signal_rtp_data,
        "whatsapp-warp": _whatsapp_warp,
        "facetime-probe": facetime_probe,
        "tox-nodes": tox_nodes,
        "tox-bootstrap": tox_bootstrap,
        "opendht": opendht,
        "wechat-voip": wechat_voip,
        "zalo-call": zalo_call,
    },
}
"""By transport and name; the names are what the application rules write."""
