"""The archive inside a bundle: POSIX ustar, and of it only what a bundle needs.

Written: regular files in the order given, no owner, no clock, mode 0600, so that the same files give the same
bytes; a size of 8 GiB or more as GNU tar writes it (base 256). Any tar program unpacks it.
https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html ("ustar Interchange Format")

Read: exactly that and nothing else. Links, devices, folders, extended headers, names that are not portable,
sizes beyond the limits, bytes where none belong: each ends the reading. The reader is pushed (`feed`), holds
one header at most, and hands pieces on as they come, so memory does not grow with the archive.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from wirecover.casefile.bundle_names import fault
from wirecover.casefile.errors import IntegrityError

BLOCK: Final = 512
PIECE: Final = 1 << 18
MAX_MEMBERS: Final = 1_000_000
MAX_MEMBER_BYTES: Final = 1 << 42
"""4 TiB; what a size field may claim. Nothing is reserved for a claim: bytes count when they come."""
MAX_TOTAL_BYTES: Final = 1 << 43
_OCTAL_LIMIT: Final = 8 << 30
_END: Final = bytes(2 * BLOCK)


class ArchiveError(IntegrityError):
    """The archive is not one that this program writes."""


# ---- writing -----------------------------------------------------------------------------------------------


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a member."""
    before, _, last = _split(name.encode("utf-8"))
    block = bytearray(BLOCK)
    block[0 : len(last)] = last
    block[100:108], block[108:116], block[116:124] = b"0000600\0", b"0000000\0", b"0000000\0"
    block[124:136] = b"%011o\0" % size if size < _OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big")
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = b"0"
    block[257:265] = b"ustar\x0000"
    block[329:337] = block[337:345] = b"0000000\0"
    block[345 : 345 + len(before)] = before
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _split(name: bytes) -> tuple[bytes, bytes, bytes]:
    """(prefix, slash, name) as ustar has them: at most 155 and 100 bytes."""
    if len(name) <= 100:
        return b"", b"", name
    place = name.find(b"/", len(name) - 101)
    if place == -1 or place > 155:
        raise ValueError(f"a name that ustar cannot hold: {name!r}")
    return name[:place], b"/", name[place + 1 :]


def fits(name: str) -> bool:
    """Whether a ustar header can hold the name."""
    try:
        _split(name.encode("utf-8"))
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Entry:
    """A member to be written."""

    name: str
    size: int
    pieces: Iterable[bytes]
    """Its bytes; as many as `size` says, or the archive would be another one than was announced."""


def written(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The bytes of the archive, piece by piece."""
    for entry in entries:
        yield header(entry.name, entry.size)
        sent = 0
        for piece in entry.pieces:
            sent += len(piece)
            yield piece
        if sent != entry.size:
            raise ArchiveError(f"{entry.name}: {sent} bytes where {entry.size} were announced")
        yield bytes(-sent % BLOCK)
    yield _END


def file_pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The first bytes of an open file, as many as asked for or as there are."""
    while size > 0 and (piece := file.read(min(PIECE, size))):
        size -= len(piece)
        yield piece


# ---- reading -----------------------------------------------------------------------------------------------


class Members(Protocol):
    """Who receives what an archive holds, in its order."""

    def begin(self, name: str, size: int) -> None:
        """A member starts; raise to refuse it."""

    def data(self, piece: bytes) -> None:
        """Bytes of the member that was begun last."""

    def end(self) -> None:
        """That member has come whole."""


class ArchiveReader:
    """Push bytes in, get members out; `close` when there are no more."""

    def __init__(self, members: Members, *, max_members: int = MAX_MEMBERS) -> None:
        self._members = members
        self._held = bytearray()
        self._left = 0
        """Bytes of the current member that are still to come."""
        self._padding = 0
        self._open = False
        self._ended = 0
        """Zero blocks seen at the end."""
        self._count = 0
        self._total = 0
        self._max_members = max_members

    def feed(self, data: bytes) -> None:
        """The next bytes of the archive."""
        view = memoryview(data)
        while view:
            if self._left:
                view = self._take_data(view)
            elif self._padding:
                view = self._take_padding(view)
            else:
                view = self._take_header(view)
            self._finish_member()

    def close(self) -> None:
        """No more bytes: an archive that is not at its end is cut."""
        if self._ended != 2 or self._held:
            raise ArchiveError("the archive is cut off before its end")

    def _take_data(self, view: memoryview) -> memoryview:
        piece = view[: self._left]
        self._left -= len(piece)
        self._members.data(bytes(piece))
        return view[len(piece) :]

    def _take_padding(self, view: memoryview) -> memoryview:
        piece = view[: self._padding]
        if any(piece):
            raise ArchiveError("bytes hidden between two members")
        self._padding -= len(piece)
        return view[len(piece) :]

    def _take_header(self, view: memoryview) -> memoryview:
        need = BLOCK - len(self._held)
        self._held += view[:need]
        if len(self._held) == BLOCK:
            block = bytes(self._held)
            self._held.clear()
            self._header(block)
        return view[need:]

    def _header(self, block: bytes) -> None:
        if not any(block):
            self._ended += 1
            if self._ended > 2:
                raise ArchiveError("bytes behind the end of the archive")
            return
        if self._ended:
            raise ArchiveError("a member behind the end of the archive")
        name, size = parse_header(block)
        self._count += 1
        self._total += size
        if self._count > self._max_members or self._total > MAX_TOTAL_BYTES:
            raise ArchiveError(f"more than {self._max_members} members, or {MAX_TOTAL_BYTES} bytes in all")
        self._left, self._padding, self._open = size, -size % BLOCK, True
        self._members.begin(name, size)

    def _finish_member(self) -> None:
        if self._open and not self._left:
            self._open = False
            self._members.end()


def parse_header(block: bytes) -> tuple[str, int]:
    """(name, size) of a header block; ArchiveError unless it is one that `header` would have written."""
    try:
        name = block[:100].rstrip(b"\0").decode("utf-8")
        prefix = block[345:500].rstrip(b"\0").decode("utf-8")
        path = f"{prefix}/{name}" if prefix else name
        size = _size(block[124:136])
    except ValueError:
        raise ArchiveError("a header whose name or size cannot be read") from None
    reason = fault(path)
    if reason is not None:
        raise ArchiveError(f"a member name that is not portable ({reason}): {path!r}")
    if size > MAX_MEMBER_BYTES:
        raise ArchiveError(f"{path}: {size} bytes, more than the {MAX_MEMBER_BYTES} allowed")
    # links, devices, folders, owners, clocks and checksums all show as a difference here
    if not fits(path) or header(path, size) != block:
        raise ArchiveError(f"{path}: not a plain file as this program writes it (kind {block[156:157]!r})")
    return path, size


def _size(field: bytes) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field[:11]
    if field[11] != 0 or not digits.isdigit():
        raise ValueError("no octal number")
    return int(digits, 8)
