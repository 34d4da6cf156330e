"""One capture with a conversation of every kind, and what each of them was."""

import datetime
import struct
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from support import quic_packets as quic
from support import tls_bytes as tls
from support.traffic import MS, START, Connection, Frame, packet, udp

CLIENT, RESOLVER = "10.0.0.2", "10.0.0.1"
RANDOM_ID = bytes(range(12))


@cache
def certificate(name: str, extra: int = 0) -> bytes:
    """A self-signed certificate (DER); `extra` makes it longer."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), *(x509.DNSName(f"{i}.{name}") for i in range(extra))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(0x1234)
        .not_valid_before(datetime.datetime(2024, 1, 1))
        .not_valid_after(datetime.datetime(2034, 1, 1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )


def hello(name: bytes, *protocols: bytes, tls13: bool = True) -> bytes:
    """A ClientHello message."""
    parts = tls.server_name(name) + tls.groups(29, 23) + tls.signature_algorithms(0x0403)
    parts += tls.alpn(*protocols) if protocols else b""
    if tls13:
        parts += tls.supported_versions(0x0304, 0x0303)
        parts += tls.extension(51, tls.vector(b"\0\x1d" + tls.vector(bytes(32))))
    return tls.message(1, tls.client_hello(parts, ciphers=(0x1301, 0xC02F)))


def server_13() -> bytes:
    parts = tls.extension(43, b"\3\4") + tls.extension(51, b"\0\x1d" + tls.vector(bytes(32)))
    return tls.message(2, tls.server_hello(parts, cipher=0x1301))


def server_12(*protocols: bytes) -> bytes:
    return tls.message(2, tls.server_hello(tls.alpn(*protocols) if protocols else b"", cipher=0xC02F))


def certificates(*ders: bytes) -> bytes:
    return tls.message(11, tls.vector(b"".join(tls.vector(der, 3) for der in ders), 3))


def application(*sizes: int) -> bytes:
    return b"".join(tls.record(23, bytes(size)) for size in sizes)


def tls_12(line: Connection, name: bytes, ders: list[bytes], size: int = 1000) -> Connection:
    """A whole TLS 1.2 handshake, the server's flight in segments of `size`, then some application data."""
    line.open().say(True, tls.record(22, hello(name, b"h2", tls13=False), 0x0301))
    line.say(
        False,
        tls.record(22, server_12(b"h2"))
        + tls.record(22, certificates(*ders))
        + tls.record(22, tls.message(14)),
        size,
    )
    line.say(
        True, tls.record(22, tls.message(16, bytes(60))) + tls.record(20, b"\1") + tls.record(22, bytes(40))
    )
    line.say(False, tls.record(20, b"\1") + tls.record(22, bytes(40)))
    return line.say(True, application(120)).say(False, application(300, 20)).close()


def tls_13(line: Connection, name: bytes) -> Connection:
    line.open().say(True, tls.record(22, hello(name, b"h2", b"http/1.1"), 0x0301))
    line.say(False, tls.record(22, server_13()) + tls.record(20, b"\1") + application(900))
    return line.say(True, tls.record(20, b"\1") + application(53, 88)).say(False, application(400)).close()


def dns_name(name: str) -> bytes:
    return b"".join(tls.vector(label.encode(), 1) for label in name.split(".")) + b"\0"


def dns_query(number: int, name: str) -> bytes:
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + dns_name(name) + struct.pack("!HH", 1, 1)


def dns_answer(number: int, name: str, alias: str, address: bytes) -> bytes:
    return (
        struct.pack("!HHHHHH", number, 0x8180, 1, 2, 0, 0)
        + dns_name(name)
        + struct.pack("!HH", 1, 1)
        + b"\xc0\x0c"
        + struct.pack("!HHI", 5, 1, 60)
        + tls.vector(dns_name(alias))
        + dns_name(alias)
        + struct.pack("!HHI", 1, 1, 60)
        + tls.vector(address)
    )


