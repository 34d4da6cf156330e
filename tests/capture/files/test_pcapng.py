"""pcapng: sections, interfaces, options, statistics, and each way a block can be wrong."""

from pathlib import Path

import pytest
from support import captures as make
from support.captures import option

from wirecover.capture.errors import CaptureError
from wirecover.capture.files.batch import Comment, ResolvedName
from wirecover.capture.files.reader import CaptureReader

Row = tuple[bytes, int, int, int]


def read(path: Path, *blocks: bytes) -> tuple[list[Row], CaptureReader]:
    path.write_bytes(b"".join(blocks))
    rows: list[Row] = []
    with CaptureReader(path) as reader:
        for batch in reader:
            columns = (batch.offset, batch.captured, batch.original, batch.ts, batch.interface)
            for at, kept, wire, ts, interface in zip(*(column.tolist() for column in columns), strict=True):
                rows.append((batch.buffer[at : at + kept].tobytes(), wire, ts, interface))
    return rows, reader


def kinds(reader: CaptureReader) -> dict[str, int]:
    return {damage.kind: damage.count for damage in reader.damage}


def test_sections_of_both_byte_orders_and_many_interfaces(tmp_path: Path) -> None:
    rows, reader = read(
        tmp_path / "capture",
        make.shb(), make.idb(link_type=1, snaplen=96), make.idb(link_type=101, options=option(2, b"wlan0")),
        make.epb(b"one", 1, interface=1, original=90),
        make.shb("big"), make.idb("big", option(9, b"\x09", "big"), link_type=113),
        make.epb(b"two", 7, "big"),
        make.idb("big", link_type=276), make.epb(b"three", 8, "big", interface=1),
    )  # fmt: skip
    assert rows == [(b"one", 90, 1000, 1), (b"two", 3, 7, 2), (b"three", 5, 8000, 3)]
    assert [(i.interface_id, i.link_type, i.snaplen, i.name) for i in reader.interfaces] == [
        (0, 1, 96, None), (1, 101, None, "wlan0"), (2, 113, None, None), (3, 276, None, None),
    ]  # fmt: skip
    assert reader.format == "pcapng" and reader.complete and not reader.damage


@pytest.mark.parametrize(
    ("byte", "units", "ns", "resolution"),
    [
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000, 1000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789, 1),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000, 1_000_000),
        (0, 1_700_000_000, 1_700_000_000_000_000_000, 1_000_000_000),
        (12, 1_700_000_000_123_456_789, 1_700_000_000_123_456, 1),
        (0x80 | 20, 1_700_000_000 << 20 | 1 << 19, 1_700_000_000_500_000_000, 954),
        (0x80 | 32, 4_000_000_000 << 32 | 1 << 31, 4_000_000_000_500_000_000, 1),
    ],
)
def test_time_resolutions(byte: int, units: int, ns: int, resolution: int, tmp_path: Path) -> None:
    rows, reader = read(
        tmp_path / "capture", make.shb(), make.idb(options=option(9, bytes([byte]))), make.epb(b"x", units)
    )
    assert rows == [(b"x", 1, ns, 0)]
    assert reader.interfaces[0].ts_resolution_ns == resolution


def test_time_offset_is_added(tmp_path: Path) -> None:
    offset = option(14, (-3600).to_bytes(8, "little", signed=True))
    rows, reader = read(tmp_path / "capture", make.shb(), make.idb(options=offset), make.epb(b"x", 10**9))
    assert rows[0][2] == (1000 - 3600) * 10**9
    assert reader.interfaces[0].ts_offset_s == -3600


def test_times_and_offsets_that_cannot_be(tmp_path: Path) -> None:
    offset = option(14, (2**62).to_bytes(8, "little"))
    rows, reader = read(
        tmp_path / "capture",
        make.shb(),
        make.idb(options=offset),
        make.epb(b"x", 5),
        make.epb(b"y", 2**64 - 1),
    )
    assert [row[2] for row in rows] == [5000, 0]
    assert kinds(reader) == {"bad-option": 1, "timestamp-range": 1}
    assert reader.complete


