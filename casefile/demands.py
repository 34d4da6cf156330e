"""What the authority of a case asks of every act: a reason, and for some acts a second examiner.

The record is CASE/authority.toml. It is read here for these two points only, and defensively: a case without
one asks for nothing, and one that cannot be read lets nothing be done.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wirecover.casefile.errors import AuthorityError

AUTHORITY_FILE: Final = "authority.toml"
_MAX_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked."""

    reason: bool = False
    """Every act needs a reason."""
    two_person: frozenset[str] = frozenset()
    """Verbs (and `export`, `unmask`) that a second examiner must sign too."""


def demands(case: Path) -> Demands:
    """What the authority of that case asks; AuthorityError when its record cannot be read."""
    path = case / AUTHORITY_FILE
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise AuthorityError(f"{path}: larger than any authority record")
        facts = tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        return Demands()
    except (OSError, ValueError, RecursionError) as error:
        raise AuthorityError(f"{path}: cannot be read, so nothing is done: {error}") from error
    return of_record(facts)


def of_record(facts: dict[str, Any]) -> Demands:
    """The two points of an authority record: `reason_required` and `two_person`, in it or in its [custody]."""
    places = [facts, *(facts[name] for name in ("custody", "handling") if isinstance(facts.get(name), dict))]
    verbs: set[str] = set()
    for place in places:
        given = place.get("two_person")
        if given is True:
            verbs |= {"export", "unmask"}
        elif isinstance(given, list):
            verbs |= {str(one) for one in given}
    return Demands(any(place.get("reason_required") is True for place in places), frozenset(verbs))
