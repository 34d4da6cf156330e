"""The plan: who does what when, drawn from one seed before anything runs.

Times are seconds after the recording's start. What happened, with the clock's times, is in the journals.
"""

import dataclasses
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LATEST_JOIN_S = 6.0
QUIET_END_S = 4.0


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    service: str
    """xmpp, signal or whatsapp."""
    sender: str
    recipient: str
    kind: str
    """text or attachment."""
    at_s: float
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    caller: str
    callee: str
    at_s: float
    ring_s: float
    talk_s: float
    """0 when nobody answers."""
    relayed: bool
    """Media only through the TURN server; else direct between the two clients."""


@dataclass(frozen=True, slots=True)
class Visit:
    id: str
    person: str
    kind: str
    """https, h3-v1, h3-v2, or turn-test: coturn's own test client, no call."""
    at_s: float
    sizes: tuple[int, ...]
    """Body bytes asked for, one request each."""


@dataclass(frozen=True, slots=True)
class Account:
    person: str
    service: str
    join_s: float
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    duration_s: float
    accounts: tuple[Account, ...]
    messages: tuple[Message, ...]
    calls: tuple[Call, ...]
    visits: tuple[Visit, ...]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    @staticmethod
    def load(path: Path) -> "Plan":
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Plan(
            seed=raw["seed"],
            duration_s=raw["duration_s"],
            accounts=tuple(Account(**row) for row in raw["accounts"]),
            messages=tuple(Message(**row) for row in raw["messages"]),
            calls=tuple(Call(**row) for row in raw["calls"]),
            visits=tuple(Visit(**{**row, "sizes": tuple(row["sizes"])}) for row in raw["visits"]),
        )


def make_plan(seed: int, duration_s: float) -> Plan:
    """Each pair and each lone writer draws times of their own: nobody's depend on those of another pair."""
    dice = random.Random(seed)
    messages: list[Message] = []
    for service, pair, mean_pause in (
        ("xmpp", ("ada", "ben"), 90.0),
        ("signal", ("dora", "egon"), 90.0),
        ("signal", ("ivo", "jule"), 100.0),  # jule is beyond the router: only ivo's side is recorded
    ):
        messages += _conversations(dice, duration_s, service, pair, mean_pause)
    for service, sender, recipient, mean_pause in (
        ("xmpp", "cleo", "erik", 80.0),  # erik never comes online: prosody keeps these
        ("signal", "fay", "hana", 80.0),  # hana neither
        ("whatsapp", "cleo", "fay", 80.0),
        ("whatsapp", "ivo", "hana", 80.0),
    ):
        messages += _monologue(dice, duration_s, service, (sender, recipient), mean_pause)
    attachment_times = [duration_s * 0.3, duration_s * 0.7]
    for number, at_s in enumerate(attachment_times):
        pair = ("dora", "egon") if number % 2 == 0 else ("egon", "dora")
        size = dice.randrange(7_000, 14_000)
        messages.append(Message(f"signal-attachment-{number}", "signal", *pair, "attachment", at_s, size))
    return Plan(
        seed=seed,
        duration_s=duration_s,
        accounts=_accounts(dice),
        messages=tuple(sorted(messages, key=lambda message: (message.at_s, message.id))),
        calls=_calls(duration_s),
        visits=_visits(dice, duration_s),
    )


def _size(dice: random.Random) -> int:
    """Bytes of a short text: most are a line, a few are a paragraph."""
    return min(600, max(4, round(dice.lognormvariate(3.7, 0.8))))


def _first(dice: random.Random, duration_s: float) -> float:
    """When somebody begins to write: not all at once after joining, unless the run is a short try."""
    return LATEST_JOIN_S + dice.uniform(2, max(6, duration_s * 0.05))


def _pause(dice: random.Random, mean_s: float) -> float:
    """Between two conversations: often short, now and then several minutes."""
    return 15 + dice.expovariate(1 / (mean_s - 15))


