"""What the custody log says of the records of the legal basis: which ones were entered, in which order.

The first stands in the act `init`, each later one in a line `authority` within its act. The line decides: a run that
was killed behind it is finished by the next one (authority_store.py), one that was killed before it has entered
nothing. It also keeps the scope that the record came to then: a later version may draw scopes in another way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wirecover.casefile.log_file import Record

VERB: Final = "authority"
ONLY: Final = b'"record_sha256"'
"""What every line that `entered_records` reads holds."""


@dataclass(frozen=True, slots=True)
class Entered:
    """One record, as the log has it."""

    act: int
    """Number of the line."""
    record_sha256: str
    scope_sha256: str
    key_sha256: str | None
    """SHA-256 of the key of the pseudonyms, where the record asks for them."""


def entered_records(log: Iterable[Record]) -> list[Entered]:
    """The records that were entered, the one that holds last; none where the log says nothing of them."""
    found: list[Entered] = []
    for line in log:
        facts = line.arguments.get("authority")
        if not isinstance(facts, dict) or line.verb not in {"init", VERB}:
            continue
        if line.phase == "withdrawn":
            if found:
                found.pop()
        elif line.phase == ("done" if line.verb == "init" else "noted"):
            key = facts.get("key_sha256")
            found.append(
                Entered(
                    line.seq, str(facts.get("record_sha256")), str(facts.get("scope_sha256")),
                    key if isinstance(key, str) else None,
                )
            )  # fmt: skip
    return found
