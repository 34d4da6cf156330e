"""Application rules from TOML files: one file an application, `[meta]` apart from `[[evidence]]`.

    [meta]          id (= file name), label, title, created, updated (dates), references, known_gaps,
                    part_of (labels this one is a narrower case of; optional)
    [[evidence]]    id, title, kind (one or a list), match (optional: exact), values, confidence (percent),
                    source, mark (seen | derived | mem), licence_note; optional needs, alone, valid_from,
                    valid_to (dates, UTC; valid_to is the first day on which it no longer holds),
                    shared_with, region (countries, ISO 3166), confirmed (the capture that showed it)
    [[example]]     facts (a table), label ("" for none): what the file must and must not say; for the tests

Unknown keys are refused. `wirecover.capture.apps.rule` says what the kinds mean.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from wirecover.capture.apps.matcher import RuleSet, ports
from wirecover.capture.apps.rule import (
    KINDS,
    MARKS,
    MATCHES,
    NAME_KINDS,
    TEXT_KINDS,
    UNCONFIRMED_MAXIMUM,
    WEAK_KINDS,
    AppRules,
    EvidenceRule,
)
from wirecover.capture.apps.shapes import MOST_CONFIDENCE, SHAPE_KINDS, parse_shape
from wirecover.capture.errors import RuleError

RULES: Final = Path(__file__).parent / "rules"
ALWAYS: Final = (-(1 << 63), 1 << 63)
MAX_RULE_FILE: Final = 1 << 20

_META_KEYS: Final = {"id", "label", "title", "created", "updated", "references", "known_gaps", "part_of"}
_EVIDENCE_KEYS: Final = {
    "id", "title", "kind", "match", "values", "confidence", "source", "mark", "licence_note", "needs",
    "alone", "valid_from", "valid_to", "shared_with", "region", "confirmed",
}  # fmt: skip
_LABEL: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+")
_JA4: Final = re.compile(r"[tqd][a-z0-9]{2}[di]\d{4}[A-Za-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}")
_REGION: Final = re.compile(r"[A-Z]{2}")
_ATTRIBUTE: Final = re.compile(r"0x[0-9a-f]{4}")


def load_rules(extra: Path | None = None) -> RuleSet:
    """The rules of this version and, when given, those of the folder or file `extra`. Raises RuleError."""
    return _built_in() if extra is None else _rule_set(_files(RULES), _files(extra))


@cache
def _built_in() -> RuleSet:
    return _rule_set(_files(RULES))


def _files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise RuleError(f"{path}: no rule files (*.toml)")
    return files


def _rule_set(own: list[Path], local: Sequence[Path] = ()) -> RuleSet:
    documents = {file: read_document(file) for file in (*own, *local)}
    apps = [parse_rules(document, file.name) for file, document in documents.items()]
    _check_together(apps)
    of_local = content_sha256(documents[file] for file in local) if local else None
    return RuleSet(apps, content_sha256(documents.values()), of_local)


def read_document(file: Path) -> dict[str, Any]:
    """The TOML document of a file. Raises RuleError."""
    import tomllib  # only whoever reads rules needs it

    try:
        if file.stat().st_size > MAX_RULE_FILE:
            raise RuleError(f"{file}: larger than a rule file may be ({MAX_RULE_FILE} bytes)")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (
        OSError,
        ValueError,
        RecursionError,
    ) as error:  # not text, no TOML, brackets or digits without end
        raise RuleError(f"{file}: {str(error)[:500]}") from error


def content_sha256(documents: Any) -> str:
    """Hash of what the rules say, whatever their layout, comments, file order and examples."""
    content = sorted(
        (json.dumps({"meta": d.get("meta"), "evidence": d.get("evidence")}, sort_keys=True, default=str,
                    separators=(",", ":")) for d in documents),
    )  # fmt: skip
    return hashlib.sha256("\n".join(content).encode()).hexdigest()


def parse_rules(document: Mapping[str, Any], file_name: str) -> AppRules:
    """One document as records. Raises RuleError that names the file and the row."""
    reader = _Table(document, file_name)
    reader.only({"meta", "evidence", "example"})
    meta = _Table(reader.get("meta", dict), f"{file_name}: meta")
    meta.only(_META_KEYS)
    identifier, label = meta.text("id"), meta.text("label")
    if f"{identifier}.toml" != file_name:
        raise RuleError(f"{file_name}: meta: id {identifier!r} is not the file's name")
    if not _LABEL.fullmatch(label):
        raise RuleError(f"{file_name}: meta: label {label!r} is not lower-case words and hyphens")
    rows = [_evidence(row, label, file_name) for row in reader.get("evidence", list)]
    _check_rows(rows, file_name)
    return AppRules(
        id=identifier,
        label=label,
        title=meta.text("title"),
        created=meta.get("created", date).isoformat(),
        updated=meta.get("updated", date).isoformat(),
        references=meta.texts("references"),
        known_gaps=meta.texts("known_gaps"),
        part_of=meta.texts("part_of", default=()),
        evidence=tuple(rows),
    )


def _evidence(row: Any, app: str, file_name: str) -> EvidenceRule:
    where = f"{file_name}: evidence {row.get('id', '?') if isinstance(row, dict) else '?'}"
    table = _Table(row, where)
    table.only(_EVIDENCE_KEYS)
    confidence = table.get("confidence", int)
    rule = EvidenceRule(
        id=table.text("id"),
        app=app,
        title=table.text("title"),
        kinds=(row["kind"],) if isinstance(row.get("kind"), str) else table.texts("kind"),
        match=table.text("match", default="exact"),
        values=table.texts("values"),
        confidence=confidence,
        needs=table.texts("needs", default=()),
        alone=table.get("alone", bool, default=True),
        source=table.text("source"),
        mark=table.text("mark"),
        licence_note=table.text("licence_note"),
        valid_from=_day(table.get("valid_from", date, default=None), ALWAYS[0]),
        valid_to=_day(table.get("valid_to", date, default=None), ALWAYS[1]),
        shared_with=table.texts("shared_with", default=()),
        region=table.texts("region", default=()),
        confirmed=table.text("confirmed", default=""),
    )
    _check_row(rule, where)
    return rule


def _day(value: date | None, default: int) -> int:
    """The day's first moment, UTC, in nanoseconds since the epoch."""
    if value is None:
        return default
    return int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()) * 1_000_000_000


