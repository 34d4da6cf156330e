"""What an application rule says, as frozen records; `loader.py` reads them, `matcher.py` applies them.

Kinds of evidence, and whether one alone can carry a label:

    sni               the server name of the TLS, QUIC or DTLS ClientHello                  yes
    dns               a name for which the client was given this address                    only when no SNI
    was
                      seen and every name known of the address leads to the same label
    certificate       a name in the server's certificate                                    only when no
    other SNI
                      was seen and every host name in it leads to the same label
    alpn              an application protocol offered by the client                         yes
    signature         a byte pattern of the first payloads (protocols/messenger_bytes.py)   yes
    service           the protocol as the decoder named it                                  yes
    stun_realm, stun_username, stun_software    text of STUN messages of the flow           yes
    stun_attribute    the number of a STUN attribute                                        yes
    address, port     where the server is                                                   never
    ja4               fingerprint of a TLS library                                          never
    timing, records   a heartbeat, or the length of TLS records, of the whole flow          never, nor at ingest: they
    (shapes.py)                                                                             are looked at on explaining

A row with `needs` carries only where all of these hold too: `stun` (the flow has STUN messages), a service's
name, or the id of another row of the same file. This is the one way in which an address, a port or a JA4 may
carry, and at least one need must then be something else than an address, a port or a JA4.
`alone = false` makes any row a mere support.

What is seen in no source, or only inferred, is worth at most `UNCONFIRMED_MAXIMUM` until a capture of the application
confirms it; `confirmed` names that capture.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.apps.shapes import SHAPE_KINDS

KINDS: Final = (
    "sni", "stun_username", "signature", "framing", "alpn", "service", "stun_realm", "stun_software", "certificate",
    "dns", "stun_attribute", "ja4", "address", "port", "timing", "records",
)  # fmt: skip
"""In order of rank: what says most about a flow stands first."""
NAME_KINDS: Final = frozenset({"sni", "dns", "certificate"})
TEXT_KINDS: Final = frozenset({"stun_username", "stun_realm", "stun_software"})
WEAK_KINDS: Final = frozenset({"address", "port", "ja4", *SHAPE_KINDS})
MATCHES: Final = ("exact", "suffix", "contains")
MARKS: Final = ("seen", "derived", "mem")
UNCONFIRMED_MAXIMUM: Final = 75
"""Percent, for a row that is not marked `seen` and that no capture has confirmed."""


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """One row: values of some kinds that speak for the application of its file."""

    id: str
    app: str
    title: str
    kinds: tuple[str, ...]
    match: str
    """`exact`; `suffix`: the name itself and every name under it; `contains`: anywhere, in any case."""
    values: tuple[str, ...]
    confidence: int
    """Percent."""
    needs: tuple[str, ...]
    alone: bool
    source: str
    """A URL, or the key of a public project and its commit."""
    mark: str
    """`seen` in the source, `derived` from a client's source code, `mem`: known, but no source seen."""
    licence_note: str
    valid_from: int
    """Nanoseconds since the epoch, inclusive."""
    valid_to: int
    """Nanoseconds since the epoch, exclusive."""
    shared_with: tuple[str, ...]
    """Labels whose rules hold the same values."""
    region: tuple[str, ...]
    """Countries (ISO 3166) where it holds; empty: everywhere."""
    confirmed: str
    """The capture that showed it, "" for none."""


@dataclass(frozen=True, slots=True)
class AppRules:
    """One file."""

    id: str
    label: str
    title: str
    created: str
    updated: str
    references: tuple[str, ...]
    known_gaps: tuple[str, ...]
    part_of: tuple[str, ...]
    """Broader labels: their evidence supports this label and never contradicts it."""
    evidence: tuple[EvidenceRule, ...]
