"""From the facts of a flow to its label, with the reasons.

How reasons combine, all in integers:

1. Every row of the rules that holds at the time of the flow is looked up by its value. A hit either carries (it may
   make a label, see `rule.py`) or supports; one that would carry but for something it needs, and an
   address, a port or a JA4 that only supports, count no more than 20. Names known from DNS count 10 less
   than their row says, names in a certificate 5 less; a DNS name that only carries because the flow
   began right after its answer counts 20 less again.
2. An application is a candidate when a hit carries for it. A label that another candidate is a part of
   (`part_of`) is no candidate of its own: its hits support the narrower one.
3. Confidence: the strongest carrying hit, plus 2 for each further kind of evidence, at most 99.
4. The candidate with the highest confidence gives the label; at equal confidence the one whose best kind is
   of higher rank, then the first by name. Other candidates cost it 20. What speaks for another application,
   carrying or not, is kept as conflicts (addresses, ports and JA4, which many share, apart).
5. Below 50 there is no label.

Nothing here loops over rules: values are found in dictionaries (names by their suffixes, addresses by the
prefix lengths in use), and what was decided once for the same values is remembered.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from wirecover.capture.apps.rule import KINDS, TEXT_KINDS, WEAK_KINDS, AppRules, EvidenceRule
from wirecover.capture.protocols.dns_name import canonical_name

LABEL_MINIMUM: Final = 50
CONFIDENCE_MAXIMUM: Final = 99
FURTHER_KIND_BONUS: Final = 2
CONFLICT_COST: Final = 20
SUPPORT_MAXIMUM: Final = 20
KIND_COST: Final = {"dns": 10, "certificate": 5}
FRESH_COST: Final = 20
CACHE_SIZE: Final = 1 << 16
MAX_NAMES: Final = 64  # names of one certificate or address that are looked at
MAX_PORTS: Final = 1000  # in one range
_MAX_NAME: Final = 1024

_FLOW, _HELLO, _CERTIFICATE, _DNS = range(4)  # where a hit was seen; a DNS name adds its position
_RANK: Final = {kind: rank for rank, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """What is known of a flow when it is labelled."""

    transport: str
    """`tcp` or `udp`."""
    server_ip: str
    server_port: int
    client_ip: str
    client_port: int
    sni: str | None = None
    sni_frame: int | None = None
    """Frame of the ClientHello; ALPN and JA4 are reported there too."""
    alpn_offered: tuple[str, ...] = ()
    dns_names: tuple[tuple[str, int], ...] = ()
    """Names that this client asked for and was given `server_ip` (the names of the questions, not the
    aliases on the way), each with the frame of the answer."""
    certificate_names: tuple[str, ...] = ()
    """Subject common name and alternative names of the leaf; organisations may follow."""
    certificate_frame: int | None = None
    stun_realm: str | None = None
    stun_username: str | None = None
    stun_software: str | None = None
    stun_attributes: frozenset[int] = frozenset()
    """Numbers of the attributes of all STUN messages of the flow."""
    ja4: str | None = None
    frame: int = 0
    """The flow's first frame, for what has no frame of its own."""
    service: str | None = None
    """As in flows.service: `stun`, `openvpn`, ..."""
    signatures: frozenset[str] = frozenset()
    """Names of the byte patterns found (protocols/messenger_bytes.py)."""
    framing: str | None = None
    """The messenger protocol whose frames were read from the opening on (protocols/messenger_frames.py)."""
    dns_fresh: str | None = None
    """That of `dns_names` whose answer came right before the flow, the only one in a while."""


class Evidence(NamedTuple):  # a tuple: one is made for every reason of every flow
    """One reason."""

    app: str
    rule_id: str
    kind: str
    value: str
    """What was seen, as it is on the wire or in canonical form."""
    frame: int
    confidence: int


class Label(NamedTuple):
    """The application of a flow."""

    app: str
    confidence: int
    """Percent, 50 to 99."""
    evidence: tuple[Evidence, ...]
    """Strongest first."""
    conflicts: tuple[Evidence, ...]
    """What speaks for another application."""


class Found(NamedTuple):
    """A row that fits a fact."""

    row: EvidenceRule
    kind: str
    value: str
    where: int


class Hit(NamedTuple):
    """A row that fits and holds, weighed, before frames are known."""

    row: EvidenceRule
    kind: str
    value: str
    confidence: int
    where: int
    carries: bool


_Reason = tuple[str, str, str, str, int, int]
"""What becomes an Evidence once the flow's frames are known: app, rule id, kind, value, confidence, where."""