def _check_row(rule: EvidenceRule, where: str) -> None:
    problems = [
        (not _LABEL.fullmatch(rule.id) or not rule.id.startswith(rule.app), "id must begin with the label"),
        (not set(rule.kinds) <= set(KINDS), f"kind must be of {', '.join(KINDS)}"),
        (rule.match not in MATCHES, f"match must be of {', '.join(MATCHES)}"),
        (rule.match == "suffix" and not set(rule.kinds) <= NAME_KINDS, "suffix is for names"),
        (rule.match == "contains" and not set(rule.kinds) <= TEXT_KINDS, "contains is for STUN texts"),
        (rule.mark not in MARKS, f"mark must be of {', '.join(MARKS)}"),
        (not 1 <= rule.confidence <= 99, "confidence must be 1 to 99"),
        (
            rule.mark != "seen" and not rule.confirmed and rule.confidence > UNCONFIRMED_MAXIMUM,
            f"not seen in a source and not confirmed by a capture: at most {UNCONFIRMED_MAXIMUM}",
        ),
        (
            bool(set(rule.kinds) & SHAPE_KINDS)
            and (rule.alone or bool(rule.needs) or rule.confidence > MOST_CONFIDENCE or len(rule.kinds) > 1),
            f"a shape stands alone in its row, with alone = false, no needs and at most {MOST_CONFIDENCE}",
        ),
        (not all(_REGION.fullmatch(one) for one in rule.region), "region must be ISO 3166 two-letter codes"),
        (not rule.valid_from < rule.valid_to, "valid_to must be after valid_from"),
        (len(set(rule.values)) != len(rule.values), "a value stands twice"),
    ]
    for wrong, reason in problems:
        if wrong:
            raise RuleError(f"{where}: {reason}")
    for kind in rule.kinds:
        for value in rule.values:
            if not _well_formed(kind, value, rule.match):
                raise RuleError(f"{where}: {value!r} is no {kind} value")


