"""What a bundle says of itself: signed, and checked against every byte that comes after it.

It is the first member of the archive. Its recipients are in it, so that one of them cannot seal it anew for a
stranger who would take it as sent to him.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final, Literal, Self

from wirecover.casefile.bundle_names import clash, fault
from wirecover.casefile.errors import IntegrityError

FORMAT: Final = "wirecover-bundle"
VERSION: Final = 1
MAX_BYTES: Final = 64 << 20
"""A manifest larger than this is refused: it would be one of several hundred thousand files."""
_LONGEST_TEXT: Final = 10_000
_DEEPEST: Final = 8
_HASH: Final = re.compile(r"[0-9a-f]{64}")
Kind = Literal["case", "share"]


class ManifestError(IntegrityError):
    """The manifest of a bundle is not one."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the bundle."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """The contents of manifest.json."""

    kind: Kind
    case_id: str
    """SHA-256 of the first act in the custody log of the case: the same for as long as the case lives."""
    log_acts: int
    """Acts in that log when the bundle was made."""
    log_sha256: str
    """Hash of the last of them."""
    made_at: int
    """Nanoseconds since 1970, UTC, by the clock of the machine."""
    tool_version: str
    training: bool
    recipients: tuple[str, ...]
    """Whom it was sealed for: public keys as in their files, sorted."""
    members: tuple[Member, ...]
    """In the order in which they follow, by path."""
    share: Mapping[str, Any]
    """Of a share: reference, edition, handling, conditions, scope, counts; see share.py. Empty for a case."""

    def to_bytes(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, ASCII, a line feed at the end."""
        facts = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return canonical(facts)

    def digest(self) -> str:
        """SHA-256 of the bytes: the name of the bundle."""
        return sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """ManifestError unless the bytes are exactly those that `to_bytes` gives."""
        try:
            facts = json.loads(data, parse_constant=_no_number, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"the manifest cannot be read: {error}") from None
        if not isinstance(facts, dict) or facts.pop("format", None) != FORMAT:
            raise ManifestError("the manifest is not that of a wirecover bundle")
        version = facts.pop("version", None)
        if version != VERSION:
            raise ManifestError(f"bundle format {version!r}, this program reads format {VERSION}")
        found = cls._checked(facts)
        if found.to_bytes() != data:
            raise ManifestError("the manifest is not in its canonical form")
        return found

    @classmethod
    def _checked(cls, facts: dict[str, Any]) -> Self:
        if set(facts) != set(cls.__dataclass_fields__):
            odd = ", ".join(sorted(set(facts) ^ set(cls.__dataclass_fields__)))
            raise ManifestError(f"the manifest has other fields than it should: {odd[:200]}")
        for name, holds in _RULES.items():
            if not holds(facts[name]):
                raise ManifestError(f"the manifest's {name} is of the wrong kind or out of bounds")
        members = tuple(_member(one) for one in facts.pop("members"))
        paths = [one.path for one in members]
        if paths != sorted(set(paths)):
            raise ManifestError("the manifest's members are not in order, or one stands there twice")
        pair = clash(paths)
        if pair is not None:
            raise ManifestError(f"two members that are one file on some systems: {pair[0]!r}, {pair[1]!r}")
        recipients = tuple(facts.pop("recipients"))
        return cls(members=members, recipients=recipients, **facts)


def canonical(facts: object) -> bytes:
    """JSON that is the same for equal values."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"


def is_hash(value: object) -> bool:
    """Whether a value is a SHA-256 in lower-case hexadecimal."""
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def is_count(value: object) -> bool:
    """Whether a value is a number of things, within 63 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_TEXT


def _is_share(value: object, depth: int = 0) -> bool:
    """JSON of modest depth with texts of modest length."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, dict):
        return all(_is_text(key) and _is_share(one, depth + 1) for key, one in value.items())
    if isinstance(value, list):
        return len(value) <= 1_000_000 and all(_is_share(one, depth + 1) for one in value)
    return value is None or isinstance(value, bool) or _is_text(value) or _is_whole(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and -(1 << 63) <= value < 1 << 63


_RULES: Final[dict[str, Callable[[Any], bool]]] = {
    "kind": lambda value: value in ("case", "share"),
    "case_id": is_hash,
    "log_acts": is_count,
    "log_sha256": is_hash,
    "made_at": is_count,
    "tool_version": lambda value: _is_text(value) and len(value) <= 100,
    "training": lambda value: isinstance(value, bool),
    "recipients": lambda value: (
        isinstance(value, list) and 0 < len(value) <= 1000 and all(_is_text(one) for one in value)
    ),
    "members": lambda value: isinstance(value, list),
    "share": lambda value: isinstance(value, dict) and _is_share(value),
}


def _member(facts: object) -> Member:
    if not isinstance(facts, dict) or set(facts) != {"path", "bytes", "sha256"}:
        raise ManifestError("a member of the manifest has other fields than path, bytes, sha256")
    path, size, digest = facts["path"], facts["bytes"], facts["sha256"]
    if not isinstance(path, str) or not is_count(size) or not is_hash(digest):
        raise ManifestError("a member of the manifest is of the wrong kind")
    reason = fault(path)
    if reason is not None:
        raise ManifestError(f"a member's name is not portable ({reason}): {path!r}")
    return Member(path, size, digest)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
