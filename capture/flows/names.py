"""Which names the capture gave to which addresses, and when: the passive DNS of one exhibit."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

MAX_NAMES: Final = 1 << 18
"""(address, name, source) triples held; beyond, the one not seen longest is written out and forgotten."""
MAX_LEARNT: Final = 1 << 17
MAX_PER_ADDRESS: Final = 16
FRESH_NS: Final = 1_000_000_000
"""A flow that begins at most so long after an answer may be what the client asked for."""
STALE_NS: Final = 5_000_000_000
"""So much older must the other names of the address be."""


class NameBook:
    """Collects rows of the `names` table, and answers what a client had asked for before it connected."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str, str], list[int]] = OrderedDict()
        self._asked: OrderedDict[tuple[str, str], dict[str, tuple[int, int]]] = OrderedDict()
        """(client, address) -> name -> frame and time of the last answer, that of the latest answer last."""
        self._addresses: set[str] = set()
        """At least every address in `_asked`."""

    def note(
        self, ip: str, name: str, source: str, flow_no: int, frame: int, ts: int
    ) -> tuple[object, ...] | None:
        """`ip` was called `name` at `ts`. Returns a row of `names` that had to give way, if any."""
        key = (ip, name, source)
        entry = self._seen.get(key)
        if entry is not None:
            entry[0] = min(entry[0], ts)
            entry[1] = max(entry[1], ts)
            self._seen.move_to_end(key)
            return None
        self._seen[key] = [ts, ts, flow_no, frame]
        if len(self._seen) > MAX_NAMES:
            return self._row(*self._seen.popitem(last=False))
        return None

    def learn(self, client: str, ip: str, name: str, frame: int, ts: int = -1) -> None:
        """A DNS answer told `client` that `name` is at `ip`. Only what a client asked itself names its flows.

        Without its time (-1) the answer is never the freshest.
        """
        if len(self._addresses) >= MAX_LEARNT:
            self._addresses = {address for _, address in self._asked}
        self._addresses.add(ip)
        names = self._asked.setdefault((client, ip), {})
        self._asked.move_to_end((client, ip))
        if name not in names and len(names) >= MAX_PER_ADDRESS:
            del names[next(iter(names))]
        names.pop(name, None)
        names[name] = (frame, ts)
        if len(self._asked) > MAX_LEARNT:
            self._asked.popitem(last=False)

    def is_learnt(self, ip: str) -> bool:
        """Whether anybody may have learnt a name for `ip`; if not, nobody has."""
        return ip in self._addresses

    @property
    def any_learnt(self) -> bool:
        """Whether any DNS answer was seen yet."""
        return bool(self._asked)

    def asked(self, client: str, ip: str) -> tuple[tuple[str, int], ...]:
        """(name, frame of the answer) that `client` had learnt for `ip`, oldest first."""
        names = self._asked.get((client, ip))
        return tuple([(name, frame) for name, (frame, _) in names.items()]) if names else ()

    def fresh(self, client: str, ip: str, ts: int) -> str | None:
        """The name that `client` asked for right before `ts`, when it had asked for no other of `ip` for a while.

        Bermudez et al., DNS to the Rescue (ACM IMC 2012), name flows by the last answer before them; here others
        must be out of the way, too.
        """
        names = self._asked.get((client, ip))
        if not names:
            return None
        latest = sorted((when, name) for name, (_, when) in names.items() if when <= ts)
        if not latest or ts - latest[-1][0] > FRESH_NS:
            return None
        return None if len(latest) > 1 and ts - latest[-2][0] < STALE_NS else latest[-1][1]

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Values in the order of `tables.NAMES`, sorted."""
        for key, entry in sorted(self._seen.items()):
            yield self._row(key, entry)

    @staticmethod
    def _row(key: tuple[str, str, str], entry: list[int]) -> tuple[object, ...]:
        (ip, name, source), (first, last, flow_no, frame) = key, entry
        return ip, name, first, last, source, flow_no, frame