def _well_formed(kind: str, value: str, match: str) -> bool:
    if kind in NAME_KINDS:
        # an exact name in a certificate may be an organisation
        return bool(_HOST.fullmatch(value)) or (kind == "certificate" and match == "exact")
    if kind == "address":
        try:
            network = ipaddress.ip_network(value)
        except ValueError:
            return False
        return network.prefixlen >= (8 if network.version == 4 else 24)
    if kind == "port":
        try:
            return bool(ports(value))
        except ValueError:
            return False
    if kind in SHAPE_KINDS:
        return parse_shape(kind, value) is not None
    if kind == "ja4":
        return bool(_JA4.fullmatch(value))
    if kind == "stun_attribute":
        return bool(_ATTRIBUTE.fullmatch(value))
    return value.isprintable() and (match != "contains" or (len(value) >= 4 and value == value.lower()))


def _check_rows(rows: list[EvidenceRule], file_name: str) -> None:
    kinds = {row.id: row.kinds for row in rows}
    if len(kinds) != len(rows):
        raise RuleError(f"{file_name}: an evidence id stands twice")
    for row in rows:
        if not row.needs:
            continue
        strong = [need for need in row.needs if not set(kinds.get(need, ())) & WEAK_KINDS]
        if set(row.kinds) & WEAK_KINDS and not strong:
            raise RuleError(
                f"{file_name}: evidence {row.id}: needs something else than an address, port or JA4"
            )
        if row.id in row.needs:
            raise RuleError(f"{file_name}: evidence {row.id}: needs itself")


def _check_together(apps: list[AppRules]) -> None:
    """Ids and labels are unique over all files, and labels that files name exist."""
    labels = [app.label for app in apps]
    for app in apps:
        if labels.count(app.label) > 1:
            files = " and ".join(sorted(f"{other.id}.toml" for other in apps if other.label == app.label))
            raise RuleError(f"{files}: label {app.label!r} has more than one file")
        unknown = {*app.part_of, *(other for row in app.evidence for other in row.shared_with)} - set(labels)
        if unknown:
            raise RuleError(f"{app.id}.toml: unknown label {sorted(unknown)[0]!r}")
    seen: dict[str, str] = {}
    for app in apps:
        for row in app.evidence:
            if row.id in seen:
                raise RuleError(f"{app.id}.toml: evidence {row.id} stands in {seen[row.id]}.toml too")
            seen[row.id] = app.id


class _Table:
    """A TOML table whose keys are asked for by type; RuleError names the place."""

    _REQUIRED: Final = object()

    def __init__(self, table: Any, where: str) -> None:
        if not isinstance(table, Mapping):
            raise RuleError(f"{where}: not a table")
        self._table = table
        self._where = where

    def only(self, allowed: set[str]) -> None:
        unknown = sorted(set(self._table) - allowed)
        if unknown:
            raise RuleError(f"{self._where}: unknown key {unknown[0][:80]!r}")

    def get(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        value = self._table.get(key, default)
        if value is self._REQUIRED:
            raise RuleError(f"{self._where}: {key} is missing")
        if value is not default and type(value) is not kind:  # a bool is no int here, a datetime no date
            raise RuleError(f"{self._where}: {key} must be of type {kind.__name__}")
        return value

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        value: str = self.get(key, str, default)
        if value is not default and not value.strip():
            raise RuleError(f"{self._where}: {key} is empty")
        return value

    def texts(self, key: str, default: Any = _REQUIRED) -> tuple[str, ...]:
        values = self.get(key, list, default)
        if values is default:
            return ()
        if not values or not all(isinstance(value, str) and value.strip() for value in values):
            raise RuleError(f"{self._where}: {key} must be a list of texts, not empty")
        return tuple(values)
