"""The result document: everything a report says, frozen, before any page is drawn.

Rules of this file: only plain values (text, integers, floats that came from a finding, booleans), tuples
and the records below, so that `codec` writes and reads any document exactly. Times are integer nanoseconds
since 1970 UTC. Nothing here comes from a clock, a host name or a path, so the same case gives the same
document. Text that came from evidence is kept as it was read; `escape.printable` makes it safe when it is
shown.
"""

from dataclasses import dataclass
from typing import Final

FORMAT: Final = "wirecover-report/1"

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A fixed sentence: its key in the message catalogues, the values that fill it, its English text."""

    key: str
    values: tuple[tuple[str, str | int], ...]
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    version: str
    rules_sha256: tuple[str, ...]
    """Digests of the application rules the exhibits were read with; more than one if they differ."""
    decoded_with: tuple[str, ...]
    """Versions of the tool that read the exhibits."""


@dataclass(frozen=True, slots=True)
class Interface:
    number: int
    name: str | None
    link: str | None
    resolution_ns: int | None
    offset_s: int | None
    packets: int | None
    drops: int | None
    """Packets the recorder reported as lost; None when it did not say."""


@dataclass(frozen=True, slots=True)
class Damage:
    kind: str
    frame: int | None
    offset: int | None
    count: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Exhibit:
    label: str
    """E1, E2, ... in order of first packet, then of digest: what findings refer to."""
    capture_id: int
    name: str
    sha256: str
    bytes: int
    format: str | None
    compression: str | None
    packets: int
    first_ns: int | None
    last_ns: int | None
    snaplen: int | None
    truncated: int | None
    malformed: int | None
    duplicate: int | None
    out_of_order: int | None
    out_of_scope: int | None
    undecoded: int | None
    complete: bool
    tool_version: str | None
    rules_sha256: str | None
    interfaces: tuple[Interface, ...]
    damage: tuple[Damage, ...]
    damage_rows: int
    """How many damage rows the case holds; `damage` is the first of them."""


@dataclass(frozen=True, slots=True)
class Quality:
    """One line of the capture-quality ledger; a count of 0 was looked for and not found."""

    exhibit: str
    metric: str
    """A key of the catalogues' [quality] table."""
    interface: int | None
    subject: str | None
    count: int
    total: int | None
    value: int | None
    unit: str | None
    """'ns' or 'bytes'."""
    frame: int | None


@dataclass(frozen=True, slots=True)
class Authenticity:
    """One indicator: a fact that editing would explain, and other causes as well."""

    exhibit: str
    indicator: str
    """A key of the catalogues' [authenticity] table."""
    interface: int | None
    subject: str | None
    count: int
    total: int | None
    value: int | None
    unit: str | None
    frame: int | None
    explanations: tuple[str, ...]
    """Keys of the catalogues' [explanation] table."""


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """One exhibit as a part of a rotated series, and the seam before it."""

    series: int
    part: int
    parts: int
    exhibit: str
    gap_ns: int | None
    """To the part before: below 0 they overlap; None for the first."""
    flows: int
    """Connections that go on in this part."""
    compared: int
    """Of them, those whose TCP numbers are known on both sides of the seam."""
    missing: int
    """Bytes of these between the two parts."""
    declared: bool


@dataclass(frozen=True, slots=True)
class Handshakes:
    carrier: str
    version: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts over the whole case."""

    packets: int
    flows: int
    clients: int
    """Addresses that opened at least one flow."""
    addresses: int
    bytes: int
    labelled_flows: int
    labelled_bytes: int
    clients_with_app: int
    dns_messages: int
    stun_messages: int
    events: int
    handshakes: tuple[Handshakes, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence for an application label."""

    rule_id: str
    kind: str
    value: str
    confidence: int
    flows: int
    exhibit: str
    frame: int | None


@dataclass(frozen=True, slots=True)
class Application:
    """One application as used by one address."""

    endpoint: str
    app: str
    flows: int
    bytes_up: int
    bytes_down: int
    first_ns: int
    last_ns: int
    confidence: int
    reasons: tuple[Reason, ...]
    reason_rows: int


@dataclass(frozen=True, slots=True)
class Unidentified:
    """Flows without an application label, for one reason (a key of the catalogues' [reason] table)."""

    reason: str
    services: tuple[str, ...]
    flows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of one exhibit, as ascending inclusive ranges."""

    exhibit: str
    count: int
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    number: int
    finding_id: int
    pattern: str
    kind: str
    """'fact' or 'assessment'."""
    subject: str | None
    object: str | None
    app: str | None
    first_ns: int | None
    last_ns: int | None
    statement: str
    score: float | None
    likelihood_ratio: float | None
    lr_low: float | None
    lr_high: float | None
    parameters: tuple[tuple[str, Value], ...]
    analysis_version: str | None
    exhibits: tuple[str, ...]
    frames: tuple[Frames, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One call; times in nanoseconds, None where not known."""

    call_id: int
    app: str | None
    caller: str | None
    callee: str | None
    parties: tuple[str, ...]
    setup_ns: int
    ring_ns: int | None
    answer_ns: int | None
    end_ns: int
    state: str
    media: str
    relayed: bool | None
    legs: int
    views: int
    packets_out: int
    packets_in: int
    confidence: int
    frames: tuple[Frames, ...]
    """First frames of its flows."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address in one virtual network, and what is told of it."""

    ip: str
    network: str | None
    first_ns: int
    last_ns: int
    flows: int
    opened: int
    """Of them, those that it opened."""
    peers: int
    bytes_sent: int
    bytes_received: int
    macs: tuple[str, ...]
    names: tuple[str, ...]
    systems: tuple[str, ...]
    software: tuple[str, ...]
    ja4s: tuple[str, ...]
    apps: tuple[str, ...]
    identities: tuple[str, ...]
    links: int
    warnings: tuple[str, ...]
    """Keys of the catalogues' [sign] table."""
    exhibit: str
    frame: int
    """Its first."""


