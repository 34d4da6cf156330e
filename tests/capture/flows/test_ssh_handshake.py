"""The two halves of an SSH connection become one row."""

from hashlib import md5

import pytest

from wirecover.capture.flows.ssh_handshake import SshHandshake


def kexinit(mark: bytes) -> bytes:
    lists = [mark, b"h", b"c-up", b"c-down", b"m-up", b"m-down", b"z-up", b"z-down", b"", b""]
    payload = b"\x14" + bytes(16) + b"".join(len(one).to_bytes(4, "big") + one for one in lists) + bytes(5)
    return (len(payload) + 5).to_bytes(4, "big") + b"\x04" + payload + bytes(4)


@pytest.mark.parametrize("client", [0, 1])
def test_row(client: int):
    handshake = SshHandshake()
    handshake.feed(client, 4, b"SSH-2.0-cli")
    assert not handshake.is_known
    handshake.feed(client, 5, b"ent 1\r\n")
    assert handshake.is_known
    assert handshake.row(9, client) == (9, 5, None, "client 1", None, None, None)
    handshake.feed(1 - client, 6, b"SSH-2.0-server\r\n" + kexinit(b"s")[:9])
    handshake.feed(client, 7, kexinit(b"k"))
    assert not handshake.done
    handshake.feed(1 - client, 8, kexinit(b"s")[9:])
    assert handshake.done
    assert handshake.row(9, client) == (
        9, 7, 8, "client 1", "server", md5(b"k;c-up;m-up;z-up").hexdigest(),
        md5(b"s;c-down;m-down;z-down").hexdigest(),
    )  # fmt: skip


def test_one_side_alone_and_noise():
    handshake = SshHandshake()
    handshake.feed(0, 1, b"\xff" * 9000)
    handshake.feed(1, 2, b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff")
    assert handshake.done
    assert handshake.readers[1].problem is not None
    assert handshake.row(0, 1) == (0, 2, None, "x", None, None, None)
    assert handshake.row(0, 0) == (0, None, 2, None, "x", None, None)
