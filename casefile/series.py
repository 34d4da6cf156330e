"""A rotated series that an analyst declares, where the files themselves do not show that they are one.

The views find most series by themselves (schema.sql, view series). A declaration overrides them for the exhibits it
names; it is an act of a person, so it stands in the custody log, and the report says that the series was declared.
"""

from collections.abc import Sequence
from contextlib import closing
from typing import Final

import duckdb

from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, note
from wirecover.casefile.errors import CaseError
from wirecover.casefile.transaction import transaction

LONGEST_NAME: Final = 80


def declare(case: Case, name: str, exhibits: Sequence[str]) -> int:
    """Say that these exhibits (file name, or the start of the SHA-256) are one series; how many they are.

    The order follows from their times. Exhibits that were in another declared series leave it. CaseError when the
    name cannot be one, an exhibit is not in the case, or fewer than two are named.
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise CaseError(f"the name of a series is 1 to {LONGEST_NAME} printable characters")
    with closing(case.connect(write=True)) as connection:
        chosen = sorted({_exhibit(connection, one) for one in exhibits})
        if len(chosen) < 2:
            raise CaseError("a series is of two exhibits or more")
        facts = {"series": name, "exhibits": [digest for digest, _ in chosen]}
        with transaction(connection):
            connection.execute("DELETE FROM declared_series WHERE series = ?", [name])
            for _, capture in chosen:
                connection.execute("DELETE FROM declared_series WHERE capture_id = ?", [capture])
                connection.execute("INSERT INTO declared_series VALUES (?, ?)", [name, capture])
            note(case, Act("series", facts, tuple(f"exhibit:{digest}" for digest, _ in chosen)))
    return len(chosen)


def withdraw(case: Case, name: str) -> int:
    """Take a declaration back: what the files show holds again. How many exhibits it named; CaseError for none."""
    with closing(case.connect(write=True)) as connection:
        asked = "SELECT count(*) FROM declared_series WHERE series = ?"
        [(count,)] = connection.execute(asked, [name]).fetchall()
        if not count:
            raise CaseError(f"no series was declared under the name {name!r}")
        with transaction(connection):
            connection.execute("DELETE FROM declared_series WHERE series = ?", [name])
            note(case, Act("series", {"series": name, "exhibits": []}))
    return int(count)


def _exhibit(connection: duckdb.DuckDBPyConnection, asked: str) -> tuple[str, int]:
    """(SHA-256, capture_id) of the one exhibit that is meant."""
    found = connection.execute(
        "SELECT sha256, capture_id FROM exhibits WHERE name = ? OR (length(?) >= 8 AND starts_with(sha256, lower(?)))",
        [asked, asked, asked],
    ).fetchall()
    if len(found) != 1:
        reason = (
            "is no exhibit of the case" if not found else "is the name of several exhibits: give its SHA-256"
        )
        raise CaseError(f"{asked!r} {reason}")
    [(digest, capture)] = found
    return str(digest), int(capture)
