"""authority.toml -> `Authority`: schema and types. Whether what it says is lawful is `authority_check`'s question.

Unknown keys, wrong types and values that no packet could be held against are refused with file and line.
"""

from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from wirecover.capture.scope import mac_number
from wirecover.casefile.authority import (
    ANSWERS,
    CATEGORIES,
    CONTENT,
    EXCLUSION_TYPES,
    FORMAT,
    LAYERS,
    OTHERS,
    PROTECTED,
    SELECTIONS,
    STATUSES,
    SUBJECTS,
    TARGET_TYPES,
    VERBS,
    Authority,
    CrossBorder,
    Decider,
    Emergency,
    Exclusion,
    Period,
    Renewal,
    Retention,
    Target,
)
from wirecover.casefile.errors import AuthorityError
from wirecover.casefile.toml_reader import MAX_BYTES, Section, parse_toml

SHORTEST_NAME: Final = 4
"""Characters of an excluded name, at least: shorter ones stand in every second text."""
EARLIEST, LATEST = 0, 4_102_444_800_000_000_000
"""Times that an authority may speak of: 1970 to 2100."""


@dataclass(frozen=True, slots=True)
class AuthorityFile:
    """A record, and the very bytes it was read from."""

    authority: Authority
    data: bytes
    name: str
    """What complaints call the file."""

    @property
    def sha256(self) -> str:
        """Of the file."""
        return sha256(self.data).hexdigest()


def read_authority(path: Path) -> AuthorityFile:
    """The record in a file; AuthorityError (exit code 4) says in one line what is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise AuthorityError(f"{path}: {problem.strerror or problem}") from problem
    return parse_authority(data, str(path))


def parse_authority(data: bytes, name: str) -> AuthorityFile:
    """As `read_authority`, of bytes that complaints call `name`."""
    top = parse_toml(data, name, AuthorityError)
    if (form := top.text("format")) != FORMAT:
        raise top.fail("format", f"{form!r} is not {FORMAT!r}")
    found = _authority(top)
    top.finish()
    return AuthorityFile(found, data, name)


def _authority(top: Section) -> Authority:
    country = top.text("country")
    if len(country) != 2 or not country.isascii() or not country.isalpha() or not country.isupper():
        raise top.fail("country", "must be two capital letters (ISO 3166-1)")
    reason, two = top.table_or_none("custody", _custody) or (False, ())
    return Authority(
        country=country,
        instrument=top.text("instrument"),
        reference=top.text("reference"),
        status=top.text("status", STATUSES),
        offences=top.texts("offences"),
        penalty_years=top.number_or_none("penalty_years", 0, 100),
        organised_crime=top.flag("organised_crime"),
        necessity=top.text_or_none("necessity"),
        issued=top.table("issued", _decider),
        validated=top.table_or_none("validated", _decider),
        covers=top.table("covers", _period),
        renewals=top.tables("renewals", _renewal),
        retro=top.table_or_none("retro", _period),
        targets=top.tables("targets", _target),
        selection=top.text_or_none("selection", SELECTIONS) or "packets",
        selection_reason=top.text_or_none("selection_reason"),
        categories=_categories(top),
        exclusions=top.tables("exclusions", _exclusion),
        others=top.text_or_none("third_parties", OTHERS) or "drop",
        cross_border=top.table_or_none("cross_border", _cross_border),
        emergency=top.table_or_none("emergency", _emergency),
        retention=top.table_or_none("retention", _retention),
        reason_required=reason,
        two_person=two,
        document_sha256=top.sha256_or_none("document_sha256"),
    )


def _categories(top: Section) -> tuple[str, ...]:
    found = top.texts("data_categories")
    if CONTENT in found:
        raise top.fail(
            "data_categories",
            "content is refused: this program reads no content, and no authority can make it do so",
        )
    return top.texts("data_categories", CATEGORIES)


def _time(section: Section, key: str) -> int:
    at = section.time(key)
    if not EARLIEST <= at <= LATEST:
        raise section.fail(key, "must lie between 1970 and 2100")
    return at


def _time_or_none(section: Section, key: str) -> int | None:
    return _time(section, key) if section.has(key) else None


def _period(section: Section) -> Period:
    first, last = _time(section, "from"), _time(section, "to")
    if last < first:
        raise section.fail("to", "is before from")
    return Period(first, last)


def _decider(section: Section) -> Decider:
    return Decider(
        section.text("name"), section.text("function"), section.text_or_none("court"), _time(section, "at")
    )


def _renewal(section: Section) -> Renewal:
    return Renewal(
        section.text("reference"), section.table("by", _decider), _period(section),
        section.sha256_or_none("document_sha256"),
    )  # fmt: skip


def _target(section: Section) -> Target:
    kind = section.text("type", TARGET_TYPES)
    value = _identifier(section, kind)
    layer = section.text_or_none("layer", LAYERS)
    if layer is not None and kind != "network":
        raise section.fail("layer", "goes with type network only")
    return Target(
        kind, value, layer or "inner", section.text("subject", SUBJECTS), section.text_or_none("label"),
        section.tables("periods", _period),
    )  # fmt: skip


def _exclusion(section: Section) -> Exclusion:
    kind = section.text("type", EXCLUSION_TYPES)
    return Exclusion(
        kind, _identifier(section, kind), section.text("protected", PROTECTED), section.text_or_none("notified"),
        _time_or_none(section, "notified_at"),
    )  # fmt: skip


def _identifier(section: Section, kind: str) -> str:
    """The value of a target or exclusion, in canonical form."""
    value = section.text("value")
    try:
        if kind == "network":
            return str(ip_network(value))  # host bits behind the prefix are a slip of the pen
        if kind == "mac":
            number = mac_number(value)
            return ":".join(f"{number >> shift & 255:02x}" for shift in range(40, -1, -8))
    except ValueError as problem:
        raise section.fail("value", str(problem)) from problem
    if kind == "teid" and not (
        value.isascii() and value.isdigit() and len(value) <= 10 and int(value) < 1 << 32
    ):
        raise section.fail("value", "must be a tunnel identifier in decimal, below 4294967296")
    if kind == "name" and len(value) < SHORTEST_NAME:
        raise section.fail(
            "value", f"must have at least {SHORTEST_NAME} characters: it is looked for in every text"
        )
    return value.lower() if kind == "name" else value


def _cross_border(section: Section) -> CrossBorder:
    return CrossBorder(
        state=section.text("state"),
        role=section.text_or_none("role"),
        notified_at=_time_or_none(section, "notified_at"),
        answer_by=_time_or_none(section, "answer_by"),
        answer=section.text("answer", ANSWERS),
        answered_at=_time_or_none(section, "answered_at"),
        conditions=section.texts("conditions"),
    )


def _emergency(section: Section) -> Emergency:
    return Emergency(
        _time(section, "confirm_by"),
        _time_or_none(section, "confirmed_at"),
        section.text_or_none("confirmed_by"),
    )


def _retention(section: Section) -> Retention:
    return Retention(
        section.text("rule"), _time_or_none(section, "use_until"), _time_or_none(section, "destroy_by"),
        _time_or_none(section, "review_at"), section.whole_or_none("log_years", 0, 100),
    )  # fmt: skip


def _custody(section: Section) -> tuple[bool, tuple[str, ...]]:
    return section.flag("reason_required"), section.texts("two_person", VERBS)