def test_what_the_writer_says_about_an_interface(tmp_path: Path) -> None:
    options = (
        option(2, b"eth0\0junk")
        + option(3, "café".encode())
        + option(11, b"\0tcp port 443")
        + option(13, b"\4")
    )
    _, reader = read(tmp_path / "capture", make.shb(), make.idb(options=options))
    interface = reader.interfaces[0]
    assert (interface.name, interface.description, interface.filter) == ("eth0", "café", "tcp port 443")
    assert (interface.fcs_bytes, interface.reported_drops) == (4, None)


def test_a_simple_packet_has_no_time_and_the_snaplen_cuts_it(tmp_path: Path) -> None:
    rows, reader = read(
        tmp_path / "capture", make.shb(), make.idb(snaplen=4), make.spb(b"abcdefgh", original=50)
    )
    assert rows == [(b"abcd", 50, 0, 0)]
    assert kinds(reader) == {"no-timestamp": 1} and reader.complete


def test_the_obsolete_packet_block(tmp_path: Path) -> None:
    rows, reader = read(
        tmp_path / "capture", make.shb("big"), make.idb("big"), make.pb(b"old", 9, "big", drops=4),
        make.pb(b"older", 10, "big"), make.pb(b"oldest", 11, "big", drops=2),
    )  # fmt: skip
    assert [row[:3] for row in rows] == [(b"old", 3, 9000), (b"older", 5, 10_000), (b"oldest", 6, 11_000)]
    assert reader.interfaces[0].reported_drops == 6


@pytest.mark.parametrize("order", ["little", "big"])
def test_drops_of_packets_and_of_statistics(order: make.Order, tmp_path: Path) -> None:
    def counts(dropped: int, system: int) -> bytes:
        return option(5, dropped.to_bytes(8, order), order) + option(7, system.to_bytes(8, order), order)

    rows, reader = read(
        tmp_path / "capture", make.shb(order), make.idb(order), make.idb(order),
        make.epb(b"a", 1, order, option(4, (3).to_bytes(8, order), order)),
        make.epb(b"b", 1, order, option(4, (3).to_bytes(8, order), order), 1),
        make.epb(b"c", 1, order, option(4, (2).to_bytes(8, order), order), 1),
        make.isb(0, order, counts(1, 1)), make.isb(0, order, counts(10, 7)),
    )  # fmt: skip
    assert len(rows) == 3
    assert [interface.reported_drops for interface in reader.interfaces] == [17, 5]


def test_comments_are_kept_with_their_frame(tmp_path: Path) -> None:
    rows, reader = read(
        tmp_path / "capture",
        make.shb(options=option(1, b"case 12") + option(3, b"Linux") + option(4, b"dumpcap")),
        make.idb(options=option(1, b"uplink")), make.epb(b"a"),
        make.epb(b"b", options=option(2, b"\0\0\0\1") + option(1, b"see \xff this") + option(1, b"and that")),
    )  # fmt: skip
    assert len(rows) == 2
    assert reader.comments == [
        Comment(None, "section", "case 12"), Comment(None, "os", "Linux"),
        Comment(None, "application", "dumpcap"), Comment(None, "interface", "uplink"),
        Comment(2, "packet", "see \ufffd this"), Comment(2, "packet", "and that"),
    ]  # fmt: skip


def test_comments_are_bounded_in_number_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wirecover.capture.files import pcapng

    monkeypatch.setattr(pcapng, "MAX_COMMENTS", 50)
    packet = make.epb(b"a", options=option(1, b"x" * 60_000))
    _, reader = read(tmp_path / "capture", make.shb(), make.idb(), packet * 70)
    assert len(reader.comments) == 50 and {len(comment.text) for comment in reader.comments} == {4096}
    assert kinds(reader) == {"texts-left-out": 20}


