"""pcap: the variants of the header, and each way a record can be wrong."""

from pathlib import Path

import pytest
from support import captures as make
from support.captures import Frame

from wirecover.capture.errors import CaptureError
from wirecover.capture.files import reader as reader_module
from wirecover.capture.files.batch import Damage
from wirecover.capture.files.pcap import parse_file_header
from wirecover.capture.files.reader import CaptureReader

TWO = [Frame(b"first", 1_700_000_000, 5, 60), Frame(b"second!", 1_700_000_001, 6)]


def read(path: Path, data: bytes) -> tuple[list[bytes], list[int], CaptureReader]:
    path.write_bytes(data)
    frames: list[bytes] = []
    times: list[int] = []
    with CaptureReader(path) as reader:
        for batch in reader:
            times += batch.ts.tolist()
            for at, kept in zip(batch.offset.tolist(), batch.captured.tolist(), strict=True):
                frames.append(batch.buffer[at : at + kept].tobytes())
    return frames, times, reader


def only(reader: CaptureReader) -> Damage:
    assert len(reader.damage) == 1
    return reader.damage[0]


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(
    ("magic", "unit", "resolution", "extra", "more"),
    [
        (0xA1B2C3D4, 1000, 1000, b"", b""),
        (0xA1B23C4D, 1, 1, b"", b""),
        (0xA1B2CD34, 1000, 1000, b"\0\0\0\7\0\x08\4\0", b""),
        (0x1C0001AC, 1, 1, b"", b"\0\0\1\0"),
        (0x1C0001AB, 1000, 1000, b"", b"\0\0\1\0"),
    ],
)
def test_every_variant_in_both_byte_orders(
    order: make.Order, magic: int, unit: int, resolution: int, extra: bytes, more: bytes, tmp_path: Path
) -> None:
    header = make.pcap_header(magic=magic, order=order, snaplen=96, network=101) + more
    records = b"".join(make.pcap_record(frame, order=order, extra=extra) for frame in TWO)
    frames, times, reader = read(tmp_path / "capture", header + records)
    assert frames == [b"first", b"second!"]
    assert times == [1_700_000_000 * 10**9 + 5 * unit, 1_700_000_001 * 10**9 + 6 * unit]
    assert (reader.format, reader.compression, reader.snaplen) == ("pcap", None, 96)
    assert [(i.interface_id, i.link_type, i.snaplen, i.ts_resolution_ns) for i in reader.interfaces] == [
        (0, 101, 96, resolution)
    ]
    assert reader.complete and not reader.damage


def test_original_length_and_numbering(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(make.pcap(TWO))
    with CaptureReader(path) as reader:
        (batch,) = list(reader)
    assert batch.original.tolist() == [60, 7]
    assert batch.first_frame == 1 and len(batch) == 2


def test_the_upper_bits_of_the_network_field_are_not_the_link_type() -> None:
    header = parse_file_header(make.pcap_header(network=0x2400_0071))
    assert header is not None
    assert (header.link_type, header.fcs_bytes) == (113, 4)
    plain = parse_file_header(make.pcap_header(network=113))
    assert plain is not None and plain.fcs_bytes is None


def test_snaplen_0_means_no_limit(tmp_path: Path) -> None:
    long = Frame(bytes(300_000))
    frames, _, reader = read(tmp_path / "capture", make.pcap([long, *TWO], snaplen=0))
    assert [len(frame) for frame in frames] == [300_000, 5, 7]
    assert reader.snaplen is None and reader.interfaces[0].snaplen is None and reader.complete


def test_the_snaplen_is_known_before_the_first_batch(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(make.pcap(TWO, snaplen=128))
    with CaptureReader(path) as reader:
        assert reader.snaplen == 128


def test_captures_appended_without_end_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wirecover.capture.files import pcap

    monkeypatch.setattr(pcap, "MAX_APPENDED", 7)
    frames, _, reader = read(tmp_path / "capture", make.pcap(TWO) * 20)
    assert len(frames) == 14 and len(reader.interfaces) == 7
    assert reader.damage[-1].kind == "too-many-interfaces" and not reader.complete


def test_frames_above_the_snaplen_are_kept_when_a_record_follows(tmp_path: Path) -> None:
    frames, _, reader = read(tmp_path / "capture", make.pcap(make.frames(30), snaplen=20))
    assert len(frames) == 30 and reader.complete


@pytest.mark.parametrize("version", [(2, 2), (2, 3), (543, 0)])
def test_old_versions_with_the_lengths_swapped(version: tuple[int, int], tmp_path: Path) -> None:
    cut = [Frame(b"kept", 1_700_000_000, 0, 900), Frame(b"also", 1_700_000_000, 1, 800)]
    data = make.pcap_header(version=version) + b"".join(make.pcap_record(frame, swap=True) for frame in cut)
    frames, _, reader = read(tmp_path / "capture", data)
    assert frames == [b"kept", b"also"]
    assert only(reader).kind == "unusual-version"
    assert reader.complete


def test_aix_has_its_own_clock_and_link_types(tmp_path: Path) -> None:
    header = make.pcap_header(version=(2, 2), order="big", network=6)
    _, times, reader = read(tmp_path / "capture", header + make.pcap_record(TWO[1], order="big", swap=True))
    assert times == [1_700_000_001 * 10**9 + 6]
    assert (reader.interfaces[0].link_type, reader.interfaces[0].ts_resolution_ns) == (1, 1)


def test_a_capture_without_packets(tmp_path: Path) -> None:
    frames, _, reader = read(tmp_path / "capture", make.pcap([]))
    assert frames == [] and reader.complete and len(reader.interfaces) == 1


@pytest.mark.parametrize("length", range(4, 24))
def test_cut_in_the_file_header(length: int, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="cut in the pcap file header") as error:
        read(tmp_path / "capture", make.pcap(TWO)[:length])
    assert error.value.offset == length


@pytest.mark.parametrize("length", range(25, 24 + 16))
def test_cut_in_a_record_header(length: int, tmp_path: Path) -> None:
    frames, _, reader = read(tmp_path / "capture", make.pcap(TWO)[:length])
    assert frames == [] and not reader.complete
    assert only(reader) == Damage(
        "cut",
        24,
        1,
        length - 24,
        f"the file ends inside a record header: {length - 24} of 16 bytes are there",
    )


@pytest.mark.parametrize("missing", range(1, 8))
def test_cut_in_a_packet(missing: int, tmp_path: Path) -> None:
    frames, _, reader = read(tmp_path / "capture", make.pcap(TWO)[:-missing])
    assert frames == [b"first"] and not reader.complete
    damage = only(reader)
    assert (damage.kind, damage.offset, damage.frame, damage.count) == ("cut", 24 + 21, 2, 23 - missing)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, 256 * 2**20 + 1, 5 * 2**20])