@dataclass(frozen=True, slots=True)
class DeviceLink:
    """One identifier told of two addresses, or of one at two times."""

    ip: str
    network: str | None
    other_ip: str
    other_network: str | None
    reason: str
    """A key of the catalogues' [link] table."""
    strength: str
    """A key of the catalogues' [link_strength] table."""
    value: str
    counter: tuple[str, ...]
    """Keys of the catalogues' [link_counter] table."""
    addresses: int
    exhibit: str
    frame: int
    ns: int
    other_exhibit: str
    other_frame: int
    other_ns: int


@dataclass(frozen=True, slots=True)
class EndpointWarning:
    """One sign that an address may not stand for one device alone."""

    ip: str
    network: str | None
    warning: str
    """A key of the catalogues' [sign] table."""
    told: tuple[str, ...]
    first_ns: int | None
    exhibit: str
    frame: int
    other_exhibit: str | None
    other_frame: int | None


@dataclass(frozen=True, slots=True)
class Unexplained:
    """Flows of one address for one reason why they have no label, or with one sort of label."""

    ip: str
    network: str | None
    reason: str
    """A key of the catalogues' [absence] table."""
    labelled: bool
    flows: int
    bytes: int
    services: tuple[str, ...]
    apps: tuple[str, ...]
    exhibit: str
    first_frame: int


@dataclass(frozen=True, slots=True)
class Method:
    """How one pattern is found. `known` is False when this installation has no description of it."""

    name: str
    version: str
    known: bool
    question: str
    method: str
    cannot_show: tuple[str, ...]
    parameters: tuple[tuple[str, Value], ...]
    findings: int
    run: bool
    """Whether the case records a run of it: no finding of a method that was not run means nothing."""
    notes: tuple[str, ...]
    """What its last run left out."""


@dataclass(frozen=True, slots=True)
class Bar:
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Message events close together in time, drawn as one mark."""

    ns: int
    events: int


@dataclass(frozen=True, slots=True)
class Lane:
    endpoint: str
    app: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A stretch of time without a long silence inside, drawn on one axis."""

    first_ns: int
    last_ns: int
    lanes: tuple[Lane, ...]
    lanes_total: int


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Activity of one address by hour of the week, Monday 00 h first: 168 counts."""

    endpoint: str
    app: str | None
    unit: str
    """'events' or 'flows': what was counted."""
    time_zone: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """Acts of one kind in the custody log. When and by whom is only there: clocks differ between runs."""

    act: str
    subjects: tuple[str, ...]
    """Labels of the exhibits the acts name; for analyses, the patterns."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where the custody log stood when the report was made: nothing before it can be changed unseen."""

    act: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LegalEntry:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the scope of the authority left out of one exhibit for one reason, or kept under pseudonyms."""

    exhibit: str
    reason: str
    """A key of the catalogues' [left_out] table."""
    action: str
    """'dropped' or 'pseudonymised'."""
    packets: int
    bytes: int
    records: int


@dataclass(frozen=True, slots=True)
class PartnerTerms:
    """One bundle that a partner sent into the case, and the terms its rows are under."""

    bundle_sha256: str
    reference: str
    edition: int
    partner: str
    """The receiver that the originator named."""
    signer: str
    purpose: str
    handling: str
    meaning: str
    conditions: tuple[str, ...]
    onward: bool
    destroy_by_ns: int | None


@dataclass(frozen=True, slots=True)
class ResultDocument:
    format: str
    report_id: str
    case_name: str
    training: bool
    legal_basis: tuple[LegalEntry, ...]
    left_out: tuple[LeftOut, ...]
    partners: tuple[PartnerTerms, ...]
    tool: Tool
    latest_ns: int | None
    """Time of the latest packet: the only date the document carries."""
    evidence_sha256: str
    """SHA-256 of the exhibits' digests in hexadecimal, sorted, one a line: `sort | sha256sum`."""
    exhibits: tuple[Exhibit, ...]
    quality: tuple[Quality, ...]
    authenticity: tuple[Authenticity, ...]
    series: tuple[SeriesPart, ...]
    figures: Figures
    applications: tuple[Application, ...]
    unidentified: tuple[Unidentified, ...]
    unexplained: tuple[Unexplained, ...]
    endpoints: tuple[Endpoint, ...]
    device_links: tuple[DeviceLink, ...]
    endpoint_warnings: tuple[EndpointWarning, ...]
    calls: tuple[Call, ...]
    findings: tuple[Finding, ...]
    methods: tuple[Method, ...]
    timeline: tuple[Panel, ...]
    heat: tuple[HeatTable, ...]
    custody: tuple[Act, ...]
    log_head: LogHead | None
    """Not part of what the report id is made of: it differs from report to report."""
    mandatory: tuple[Sentence, ...]
    no_content: tuple[Sentence, ...]
    alternatives: tuple[Sentence, ...]
    limitations: tuple[Sentence, ...]
