"""What may be kept of a capture. The lowest floor knows no law: whoever calls it has turned an authority into this.

A packet is held against the parts of a scope in this order, and left out for the first that speaks against it:

1. its time lies in none of `spans`;
2. an end of it is excluded (`excluded`), or it belongs to a name that is (`excluded_names`);
3. there are `targets`, and no address, hardware address or tunnel of it is known to hold against them;
4. an end of it is a target, but not at that time;
5. no end of it is a target: it is a third party's. `others` says what becomes of it.

Both directions between a target and whoever it speaks with are kept: the other end is a second party.
"""

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal

Span = tuple[int | None, int | None]
"""First and last time, both included, in nanoseconds since 1970-01-01 UTC; None is open."""
Kind = Literal["network", "mac", "teid", "recording"]
Layer = Literal["inner", "outer", "any"]
Others = Literal["drop", "pseudonymise"]


@dataclass(frozen=True, slots=True)
class Selector:
    """One end of packets."""

    kind: Kind
    value: str
    """network: `192.0.2.0/24`, `2001:db8::1`; mac: `02:00:00:00:00:01`; teid: the number of a GTP-U tunnel in
    decimal; recording: the identifier at the start of the file's name (`<value>_<digits>`, also behind `openli_`).
    """
    layer: Layer = "inner"
    """Of a network: the addresses of the innermost IP header, of the outermost, or of both."""
    spans: tuple[Span, ...] = ()
    """When it is one; always, if empty."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be kept; without arguments everything."""

    spans: tuple[Span, ...] = ()
    """Times that are covered; all, if empty."""
    targets: tuple[Selector, ...] | None = None
    """Whose packets are kept; None: of everyone in the recording."""
    excluded: tuple[Selector, ...] = ()
    """Whose packets are never kept, whoever the other end is. Networks are held against every layer."""
    excluded_names: tuple[str, ...] = ()
    """Lower-case names: what is known by them in the capture is excluded likewise, see `name_hunt`."""
    others: Others = "drop"
    """What becomes of packets of neither: dropped, or kept as flows between pseudonyms without any content."""
    key: bytes = field(default=b"", repr=False)
    """Key of the pseudonyms: at least 16 octets when `others` asks for them."""
    withheld: frozenset[str] = frozenset()
    """Tables (`hosts`) and columns (`tls_handshakes.sni`) of which nothing is written."""

    def __post_init__(self) -> None:
        if self.others == "pseudonymise" and len(self.key) < 16:
            raise ValueError("pseudonyms need a key of at least 16 octets")

    @property
    def is_open(self) -> bool:
        """Everything may be kept."""
        return self == EVERYTHING

    def digest(self) -> str:
        """SHA-256 of the scope as canonical JSON; of the key only its own hash goes in."""
        parts = {
            "spans": self.spans,
            "targets": None if self.targets is None else [_plain(one) for one in self.targets],
            "excluded": [_plain(one) for one in self.excluded],
            "excluded_names": self.excluded_names,
            "others": self.others,
            "key": sha256(self.key).hexdigest() if self.key else "",
            "withheld": sorted(self.withheld),
        }
        return sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(one: Selector) -> list[object]:
    return [one.kind, one.value, one.layer, one.spans]


EVERYTHING: Final = Scope()


def mac_number(text: str) -> int:
    """A hardware address `02:00:00:00:00:01` as a number; ValueError if it is none."""
    if re.fullmatch(r"(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}", text) is None:
        raise ValueError(f"{text!r} is no hardware address")
    return int(text.replace(":", "").replace("-", ""), 16)
