"""Are the signatures in the custody log those of the examiners it introduces, and did two sign where two must."""

import base64
import binascii
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from wirecover.casefile.demands import Demands
from wirecover.casefile.errors import IntegrityError
from wirecover.casefile.log_file import Record
from wirecover.casefile.manifest_signature import check, fingerprint, public_from_pem

EXPORT: Final = "export"


@dataclass(slots=True)
class Signatures:
    """What a look at the signatures gives."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    signed: Counter[str] = field(default_factory=Counter)
    """Key -> lines it signed, rightly."""


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    pem: bytes


def check_signatures(log: list[Record], trusted: str | None = None) -> Signatures:
    """Check every signature. `trusted` is a key (its id) that the reader knows from elsewhere to be right."""
    found = Signatures()
    known: dict[str, _Known] = {}
    for one in log:
        if one.verb == "examiner":
            _introduce(one, known, found)
        _check_line(one, known, found)
    for key, count in sorted(found.signed.items()):
        sure = "the key you trust" if key == trusted else "compare this key with the examiner's own"
        found.remarks.append(f"{count:,} lines signed by {known[key].name!r}, key {key} ({sure})")
    if found.signed and (bare := sum(not one.signatures for one in log)):
        found.remarks.append(f"{bare:,} lines signed by nobody")
    if trusted is not None and not found.signed[trusted]:
        found.problems.append(f"no line is signed with the trusted key {trusted}")
    return found


def _introduce(one: Record, known: dict[str, _Known], found: Signatures) -> None:
    facts = one.arguments
    try:
        pem = str(facts.get("public_key", "")).encode("ascii", "replace")
        key = fingerprint(public_from_pem(pem))
    except ValueError as error:
        found.problems.append(f"act {one.seq} introduces an examiner whose key cannot be read: {error}")
        return
    if key != facts.get("key"):
        found.problems.append(f"act {one.seq} introduces an examiner under another key than it shows")
    elif key in known and known[key].name != facts.get("name"):
        found.problems.append(f"act {one.seq} gives key {key} another name")
    else:
        known[key] = _Known(str(facts.get("name")), pem)


def _check_line(one: Record, known: dict[str, _Known], found: Signatures) -> None:
    name = f"act {one.seq} ({one.verb})"
    keys = [str(each.get("key")) for each in one.signatures]
    if len(set(keys)) != len(keys):
        found.problems.append(f"{name} is signed twice with one key")
    for place, each in enumerate(one.signatures):
        key = keys[place]
        if key not in known:
            found.problems.append(f"{name} is signed with key {key}, which the log does not introduce")
            continue
        try:
            check(one.body(), base64.b64decode(str(each.get("value")), validate=True), known[key].pem)
        except (IntegrityError, binascii.Error):
            found.problems.append(f"{name}: the signature of {known[key].name!r} does not fit")
            continue
        found.signed[key] += 1
        if place == 0 and one.examiner != known[key].name:
            found.problems.append(f"{name} names {one.examiner!r}, and is signed by {known[key].name!r}")
    if one.examiner is not None and not one.signatures:
        found.problems.append(f"{name} names the examiner {one.examiner!r}, who did not sign it")


def unmet_demands(log: list[Record], asked: Demands) -> list[str]:
    """Acts that lack what the authority asks for as it stands now (it may have asked for less before)."""
    found: list[str] = []
    for one in log:
        if (
            one.phase not in {"begun", "done"}
            or one.act != one.seq
            or one.verb in {"init", "adopt", "examiner"}
        ):
            continue
        name = f"act {one.seq} ({one.verb})"
        if asked.reason and not one.reason:
            found.append(f"{name} has no reason, and the authority asks for one")
        kinds = {one.verb, *({EXPORT} if EXPORT in one.subjects else ())}
        if asked.two_person & kinds and len({each.get("key") for each in one.signatures}) < 2:
            found.append(f"{name} is not signed by two examiners, and the authority asks for two")
    return found
