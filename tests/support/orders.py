"""Authority records for tests: one that holds together, and the same with parts replaced, added or taken away."""

from collections.abc import Mapping
from typing import Any, Final

RECORD: Final = """
format = "wirecover-authority/1"
country = "FR"
instrument = "FR_100"
reference = "JI 4/2026/117"
status = "active"
offences = ["trafic de stupéfiants en bande organisée"]
penalty_years = 10
organised_crime = true
necessity = "No other means showed whom the suspect calls."
document_sha256 = "{zeros}"
data_categories = ["traffic", "server-names", "applications", "equipment", "accounts"]

[issued]
name = "C. Martin"
function = "juge d'instruction"
at = 2023-11-01T10:00:00+01:00

[covers]
from = 2023-11-02T00:00:00Z
to = 2024-03-01T00:00:00Z

[retention]
rule = "CPP art. 100-6"
use_until = 2099-01-01T00:00:00Z
review_at = 2027-03-01T00:00:00Z

[[targets]]
type = "network"
value = "10.0.0.2"
subject = "suspect"
""".replace("{zeros}", "0" * 64)  # covers the times of support.traffic


def order(
    changes: Mapping[str, str] | None = None, *, top: str = "", more: str = "", record: str = RECORD
) -> bytes:
    """The record with each text of `changes` replaced, lines at its top and tables at its end added."""
    for old, new in (changes or {}).items():
        assert old in record, old
        record = record.replace(old, new)
    return f"{top}\n{record}\n{more}\n".encode()


def excluded(kind: str, value: str) -> str:
    """A protected person as a table of the record."""
    told = 'notified = "bâtonnier"\nnotified_at = 2023-11-01T12:00:00Z'
    return f'\n[[exclusions]]\ntype = "{kind}"\nvalue = "{value}"\nprotected = "lawyer"\n{told}\n'


def target(kind: str, value: str, **more: Any) -> str:
    """A target as a table of the record."""
    lines = "".join(f"{key} = {text}\n" for key, text in more.items())
    return f'\n[[targets]]\ntype = "{kind}"\nvalue = "{value}"\nsubject = "suspect"\n{lines}'
