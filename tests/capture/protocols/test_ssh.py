"""SSH identification and KEXINIT: the layouts of RFC 4253, HASSH of public algorithm lists, bounds."""

import struct
from hashlib import md5

import pytest
from support.parser_outcomes import check_outcomes, check_random, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.ssh import (
    MAX_GREETING,
    MAX_PACKET,
    MAX_PACKETS,
    Identification,
    KexInit,
    SshReader,
    looks_like_ssh,
    parse_identification,
    parse_kexinit,
)

# The default offers of OpenSSH 7.9, whose client fingerprint is a well-known example of HASSH.
KEX = (
    b"curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
    b"diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"
    b"diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,ext-info-c"
)
CIPHERS = (
    b"chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,"
    b"aes128-gcm@openssh.com,aes256-gcm@openssh.com"
)
MACS = (
    b"umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
    b"hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1"
)
OPENSSH = (
    KEX,
    b"ssh-ed25519",
    CIPHERS,
    CIPHERS,
    MACS,
    MACS,
    b"none,zlib@openssh.com,zlib",
    b"none",
    b"",
    b"",
)
PLAIN = (b"k1,k2", b"h", b"c-up", b"c-down", b"m-up", b"m-down", b"z-up", b"z-down", b"", b"")


def kexinit(lists: tuple[bytes, ...] = PLAIN, guess: int = 0) -> bytes:
    body = b"".join(struct.pack("!I", len(one)) + one for one in lists)
    return bytes([20]) + bytes(range(16)) + body + bytes([guess]) + bytes(4)


def binary(payload: bytes, padding: int = 8) -> bytes:
    return struct.pack("!IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def read(stream: bytes, size: int = 10**6) -> tuple[list[object], SshReader]:
    reader, found = SshReader(), []
    for at in range(0, len(stream), size):
        found += reader.feed(stream[at : at + size])
    return found, reader


def test_identification():
    line = b"SSH-2.0-OpenSSH_9.6 Debian-1 x\r\n"
    record = check_outcomes(parse_identification, line, cut=None, longer="record")
    assert record == Identification("2.0", "OpenSSH_9.6", "Debian-1 x")
    assert record.text == "OpenSSH_9.6 Debian-1 x"
    assert parse_identification(b"SSH-2.0-dropbear\n") == Identification("2.0", "dropbear", None)
    assert parse_identification(b"SSH-2.0-a-b\r\n") == Identification("2.0", "a-b", None)


def test_software_is_escaped():
    record = parse_identification(b"SSH-2.0-\x1b[2Jx\\ \xff\xe2\x80\xae\r\n")
    assert record == Identification("2.0", "\\u{1b}[2Jx\\\\", "\\xff\\u{202e}")


def test_longest_identification():
    whole = b"SSH-2.0-" + b"a" * 245 + b"\r\n"
    assert len(whole) == 255
    assert parse_identification(whole) is not None
    for longer in (b"SSH-2.0-" + b"a" * 246 + b"\r\n", b"SSH-" + b"a" * 251):
        with pytest.raises(Malformed, match="longer than 255"):
            parse_identification(longer)
    assert parse_identification(b"SSH-" + b"a" * 250) is None


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 200\r\n", b"SSH_2.0\r\n", b"SSH-2.0\r\n", b"SSH--x\r\n", b"SSH-2.0-\0\r\n"]
)
def test_what_is_no_identification(line: bytes):
    with pytest.raises(Malformed):
        parse_identification(line)


def test_kexinit():
    record = check_outcomes(parse_kexinit, kexinit(guess=1), cut=None, longer="record")
    assert record == KexInit(PLAIN, guess_follows=True)
    assert record.names(0) == ("k1", "k2")
    assert record.names(8) == ()
    assert KexInit((b"a\xff,b\n", *PLAIN[1:]), False).names(0) == ("a\\xff", "b\\u{a}")


