"""What of a case may go to a partner, and on what terms: a TOML file, read strictly.

format = "wirecover-share/1"
reference = "2026/114-3"         # of the exchange; the partner's copy and both logs carry it
edition = 1                      # counts up when the same reference is sent anew
purpose = "Identify the subscriber behind the relay"
partner = "FR/OFAC"

[scope]                          # every part narrows: a row leaves when it satisfies all that are there
from = 2026-03-01T00:00:00Z      # flows wholly inside, both ends included; a flow that reaches out stays
to = 2026-03-07T23:59:59Z
addresses = ["192.0.2.0/24"]     # one end of the flow; the other end goes with it
applications = ["signal"]        # label of the flow
exhibits = ["<sha256>"]
findings = [123]                 # only flows that these rest on; a finding leaves when all of it is inside
tables = ["flows", "packets"]    # what leaves at all; must be there
exhibit_names = false            # file names of exhibits; hidden unless true

[conditions]
use = ["Not as evidence without our consent"]
onward = false                   # may the partner pass it on
destroy_by = 2027-03-01T00:00:00Z
"""

from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final

from wirecover.casefile.errors import CaseError
from wirecover.casefile.share_rules import RULES
from wirecover.casefile.toml_reader import Section, read_toml

FORMAT: Final = "wirecover-share/1"
SHAREABLE: Final = (*RULES, "findings", "events")
_LARGEST: Final = (1 << 63) - 1


class ShareError(CaseError):
    """The share cannot be made or taken in as asked."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What leaves."""

    first_ts: int | None
    last_ts: int | None
    addresses: tuple[str, ...]
    applications: tuple[str, ...]
    exhibits: tuple[str, ...]
    findings: tuple[int, ...]
    tables: tuple[str, ...]
    exhibit_names: bool

    @property
    def narrows(self) -> bool:
        """Whether anything of an exhibit stays behind."""
        limits = (self.addresses, self.applications, self.findings)
        return any(limits) or self.first_ts is not None or self.last_ts is not None

    def networks(self) -> list[IPv4Network | IPv6Network]:
        """The addresses as networks."""
        return [ip_network(text) for text in self.addresses]

    def holds_time(self, ns: int | None) -> bool:
        """Whether a time is inside the window; one that is not known is inside no window."""
        if ns is None:
            return self.first_ts is None and self.last_ts is None
        return (self.first_ts is None or self.first_ts <= ns) and (self.last_ts is None or ns <= self.last_ts)

    def holds_address(self, text: str | None, networks: list[IPv4Network | IPv6Network]) -> bool:
        """Whether an address is one of those asked for; what is no address is not."""
        try:
            address = ip_address(text or "")
        except ValueError:
            return False
        return any(address in network for network in networks)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Terms of the originator; they travel with the rows."""

    use: tuple[str, ...]
    onward: bool
    destroy_by: int | None


@dataclass(frozen=True, slots=True)
class ShareOrder:
    """One exchange."""

    reference: str
    edition: int
    purpose: str
    partner: str
    scope: Scope
    conditions: Conditions

    def facts(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        facts = asdict(self)
        for part in ("scope", "conditions"):
            facts[part] = {
                key: list(one) if isinstance(one, tuple) else one for key, one in facts[part].items()
            }
        return facts


def read_order(path: Path) -> ShareOrder:
    """The exchange in a file; ShareError says in one line what is wrong with it."""
    top = read_toml(path, ShareError)
    if (form := top.text("format")) != FORMAT:
        raise top.fail("format", f"{form!r} is not {FORMAT!r}")
    order = ShareOrder(
        reference=top.text("reference"),
        edition=top.whole_or_none("edition", 1, 1_000_000) or 1,
        purpose=top.text("purpose"),
        partner=top.text("partner"),
        scope=top.table("scope", _scope),
        conditions=top.table("conditions", _conditions),
    )
    top.finish()
    return order


def _scope(section: Section) -> Scope:
    first, last = section.time_or_none("from"), section.time_or_none("to")
    if first is not None and last is not None and first > last:
        raise section.fail("to", "lies before 'from'")
    tables = section.texts("tables", SHAREABLE)
    if not tables:
        raise section.fail("tables", f"name the tables that may leave: {', '.join(SHAREABLE)}")
    return Scope(
        first_ts=first, last_ts=last, addresses=_addresses(section),
        applications=_given(section, "applications", section.texts("applications")),
        exhibits=_exhibits(section), findings=_findings(section), tables=tuple(sorted(tables)),
        exhibit_names=section.flag("exhibit_names"),
    )  # fmt: skip


def _addresses(section: Section) -> tuple[str, ...]:
    found = []
    for text in section.texts("addresses"):
        try:
            found.append(str(ip_network(text)))
        except ValueError as problem:
            raise section.fail("addresses", f"{text!r} is no address or network: {problem}") from None
    return _given(section, "addresses", tuple(sorted(found)))


def _exhibits(section: Section) -> tuple[str, ...]:
    found = section.texts("exhibits")
    for text in found:
        if len(text) != 64 or set(text) - set("0123456789abcdef"):
            raise section.fail("exhibits", f"{text!r} is no SHA-256 of an exhibit")
    return _given(section, "exhibits", tuple(sorted(found)))


def _findings(section: Section) -> tuple[int, ...]:
    return _given(section, "findings", tuple(sorted(section.wholes("findings", -_LARGEST, _LARGEST))))


def _given(section: Section, key: str, found: tuple[Any, ...]) -> tuple[Any, ...]:
    """An empty list would read as 'nothing' and mean 'everything': refused."""
    if section.has(key) and not found:
        raise section.fail(key, "is empty: leave it out, or say what may leave")
    return found


def _conditions(section: Section) -> Conditions:
    return Conditions(section.texts("use"), section.flag("onward"), section.time_or_none("destroy_by"))
