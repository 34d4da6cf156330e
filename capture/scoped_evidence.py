"""An evidence writer that writes no more than a scope allows, whatever it is given.

The filter at packet rate (`scope_filter.py`) has left out packets; this leaves out what kept packets, and the file
itself, say of others:

* tables and columns that are withheld;
* values that speak of someone who is excluded: the row goes, or the value where the row is a fact of a flow;
* where there are targets: a row of `names`, `hosts` or `subscribers` about an address that is neither a target's nor
  the other end of a kept flow, and the known answers of multicast DNS. An answer of a resolver to a target, and the
  name a target asked a server for, are its own communication and stay;
* what the recorder wrote about the file as a whole or about interfaces, and names it resolved: they have no time and
  may be of anyone.

Each row or value that goes is counted under its reason.
"""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.scope import Scope
from wirecover.capture.scope_filter import EXCLUDED, PSEUDONYM_HIGH, THIRD_PARTY, LeftOut
from wirecover.capture.scope_texts import Forbidden
from wirecover.capture.tables import TABLES

WITHHELD, UNTIMED = "withheld", "untimed"
VALUE_GOES: Final = frozenset(
    {"flows", "packets", "tls_handshakes", "quic_handshakes", "ssh_handshakes", "stun_messages", "media_streams",
     "interfaces", "damage"}
)  # fmt: skip
"""Tables of which an excluded value is taken out; of all others the row."""
UNTOUCHED: Final = frozenset({"captures", "out_of_scope", "packets", "media_streams"})
"""Tables without text that a capture could choose. The exhibit's name is that of the file: it must be known by it."""
_OF_SERVERS: Final = frozenset({"dns", "sni", "certificate"})
_OWN_WORDS: Final = {
    "names": ("source", _OF_SERVERS),
    "hosts": ("source", frozenset({"arp"})),
    "subscribers": (None, frozenset[str]()),
}
"""Table -> column and its values that need no look at the address: what a target was told or one of two ends said."""
_JUDGED: Final = frozenset({"comments", "interfaces", *_OWN_WORDS})
"""Tables each row of which is looked at, in whatever pieces it comes."""
_PSEUDONYMS: Final = ip_network((PSEUDONYM_HIGH << 64, 64))
MAX_ENDS: Final = 1 << 20
"""Other ends of kept flows that are remembered; what later ones say of themselves is left out."""


