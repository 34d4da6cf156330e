"""The kernels against their scalar twin, row by row, on captures made and captures broken."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import captures as make
from support import reference_walk
from support.captures import Frame

from wirecover.capture.errors import CaptureError
from wirecover.capture.files import scan
from wirecover.capture.files.reader import CaptureReader

Rows = list[reference_walk.Row]


def read(path: Path, buffer_bytes: int = 16 << 20) -> tuple[Rows, CaptureReader]:
    rows: Rows = []
    with CaptureReader(path, buffer_bytes=buffer_bytes) as reader:
        for batch in reader:
            assert batch.first_frame == len(rows) + 1
            columns = (batch.offset, batch.captured, batch.original, batch.ts, batch.interface)
            for at, kept, wire, ns, interface in zip(*(column.tolist() for column in columns), strict=True):
                assert at >= 0 and at + kept <= len(batch.buffer)
                rows.append((batch.buffer[at : at + kept].tobytes(), wire, ns, interface))
    return rows, reader


LOSSES = ("cut", "gap", "absurd-length", "another-format")


def same_as_twin(data: bytes, path: Path, buffer_bytes: int = 16 << 20) -> None:
    path.write_bytes(data)
    twin = reference_walk.walk(data)
    rows, reader = read(path, buffer_bytes)
    assert rows == twin.rows
    seen = [(damage.kind, damage.offset) for damage in reader.damage if damage.kind in LOSSES]
    assert seen[:50] == twin.losses[:50]
    counts = {damage.kind: damage.count for damage in reader.damage}
    assert {kind: counts.get(kind) for kind in twin.left_out} == twin.left_out
    assert reader.complete == (
        not twin.losses and not {"bad-packet-block", "no-interface"} & set(twin.left_out)
    )


orders = st.sampled_from(["little", "big"])
some_frames = st.lists(
    st.builds(
        Frame, st.binary(max_size=200), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1),
        st.none() | st.integers(0, 2**32 - 1),
    ),
    max_size=12,
)  # fmt: skip


@st.composite
def pcaps(draw: st.DrawFn) -> bytes:
    order = draw(orders)
    magic = draw(st.sampled_from([0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34, 0x1C0001AC, 0x1C0001AB]))
    version = draw(st.sampled_from([(2, 4), (2, 4), (2, 3), (2, 2), (543, 0), (9, 9)]))
    header = make.pcap_header(
        magic=magic, order=order, version=version,
        snaplen=draw(st.sampled_from([0, 64, 65535, 262144, 2**32 - 1])),
        network=draw(st.sampled_from([1, 101, 113, 0x5400_0001])),
    )  # fmt: skip
    extra = b"\1\0\0\0\2\0\3\0" if magic == 0xA1B2CD34 else b""
    header += b"\0\0\0\0" if magic >> 24 == 0x1C else b""
    return header + b"".join(
        make.pcap_record(frame, order=order, extra=extra, swap=version in ((2, 2), (543, 0)))
        for frame in draw(some_frames)
    )


times = st.integers(0, 2**64 - 1)


@st.composite
def sections(draw: st.DrawFn) -> bytes:
    order = draw(orders)
    resolutions = st.integers(0, 255) | st.sampled_from([0, 3, 6, 9, 12, 0x80 | 20, 0x80 | 32])
    blocks = [make.shb(order)]
    for _ in range(draw(st.integers(0, 3))):
        options = make.option(9, bytes([draw(resolutions)]), order)
        offset = draw(st.integers(-(2**63), 2**63 - 1) | st.integers(-100_000, 100_000))
        options += make.option(14, offset.to_bytes(8, order, signed=True), order)
        blocks.append(
            make.idb(order, options, draw(st.sampled_from([1, 101])), draw(st.sampled_from([0, 60, 65535])))
        )
    data, ids = st.binary(max_size=120), st.integers(0, 3)
    kinds = st.one_of(
        st.builds(
            make.epb, data, times, st.just(order), st.just(b"") | st.just(make.option(1, b"hi", order)), ids
        ),
        st.builds(make.spb, data, st.just(order), st.none() | st.integers(0, 2**32 - 1)),
        st.builds(make.pb, data, times, st.just(order), ids, st.integers(0, 65535)),
        st.builds(
            make.block, st.integers(7, 2**32 - 1).filter(lambda n: n != make.SHB_TYPE), data, st.just(order)
        ),
    )
    return b"".join([*blocks, *draw(st.lists(kinds, max_size=12))])


@given(
    data=pcaps()
    | st.lists(sections(), min_size=1, max_size=3).map(b"".join)
    | st.lists(pcaps() | sections(), min_size=2, max_size=3).map(b"".join),
    size=st.sampled_from([64, 500, 1 << 20]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_kernels_give_what_the_scalar_twin_gives(data: bytes, size: int, tmp_path: Path) -> None:
    same_as_twin(data, tmp_path / "made", size)


def broken(data: bytes, luck: random.Random) -> bytes:
    """`data` with a few bytes changed, dropped, doubled, or cut."""
    out = bytearray(data)
    for _ in range(luck.randint(1, 4)):
        at = luck.randrange(28, len(out))
        how = luck.randrange(5)
        if how == 0:
            out[at] = luck.randrange(256)
        elif how == 1:
            out[at : at + 4] = luck.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x10", b"\x80\0\0\0"])
        elif how == 2:
            del out[at : at + luck.randint(1, 40)]
        elif how == 3:
            out[at:at] = out[at : at + luck.randint(1, 60)]
        else:
            del out[at:]
        if len(out) < 60:
            return bytes(data)
    return bytes(out)


def seeds() -> list[bytes]:
    plenty, note = make.frames(25), make.option(1, b"note")
    big = [make.shb("big"), make.idb("big"), *(make.epb(f.data, 1 << 50, "big") for f in plenty)]
    many = [
        make.shb(), make.idb(options=make.option(2, b"eth0")), make.idb(link_type=101), make.isb(),
        *(make.epb(f.data, f.second * 10**6, interface=i % 2, options=note) for i, f in enumerate(plenty)),
        make.spb(b"simple"), make.pb(b"old", 5), make.block(0xBAD, b"abcdefgh"), make.block(10, b"secret  "),
    ]  # fmt: skip
    return [
        make.pcap(plenty), make.pcap(plenty, order="big", magic=0xA1B23C4D), make.pcap(plenty, snaplen=0),
        make.pcap(plenty) + make.pcap(plenty, order="big"), make.pcap(plenty) + b"".join(big),
        b"".join(big), b"".join(many), b"".join(many + big), b"".join(many) + make.pcap(plenty),
        make.pcap(plenty) + b"".join(many) + make.pcap(plenty, order="big") + b"".join(big),
    ]  # fmt: skip


def break_and_compare(folder: Path, rounds: int) -> None:
    luck = random.Random(20260101)
    for _ in range(rounds):
        data = broken(luck.choice(seeds()), luck)
        same_as_twin(data, folder / "broken", luck.choice([64, 700, 4096, 1 << 20]))


def test_broken_captures_give_what_the_scalar_twin_gives(tmp_path: Path) -> None:
    break_and_compare(tmp_path, 400)


def test_no_kernel_reads_or_writes_out_of_bounds(tmp_path: Path) -> None:
    """The same, compiled with bounds checks; a fresh process, since the flag is read at import."""
    program = f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}\n"
    program += "from pathlib import Path; import test_scan\n"
    program += "from wirecover.capture.kernels import BOUNDSCHECK; assert BOUNDSCHECK\n"
    program += f"test_scan.break_and_compare(Path({str(tmp_path)!r}), 200)\n"
    environment = {**os.environ, "WIRECOVER_BOUNDSCHECK": "1", "NUMBA_OPT": "0"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("resolution", [*range(40), 127, *(0x80 | n for n in range(70)), 0xFF])
def test_times_of_any_resolution_are_exact_and_never_overflow(resolution: int) -> None:
    edges = [
        0,
        1,
        999,
        10**9,
        2**31,
        2**32 - 1,
        2**32,
        2**62,
        2**63 - 1,
        2**63,
        2**64 - 1,
        1_700_000_000 * 10**9,
    ]
    luck = random.Random(resolution)
    for units in [*edges, *(luck.getrandbits(luck.randint(1, 64)) for _ in range(40))]:
        exact = reference_walk.nanoseconds(units, resolution)
        assert scan.nanoseconds(units >> 32, units & 0xFFFFFFFF, resolution) == (
            exact if exact < 2**63 else -1
        )


def test_warming_leaves_nothing_to_compile(tmp_path: Path) -> None:
    scan.warm()
    kernels = [scan.scan_pcap, scan.seek_pcap, scan.scan_pcapng, scan.seek_pcapng]
    before = [len(kernel.signatures) for kernel in kernels]  # type: ignore[attr-defined]
    for data in seeds():
        path = tmp_path / "capture"
        path.write_bytes(data[:-3] + b"\xff" * 60)
        try:
            read(path, 4096)
        except CaptureError:
            pytest.fail("a seed must be readable")
    assert [len(kernel.signatures) for kernel in kernels] == before == [1, 1, 1, 1]  # type: ignore[attr-defined]


def test_full_columns_end_a_batch_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wirecover.capture.files import walk
    from wirecover.capture.files.batch import Columns

    monkeypatch.setattr(walk, "Columns", lambda: Columns(7))
    for data in seeds():
        same_as_twin(data, tmp_path / "small columns", 4096)


def test_the_file_header_check_knows_every_order() -> None:
    for head in (make.pcap_header(), make.pcap_header(order="big"), make.shb(), make.shb("big")):
        assert scan._is_file_header(np.frombuffer(head, np.uint8).copy(), 0)
    assert not scan._is_file_header(np.frombuffer(make.pcap_header(version=(2, 3)), np.uint8).copy(), 0)
