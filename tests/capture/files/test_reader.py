"""The reader as its users meet it: bad input, any buffer size, other people's readers and captures."""

import hashlib
import io
import json
import os
import random
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import dpkt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import captures as make
from support.captures import option

from wirecover.capture.errors import CaptureError
from wirecover.capture.files.reader import CaptureReader

CORPUS = Path(os.environ.get("WIRECOVER_CORPUS", "no corpus given"))
MIXED = b"".join([
    make.shb(), make.idb(options=option(9, b"\x09")), make.idb(link_type=101, snaplen=500),
    *(make.epb(f.data, f.second * 10**9, interface=i % 2) for i, f in enumerate(make.frames(60))),
    make.block(10, b"x" * 5000), make.spb(b"simple" * 30), make.shb("big"), make.idb("big"),
    *(make.epb(f.data, f.second * 10**6, "big", option(1, b"a remark", "big")) for f in make.frames(60)),
    make.epb(bytes(9000), 5, "big"), make.isb(0, "big"),
])  # fmt: skip
PLAIN = make.pcap([*make.frames(100), make.Frame(bytes(30_000)), *make.frames(100)])


def columns(path: Path, buffer_bytes: int = 16 << 20) -> dict[str, Any]:
    """All that a reader tells, in one comparable piece."""
    rows: list[tuple[bytes, int, int, int]] = []
    with CaptureReader(path, buffer_bytes=buffer_bytes) as reader:
        for batch in reader:
            assert batch.first_frame == len(rows) + 1 and len(batch) > 0
            parts = (batch.offset, batch.captured, batch.original, batch.ts, batch.interface)
            for at, kept, wire, ts, interface in zip(*(part.tolist() for part in parts), strict=True):
                assert at >= 0 and at + kept <= len(batch.buffer)
                rows.append((batch.buffer[at : at + kept].tobytes(), wire, ts, interface))
    return {
        "rows": rows, "interfaces": reader.interfaces, "damage": reader.damage, "comments": reader.comments,
        "names": reader.resolved_names, "sha256": reader.sha256, "size": reader.size,
        "complete": reader.complete, "snaplen": reader.snaplen,
    }  # fmt: skip


# --- not a capture -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"hello, this is a text file\n" * 20, "is not a capture"),
        (b"\xd4", "is not a capture"),
        (b"PK\x03\x04" + bytes(50), "zip archive"),
        (b"snoop\0\0\0" + bytes(50), "snoop capture"),
        (bytes(5000), "is not a capture"),
    ],
)
def test_what_is_no_capture_is_one_clear_line(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "evidence.pcap"
    path.write_bytes(content)
    before = threading.active_count()
    with pytest.raises(CaptureError) as error:
        CaptureReader(path)
    assert reason in str(error.value) and str(error.value).startswith("evidence.pcap: ")
    assert "\n" not in str(error.value)
    assert threading.active_count() == before


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="is a folder"):
        CaptureReader(tmp_path)
    with pytest.raises(CaptureError, match="cannot be opened"):
        CaptureReader(tmp_path / "none.pcap")
    with pytest.raises(CaptureError, match="cannot be opened"):
        CaptureReader(tmp_path / "a\0b.pcap")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pcap")
    with pytest.raises(CaptureError, match="not a regular file"):
        CaptureReader(tmp_path / "pipe.pcap")


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.pcap"
    path.write_bytes(PLAIN)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root, or a system without mode bits: play the refusal

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CaptureError, match="cannot be opened: Permission denied"):
        CaptureReader(path)


# --- one pass -------------------------------------------------------------------------------------------