def test_a_packet_with_thousands_of_comments(tmp_path: Path) -> None:
    packet = make.epb(b"a", options=option(1, b"x") * 12_000)
    rows, reader = read(tmp_path / "capture", make.shb(), make.idb(), packet)
    assert len(rows) == 1 and len(reader.comments) == 10_000
    assert kinds(reader) == {"texts-left-out": 2000}


def test_resolved_names(tmp_path: Path) -> None:
    records = option(1, b"\xc0\0\2\1" + b"mail.example\0alias.example\0") + option(
        2, bytes(15) + b"\1" + b"self\0"
    )
    records += option(77, b"unknown kind") + option(0, b"")
    _, reader = read(tmp_path / "capture", make.shb(), make.block(4, records))
    assert reader.resolved_names == [
        ResolvedName("192.0.2.1", "mail.example"), ResolvedName("192.0.2.1", "alias.example"),
        ResolvedName("::1", "self"),
    ]  # fmt: skip
    assert reader.complete


def test_resolved_names_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wirecover.capture.files import pcapng

    monkeypatch.setattr(pcapng, "MAX_NAMES", 5)
    _, reader = read(tmp_path / "capture", make.shb(), make.block(4, option(1, b"\1\2\3\4" + b"name\0" * 9)))
    assert len(reader.resolved_names) == 5 and kinds(reader) == {"texts-left-out": 4}


def test_blocks_that_are_not_read_are_counted(tmp_path: Path) -> None:
    rows, reader = read(
        tmp_path / "capture", make.shb(), make.idb(), make.block(10, b"CLIENT_RANDOM 11 22"), make.epb(b"a"),
        make.block(0xBAD, b"\0\0\0\0data"), make.block(0x40000BAD, b"\0\0\0\0"),
        make.block(0x99, b""), make.block(9, b"{}"),
    )  # fmt: skip
    assert len(rows) == 1
    assert kinds(reader) == {"unknown-block": 2, "custom-block": 2, "secrets-not-read": 1}
    assert reader.complete
    secrets = next(damage for damage in reader.damage if damage.kind == "secrets-not-read")
    assert (secrets.offset, secrets.frame) == (len(make.shb() + make.idb()), 1)
    assert not any("CLIENT_RANDOM" in damage.detail for damage in reader.damage)
    assert "0x00000099" in next(damage for damage in reader.damage if damage.kind == "unknown-block").detail


def test_packets_before_or_beside_their_interface_are_left_out(tmp_path: Path) -> None:
    rows, reader = read(
        tmp_path / "capture", make.shb(), make.epb(b"early"), make.spb(b"early"), make.idb(),
        make.epb(b"good"), make.epb(b"stray", interface=1), make.shb(), make.epb(b"of the section before"),
    )  # fmt: skip
    assert [row[0] for row in rows] == [b"good"]
    assert kinds(reader) == {"no-interface": 4} and not reader.complete


def test_a_packet_longer_than_its_block_is_left_out(tmp_path: Path) -> None:
    good = make.epb(b"abcd")
    bad = good[:20] + (5).to_bytes(4, "little") + good[24:]
    rows, reader = read(tmp_path / "capture", make.shb(), make.idb(), bad, make.block(6, b"short"), good)
    assert [row[0] for row in rows] == [b"abcd"]
    assert kinds(reader) == {"bad-packet-block": 2} and not reader.complete


HEAD = make.shb() + make.idb()
GOOD = make.epb(b"good packet", 1)


