"""Handling codes, as data with their source: handling.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from wirecover.casefile.share_scope import Conditions, ShareError


@dataclass(frozen=True, slots=True)
class Handling:
    """One code."""

    code: str
    meaning: str
    needs_conditions: bool
    """The code alone says nothing: the share must state its conditions."""
    evidence: bool
    """May be used as evidence without asking."""
    onward: bool
    """May be passed on without asking."""


@cache
def codes() -> dict[str, Handling]:
    """Every code by name."""
    facts = tomllib.loads((files("wirecover.casefile") / "handling.toml").read_text(encoding="utf-8"))
    return {code: Handling(code, **one) for code, one in facts.items() if isinstance(one, dict)}


def handling(code: str, conditions: Conditions) -> Handling:
    """A code that fits the conditions; ShareError when it does not."""
    found = codes().get(code)
    if found is None:
        raise ShareError(f"handling {code!r} is none of: {', '.join(codes())}")
    if found.needs_conditions and not conditions.use:
        raise ShareError(f"handling {code} needs conditions: say them in [conditions] use")
    if conditions.onward and not found.onward:
        raise ShareError(f"handling {code} forbids passing on, and the conditions allow it")
    return found
