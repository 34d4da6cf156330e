"""Which addresses, flows and frames of a capture stand for excluded names.

The capture is decoded twice then: first into nothing, to learn; then into evidence, without what was learned. Learned
is only from packets within the scope. In the second pass are left out

* frames of resolution and discovery that spell such a name out;
* every packet of an address that one of them, or DHCP, gave the name (a shared server is then left out for everyone);
* every packet between the two ends of a flow that showed the name: server name, certificate, realm, Host field, ...
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, Final

import pyarrow as pa

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.scope_filter import Learned
from wirecover.capture.scope_texts import Forbidden
from wirecover.capture.tables import TABLES

Address = tuple[int, int, int]
MAX_LEARNED: Final = 1 << 20
"""Frames, and pairs, that are remembered. Beyond, `overflow` is set, and nothing of the capture may be kept."""
_OF_MESSAGES: Final = frozenset({"dns_messages", "dns_answers"})
_OF_ADDRESSES: Final = frozenset({"names", "hosts", "subscribers"})


class NameHunt(EvidenceWriter):
    """Takes rows as an evidence writer does, and writes none."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.rows = dict.fromkeys(TABLES, 0)
        self.overflow = False
        self._forbidden = Forbidden((), (), names)
        self._frames: set[int] = set()
        self._addresses: set[Address] = set()
        self._flows: set[int] = set()
        self._ends: dict[int, tuple[str, str]] = {}
        """Flow number -> both ends, of flows whose name is told before or after the flow's row."""

    def add(self, table: str, row: tuple[Any, ...]) -> None:
        """Learn from one row."""
        self._learn(table, dict(zip(TABLES[table].names, row, strict=True)))

    def add_columns(self, table: str, columns: list[pa.Array]) -> None:
        """Learn from a batch of rows."""
        if not len(columns[0]):
            return
        names = TABLES[table].names
        if table == "flows":
            self._take_flows(columns)
        if table in ("packets", "media_streams"):
            return
        texts = [at for at, field in enumerate(TABLES[table]) if _is_text(field.type)]
        values = {at: columns[at].to_pylist() for at in texts}
        for i in range(len(columns[0])):
            if any(self._names_it(values[at][i]) for at in texts):
                self._learn(table, {name: columns[at][i].as_py() for at, name in enumerate(names)})

    def sort_new(self, table: str, column: str) -> None:
        """Nothing to put in order."""

    def close(self) -> None:
        """Nothing to seal."""

    def learned(self) -> Learned:
        """What was learned from all rows."""
        pairs = set()
        for flow_no in self._flows & set(self._ends):
            one, other = (_address(ip) for ip in self._ends[flow_no])
            pairs.add((min(one, other), max(one, other)))
        return Learned(frozenset(self._addresses), frozenset(pairs), frozenset(self._frames))

    # ---- rows ----------------------------------------------------------------------------------------------

    def _take_flows(self, columns: list[pa.Array]) -> None:
        at = TABLES["flows"].get_field_index
        for flow_no, client, server in zip(
            *(columns[at(name)].to_pylist() for name in ("flow_no", "client_ip", "server_ip")), strict=True
        ):
            self._ends[flow_no] = (client, server)

    def _learn(self, table: str, row: dict[str, Any]) -> None:
        if not any(self._names_it(value) for value in row.values()):
            return
        if len(self._frames) + len(self._flows) >= MAX_LEARNED:
            self.overflow = True
            return
        if table in _OF_MESSAGES:
            self._frames.add(row["frame"])
            for ip in _addresses_of(row.get("data")) if row.get("type") in ("A", "AAAA") else ():
                self._addresses.add(ip)
        elif table in _OF_ADDRESSES and row.get("source") not in ("sni", "certificate"):
            self._addresses.update(_addresses_of(row.get("ip")))
            if row.get("frame") is not None:
                self._frames.add(row["frame"])
        elif row.get("flow_no") is not None:
            self._flows.add(row["flow_no"])
        elif row.get("frame") is not None:
            self._frames.add(row["frame"])

    def _names_it(self, value: Any) -> bool:
        if isinstance(value, str):
            return self._forbidden.finds_name(value)
        if isinstance(value, (list, tuple)):
            return any(self._names_it(one) for one in value)
        return False


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or (pa.types.is_list(kind) and pa.types.is_string(kind.value_type)))


def _address(text: str) -> Address:
    one = ip_address(text)
    return (one.version, *divmod(int(one), 1 << 64))


def _addresses_of(text: str | None) -> Iterator[Address]:
    try:
        if text is not None:
            yield _address(text)
    except ValueError:
        return
