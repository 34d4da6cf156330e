"""Other protocols by their first payload: each by an example, none by what only looks alike."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.capture.protocols.services import CLEARTEXT, MAY_TURN_SECRET, cleartext_service

NOISE = bytes((91 * n + 7) % 253 for n in range(300))
NETBIOS_NAME = b"\x20" + b"FHEPFCELEHFCEPFFFACACACACACACABN" + b"\0"
MDNS = (
    struct.pack(">6H", 0, 0x8400, 0, 1, 0, 0)
    + b"\5phone\5local\0"
    + struct.pack(">HHIH", 1, 0x8001, 120, 4)
    + bytes(4)
)
LLMNR = struct.pack(">6H", 7, 0, 1, 0, 0, 0) + b"\4host\0\0\1\0\1"
SID, PACKET_ID = NOISE[:8], b"\0\0\0\1" + b"\x57\xc2\x0c\x2a"

TCP = [
    ("http", b"GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n", True, 80),
    ("http", b"POST http://example.org/a HTTP/1.0\r\n", True, 3128),
    ("http", b"GET /" + b"a" * 900, True, 80),
    ("http", b"HTTP/1.1 200 OK\r\n", False, 8080),
    ("http-connect", b"CONNECT example.org:443 HTTP/1.1\r\n", True, 3128),
    ("http2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0", True, 80),
    ("ssh", b"SSH-2.0-OpenSSH_9.6\r\n", True, 22),
    ("ssh", b"SSH-1.99-x\r\n", False, 2222),
    ("smtp", b"220 mail.example.org ESMTP Postfix\r\n", False, 2525),
    ("smtp", b"EHLO client.example.org\r\n", True, 25),
    ("smtp", b"220 ready\r\n", False, 25),
    ("ftp", b"220 (vsFTPd 3.0.3)\r\n", False, 2121),
    ("ftp", b"220 ready\r\n", False, 21),
    ("ftp", b"USER anonymous\r\n", True, 21),
    ("pop3", b"+OK POP3 server ready <1@a>\r\n", False, 1110),
    ("pop3", b"+OK ready\r\n", False, 110),
    ("pop3", b"CAPA\r\n", True, 110),
    ("imap", b"* OK [CAPABILITY IMAP4rev1] ready\r\n", False, 1143),
    ("imap", b"* OK ready\r\n", False, 143),
    ("imap", b"a001 LOGIN user pass\r\n", True, 143),
    ("sip", b"REGISTER sips:example.org SIP/2.0\r\n", True, 5061),
    ("rtsp", b"DESCRIBE rtsp://192.0.2.1/a RTSP/1.0\r\n", True, 554),
    ("rtsp", b"OPTIONS * RTSP/1.0\r\n", True, 554),
    ("irc", b"NICK alice\r\nUSER alice 0 * :Alice\r\n", True, 6667),
    ("irc", b":irc.example.org NOTICE AUTH :*** Looking up\r\n", False, 6667),
    ("redis", b"*1\r\n$4\r\nPING\r\n", True, 6379),
    ("xmpp", b"<?xml version='1.0'?><stream:stream to='a.org' xmlns='jabber:client'>", True, 5222),
    ("xmpp", b"<stream:stream xmlns='jabber:server' from='a'>", True, 15222),
    ("xmpp", b"<?xml version='1.0' ?>", True, 5222),
    ("xmpp", b"<presence to='a@b.org' type='unavailable'/>", True, 5222),
    ("vnc", b"RFB 003.008\n", False, 5900),
    ("telnet", b"\xff\xfd\x18\xff\xfd\x20", False, 23),
    ("git", b"0033git-upload-pack /project.git\0host=a\0", True, 9418),
    ("rsync", b"@RSYNCD: 31.0\n", False, 873),
    ("nats", b'INFO {"server_id":"a"}\r\n', False, 4222),
    ("gnutella", b"GNUTELLA CONNECT/0.6\r\n", True, 6346),
    ("whois", b"example.org\r\n", True, 43),
    ("bittorrent", b"\x13BitTorrent protocol" + bytes(8) + NOISE[:40], True, 51413),
    ("smb", b"\0\0\0\x80\xfeSMB\x40\0" + bytes(120), True, 445),
    ("smb", b"\x81\0\0\x44" + NETBIOS_NAME + NETBIOS_NAME, True, 139),
    ("rdp", b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0", True, 3389),
    ("rdp", b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x1f\x08\0\x02\0\0\0", False, 3389),
    ("mysql", b"\x4a\0\0\0\x0a8.0.36\0" + NOISE[:66], False, 3306),
    ("postgresql", b"\0\0\0\x08\x04\xd2\x16\x2f", True, 5432),
    ("postgresql", b"\0\0\0\x18\0\x03\0\0user\0postgres\0\0\0", True, 5432),
    ("ldap", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0", True, 389),
    ("kerberos", b"\0\0\0\x0b\x6a\x09\x30\x07\xa1\x03\x02\x01\x05\xa2\0", True, 88),
    ("mqtt", b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02ab", True, 1883),
    ("mqtt", b"\x10\x80\x01\0\x06MQIsdp\x03" + bytes(119), True, 1883),
    ("socks", b"\x05\x02\0\x02", True, 1080),
    ("socks", b"\x04\x01\0\x50\xc0\0\2\1user\0", True, 1080),
    ("rtmp", b"\x03" + NOISE[:4] + bytes(4) + NOISE * 5, True, 1935),
    ("bitcoin", b"\xf9\xbe\xb4\xd9version\0\0\0\0\0" + bytes(8), True, 8333),
    ("amqp", b"AMQP\0\0\x09\x01", True, 5672),
]  # fmt: skip
UDP = [
    ("sip", b"INVITE sip:bob@example.org SIP/2.0\r\n", True, 5060),
    ("sip", b"SIP/2.0 100 Trying\r\n", False, 5060),
    ("ssdp", b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n", True, 1900),
    ("syslog", b"<34>Oct 11 22:14:15 host su: failed", True, 514),
    ("bittorrent", b"d1:ad2:id20:" + NOISE[:20] + b"e1:q4:ping1:t2:aa1:y1:qe", True, 6881),
    ("bittorrent", bytes.fromhex("00000417271019800000000012345678"), True, 6969),
    ("dhcp", b"\1\1\6\0" + bytes(232) + b"\x63\x82\x53\x63\x35\1\1\xff", True, 67),
    ("dhcpv6", b"\1\x12\x34\x56\0\1\0\4abcd", True, 547),
    ("ntp", b"\x23" + bytes(47), True, 123),
    ("snmp", b"\x30\x0b\x02\x01\x01\x04\x06public", True, 161),
    ("nbns", struct.pack(">6H", 1, 0x110, 1, 0, 0, 0) + NETBIOS_NAME + b"\0\x20\0\1", True, 137),
    ("nbdgm", b"\x11\x02" + NOISE[:8] + b"\0\x20" + bytes(34), True, 138),
    ("mdns", MDNS, True, 5353),
    ("llmnr", LLMNR, True, 5355),
    ("ike", NOISE[:8] + bytes(8) + b"\x21\x20\x22\x08" + bytes(4) + b"\0\0\0\x1c", True, 500),
    ("ike", bytes(4) + NOISE[:8] + bytes(8) + b"\x21\x20\x22\x08" + bytes(4) + b"\0\0\0\x1c", True, 4500),
    ("radius", b"\x01\x07\0\x1b" + NOISE[:16] + b"\x01\x07alice", True, 1812),
    ("gtp-c", b"\x32\x01\0\4" + bytes(4) + b"\0\1\0\0", True, 2123),
    ("tftp", b"\0\1boot.img\0octet\0", True, 69),
    ("kerberos", b"\x6a\x09\x30\x07\xa1\x03\x02\x01\x05\xa2\0", True, 88),
    ("ldap", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0", True, 389),
]  # fmt: skip
EXAMPLES = [(*case, "tcp") for case in TCP] + [(*case, "udp") for case in UDP]


BY_EXCHANGE = {"esp", "opcua", "openvpn", "wireguard"}
"""Named by what both sides say (`exchanges`), or by a reader of their own."""


def test_every_name_has_an_example_and_one_class():
    assert {case[0] for case in EXAMPLES} == (CLEARTEXT | MAY_TURN_SECRET) - BY_EXCHANGE
    assert not CLEARTEXT & MAY_TURN_SECRET


@pytest.mark.parametrize(("name", "data", "from_client", "port", "transport"), EXAMPLES)
def test_named(name, data, from_client, port, transport):
    assert cleartext_service(data, from_client, port, transport) == name
    assert cleartext_service(data, from_client, port, "sctp") is None


@pytest.mark.parametrize(
    ("data", "from_client", "port", "transport"),
    [
        (b"", True, 80, "tcp"),
        (b"GET", True, 80, "tcp"),
        (b"GET /x HTTP/3.0\r\n", True, 80, "tcp"),
        (b"GETTING / HTTP/1.1\r\n", True, 80, "tcp"),
        (b" GET / HTTP/1.1\r\n", True, 80, "tcp"),
        (bytes.fromhex("160301020001 0001fc0303") + NOISE, True, 443, "tcp"),
        (bytes.fromhex("1603010200010001fc0303") + NOISE, True, 1080, "tcp"),
        (b"WA\x06\x03\0\0\x24\x12\x22\x0a\x20" + NOISE[:32], True, 5222, "tcp"),
        (b"220 ready\r\n", False, 2525, "tcp"),
        (b"+OK ready\r\n", False, 999, "tcp"),
        (b"<iq to='xiaomi.com' id='0' chid='0' type='get'>", True, 5222, "tcp"),
        (b"<iq chid='0' id='0' type='result'/>", False, 5222, "tcp"),
        (b"<presence to='a@b.org'/>", True, 80, "tcp"),
        (b"<html><body>", False, 5222, "tcp"),
        (NOISE, True, 5222, "tcp"),
        (b"\x05\x02\0", True, 1080, "tcp"),
        (b"\x10\x0e\0\x04MQTX", True, 1883, "tcp"),
        (b"\x03\0\0\x14\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0", True, 3389, "tcp"),
        (b"\0\0\0\x09\x04\xd2\x16\x2f", True, 5432, "tcp"),
        (b"\0\x0f\x38" + SID + bytes(5), True, 1194, "tcp"),
        (b"\x38" + bytes(13), True, 1194, "udp"),
        (b"\x39" + SID + bytes(5), True, 1194, "udp"),
        (b"\x38" + SID + b"\1" + bytes(4), True, 1194, "udp"),
        (b"\1\0\0\0" + bytes(144), True, 51820, "udp"),
        (b"\1\0\0\0" + NOISE[:143], True, 51820, "udp"),
        (b"\4\0\0\0\x5a\x80\xd2\x4e" + bytes(8) + NOISE[:15], True, 51820, "udp"),
        (b"\x23" + bytes(46), True, 123, "udp"),
        (b"\x23" + bytes(47), True, 124, "udp"),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + NOISE[:12], True, 3478, "udp"),
        (struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + b"\7example\0\0\1\0\1", True, 53, "udp"),
        (bytes(8) + bytes(20), True, 500, "udp"),
        (b"\xc0\0\0\0\1" + NOISE, True, 443, "udp"),
        (NOISE, True, 443, "udp"),
        (NOISE, True, 500, "udp"),
        (b"\x90\x78" + NOISE, True, 50004, "udp"),
        (b"<999>text", True, 514, "udp"),
    ],
)
def test_not_named(data, from_client, port, transport):
    assert cleartext_service(data, from_client, port, transport) is None


@pytest.mark.parametrize(("name", "data", "from_client", "port", "transport"), EXAMPLES)
def test_cut_payloads_have_no_other_name(name, data, from_client, port, transport):
    alike = {name, None, "smtp", "ftp"} if data.startswith(b"220") else {name, None}
    for cut in range(len(data)):
        assert cleartext_service(data[:cut], from_client, port, transport) in alike


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(
    st.binary(max_size=200),
    st.booleans(),
    st.sampled_from(sorted({case[3] for case in EXAMPLES})),
    st.sampled_from(["tcp", "udp"]),
)
def test_anything_may_come(data, from_client, port, transport):
    assert cleartext_service(data, from_client, port, transport) in CLEARTEXT | MAY_TURN_SECRET | {None}


def test_a_pattern_does_not_take_long_on_hostile_text():
    for head in (
        b"<stream:stream " + b"a='" * 20000,
        b"GET /" + b"a" * 60000,
        b"a" * 60000,
        b"220 " + b"SMTP" * 9000,
    ):
        assert cleartext_service(head, True, 5222, "tcp") in {None, "http"}
