"""The delay line: a wire between two TAP devices that holds every frame for some milliseconds.

Frames pass unchanged and in order. Run inside the router's namespace; prints "ready" when both devices
(wan0, wan1) exist; `network.py` then moves wan1 to the servers' side.
"""

import argparse
import asyncio
import fcntl
import os
import random
import signal
import struct
from collections import deque

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


def open_tap(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return device


class DelayLine:
    """One direction; due times never decrease, so order is kept whatever the jitter."""

    def __init__(self, source: int, target: int, delay_s: float, jitter_s: float, seed: int) -> None:
        self._source, self._target = source, target
        self._delay_s, self._jitter_s = delay_s, jitter_s
        self._random = random.Random(seed)
        self._held: deque[bytes] = deque()
        self._last_due = 0.0

    def take(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                frame = os.read(self._source, 2048)
            except BlockingIOError:
                return
            due = loop.time() + self._delay_s + self._random.uniform(0, self._jitter_s)
            self._last_due = due = max(due, self._last_due + 1e-6)
            self._held.append(frame)
            loop.call_at(due, self._give)

    def _give(self) -> None:
        os.write(self._target, self._held.popleft())


async def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--delay-ms", type=float, default=9.0)
    arguments.add_argument("--jitter-ms", type=float, default=1.5)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    near, far = open_tap("wan0"), open_tap("wan1")
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for source, target, seed in ((near, far, options.seed), (far, near, options.seed + 1)):
        line = DelayLine(source, target, options.delay_ms / 1e3, options.jitter_ms / 1e3, seed)
        loop.add_reader(source, line.take)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
