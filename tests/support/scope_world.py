"""A made-up network in which everybody leaves traces, and what of them a scope lets be kept.

Every talk carries a marker of its own in whatever text its protocol has; hosts have an address and a hardware address.
`World.forbidden` lists what must not be found anywhere: markers, names, addresses, hardware addresses and times.
"""

import re
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import strategies as st
from support import captures as files
from support import conversations as talk
from support import gtpc_messages as gtpc
from support.traffic import ACK, MS, PSH, SECOND, START, Connection, Frame, packet, tcp, udp

from wirecover.capture.scope import Scope, Selector

TARGETS = ("10.0.0.2", "2001:db8::2")
SECOND_PARTIES = ("192.0.2.10", "198.51.100.4", "2001:db8:5::1")
THIRD_PARTIES = ("10.0.0.77", "10.9.9.9", "2001:db8:77::1", "172.16.5.5")
LAWYER = "203.0.113.99"
LAWYER_SERVER = "198.51.100.200"
LAWYER_NAME = "cabinet-durand.example"
RESOLVER = "10.0.0.1"
TOLD = "10.77.77.77"
"""A subscriber who speaks with nobody: others say who has this address."""
GATEWAYS = ("10.200.0.1", "10.200.0.2")
KINDS = (
    "tls", "dns", "lawyer-in-answer", "stun", "quic", "blob", "arp", "mdns", "mdns-question", "ssdp", "http",
    "fragment", "gtp", "gtp-fragments", "cut", "lldp", "llmnr", "reverse", "sip", "radius", "radius-of-third", "gtpc",
    "dhcp", "socks", "connect",
)  # fmt: skip
WINDOW = (START + 1000 * SECOND, START + 2000 * SECOND)


@dataclass(frozen=True)
class Talk:
    """One conversation: what kind, between whom, when (seconds from START), its number."""

    kind: str
    one: str
    other: str
    second: int
    number: int

    @property
    def marker(self) -> str:
        return f"mk{self.number:03d}zq"

    @property
    def ts(self) -> int:
        return START + self.second * SECOND + (self.number * 100 + 50) * MS


def hosts() -> tuple[str, ...]:
    return (*TARGETS, *SECOND_PARTIES, *THIRD_PARTIES, LAWYER, LAWYER_SERVER)


@st.composite
def talks(draw: st.DrawFn) -> list[Talk]:
    count = draw(st.integers(1, 14))
    found = []
    for number in range(count):
        one, other = draw(st.permutations(hosts()).map(lambda many: many[:2]))
        if draw(st.booleans()):
            one = draw(st.sampled_from(TARGETS))
            other = draw(st.sampled_from([host for host in hosts() if host not in TARGETS]))
        if (":" in one) != (":" in other):
            other = draw(
                st.sampled_from([host for host in hosts() if (":" in host) == (":" in one) and host != one])
            )
        second = draw(st.one_of(st.integers(1000, 1999), st.integers(0, 4000)))
        found.append(Talk(draw(st.sampled_from(KINDS)), one, other, second, number))
    return found


def mac(ip: str) -> str:
    return f"02:aa:bb:cc:dd:{(*hosts(), RESOLVER, *GATEWAYS).index(ip):02x}"


def _dressed(frame: Frame, one: str, other: str | None) -> Frame:
    """The frame with the hardware addresses of its ends."""
    ends = [bytes.fromhex(mac(ip).replace(":", "")) if ip else b"\xff" * 6 for ip in (other, one)]
    return Frame(b"".join(ends) + frame.data[12:], frame.ts, frame.original)