def datagrams(line: Connection, *talk: tuple[bool, bytes]) -> list[Frame]:
    """UDP between the ends of `line`."""
    frames = []
    for up, data in talk:
        ends = [(line.client, line.cport), (line.server, line.sport)]
        (source, sport), (target, dport) = ends if up else ends[::-1]
        frames.append(Frame(packet(source, target, 17, udp(sport, dport, data)), line.ts))
        line.ts += line.step
    return frames


def dns_lookup(name: str, alias: str, address: bytes, ts: int, sport: int = 5353 + 4000) -> list[Frame]:
    line = Connection(CLIENT, RESOLVER, sport, 53, ts=ts)
    return datagrams(line, (True, dns_query(7, name)), (False, dns_answer(7, name, alias, address)))


def stun_binding(ts: int) -> list[Frame]:
    line = Connection(CLIENT, "198.51.100.4", 42000, 3478, ts=ts)
    ask = struct.pack("!HHI", 1, 0, 0x2112A442) + RANDOM_ID
    address = struct.pack("!BBH", 0, 1, 50000 ^ 0x2112) + bytes(
        a ^ b for a, b in zip((203, 0, 113, 9), b"\x21\x12\xa4\x42", strict=True)
    )
    mapped = struct.pack("!HH", 0x20, 8) + address
    reply = struct.pack("!HHI", 0x0101, len(mapped), 0x2112A442) + RANDOM_ID + mapped
    return datagrams(line, (True, ask), (False, reply))


def quic_initial(ts: int, name: bytes) -> list[Frame]:
    line = Connection(CLIENT, "192.0.2.30", 43000, 443, ts=ts)
    up = quic.initial(quic.crypto(0, hello(name, b"h3")), pad_to=1200)
    down = quic.initial(quic.crypto(0, server_13()), side="server", dcid=b"", scid=b"\7" * 8, pad_to=1200)
    return datagrams(
        line, (True, up), (False, down), (True, b"\x40" + bytes(60)), (False, b"\x40" + bytes(500))
    )


def dtls_record(kind: int, number: int, fragment: bytes) -> bytes:
    return bytes([kind]) + b"\xfe\xfd" + bytes(2) + number.to_bytes(6, "big") + tls.vector(fragment)


def dtls_message(kind: int, number: int, body: bytes) -> bytes:
    length = len(body).to_bytes(3, "big")
    return bytes([kind]) + length + number.to_bytes(2, "big") + bytes(3) + length + body


def dtls_handshake(ts: int) -> list[Frame]:
    line = Connection(CLIENT, "198.51.100.7", 44000, 45000, ts=ts)
    ask = tls.client_hello(tls.groups(29), ciphers=(0xC02B,), version=0xFEFD, cookie=b"")
    reply = tls.server_hello(b"", cipher=0xC02B, version=0xFEFD)
    return datagrams(
        line,
        (True, dtls_record(22, 0, dtls_message(1, 0, ask))),
        (False, dtls_record(22, 0, dtls_message(2, 0, reply))),
        (True, dtls_record(22, 1, dtls_message(16, 1, bytes(40)))),
    )


@cache
def everything() -> tuple[Frame, ...]:
    """DNS, TLS 1.2 to the address it named, TLS 1.3, STUN, QUIC and DTLS, one after another."""
    frames = dns_lookup("www.twelve.example", "edge.cdn.example", bytes((192, 0, 2, 10)), START)
    frames += tls_12(
        Connection(CLIENT, "192.0.2.10", 40000, 443, ts=frames[-1].ts + MS),
        b"www.twelve.example",
        [certificate("www.twelve.example", 40), certificate("ca.example")],
    ).frames
    frames += tls_13(
        Connection(CLIENT, "192.0.2.20", 40001, 443, up=77, ts=frames[-1].ts + MS), b"www.thirteen.example"
    ).frames
    frames += stun_binding(frames[-1].ts + MS)
    frames += quic_initial(frames[-1].ts + MS, b"www.quic.example")
    frames += dtls_handshake(frames[-1].ts + MS)
    return tuple(frames)