def test_it_is_read_once_and_hashed_whole(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(PLAIN)
    with CaptureReader(path) as reader:
        with pytest.raises(RuntimeError):
            _ = reader.sha256
        assert sum(len(batch) for batch in reader) == 201
        with pytest.raises(RuntimeError):
            list(reader)
    assert reader.sha256 == hashlib.sha256(PLAIN).hexdigest() and reader.size == len(PLAIN)


def test_the_hash_is_of_the_whole_file_even_when_reading_stops_early(tmp_path: Path) -> None:
    data = PLAIN + b"\xff" * 300_000
    (tmp_path / "capture").write_bytes(data)
    seen = columns(tmp_path / "capture", 5000)
    assert seen["sha256"] == hashlib.sha256(data).hexdigest() and not seen["complete"]


def test_leaving_early_ends_the_threads(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(PLAIN)
    before = threading.active_count()
    with CaptureReader(path, buffer_bytes=1000) as reader:
        next(iter(reader))
    assert threading.active_count() == before
    with CaptureReader(path):
        pass
    assert threading.active_count() == before


@pytest.mark.parametrize("change", ["grows", "shrinks", "is written to"])
def test_a_file_that_changes_while_it_is_read_is_said_to(change: str, tmp_path: Path) -> None:
    path = tmp_path / "live.pcap"
    path.write_bytes(PLAIN)
    with CaptureReader(path, buffer_bytes=4096) as reader:
        rows = 0
        for number, batch in enumerate(reader):
            rows += len(batch)
            if number == 0 and change == "grows":
                with path.open("ab") as file:
                    file.write(make.pcap(make.frames(10))[24:])
            elif number == 0 and change == "shrinks":
                os.truncate(path, len(PLAIN) - 500)
            elif number == 0:
                os.utime(path, ns=(1, 1))
    assert [damage.kind for damage in reader.damage][-1] == "changed-while-read" and not reader.complete
    if change == "grows":  # the exhibit is what was there when it was opened
        assert rows == 201 and reader.sha256 == hashlib.sha256(PLAIN).hexdigest()


# --- any buffer size ------------------------------------------------------------------------------------


BROKEN = PLAIN[:20_000] + b"\xff" * 500 + PLAIN[24:20_000]
BROKEN_NG = MIXED[:9000] + MIXED[9100:]


@pytest.mark.parametrize("data", [PLAIN, MIXED, BROKEN, BROKEN_NG, PLAIN[:-5], MIXED[:-5]], ids=range(6))
@pytest.mark.parametrize("buffer_bytes", [1, 64, 100, 511, 4096, 10_007, 65_536])
def test_any_buffer_size_gives_the_same(data: bytes, buffer_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(data)
    assert columns(path, buffer_bytes) == columns(path)


def test_which_comments_are_kept_does_not_depend_on_the_buffer(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    notes = [make.epb(b"", options=option(1, b"%d" % number)) for number in range(10_050)]
    path.write_bytes(make.shb() + make.idb() + b"".join(notes))
    seen = columns(path, 4096)
    assert seen == columns(path)
    assert [comment.text for comment in seen["comments"]] == [str(number) for number in range(10_000)]
    assert seen["damage"][0].count == 50


def test_a_frame_larger_than_the_buffer(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    big = random.Random(5).randbytes(3_000_000)
    path.write_bytes(make.pcap([make.Frame(b"a"), make.Frame(big), make.Frame(b"b")], snaplen=0))
    rows = columns(path, 1 << 16)["rows"]
    assert [row[0] for row in rows] == [b"a", big, b"b"]


# --- other people's readers -----------------------------------------------------------------------------


def test_dpkt_reads_the_same_pcap(tmp_path: Path) -> None:
    for order in ("little", "big"):
        data = make.pcap(make.frames(300), order=order)  # type: ignore[arg-type]
        (tmp_path / "capture").write_bytes(data)
        theirs = [(bytes(packet), round(ts * 1e6)) for ts, packet in dpkt.pcap.Reader(io.BytesIO(data))]
        ours = columns(tmp_path / "capture")["rows"]
        assert [(row[0], row[2] // 1000) for row in ours] == theirs


def test_dpkt_and_scapy_read_the_same_pcapng(tmp_path: Path) -> None:
    from scapy.utils import RawPcapNgReader

    data = b"".join([
        make.shb(), make.idb(options=option(9, b"\x06")),
        *(make.epb(f.data, f.second * 10**6 + f.part, original=len(f.data) + 9) for f in make.frames(300)),
    ])  # fmt: skip
    (tmp_path / "capture").write_bytes(data)
    ours = columns(tmp_path / "capture")["rows"]
    theirs = [(bytes(packet), round(ts * 1e6)) for ts, packet in dpkt.pcapng.Reader(io.BytesIO(data))]
    assert [(row[0], row[2] // 1000) for row in ours] == theirs
    with RawPcapNgReader(io.BytesIO(data)) as reader:
        scapys = [
            (packet, meta.wirelen, (meta.tshigh << 32 | meta.tslow) * 1000, 0) for packet, meta in reader
        ]
    assert ours == scapys


def test_what_dpkt_writes_is_read(tmp_path: Path) -> None:
    with (tmp_path / "capture").open("wb") as file:
        writer = dpkt.pcapng.Writer(file)
        for number in range(50):
            writer.writepkt(b"packet %d" % number, ts=1_700_000_000 + number)
    rows = columns(tmp_path / "capture")["rows"]
    assert [row[0] for row in rows] == [b"packet %d" % number for number in range(50)]
    assert rows[49][2] == 1_700_000_049 * 10**9


@pytest.mark.skipif(
    not CORPUS.is_dir(), reason="WIRECOVER_CORPUS names no folder of captures with a packets.json"
)
def test_every_capture_of_the_corpus_has_as_many_packets_as_capinfos_says() -> None:
    expected = json.loads((CORPUS / "packets.json").read_text(encoding="utf-8"))
    found = {}
    for name in expected:
        with CaptureReader(CORPUS / name) as reader:
            found[name] = sum(len(batch) for batch in reader)
    assert found == expected


# --- any bytes ------------------------------------------------------------------------------------------


heads = st.sampled_from([
    b"", make.pcap_header(), make.pcap_header(order="big", snaplen=0), make.shb() + make.idb(),
    make.shb("big") + make.idb("big"), b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh9",
])  # fmt: skip


@given(head=heads, tail=st.binary(max_size=600), buffer_bytes=st.sampled_from([64, 300, 1 << 20]))
@example(head=make.shb(), tail=struct.pack("<III", 1, 12, 12), buffer_bytes=64)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_raise_anything_but_a_capture_error(
    head: bytes, tail: bytes, buffer_bytes: int, tmp_path: Path
) -> None:
    path = tmp_path / "any bytes"
    path.write_bytes(head + tail)
    try:
        seen = columns(path, buffer_bytes)
    except CaptureError:
        return
    assert seen["sha256"] == hashlib.sha256(head + tail).hexdigest()


def test_reading_opens_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    (tmp_path / "capture").write_bytes(MIXED)
    assert len(columns(tmp_path / "capture")["rows"]) == 122
