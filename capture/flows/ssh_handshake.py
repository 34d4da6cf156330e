"""What the two sides of one SSH connection said of themselves, until its row is written."""

from wirecover.capture.protocols.ssh import Identification, KexInit, SshReader

Row = tuple[int, int | None, int | None, str | None, str | None, str | None, str | None]


class SshHandshake:
    """One connection: a reader a half, and what they found."""

    __slots__ = ("_frames", "_offers", "_software", "readers")

    def __init__(self) -> None:
        self.readers = (SshReader(), SshReader())
        self._frames: list[int | None] = [None, None]
        self._software: list[str | None] = [None, None]
        self._offers: list[KexInit | None] = [None, None]

    def feed(self, half: int, frame: int, data: bytes) -> None:
        """The next bytes of one direction, which ended in `frame`."""
        for found in self.readers[half].feed(data):
            self._frames[half] = frame
            if isinstance(found, Identification):
                self._software[half] = found.text
            else:
                self._offers[half] = found

    @property
    def is_known(self) -> bool:
        """A side named its software: there is something to write."""
        return self._software != [None, None]

    @property
    def done(self) -> bool:
        """Neither side can add anything."""
        return self.readers[0].done and self.readers[1].done

    def row(self, flow_no: int, client_half: int) -> Row:
        """A row of `ssh_handshakes`. A frame is that of KEXINIT's end, or of the identification's without one."""
        server_half = 1 - client_half
        client, server = self._offers[client_half], self._offers[server_half]
        return (
            flow_no, self._frames[client_half], self._frames[server_half], self._software[client_half],
            self._software[server_half], None if client is None else client.hassh,
            None if server is None else server.hassh_server,
        )  # fmt: skip
