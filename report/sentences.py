"""Fixed sentences of the document: what every report must say, and the limits this case shows."""

from typing import Final

from wirecover.report.messages import say
from wirecover.report.model import Exhibit, Figures, Finding, Sentence

MANDATORY: Final = ("person", "ratio", "absence")
NO_CONTENT: Final = ("decrypted", "initial", "stored")
ALTERNATIVES: Final = (
    "nat", "shared", "vpn", "devices", "receipts", "push", "clock", "cdn", "background", "spoofed",
)  # fmt: skip
LIMITS: Final = ("content", "person", "intent", "point", "labels", "events", "clock")


def sentence(key: str, **values: str | int) -> Sentence:
    """A fixed sentence with its English text."""
    return Sentence(key, tuple(sorted(values.items())), say("en", key, **values))


def mandatory() -> tuple[Sentence, ...]:
    """The sentences no report may be without."""
    return tuple(sentence(f"mandatory.{name}") for name in MANDATORY)


def no_content() -> tuple[Sentence, ...]:
    """That nothing was decrypted, and the envelope layers that were opened."""
    return tuple(sentence(f"no_content.{name}") for name in NO_CONTENT)


def alternatives() -> tuple[Sentence, ...]:
    """Other explanations that traffic like this may have."""
    return tuple(sentence(f"alternative.{name}") for name in ALTERNATIVES)


def limitations(
    exhibits: tuple[Exhibit, ...], figures: Figures, findings: tuple[Finding, ...]
) -> tuple[Sentence, ...]:
    """What cannot be concluded from any capture, then what cannot be from these."""
    found = [sentence(f"limit.{name}") for name in LIMITS]
    if findings and all(finding.likelihood_ratio is None for finding in findings):
        found.append(sentence("limit.rates"))
    if figures.flows > figures.labelled_flows:
        found.append(sentence("limit.unidentified", flows=figures.flows - figures.labelled_flows))
    for name, chosen in _of_exhibits(exhibits).items():
        if chosen:
            found.append(sentence(f"limit.{name}", exhibits=", ".join(exhibit.label for exhibit in chosen)))
    if not exhibits:
        found.append(sentence("limit.empty"))
    return tuple(found)


def _of_exhibits(exhibits: tuple[Exhibit, ...]) -> dict[str, list[Exhibit]]:
    """Exhibits with something missing, by what is missing."""
    return {
        "incomplete": [exhibit for exhibit in exhibits if not exhibit.complete],
        "damaged": [exhibit for exhibit in exhibits if exhibit.damage_rows and exhibit.complete],
        "truncated": [exhibit for exhibit in exhibits if exhibit.truncated],
        "dropped": [exhibit for exhibit in exhibits if any(entry.drops for entry in exhibit.interfaces)],
        "drops_unknown": [
            exhibit for exhibit in exhibits if all(entry.drops is None for entry in exhibit.interfaces)
        ],
        "scope": [exhibit for exhibit in exhibits if exhibit.out_of_scope],
    }
