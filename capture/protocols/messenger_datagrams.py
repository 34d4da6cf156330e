"""Byte patterns of messengers in datagrams: calls, and the tables that peers keep of one another.

Like those of `messenger_bytes`, which gathers both: each is a pure function of a flow's first payloads. The second
part of this module reads what a datagram says in clear of its own call.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple


class FirstPayload(NamedTuple):
    """One payload-carrying packet, in order of time."""

    up: bool
    """From client to server."""
    length: int
    """Payload bytes on the wire."""
    data: bytes
    """The payload as captured (may be cut)."""


_Payloads = Sequence[FirstPayload]

REFLECTOR_HELLO: Final = b"\xff" * 12 + b"\xfe\xff\xff\xff" + (123).to_bytes(8, "big")
_TOX_ANSWERS: Final = frozenset(82 + 39 * four + 51 * six for four in range(5) for six in range(5 - four))
"""Lengths of an answer with up to four nodes: 39 bytes each with an IPv4 address, 51 with an IPv6 one."""
_TOX_KINDS: Final = frozenset((0x00, 0x01, 0x02, 0x04))
_WECHAT_VOIP: Final = frozenset({
    (b"\xa1", 75), (b"\xa1", 92), (b"\xa3", 95), (b"\xa3", 96), (b"\xd6", 200),
    *((b"\xd5", length) for length in (89, 90, 91, 103, 104)),
})  # fmt: skip
_ZALO_ASKS: Final = frozenset((26, 27, 34, 42, *range(180, 186)))


def tox_nodes(payloads: _Payloads) -> bool:
    """A request for nodes (113 bytes, kind 2) and the other side's answer (kind 4, whole nodes).

    https://github.com/TokTok/c-toxcore/tree/b38cae4 toxcore/DHT.c. Each side's key stands behind the kind of its
    packets and does not change.
    """
    asked = {p.up for p in payloads if p.length == 113 and p.data[:1] == b"\x02"}
    told = {p.up for p in payloads if p.length in _TOX_ANSWERS and p.data[:1] == b"\x04"}
    keys: dict[bool, set[bytes]] = {False: set(), True: set()}
    for p in payloads:
        if len(p.data) > 33 and p.data[0] in _TOX_KINDS:
            keys[p.up].add(p.data[1:33])
    one_key = all(len(found) == 1 and any(next(iter(found))) for found in keys.values())
    return one_key and any((not up) in told for up in asked)


def tox_bootstrap(payloads: _Payloads) -> bool:
    """78 bytes that begin with 0xf0, answered by 0xf0, a version and a line of text."""
    asked = any(p.up and p.length == 78 and p.data[:1] == b"\xf0" for p in payloads)
    return asked and any(
        not p.up and p.data[:1] == b"\xf0" and 6 <= p.length <= 261 and _is_text(p.data[5:].rstrip(b"\0"))
        for p in payloads
    )


def _is_text(data: bytes) -> bool:
    return bool(data) and all(0x20 <= byte < 0x7F or byte in (9, 10, 13) for byte in data)


def opendht(payloads: _Payloads) -> bool:
    """A msgpack map that names its kind (`y`) and the version RNG1 of the table (`v`).

    https://github.com/savoirfairelinux/opendht src/network_engine.cpp.
    """
    return any(
        0x80 <= p.data[0] <= 0x8F and b"\xa1v\xa4RNG1" in p.data and b"\xa1y\xa1" in p.data
        for p in payloads
        if len(p.data) >= 16
    )


def facetime_probe(payloads: _Payloads) -> bool:
    """16 bytes 00 01 00 02, answered by 16 bytes 00 01 00 01."""
    asked = any(p.up and p.length == 16 and p.data[:4] == b"\x00\x01\x00\x02" for p in payloads)
    return asked and any(not p.up and p.length == 16 and p.data[:4] == b"\x00\x01\x00\x01" for p in payloads)


def wechat_voip(payloads: _Payloads) -> bool:
    """Kinds of known lengths: two different ones at least, both ways, and nothing that is neither."""
    fits = [(p.data[:1], p.length) for p in payloads if (p.data[:1], p.length) in _WECHAT_VOIP]
    return len(set(fits)) >= 2 and 2 * len(fits) > len(payloads) and len({p.up for p in payloads}) == 2


def zalo_call(payloads: _Payloads) -> bool:
    """01 01 00 00 in one of few lengths, answered by 02 01 00 00 with 52 to 56 bytes."""
    asked = {p.up for p in payloads if p.data[:4] == b"\x01\x01\x00\x00" and p.length in _ZALO_ASKS}
    told = {p.up for p in payloads if p.data[:4] == b"\x02\x01\x00\x00" and 52 <= p.length <= 56}
    return any(up not in told for up in asked) and bool(told)


TELLING_LENGTHS: Final = frozenset((40, 74))
"""Only datagrams of these lengths tell anything."""
Fact = tuple[str, str, str]
"""Protocol, attribute, value."""


def datagram_facts(data: bytes, length: int) -> tuple[Fact, ...]:
    """What a datagram says in clear of its call. `length`: its bytes on the wire.

    Discord: the public address that the voice server sees (answer of the IP discovery,
    https://discord.com/developers/docs/topics/voice-connections#ip-discovery). Telegram: the first 12 bytes of a
    reflector's peer tag, which both parties of a call should share (derived: tgcalls/v2/ReflectorPort.cpp).
    """
    if length == 74 and data[:4] == b"\x00\x02\x00\x46" and len(data) == 74:
        address = _discord_address(data)
        return () if address is None else (("discord", "public_address", address),)
    if length == 40 and data[16:] == REFLECTOR_HELLO:
        return (("telegram", "peer_tag_prefix", data[:12].hex()),)
    return ()


def _discord_address(data: bytes) -> str | None:
    text, _, rest = data[8:72].partition(b"\0")
    port = int.from_bytes(data[72:74], "big")
    try:
        address = ip_address(text.decode("ascii"))
    except ValueError:
        return None
    if any(rest) or not port:
        return None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