class _Verdict(NamedTuple):
    app: str
    confidence: int
    reasons: tuple[_Reason, ...]
    conflicts: tuple[_Reason, ...]


_Key = tuple[
    str, str, int, str | None, tuple[str, ...], tuple[str, ...], tuple[str, ...], str | None, str | None,
    str | None, frozenset[int], str | None, str | None, frozenset[str], str | None, str | None,
]  # fmt: skip
_Rows = tuple[EvidenceRule, ...]
_K = TypeVar("_K")


class RuleSet:
    """All rules, indexed. `sha256` identifies their content, `local_sha256` that of rules which are no part of this
    version."""

    def __init__(self, apps: Iterable[AppRules], sha256: str, local_sha256: str | None = None) -> None:
        self.apps: Final = {app.label: app for app in sorted(apps, key=lambda app: app.id)}
        self.sha256: Final = sha256
        self.local_sha256: Final = local_sha256
        self._exact: dict[tuple[str, str], _Rows] = {}
        self._suffix: dict[tuple[str, str], _Rows] = {}
        self._contains: list[tuple[str, str, EvidenceRule]] = []
        self._networks: dict[tuple[int, int], dict[int, _Rows]] = {}
        bounds: set[int] = set()
        for app in self.apps.values():
            for row in app.evidence:
                bounds |= {row.valid_from, row.valid_to}
                for kind in row.kinds:
                    self._index(kind, row)
        self._bounds: Final = sorted(bounds)
        self._decided: dict[tuple[int, _Key], _Verdict | None] = {}

    @property
    def part_of(self) -> dict[str, tuple[str, ...]]:
        """Label to the broader labels it is a part of."""
        return {label: app.part_of for label, app in self.apps.items() if app.part_of}

    def _index(self, kind: str, row: EvidenceRule) -> None:
        for value in row.values:
            if kind == "address":
                network = ip_network(value)
                shift = network.max_prefixlen - network.prefixlen
                table = self._networks.setdefault((network.version, shift), {})
                _append(table, int(network.network_address) >> shift, row)
            elif kind == "port":
                for port in ports(value):
                    _append(self._exact, (kind, port), row)
            elif row.match == "contains":
                self._contains.append((kind, value.lower(), row))
            elif row.match == "suffix":
                _append(self._suffix, (kind, value), row)
            else:
                _append(self._exact, (kind, value), row)

    @property
    def bounds(self) -> list[int]:
        """The times at which other rules begin to hold, in order."""
        return self._bounds

    def era(self, at_ns: int) -> int:
        """Number of the span of time within which the same rules hold."""
        return bisect_right(self._bounds, at_ns)

    def speaks_of(self, name: str) -> bool:
        """Whether any row is about this name when it is known from DNS."""
        return next(self._names("dns", name, 0), None) is not None

    def match(self, facts: FlowFacts, at_ns: int) -> Label | None:
        """The label of a flow that was seen at `at_ns`, by the rules that hold at that time."""
        key: _Key = (
            facts.transport, facts.server_ip, facts.server_port, facts.sni, facts.alpn_offered,
            tuple([name for name, _ in facts.dns_names]), facts.certificate_names, facts.stun_realm,
            facts.stun_username, facts.stun_software, facts.stun_attributes, facts.ja4, facts.service,
            facts.signatures, facts.framing, facts.dns_fresh,
        )  # fmt: skip
        dated = (bisect_right(self._bounds, at_ns), key)
        try:
            verdict = self._decided[dated]
        except KeyError:
            verdict = self._decide(facts, at_ns)
            if len(self._decided) >= CACHE_SIZE:
                self._decided.clear()
            self._decided[dated] = verdict
        return None if verdict is None else _label(verdict, facts)

    def hints(self, signatures: frozenset[str], at_ns: int, frame: int) -> tuple[Evidence, ...]:
        """What the byte patterns of a flow without a label point to, weakly; in the order of the patterns."""
        return tuple(
            Evidence(row.app, row.id, "signature", name, frame, min(row.confidence, SUPPORT_MAXIMUM))
            for name in sorted(signatures)
            for row in self._exact.get(("signature", name), ())
            if row.valid_from <= at_ns < row.valid_to
        )

    def hits(self, facts: FlowFacts, at_ns: int) -> list[Hit]:
        """Every row that fits a fact and holds at that time, weighed; also those that do not suffice."""
        return _weigh(
            [hit for hit in self._look_up(facts) if hit.row.valid_from <= at_ns < hit.row.valid_to], facts
        )

    def outdated(self, facts: FlowFacts, at_ns: int) -> list[Found]:
        """Rows that fit a fact, but do not hold at that time."""
        return [hit for hit in self._look_up(facts) if not hit.row.valid_from <= at_ns < hit.row.valid_to]

    def _decide(self, facts: FlowFacts, at_ns: int) -> _Verdict | None:
        hits = self.hits(facts, at_ns)
        carried = {hit.row.app for hit in hits if hit.carries}
        candidates = sorted(carried - {broad for app in carried for broad in self._broader(app)})
        if not candidates:
            return None
        ranked = sorted((self._rank(app, hits), app) for app in candidates)
        (minus_confidence, _), app = ranked[0]
        confidence = -minus_confidence - (CONFLICT_COST if len(ranked) > 1 else 0)
        if confidence < LABEL_MINIMUM:
            return None
        family = {app, *self._broader(app)}
        order = sorted(
            hits, key=lambda hit: (-hit.confidence, _RANK[hit.kind], hit.row.id, hit.value, hit.where)
        )
        return _Verdict(
            app,
            confidence,
            tuple(
                _reason(hit)
                for hit in order
                if hit.row.app == app
                or (hit.row.app in family and (hit.carries or hit.kind not in WEAK_KINDS))
            ),
            tuple(_reason(hit) for hit in order if hit.kind not in WEAK_KINDS and hit.row.app not in family),
        )

    def _rank(self, app: str, hits: list[Hit]) -> tuple[int, int]:
        """Negated confidence, then the rank of the best kind: smaller is better."""
        family = {app, *self._broader(app)}
        carrying = [hit for hit in hits if hit.carries and hit.row.app == app]
        kinds = {hit.kind for hit in hits if hit.row.app in family}
        confidence = max(hit.confidence for hit in carrying) + FURTHER_KIND_BONUS * (len(kinds) - 1)
        return -min(confidence, CONFIDENCE_MAXIMUM), min(_RANK[hit.kind] for hit in carrying)

    def _broader(self, app: str) -> tuple[str, ...]:
        return self.apps[app].part_of

    def _look_up(self, facts: FlowFacts) -> Iterator[Found]:
        """Every row that fits a fact, whatever its validity."""
        if facts.sni:
            yield from self._names("sni", facts.sni, _HELLO)
        for name in facts.certificate_names[:MAX_NAMES]:
            yield from self._names("certificate", name, _CERTIFICATE)
        for position, (name, _) in enumerate(facts.dns_names[:MAX_NAMES]):
            yield from self._names("dns", name, _DNS + position)
        texts = (
            ("stun_realm", facts.stun_realm, _FLOW), ("stun_username", facts.stun_username, _FLOW),
            ("stun_software", facts.stun_software, _FLOW), ("service", facts.service, _FLOW),
            ("framing", facts.framing, _FLOW), ("ja4", facts.ja4, _HELLO),
            ("port", f"{facts.transport}/{facts.server_port}", _FLOW),
            *(("alpn", protocol, _HELLO) for protocol in facts.alpn_offered[:MAX_NAMES]),
            *(("signature", name, _FLOW) for name in sorted(facts.signatures)),
            *(("stun_attribute", f"0x{number:04x}", _FLOW) for number in sorted(facts.stun_attributes)),
        )  # fmt: skip
        for kind, text, where in texts:
            if text:
                yield from self._text(kind, text, where)
        for row in self._address(facts.server_ip):
            yield Found(row, "address", facts.server_ip, _FLOW)

    def _names(self, kind: str, name: str, where: int) -> Iterator[Found]:
        """Rows of the longest suffix that any row has, and those of the name itself."""
        plain = plain_name(name)
        for row in self._exact.get((kind, plain), ()):
            yield Found(row, kind, plain, where)
        suffix = plain.removeprefix("*.")
        while suffix:
            rows = self._suffix.get((kind, suffix))
            if rows is not None:
                for row in rows:
                    yield Found(row, kind, plain, where)
                return
            suffix = suffix.partition(".")[2]

    def _text(self, kind: str, text: str, where: int) -> Iterator[Found]:
        for row in self._exact.get((kind, text), ()):
            yield Found(row, kind, text, where)
        if kind in TEXT_KINDS:
            lowered = text[:_MAX_NAME].lower()
            for of_kind, part, row in self._contains:
                if of_kind == kind and part in lowered:
                    yield Found(row, kind, text, where)

    def _address(self, text: str) -> _Rows:
        """Rows of every range that holds the address."""
        try:
            address = ip_address(text)
        except ValueError:
            return ()
        number = int(address)
        rows: _Rows = ()
        for (version, shift), table in self._networks.items():
            if version == address.version:
                rows += table.get(number >> shift, ())
        return rows