def frames_of(one: Talk) -> list[Frame]:
    """The frames of a talk, `one.one` speaking first."""
    name, up, down, ts = f"{one.marker}.example", one.one, one.other, one.ts
    line = Connection(up, down, 40000 + one.number, 443, ts=ts)
    kind = one.kind
    if ":" in up and kind in (
        "arp",
        "gtp",
        "gtp-fragments",
        "fragment",
        "reverse",
        "lawyer-in-answer",
        "dhcp",
    ):
        kind = "tls"
    if kind == "tls":
        shown = LAWYER_NAME if LAWYER_SERVER in (up, down) else name
        return _both(talk.tls_12(line, f"www.{shown}".encode(), [talk.certificate(shown)]).frames, up, down)
    if kind in ("dns", "lawyer-in-answer", "reverse"):
        asked = {"dns": name, "lawyer-in-answer": f"{one.marker}l.example",
                 "reverse": ".".join(reversed(LAWYER.split("."))) + ".in-addr.arpa"}[kind]  # fmt: skip
        address = (
            bytes(map(int, LAWYER.split(".")))
            if kind == "lawyer-in-answer"
            else bytes((192, 0, 2, 100 + one.number % 100))  # nobody's address here
        )
        line = Connection(up, down, 41000 + one.number, 53, ts=ts)
        return _both(talk.datagrams(
            line, (True, talk.dns_query(one.number, asked)),
            (False, talk.dns_answer(one.number, asked, f"a.{asked}", address)),
        ), up, down)  # fmt: skip
    if kind == "stun":
        line = Connection(up, down, 42000 + one.number, 3478, ts=ts)
        username = f"{one.marker}:peer".encode()
        username += bytes(-len(username) % 4)
        body = struct.pack("!HH", 6, len(username)) + username
        ask = struct.pack("!HHI", 1, len(body), 0x2112A442) + bytes(12) + body
        return _both(talk.datagrams(line, (True, ask)), up, down)
    if kind == "quic":
        initial = talk.quic.initial(talk.quic.crypto(0, talk.hello(name.encode(), b"h3")), pad_to=1200)
        return _both(talk.datagrams(line, (True, initial), (False, b"\x40" + bytes(50))), up, down)
    if kind == "http":
        line.open().say(
            True, f"GET /x HTTP/1.1\r\nHost: {name}\r\nUser-Agent: {one.marker}/1\r\n\r\n".encode()
        )
        return _both(line.frames, up, down)
    if kind in SIGNALLING:
        return _signalling(one, kind, name)
    return _odd_frames(one, kind, name)


SIGNALLING = ("sip", "radius", "radius-of-third", "gtpc", "dhcp", "socks", "connect")
"""Kinds that tell of identities: of who speaks, or of a third party."""


def imsi(number: int) -> str:
    """What a GTP-C talk says of a third party."""
    return f"2069{number:03d}77777777"