class ScopedEvidence(EvidenceWriter):
    """`left_out` is counted into; it is the caller's."""

    def __init__(self, folder: Path, scope: Scope, left_out: LeftOut) -> None:
        super().__init__(folder)
        self._scope = scope
        self._left_out = left_out
        self._forbidden = Forbidden.of(scope)
        self._closed = self.own_words_only = scope.targets is not None
        self._networks = [
            ip_network(one.value, strict=False) for one in scope.targets or () if one.kind == "network"
        ]
        self._ends: set[str] = set()
        self._blank = {
            table: [at for at, name in enumerate(columns.names) if f"{table}.{name}" in scope.withheld]
            for table, columns in TABLES.items()
        }
        self._texts = {
            table: [] if table in UNTOUCHED else [
                at for at, field in enumerate(columns)
                if pa.types.is_string(field.type) or (
                    pa.types.is_list(field.type) and pa.types.is_string(field.type.value_type)
                )
            ]
            for table, columns in TABLES.items()
        }  # fmt: skip

    # ---- what the driver gives -----------------------------------------------------------------------------

    def add(self, table: str, row: tuple[Any, ...]) -> None:
        kept = self.allowed(table, row)
        if kept is not None:
            super().add(table, kept)

    def add_columns(self, table: str, columns: list[pa.Array]) -> None:
        if not len(columns[0]):
            return
        if table in self._scope.withheld:
            self._left_out.of(WITHHELD).records += len(columns[0])
            return
        if table in _OWN_WORDS:  # each row has to be looked at
            for row in zip(*(column.to_pylist() for column in columns), strict=True):
                self.add(table, row)
            return
        if table in _JUDGED:
            for row in zip(*(column.to_pylist() for column in columns), strict=True):
                self.add(table, row)
            return
        if table == "flows":
            self._remember_ends(columns)
        columns = [
            pa.nulls(len(column), TABLES[table][at].type) if at in self._blank[table] else column
            for at, column in enumerate(columns)
        ]
        if self._forbidden and self._texts[table]:
            columns = self._without_excluded(table, columns)
        super().add_columns(table, columns)

    def allowed(self, table: str, row: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The row as it may be written; None when it may not."""
        reason = self._against(table, row)
        if reason is not None:
            self._left_out.of(reason).records += 1
            return None
        blank = set(self._blank[table])
        if table == "interfaces":  # in the recorder's words
            blank |= {TABLES[table].get_field_index(name) for name in ("name", "description")}
        if self._forbidden:
            for at in self._texts[table]:
                if at not in blank and self._excluded(row[at]):
                    self._left_out.of(EXCLUDED).records += 1
                    if table not in VALUE_GOES:
                        return None
                    blank.add(at)
        return tuple(None if at in blank else value for at, value in enumerate(row)) if blank else row

    # ---- rules ---------------------------------------------------------------------------------------------

    def _against(self, table: str, row: tuple[Any, ...]) -> str | None:
        if table in self._scope.withheld:
            return WITHHELD
        names = TABLES[table].names
        if table == "comments" and row[names.index("frame")] is None:
            return UNTIMED
        if table == "names" and row[names.index("first_ts")] is None:
            return UNTIMED
        of_devices = table == "names" and row[names.index("source")] not in _OF_SERVERS
        if (
            of_devices and "hosts" in self._scope.withheld
        ):  # what devices call themselves is a fact of `hosts`
            return WITHHELD
        if self._closed and table in _OWN_WORDS:
            column, own = _OWN_WORDS[table]
            if column is not None and row[names.index(column)] in own:
                return None
            ip = row[names.index("ip")]
            if ip is None and table == "subscribers":  # whose identity that is cannot be known
                return THIRD_PARTY
            if ip is not None and not self._is_end(ip):
                return THIRD_PARTY
        return None

    def _is_end(self, ip: str) -> bool:
        if ip in self._ends:
            return True
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def _excluded(self, value: Any) -> bool:
        if isinstance(value, str):
            return self._forbidden.finds(value)
        return value is not None and any(one is not None and self._forbidden.finds(one) for one in value)

    def _remember_ends(self, columns: list[pa.Array]) -> None:
        if not self._closed or len(self._ends) >= MAX_ENDS:
            return
        for name in ("client_ip", "server_ip"):
            for ip in pc.unique(columns[TABLES["flows"].get_field_index(name)]).to_pylist():
                if ip is not None and not (":" in ip and ip_address(ip) in _PSEUDONYMS):
                    self._ends.add(ip)

    def _without_excluded(self, table: str, columns: list[pa.Array]) -> list[pa.Array]:
        """Columns without the rows, or values, that speak of someone who is excluded."""
        bad_rows: set[int] = set()
        for at in self._texts[table]:
            bad = [i for i, value in enumerate(columns[at].to_pylist()) if self._excluded(value)]
            if bad and table in VALUE_GOES:
                self._left_out.of(EXCLUDED).records += len(bad)
                taken = set(bad)
                values: Sequence[Any] = [
                    None if i in taken else value for i, value in enumerate(columns[at].to_pylist())
                ]
                columns[at] = pa.array(values, TABLES[table][at].type)
            elif bad:
                bad_rows.update(bad)
        if not bad_rows:
            return columns
        self._left_out.of(EXCLUDED).records += len(bad_rows)
        keep = pa.array([i not in bad_rows for i in range(len(columns[0]))])
        return [column.filter(keep) for column in columns]
