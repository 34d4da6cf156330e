"""A TURN test with coturn's own client: allocations, permissions and Send indications, but nobody calls."""

import asyncio

from lab.hosts import HOSTS
from lab.journal import Journal, now_ns
from lab.plan import Visit


async def test_turn(visit: Visit, password: str, journal: Journal) -> None:
    asked = now_ns()
    process = await asyncio.create_subprocess_exec(
        "turnutils_uclient",
        *("-u", visit.person, "-w", password),
        *("-n", str(len(visit.sizes)), "-l", str(visit.sizes[0])),
        *("-m", "1", "-y", "-c", "-s"),  # two clients of its own talk by Send indications
        HOSTS["turn"].ipv4_address,
        stdin=asyncio.subprocess.DEVNULL,
    )
    if await asyncio.wait_for(process.wait(), 20):
        raise RuntimeError(f"turnutils_uclient failed: {process.returncode}")
    journal.write(
        "request",
        visit=visit.id,
        protocol=visit.kind,
        asked_ns=asked,
        done_ns=now_ns(),
        body_bytes=sum(visit.sizes),
    )