def load_rules(extra: Path | None = None) -> RuleSet:
    """The rules of this version and, when given, those of the folder or file `extra`. Raises RuleError."""
    from wirecover.capture.apps import (
        loader,
    )  # it builds on this module, and whoever only matches reads no TOML

    return loader.load_rules(extra)


def _append(table: dict[_K, _Rows], key: _K, row: EvidenceRule) -> None:
    table[key] = (*table.get(key, ()), row)


def plain_name(name: str) -> str:
    """A name as rules write it: lower case, a host name without its trailing dot."""
    name = name[:_MAX_NAME]
    return canonical_name(name) if _is_host(name) else name.lower()


def ports(value: str) -> list[str]:
    """`udp/3478` or `udp/8801-8810` as single ports. Raises ValueError."""
    transport, _, numbers = value.partition("/")
    first, _, last = numbers.partition("-")
    low, high = int(first), int(last or first)
    if transport not in ("tcp", "udp") or not 0 < low <= high <= 0xFFFF or high - low > MAX_PORTS:
        raise ValueError(f"no port or port range: {value}")
    return [f"{transport}/{port}" for port in range(low, high + 1)]


def _weigh(found: list[Found], facts: FlowFacts) -> list[Hit]:
    """Which hits carry, and what they count, given all that was found of the flow."""
    present = {hit.row.id for hit in found}
    if facts.service:
        present.add(facts.service)
    if facts.stun_attributes or facts.stun_realm or facts.stun_username or facts.stun_software:
        present.add("stun")
    named = {hit.row.app for hit in found if hit.kind == "sni"}
    agreed = {
        "dns": _agreed("dns", [name for name, _ in facts.dns_names], found),
        "certificate": _agreed("certificate", [n for n in facts.certificate_names if _is_host(n)], found),
    }
    fresh = None if facts.sni or facts.dns_fresh is None else plain_name(facts.dns_fresh)
    hits = []
    for row, kind, value, where in found:
        able = all(need in present for need in row.needs) and (kind not in WEAK_KINDS or bool(row.needs))
        sure = kind not in agreed or (row.app in named if facts.sni else row.app in agreed[kind])
        confidence = row.confidence - KIND_COST.get(kind, 0)
        if not sure and kind == "dns" and value == fresh:
            sure, confidence = True, confidence - FRESH_COST
        hits.append(
            Hit(
                row=row,
                kind=kind,
                value=value,
                confidence=confidence if able else min(confidence, SUPPORT_MAXIMUM),
                where=where,
                carries=row.alone and able and sure,
            )
        )
    return hits