@pytest.mark.parametrize(
    "bad",
    [
        (6).to_bytes(4, "little") + (34).to_bytes(4, "little") + bytes(30),  # no multiple of 4
        (6).to_bytes(4, "little") + (8).to_bytes(4, "little") + bytes(8),  # less than a block
        (6).to_bytes(4, "little") + (0).to_bytes(4, "little") + bytes(8),
        (6).to_bytes(4, "little") + b"\xff\xff\xff\xff" + bytes(8),
        (6).to_bytes(4, "little") + (300 << 20).to_bytes(4, "little") + bytes(8),
        GOOD[:-4] + (40).to_bytes(4, "little"),  # the two lengths differ
        make.shb()[:8] + b"\0\0\0\0" + make.shb()[12:],  # no byte-order magic
    ],
)
def test_a_block_with_an_impossible_length_is_stepped_over(bad: bytes, tmp_path: Path) -> None:
    rows, reader = read(tmp_path / "capture", HEAD, GOOD, bad, GOOD, GOOD)
    assert [row[0] for row in rows] == [b"good packet"] * 3
    assert not reader.complete
    (damage,) = reader.damage
    assert (damage.kind, damage.offset, damage.frame, damage.count) == ("gap", len(HEAD + GOOD), 2, len(bad))
    rows, reader = read(tmp_path / "capture", HEAD, GOOD, bad)
    assert [row[0] for row in rows] == [b"good packet"]
    assert kinds(reader) == {"absurd-length": len(bad)}


@pytest.mark.parametrize("length", range(1, len(GOOD)))
def test_cut_in_a_block(length: int, tmp_path: Path) -> None:
    rows, reader = read(tmp_path / "capture", HEAD, GOOD, GOOD[:length])
    assert len(rows) == 1 and not reader.complete
    (damage,) = reader.damage
    assert (damage.kind, damage.offset, damage.frame, damage.count) == ("cut", len(HEAD + GOOD), 2, length)


@pytest.mark.parametrize("length", range(4, 28))
def test_cut_in_the_first_section_header(length: int, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cut in the pcapng section header"):
        read(tmp_path / "capture", make.shb()[:length])


def test_no_byte_order_magic(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="byte-order magic"):
        read(tmp_path / "capture", make.shb()[:8] + bytes(20) + HEAD)


@pytest.mark.parametrize("length", [9, 0xFFFF])
def test_an_option_longer_than_its_block(length: int, tmp_path: Path) -> None:
    bomb = b"\2\0" + length.to_bytes(2, "little") + b"eth0"
    rows, reader = read(
        tmp_path / "capture", make.shb(), make.idb(options=bomb), make.epb(b"a", options=bomb), make.epb(b"b")
    )
    assert [row[0] for row in rows] == [b"a", b"b"]
    assert [damage.kind for damage in reader.damage] == ["bad-option", "bad-option"]
    assert reader.interfaces[0].name is None and reader.complete


def test_thousands_of_options_in_one_block(tmp_path: Path) -> None:
    rows, reader = read(
        tmp_path / "capture", make.shb(), make.idb(options=option(2, b"") * 5000),
        make.epb(b"a", options=option(9, b"") * 5000)
    )  # fmt: skip
    assert len(rows) == 1 and kinds(reader) == {"bad-option": 1} and reader.complete


def test_interfaces_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wirecover.capture.files import pcapng

    monkeypatch.setattr(pcapng, "MAX_INTERFACES", 40)
    rows, reader = read(tmp_path / "capture", make.shb(), make.idb() * 40, GOOD, make.idb(), GOOD)
    assert len(rows) == 1 and len(reader.interfaces) == 40 and not reader.complete
    assert kinds(reader) == {"too-many-interfaces": 1}


def test_statistics_of_an_unknown_interface_and_an_unusual_version(tmp_path: Path) -> None:
    _, reader = read(tmp_path / "capture", make.shb(version=(3, 1)), make.idb(), make.isb(9))
    assert kinds(reader) == {"unusual-version": 1, "bad-option": 1} and reader.complete


def test_an_interface_block_too_short_for_its_fields(tmp_path: Path) -> None:
    rows, reader = read(tmp_path / "capture", make.shb(), make.block(1, b""), GOOD)
    assert len(rows) == 1 and reader.interfaces[0].link_type == 0