def test_an_absurd_length_with_nothing_behind_it(length: int, tmp_path: Path) -> None:
    bad = b"\0" * 8 + length.to_bytes(4, "little") * 2
    frames, _, reader = read(tmp_path / "capture", make.pcap(TWO) + bad + b"x" * 50)
    assert frames == [b"first", b"second!"] and not reader.complete
    damage = only(reader)
    assert (damage.kind, damage.offset, damage.frame, damage.count) == ("absurd-length", 24 + 21 + 23, 3, 66)
    assert str(length) in damage.detail


def test_reading_goes_on_behind_a_damaged_record(tmp_path: Path) -> None:
    before, after = make.frames(40), make.frames(60)
    good = make.pcap(before)
    frames, _, reader = read(tmp_path / "capture", good + b"\xff" * 333 + make.pcap(after)[24:])
    assert frames == [frame.data for frame in before + after]
    damage = only(reader)
    assert (damage.kind, damage.offset, damage.frame, damage.count) == ("gap", len(good), 41, 333)
    assert not reader.complete


def test_no_record_of_another_year_is_believed_behind_damage(tmp_path: Path) -> None:
    stray = make.pcap(make.frames(20, start=1_200_000_000))[24:]
    frames, _, reader = read(tmp_path / "capture", make.pcap(TWO) + b"\xff" * 100 + stray)
    assert len(frames) == 2 and only(reader).kind == "absurd-length"


def test_a_second_capture_appended_is_read_as_another_interface(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    first, second = make.pcap(TWO), make.pcap(make.frames(9), order="big", magic=0xA1B23C4D, network=101)
    path.write_bytes(first + second)
    with CaptureReader(path) as reader:
        interfaces = [number for batch in reader for number in batch.interface.tolist()]
    assert interfaces == [0, 0] + [1] * 9
    assert [interface.link_type for interface in reader.interfaces] == [1, 101]
    damage = only(reader)
    assert (damage.kind, damage.offset, damage.frame) == ("another-file-header", len(first), 3)
    assert reader.complete  # nothing is missing


def test_a_pcapng_appended_is_read_on(tmp_path: Path) -> None:
    first = make.pcap(TWO)
    more = make.shb("big") + make.idb("big", link_type=101) + make.epb(b"third", 5_000_000, "big")
    frames, _, reader = read(tmp_path / "capture", first + more)
    assert frames == [b"first", b"second!", b"third"]
    assert [one.link_type for one in reader.interfaces] == [1, 101] and reader.complete
    assert (only(reader).kind, only(reader).offset, only(reader).frame) == (
        "another-file-header",
        len(first),
        3,
    )


def test_captures_of_both_formats_in_turn_are_read_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make.pcap(TWO) + make.shb() + make.idb() + make.epb(b"three", 1)
    frames, _, reader = read(tmp_path / "capture", pair * 3)
    assert len(frames) == 9 and reader.complete and len(reader.interfaces) == 6
    monkeypatch.setattr(reader_module, "MAX_FORMATS", 2)
    frames, _, reader = read(tmp_path / "capture", pair * 3)
    assert len(frames) == 5 and not reader.complete and reader.damage[-1].kind == "another-format"


def test_an_appended_header_that_is_cut(tmp_path: Path) -> None:
    frames, _, reader = read(tmp_path / "capture", make.pcap(TWO) + make.pcap_header()[:20])
    assert len(frames) == 2 and only(reader).kind == "cut" and not reader.complete


def test_many_gaps_are_folded(tmp_path: Path) -> None:
    piece = make.pcap(make.frames(5))[24:] + b"\xff" * 40
    _, _, reader = read(tmp_path / "capture", make.pcap_header() + piece * 150)
    assert len(reader.damage) == 102
    folded = next(damage for damage in reader.damage if damage.detail == "further ones like these")
    assert folded.count == (149 - 100) * 40