def _conversations(
    dice: random.Random, duration_s: float, service: str, pair: tuple[str, str], mean_pause: float
) -> list[Message]:
    """One writes, the other reads, types and answers; some write twice in a row; then a pause."""
    messages: list[Message] = []
    at_s = _first(dice, duration_s)
    while at_s < duration_s - QUIET_END_S:
        sender, recipient = pair if dice.random() < 0.6 else pair[::-1]
        for _ in range(dice.choice((2, 3, 4, 5, 6, 8, 11))):
            if at_s >= duration_s - QUIET_END_S:
                break
            name = f"{service}-{'-'.join(pair)}-{len(messages):02d}"
            messages.append(Message(name, service, sender, recipient, "text", round(at_s, 3), _size(dice)))
            if dice.random() < 0.25:
                at_s += dice.uniform(1.5, 4.0)
            else:
                sender, recipient = recipient, sender
                at_s += min(25.0, max(1.5, dice.lognormvariate(1.6, 0.6)))  # median 5 s
        at_s += _pause(dice, mean_pause)
    return messages


def _monologue(
    dice: random.Random, duration_s: float, service: str, pair: tuple[str, str], mean_pause: float
) -> list[Message]:
    """Somebody who writes a few lines at a time, at times of their own, and gets no answer."""
    messages: list[Message] = []
    at_s = _first(dice, duration_s)
    while at_s < duration_s - QUIET_END_S:
        for _ in range(dice.choice((1, 1, 2, 3, 4))):
            if at_s >= duration_s - QUIET_END_S:
                break
            name = f"{service}-{'-'.join(pair)}-{len(messages):02d}"
            messages.append(Message(name, service, *pair, "text", round(at_s, 3), _size(dice)))
            at_s += dice.uniform(1.5, 9.0)
        at_s += _pause(dice, mean_pause)
    return messages


def _accounts(dice: random.Random) -> tuple[Account, ...]:
    xmpp = {"ada": {"direct_tls": True, "tls": "1.3"}, "ben": {"direct_tls": False, "tls": "1.3"}}
    xmpp["cleo"] = {"direct_tls": False, "tls": "1.2"}
    accounts = [
        Account(name, "xmpp", round(dice.uniform(0.5, 4), 3), settings) for name, settings in xmpp.items()
    ]
    for name in ("dora", "egon", "fay", "ivo", "jule"):
        accounts.append(
            Account(name, "signal", round(dice.uniform(0.5, 4), 3), {"keepalive_s": 30, "pad": 160})
        )
    for name in ("cleo", "fay", "ivo"):
        accounts.append(
            Account(name, "whatsapp", round(dice.uniform(0.5, 4), 3), {"keepalive_s": 20, "pad": 16})
        )
    return tuple(accounts)


def _calls(duration_s: float) -> tuple[Call, ...]:
    return (
        Call(
            "call-0",
            "ada",
            "ben",
            round(duration_s * 0.35, 3),
            ring_s=3.0,
            talk_s=min(20.0, duration_s * 0.2),
            relayed=True,
        ),
        Call(
            "call-2",
            "cleo",
            "ben",
            round(duration_s * 0.62, 3),
            ring_s=2.0,
            talk_s=min(8.0, duration_s * 0.1),
            relayed=False,
        ),
        Call("call-1", "ben", "ada", round(duration_s * 0.78, 3), ring_s=7.0, talk_s=0.0, relayed=True),
    )


def _visits(dice: random.Random, duration_s: float) -> tuple[Visit, ...]:
    planned = (
        ("ada", "https", 0.12, (1800, 5200)),
        ("gil", "https", 0.20, (2400, 900, 3100)),
        ("gil", "h3-v1", 0.28, (4200, 1500)),
        ("ben", "h3-v2", 0.5, (3600,)),
        ("gil", "h3-v1", 0.74, (2100,)),
        ("gil", "turn-test", 0.84, (100, 100, 100, 100)),
    )
    return tuple(
        Visit(f"visit-{number}", person, kind, round(duration_s * share + dice.uniform(0, 3), 3), sizes)
        for number, (person, kind, share, sizes) in enumerate(planned)
    )