def _signalling(one: Talk, kind: str, name: str) -> list[Frame]:
    up, down = one.one, one.other
    if kind in ("socks", "connect"):
        line = Connection(up, down, 48000 + one.number, 1080, ts=one.ts).open()
        if kind == "connect":
            line.say(True, f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n".encode())
            line.say(False, b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            line.say(True, b"\5\1\0")
            line.say(False, b"\5\0")
            line.say(True, b"\5\1\0\3" + bytes([len(name)]) + name.encode() + b"\x01\xbb")
            line.say(False, b"\5\0\0\1" + bytes(6))
        return _both(line.frames, up, down)
    port, asked, answer = _datagrams_of(one, kind)
    line = Connection(up, down, port if kind in ("dhcp", "gtpc") else 49000 + one.number, port, ts=one.ts)
    said = [(True, asked)] + ([(False, answer)] if answer else [])
    return _both(talk.datagrams(line, *said), up, down)


def _datagrams_of(one: Talk, kind: str) -> tuple[int, bytes, bytes]:
    """(port of the server, question, answer or nothing) of a talk over UDP."""
    up, marker = one.one, one.marker
    if kind == "sip":
        six = "6" if ":" in up else "4"
        body = f"v=0\r\no=- 1 1 IN IP{six} {up}\r\ns=-\r\nc=IN IP{six} {up}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
        head = (f"INVITE sip:{marker}-to@x.example SIP/2.0\r\nFrom: \"{marker}\" <sip:{marker}@x.example>;tag=1\r\n"
                f"To: <sip:{marker}-to@x.example>\r\nCall-ID: {marker}-call\r\nCSeq: 1 INVITE\r\n"
                f"Contact: <sip:{marker}@x.example>\r\nContent-Type: application/sdp\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")  # fmt: skip
        return 5060, (head + body).encode(), b""
    if kind in ("radius", "radius-of-third"):
        third = kind == "radius-of-third"
        user = b"mkthird-known" if third else marker.encode()
        address = socket.inet_pton(socket.AF_INET, TOLD if third or ":" in up else up)
        if ":" in up and not third:
            address = b""
        fields = _attribute(1, user) + _attribute(40, struct.pack("!I", 1)) + _attribute(44, user)
        fields += _attribute(8, address) if address else b""
        return 1813, struct.pack("!BBH", 4, one.number, 20 + len(fields)) + bytes(16) + fields, b""
    if kind == "dhcp":
        who = bytes.fromhex(mac(up).replace(":", ""))
        head = (
            struct.pack("!BBBBIHH", 1, 1, 6, 0, one.number, 0, 0) + bytes(map(int, up.split("."))) + bytes(12)
        )
        text = b"\x35\1\3" + b"\x0c" + bytes([len(marker)]) + marker.encode() + b"\xff"
        return 67, head + who + bytes(10) + bytes(192) + b"\x63\x82\x53\x63" + text, b""
    bearer = gtpc.element_2(73, b"\5") + gtpc.endpoint(4, 0x2222, GATEWAYS[0])
    asked = gtpc.message_2(
        32, 0, 77, gtpc.element_2(1, gtpc.bcd(imsi(one.number))), gtpc.endpoint(6, 0x1111, GATEWAYS[0]),
        gtpc.element_2(93, bearer),
    )  # fmt: skip
    given = gtpc.message_2(
        33, 0x1111, 77, gtpc.element_2(2, b"\x10\0"), gtpc.endpoint(7, 0x3333, GATEWAYS[1]),
        gtpc.element_2(79, b"\1" + gtpc.ip(TOLD)),
        gtpc.element_2(93, gtpc.endpoint(5, 0x4444, GATEWAYS[1])),
    )  # fmt: skip
    return 2123, asked, given


def _attribute(kind: int, value: bytes) -> bytes:
    return bytes([kind, 2 + len(value)]) + value


def _odd_frames(one: Talk, kind: str, name: str) -> list[Frame]:
    up, down, ts = one.one, one.other, one.ts
    six = ":" in up
    if kind in ("mdns", "mdns-question", "llmnr"):
        port, group = (5355, "ff02::1:3" if six else "224.0.0.252") if kind == "llmnr" else (
            5353, "ff02::fb" if six else "224.0.0.251")  # fmt: skip
        told = THIRD_PARTIES[0] if kind == "mdns-question" else up
        owner = "mkthird-known.local" if kind == "mdns-question" else f"{one.marker}.local"
        flags = 0 if kind == "mdns-question" else 0x8400
        address = socket.inet_pton(socket.AF_INET6 if ":" in told else socket.AF_INET, told)
        head = talk.dns_name(owner) + struct.pack("!HHI", 28 if ":" in told else 1, 1, 120)
        record = head + talk.tls.vector(address)
        data = struct.pack("!HHHHHH", 0, flags, 0, 1, 0, 0) + record
        return [_dressed(Frame(packet(up, group, 17, udp(port, port, data)), ts), up, None)]
    if kind == "ssdp":
        group = "ff02::c" if six else "239.255.255.250"
        text = (f"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nSERVER: {one.marker}/1 UPnP/1.0\r\n"
                f"NT: upnp:rootdevice\r\nNTS: ssdp:alive\r\n"
                f"USN: uuid:{one.marker}::upnp:rootdevice\r\n\r\n")  # fmt: skip
        return [_dressed(Frame(packet(up, group, 17, udp(1900, 1900, text.encode())), ts), up, None)]
    if kind == "arp":
        ends = [bytes.fromhex(mac(ip).replace(":", "")) + bytes(map(int, ip.split("."))) for ip in (up, down)]
        ask = Frame(
            bytes(12) + b"\x08\x06" + bytes.fromhex("0001080006040001") + ends[0] + bytes(6) + ends[1][6:], ts
        )
        return [_dressed(ask, up, None)]
    if kind == "lldp":
        return [_dressed(Frame(bytes(12) + b"\x88\xcc" + one.marker.encode() + bytes(40), ts), up, None)]
    if kind == "fragment":
        whole = udp(45000 + one.number, 9999, one.marker.encode() * 20)
        parts = [packet(up, down, 17, whole[:80], ident=one.number, fragment=0x2000),
                 packet(up, down, 17, whole[80:], ident=one.number, fragment=10)]  # fmt: skip
        return [_dressed(Frame(part, ts + at * MS), up, down) for at, part in enumerate(parts)]
    if kind in ("gtp", "gtp-fragments"):
        hello = talk.tls.record(22, talk.hello(name.encode(), b"h2"), 0x0301)
        inner = packet(up, down, 6, tcp(46000 + one.number, 443, 1, 1, ACK | PSH, hello))[14:]
        data = struct.pack("!BBHI", 0x30, 0xFF, len(inner), 5000 + one.number) + inner
        datagram = udp(2152, 2152, data)
        if kind == "gtp":
            return [_dressed(Frame(packet(*GATEWAYS, 17, datagram), ts), *GATEWAYS)]
        parts = [
            packet(
                *GATEWAYS, 17, datagram[:16], ident=one.number, fragment=0x2000
            ),  # before the inner header
            packet(*GATEWAYS, 17, datagram[16:], ident=one.number, fragment=2),
        ]
        return [_dressed(Frame(part, ts + at * MS), *GATEWAYS) for at, part in enumerate(parts)]
    data = packet(up, down, 17, udp(47000 + one.number, 4000, one.marker.encode() * 5))
    if kind == "cut":
        return [_dressed(Frame(data[: 14 + one.number * 3], ts, len(data)), up, down)]
    return [_dressed(Frame(data, ts), up, down)]


def _both(frames: Sequence[Frame], up: str, down: str) -> list[Frame]:
    """Frames of both directions with the hardware addresses of their ends."""
    family, at = (socket.AF_INET6, 22) if ":" in up else (socket.AF_INET, 26)
    source = socket.inet_pton(family, up)
    return [
        _dressed(frame, up, down)
        if frame.data[at : at + len(source)] == source
        else _dressed(frame, down, up)
        for frame in frames
    ]


@dataclass
class World:
    """Talks, a scope over them, and what may be found."""

    talks: list[Talk]
    pseudonymise: bool = False
    by_name: bool = True
    withheld: frozenset[str] = frozenset()
    spans: tuple[tuple[int, int], ...] = (WINDOW,)

    @property
    def scope(self) -> Scope:
        chosen = [Selector("network", ip) for ip in TARGETS]
        return Scope(
            spans=self.spans, targets=tuple(chosen), excluded=(Selector("network", LAWYER),),
            excluded_names=(LAWYER_NAME,) if self.by_name else (),
            others="pseudonymise" if self.pseudonymise else "drop", key=b"k" * 32 if self.pseudonymise else b"",
            withheld=self.withheld,
        )  # fmt: skip

    def allowed(self, one: Talk) -> bool:
        """Whether the scope covers a talk at all."""
        ends = {one.one, one.other}
        if one.kind in ("lldp",) or not any(first <= one.ts <= last for first, last in self.spans):
            return False
        if one.kind in ("mdns", "mdns-question", "llmnr", "ssdp"):
            return one.one in TARGETS
        if LAWYER in ends or not ends & set(TARGETS):
            return False
        return not (self.by_name and LAWYER_SERVER in ends and ends in self.named())

    def named(self) -> list[set[str]]:
        """Both ends of the flows within the scope that showed the lawyer's name."""
        return [
            {one.one, one.other} for one in self.talks
            if one.kind == "tls" and LAWYER_SERVER in (one.one, one.other)
            and any(first <= one.ts <= last for first, last in self.spans)
        ]  # fmt: skip

    def forbidden(self) -> set[str]:
        """Texts and times that must not be anywhere."""
        inside = [one for one in self.talks if self.allowed(one)]
        met = {ip for one in inside for ip in (one.one, one.other)} | {RESOLVER}
        gone: set[str] = {LAWYER, mac(LAWYER), "mkthird-known", TOLD}
        for ip in hosts():
            if ip not in met:
                gone |= {ip, mac(ip)}
        gone.add("99.113.0.203")
        gone |= {imsi(one.number) for one in self.talks if one.kind == "gtpc"}
        if self.by_name:
            gone.add(LAWYER_NAME)
        for one in self.talks:
            if not self.allowed(one):
                gone.add(one.marker)
                if not self.pseudonymise:
                    gone |= {str(frame.ts) for frame in frames_of(one)}
        return gone

    def write(self, path: Path) -> Path:
        """A pcapng of all frames, with comments, interface texts and resolved names that tell of others."""
        frames = sorted(
            ((frame, one) for one in self.talks for frame in frames_of(one)), key=lambda pair: pair[0].ts
        )
        named = files.option(2, b"mknic-of-third-party") + files.option(3, b"mkdescription")
        parts = [files.shb(options=files.option(4, b"mksection comment") + files.option(0, b"")),
                 files.idb(options=named + files.option(0, b""))]  # fmt: skip
        for frame, one in frames:
            note = files.option(1, f"note {one.marker}".encode()) + files.option(0, b"")
            parts.append(files.epb(frame.data, frame.ts // 1000, options=note, original=frame.original))
        record = bytes(map(int, THIRD_PARTIES[0].split("."))) + b"mkresolved.example\0"
        parts.append(
            files.block(4, struct.pack("<HH", 1, len(record)) + files.pad(record) + struct.pack("<HH", 0, 0))
        )
        path.write_bytes(b"".join(parts))
        return path


RECORDER_WORDS = {"mknic", "mkdescription", "mksection", "mkresolved"}


def texts_of(folder: Path) -> Iterator[tuple[str, str]]:
    """Every column of every Parquet file as lines of text, and every file's bytes: (where, text)."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            for name, column in pq.read_table(path, partitioning=None).to_pydict().items():
                yield f"{path.name}:{name}", "\n".join(map(str, column))
        if path.is_file():
            yield path.name, path.read_bytes().decode("latin-1")


def leaks(folder: Path, forbidden: set[str]) -> list[tuple[str, str]]:
    """(where, what) of each forbidden text that is in the folder. An address is not found inside a longer one."""
    return sorted({
        (where, one) for where, text in texts_of(folder) for one in forbidden if one in text and _stands_in(one, text)
    })  # fmt: skip


def _stands_in(one: str, text: str) -> bool:
    if not one[0].isdigit():
        return True
    return re.search(rf"(?<![\d.:]){re.escape(one)}(?![\d:]|\.\d)", text) is not None