def test_hassh_takes_each_sides_own_lists():
    record = KexInit(PLAIN, False)
    assert record.hassh == md5(b"k1,k2;c-up;m-up;z-up").hexdigest()
    assert record.hassh_server == md5(b"k1,k2;c-down;m-down;z-down").hexdigest()
    public = parse_kexinit(kexinit(OPENSSH))
    assert public is not None
    assert public.hassh == "ec7378c1a92f5a8dde7e8b7a1ddf33d1"


def test_kexinit_that_contradicts_itself():
    with pytest.raises(Malformed, match="longer than a packet"):
        parse_kexinit(bytes([20]) + bytes(16) + b"\xff\xff\xff\xff")
    with pytest.raises(Malformed, match="not a KEXINIT"):
        parse_kexinit(bytes([21]) + bytes(80))


@pytest.mark.parametrize("size", [1, 2, 7, 10**6])
def test_stream_in_pieces(size: int):
    stream = b"SSH-2.0-x y\r\n" + binary(b"\x02" + bytes(20)) + binary(kexinit()) + b"\xaa" * 100
    found, reader = read(stream, size)
    assert found == [Identification("2.0", "x", "y"), KexInit(PLAIN, False)]
    assert (reader.done, reader.problem) == (True, None)
    assert reader.feed(b"SSH-2.0-again\r\n") == []


def test_reader_waits_for_more():
    stream = b"Welcome\r\nSSH-2.0-x\r\n" + binary(kexinit())
    for cut in range(len(stream)):
        found, reader = read(stream[:cut])
        assert (reader.done, reader.problem) == (False, None)
        assert found == ([Identification("2.0", "x", None)] if cut >= 20 else [])


def test_lines_before_the_identification_are_bounded():
    found, _ = read(b"hello\r\n" * 100 + b"SSH-1.99-x\n")
    assert found == [Identification("1.99", "x", None)]
    lines, endless = b"hello\r\n" * (MAX_GREETING // 7 + 1), b"h" * (MAX_GREETING + 1)
    for stream in (lines, endless):
        for size in (1000, 10**6):
            found, reader = read(stream + b"\nSSH-2.0-x\r\n", size)
            assert found == []
            assert reader.done
            assert reader.problem is not None
    assert not read(endless[:-1])[1].done


def test_old_versions_have_no_kexinit():
    found, reader = read(b"SSH-1.5-old\n" + binary(kexinit()))
    assert found == [Identification("1.5", "old", None)]
    assert (reader.done, reader.problem) == (True, None)


@pytest.mark.parametrize(
    "packets",
    [
        binary(b"\x02" + bytes(8)) * MAX_PACKETS + binary(kexinit()),
        binary(b"\x15" + bytes(20)),
        binary(b"\x00" + bytes(20)),
        struct.pack("!IB", MAX_PACKET + 1, 4) + b"\x14",
        struct.pack("!IB", 9, 8) + b"\x14",
        struct.pack("!IB", 0, 0) + b"\x14",
        binary(kexinit()[:-6]),
        binary(kexinit()[:30]),
        b"\xff" * 6,
    ],
)
def test_packets_that_break_the_rules(packets: bytes):
    for size in (1, 10**6):
        found, reader = read(b"SSH-2.0-x\r\n" + packets, size)
        assert found == [Identification("2.0", "x", None)]
        assert reader.done
        assert reader.problem is not None


def test_reader_survives_anything():
    def parse(data: bytes) -> object:
        found, reader = read(data, 50)
        if reader.problem is not None:
            raise reader.problem
        return found or None

    check_random(parse, [b"", b"SSH-", b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n" + binary(kexinit())[:40]])
    assert isinstance(outcome(parse, b"SSH-2.0-x\r\n" + bytes(6)), Malformed)


def test_detector():
    assert looks_like_ssh(b"SSH-2.0-x")
    assert looks_like_ssh(b"SSH-1.99-x")
    assert not looks_like_ssh(b"SSH-2.0")
    assert not looks_like_ssh(b"ssh-2.0-x")
