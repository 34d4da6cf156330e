"""One person: runs all programs of one client host by the plan. Run inside that host's namespace."""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any

from lab.hosts import SIGNAL_NAME, WHATSAPP_NAME
from lab.journal import Journal
from lab.plan import Account, Plan
from lab.relay_client import RelayClient
from lab.turn_test import test_turn
from lab.voice import keep_voice_small
from lab.web_client import visit_http3, visit_https
from lab.xmpp_client import XmppClient

RELAY_NAMES = {"signal": SIGNAL_NAME, "whatsapp": WHATSAPP_NAME}


class Person:
    def __init__(self, name: str, folder: Path, start_ns: int) -> None:
        self._name, self._start_ns = name, start_ns
        self._plan = Plan.load(folder / "plan.json")
        self._secrets = json.loads((folder / "secrets.json").read_text(encoding="utf-8"))
        self._bundle = folder / "lab-ca.pem"
        self._journal = Journal(folder / f"journal-{name}.jsonl", name)

    async def run(self) -> None:
        jobs: list[Coroutine[Any, Any, None]] = []
        for account in self._plan.accounts:
            if account.person == self._name:
                jobs.append(self._xmpp(account) if account.service == "xmpp" else self._relay(account))
        for visit in self._plan.visits:
            if visit.person == self._name:
                if visit.kind == "https":
                    job = asyncio.to_thread(visit_https, visit, self._bundle, self._journal)
                elif visit.kind == "turn-test":
                    job = test_turn(visit, self._secrets["turn"][self._name], self._journal)
                else:
                    job = visit_http3(visit, self._bundle, self._journal)
                jobs.append(self._at(visit.at_s, job))
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)

    async def _at(self, at_s: float, job: Awaitable[None]) -> None:
        await asyncio.sleep(max(0.0, self._start_ns / 1e9 + at_s - time.time()))
        await job

    async def _relay(self, account: Account) -> None:
        client = RelayClient(account, RELAY_NAMES[account.service], self._bundle, self._journal)
        await self._at(account.join_s, client.open())
        for message in self._plan.messages:
            if (message.sender, message.service) == (self._name, account.service):
                await self._at(message.at_s, client.send(message))
        await self._at(self._plan.duration_s, client.close())

    async def _xmpp(self, account: Account) -> None:
        client = XmppClient(account, self._secrets, self._bundle, self._journal)
        await self._at(account.join_s, client.open({call.id: call for call in self._plan.calls}))
        async with asyncio.TaskGroup() as group:
            for call in self._plan.calls:
                if call.caller == self._name:
                    group.create_task(self._at(call.at_s, client.place_call(call)))
            for message in self._plan.messages:
                if (message.sender, message.service) == (self._name, "xmpp"):
                    await self._at(message.at_s, client.send_text(message))
        await self._at(self._plan.duration_s, client.close())


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("name")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("start_ns", type=int)
    options = arguments.parse_args()
    keep_voice_small()
    asyncio.run(Person(options.name, options.folder, options.start_ns).run())


if __name__ == "__main__":
    main()
