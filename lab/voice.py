"""The voice of a call: seeded noise that comes and goes like speech, coded small."""

import array
import asyncio
import fractions
import random
import time

from aiortc.codecs import opus
from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame

RATE = 8000
FRAME_SAMPLES = RATE // 50  # 20 ms
BIT_RATE = 16_000


class Voice(AudioStreamTrack):
    """Talk spurts of 1 to 2.5 s, pauses of 0.3 to 1 s; the coder makes packets of varying size of it."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._dice = random.Random(seed)
        self._begun: float | None = None
        self._frame = 0
        self._until, self._talking = 0, False

    async def recv(self) -> AudioFrame:
        if self._begun is None:
            self._begun = time.monotonic()
        await asyncio.sleep(self._begun + self._frame * 0.02 - time.monotonic())
        if self._frame >= self._until:
            self._talking = not self._talking
            spurt = self._dice.uniform(1.0, 2.5) if self._talking else self._dice.uniform(0.3, 1.0)
            self._until = self._frame + int(spurt * 50)
        level = self._dice.randrange(1500, 9000) if self._talking else 30
        samples = array.array("h", (self._dice.randrange(-level, level) for _ in range(FRAME_SAMPLES)))
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.pts, frame.sample_rate = self._frame * FRAME_SAMPLES, RATE
        frame.time_base = fractions.Fraction(1, RATE)
        self._frame += 1
        return frame


def keep_voice_small() -> None:
    """Have aiortc's Opus coder use BIT_RATE: it has no setting, and 96 kbit/s would fill the capture."""
    original = opus.OpusEncoder.__init__

    def small(self: opus.OpusEncoder) -> None:
        original(self)
        self.codec.bit_rate = BIT_RATE

    opus.OpusEncoder.__init__ = small  # type: ignore[method-assign]
