"""Mutated captures: no exception but CaptureError, and no byte outside an array is touched.

The kernels are compiled with bounds checks here, in a process of their own, where a stray index raises.
"""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from support import conversations as talk
from support.mutation import mutate
from support.traffic import write_capture

from wirecover.capture.decode import decode

TESTS = Path(__file__).parent.parent

HEADERS = """
from random import Random
import numpy as np
from support.packet_zoo import ZOO
from support.traffic import Frame, batch_of
from wirecover.capture import kernels
from wirecover.capture.packets.decode import decode_batch

assert kernels.BOUNDSCHECK
chance = Random(7)
for specimen in ZOO:
    frames = [Frame(specimen.data[:length]) for length in range(len(specimen.data) + 1)]
    for _ in range(150):
        data = bytearray(specimen.data)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        frames.append(Frame(bytes(data[: chance.randrange(len(data) + 1)])))
    links = np.array([specimen.link], np.int32)
    decode_batch(batch_of(frames), links)
    for frame in frames:  # the last frame of a buffer: nothing lies behind it
        decode_batch(batch_of([frame]), links)
print("done")
"""
CAPTURES = """
import sys
from pathlib import Path
from random import Random
from support import conversations as talk
from support.mutation import mutate
from support.traffic import write_capture
from wirecover.capture import kernels
from wirecover.capture.decode import decode

assert kernels.BOUNDSCHECK
chance = Random(7)
folder = Path(sys.argv[1])
for number in range(60):
    out = folder / str(number)
    out.mkdir()
    decode(write_capture(folder / "a.pcap", mutate(talk.everything(), chance)), out)
print("done")
"""


def run_checked(program: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={
            **os.environ,
            "WIRECOVER_BOUNDSCHECK": "1",
            "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        },
    )
    assert (done.stdout.strip(), done.returncode) == ("done", 0), done.stderr[-2000:]


def test_the_header_decoder_reads_nothing_outside_its_buffer(tmp_path: Path) -> None:
    run_checked(HEADERS, tmp_path)


@pytest.mark.slow  # all kernels are compiled with checks, uncached: the better part of a minute
def test_no_kernel_touches_a_byte_outside_its_arrays(tmp_path: Path) -> None:
    run_checked(CAPTURES, tmp_path)


@pytest.mark.parametrize("seed", range(6))
def test_a_broken_capture_is_decoded_all_the_same(seed: int, tmp_path: Path) -> None:
    """Twice, with the same result: also of what is broken."""
    chance = Random(seed)
    for number in range(12):
        capture = write_capture(tmp_path / "a.pcap", mutate(talk.everything(), chance))
        manifests = []
        for turn in "ab":
            out = tmp_path / f"{number}{turn}"
            out.mkdir()
            manifests.append(decode(capture, out))
        assert manifests[0] == manifests[1]
