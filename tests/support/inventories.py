"""Made-up addresses with what is told of them, for tests of the inventory."""

from typing import Any

import duckdb

from wirecover.analysis.inventory_rows import Endpoint, Fact, Place

SECOND = 1_000_000_000


def endpoint(ip: str, *facts: Fact, network: str | None = None, first: float = 0, last: float = 100,
             flows: int = 1, capture: int = 7) -> Endpoint:  # fmt: skip
    """An address with one flow from `first` to `last`, in seconds."""
    made = Endpoint(ip, network, round(first * SECOND), round(last * SECOND), Place(capture, 1, 1000),
                    Place(capture, 9, 1000), flows=flows, opened=flows)  # fmt: skip
    made.captures |= {capture, *(fact.place.capture for fact in facts)}
    made.facts = list(facts)
    return made


def fact(attribute: str, value: str, source: str = "dhcp", at: float = 0, until: float | None = None, capture: int = 7,
         frame: int = 1, flow: int | None = None) -> Fact:  # fmt: skip
    """Something told at a second."""
    last = at if until is None else until
    return Fact(
        attribute, value, source, round(at * SECOND), round(last * SECOND), 1, Place(capture, frame, flow)
    )


def tell(connection: duckdb.DuckDBPyConnection, start: int, **columns: Any) -> None:
    """A row of `hosts`; first_ts and last_ts in seconds after `start`."""
    row = {"capture_id": 7, "frame": 1, "source": "dhcp", "first_ts": 0, "last_ts": 0} | columns
    names = ", ".join(row)
    marks = ", ".join("make_timestamp_ns(?)" if name.endswith("_ts") else "?" for name in row)
    values = [start + round(value * SECOND) if name.endswith("_ts") else value for name, value in row.items()]
    connection.execute(f"INSERT INTO hosts ({names}) VALUES ({marks})", values)