def _agreed(kind: str, names: list[str], found: list[Found]) -> set[str]:
    """The labels to which every one of the names leads."""
    wanted = {plain_name(name) for name in names}
    if len(names) > MAX_NAMES:
        return set()
    led: dict[str, set[str]] = {}
    for hit in found:
        if hit.kind == kind:
            led.setdefault(hit.row.app, set()).add(hit.value)
    return {app for app, values in led.items() if wanted <= values}


def _is_host(name: str) -> bool:
    """Is this entry of a certificate a host name (an organisation has spaces or no dot)?"""
    return "." in name and " " not in name


def _reason(hit: Hit) -> _Reason:
    return hit.row.app, hit.row.id, hit.kind, hit.value, hit.confidence, hit.where


def _label(verdict: _Verdict, facts: FlowFacts) -> Label:
    flow, hello, certificate = facts.frame, facts.sni_frame, facts.certificate_frame
    frames = [flow, flow if hello is None else hello, flow if certificate is None else certificate]
    frames += [frame for _, frame in facts.dns_names]  # in the order of _FLOW, _HELLO, _CERTIFICATE, _DNS
    return Label(
        verdict.app,
        verdict.confidence,
        _evidence(verdict.reasons, frames),
        _evidence(verdict.conflicts, frames) if verdict.conflicts else (),
    )


def _evidence(reasons: tuple[_Reason, ...], frames: list[int]) -> tuple[Evidence, ...]:
    return tuple(
        [
            Evidence(app, rule_id, kind, value, frames[where], confidence)
            for app, rule_id, kind, value, confidence, where in reasons
        ]
    )
