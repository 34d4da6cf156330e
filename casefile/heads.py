"""Heads of the custody log that other files of the case hold: witnesses of what the log must still lead to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wirecover.casefile.layout import EXPORTS, REPORTS
from wirecover.casefile.log_file import Head

_MAX_BYTES: Final = 256 << 20


def kept_heads(case: Path) -> Iterator[tuple[str, Head]]:
    """(where, head) of every report whose data lie in the case's own folders for reports and exports."""
    for folder in (REPORTS, EXPORTS):
        for path in sorted((case / folder).glob("**/*.json")):
            head = head_of_report(path)
            if head is not None:
                yield f"{path.relative_to(case).as_posix()}", head


def head_of_report(path: Path) -> Head | None:
    """The head that the data of a report name; None when the file is none, or names none."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        facts = json.loads(path.read_bytes())
        told = facts["document"]["log_head"]
        return Head(int(told["act"]), str(told["sha256"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
