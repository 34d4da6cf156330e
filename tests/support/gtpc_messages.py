"""Crafted GTP-C messages: a session created and answered, in both versions."""

import socket
import struct

IMSI, MSISDN, IMEI = "206011234567890", "32470123456", "3512345678901201"


def bcd(text: str) -> bytes:
    padded = text + "f" * (len(text) % 2)
    return bytes(int(padded[at + 1] + padded[at], 16) for at in range(0, len(padded), 2))


def ip(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def label(name: bytes) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in name.split(b"."))


def element_2(kind: int, value: bytes) -> bytes:
    return struct.pack(">BHB", kind, len(value), 0) + value


def message_2(kind: int, teid: int, sequence: int, *elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack(">BBHI", 0x48, kind, 8 + len(body), teid) + sequence.to_bytes(3, "big") + b"\0" + body


def endpoint(interface: int, teid: int, address: str) -> bytes:
    return element_2(87, struct.pack(">BI", 0x80 | interface, teid) + ip(address))


def create_2() -> bytes:
    bearer = element_2(73, b"\5") + endpoint(4, 0x2222, "198.51.100.1")
    return message_2(
        32, 0, 77, element_2(1, bcd(IMSI)), element_2(76, bcd(MSISDN)), element_2(75, bcd(IMEI)),
        element_2(71, label(b"internet.example")), endpoint(6, 0x1111, "198.51.100.1"), element_2(79, b"\1" + bytes(4)),
        element_2(93, bearer),
    )  # fmt: skip


def created_2(cause: int = 16) -> bytes:
    address = b"\3\x40" + ip("2001:db8:5::1") + ip("10.64.0.9")
    return message_2(
        33, 0x1111, 77, element_2(2, bytes([cause, 0])), endpoint(7, 0x3333, "198.51.100.2"),
        element_2(79, address), element_2(93, endpoint(5, 0x4444, "198.51.100.2")),
    )  # fmt: skip


def create_1() -> bytes:
    body = (
        b"\x02" + bcd(IMSI) + b"\x0f\0" + b"\x10" + struct.pack(">I", 0x2222) + b"\x11" + struct.pack(">I", 0x1111)
        + b"\x14\5" + b"\x80\0\2\xf1\x21" + b"\x83" + struct.pack(">H", 17) + label(b"internet.example")
        + b"\x85\0\4" + ip("198.51.100.1") + b"\x85\0\4" + ip("198.51.100.3")
        + b"\x86" + struct.pack(">H", 1 + len(bcd(MSISDN))) + b"\x91" + bcd(MSISDN) + b"\x9a\0\x08" + bcd(IMEI)
    )  # fmt: skip
    return struct.pack(">BBHIHBB", 0x32, 16, 4 + len(body), 0, 5, 0, 0) + body


def created_1() -> bytes:
    body = (
        b"\1\x80" + b"\x10" + struct.pack(">I", 0x4444) + b"\x11" + struct.pack(">I", 0x3333)
        + b"\x80\0\6\xf1\x21" + ip("10.64.0.9")
    )  # fmt: skip
    return struct.pack(">BBHIHBB", 0x32, 17, 4 + len(body), 0x1111, 5, 0, 0) + body
