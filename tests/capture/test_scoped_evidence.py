"""What kept packets, and the file, say of others does not reach a file; each thing that goes is counted."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wirecover.capture.scope import Scope, Selector
from wirecover.capture.scope_filter import LeftOut
from wirecover.capture.scope_texts import Forbidden
from wirecover.capture.scoped_evidence import ScopedEvidence
from wirecover.capture.tables import TABLES

SCOPE = Scope(
    targets=(Selector("network", "10.0.0.0/30"),), excluded=(Selector("network", "203.0.113.0/24"),),
    excluded_names=("durand",), withheld=frozenset({"subscribers", "tls_handshakes.sni"}),
)  # fmt: skip


def row(table: str, **values: Any) -> tuple[Any, ...]:
    assert set(values) <= set(TABLES[table].names)
    return tuple(values.get(name) for name in TABLES[table].names)


def written(
    folder: Path, rows: list[tuple[str, tuple[Any, ...]]], *, columns: bool, scope: Scope = SCOPE
) -> tuple[dict[str, list], LeftOut]:
    left_out = LeftOut()
    with ScopedEvidence(folder, scope, left_out) as evidence:
        for table, values in rows:
            if columns:
                arrays = [
                    pa.array([value], field.type) for value, field in zip(values, TABLES[table], strict=True)
                ]
                evidence.add_columns(table, arrays)
            else:
                evidence.add(table, values)
    return {table: pq.read_table(folder / f"{table}.parquet").to_pylist() for table in TABLES}, left_out


@pytest.mark.parametrize("columns", [False, True])
def test_rows_and_values_that_must_not_be_written(tmp_path: Path, columns: bool) -> None:
    found, left_out = written(tmp_path, [
        ("dns_answers", row("dns_answers", name="a.example", type="A", data="203.0.113.7")),
        ("dns_answers", row("dns_answers", name="7.113.0.203.in-addr.arpa", type="PTR", data="x")),
        ("dns_answers", row("dns_answers", name="mail.DURAND.example", type="A", data="192.0.2.1")),
        ("dns_answers", row("dns_answers", name="b.example", type="A", data="192.0.2.1")),
        ("stun_messages", row("stun_messages", method="binding", mapped="203.0.113.7:40000", peer="192.0.2.1:5")),
        ("tls_handshakes", row("tls_handshakes", carrier="tcp", sni="a.example")),
        ("subscribers", row("subscribers", ip="10.0.0.1", kind="imsi", identity="1")),
    ], columns=columns)  # fmt: skip
    assert [one["name"] for one in found["dns_answers"]] == ["b.example"]
    [stun] = found["stun_messages"]
    assert (stun["mapped"], stun["peer"], stun["method"]) == (None, "192.0.2.1:5", "binding")
    [hello] = found["tls_handshakes"]
    assert (hello["sni"], hello["carrier"]) == (None, "tcp")
    assert found["subscribers"] == []
    assert {key: one.records for key, one in left_out.tallies.items()} == {
        ("excluded", "dropped"): 4, ("withheld", "dropped"): 1,
    }  # fmt: skip


def test_names_and_hosts_are_those_of_targets_and_their_partners(tmp_path: Path) -> None:
    flow = row("flows", flow_no=0, client_ip="10.0.0.1", server_ip="192.0.2.9")
    left_out = LeftOut()
    with ScopedEvidence(tmp_path, SCOPE, left_out) as evidence:
        evidence.add_columns(
            "flows", [pa.array([v], f.type) for v, f in zip(flow, TABLES["flows"], strict=True)]
        )
        for ip, source in (
            ("10.0.0.1", "mdns"),
            ("192.0.2.9", "mdns"),
            ("10.9.9.9", "mdns"),
            ("10.9.9.9", "dns"),
        ):
            evidence.add("names", row("names", ip=ip, name="n", source=source, first_ts=1, last_ts=1))
            evidence.add("hosts", row("hosts", ip=ip, attribute="a", value="v", source=source))
        evidence.add("names", row("names", ip="10.0.0.1", name="resolved", source="nrb"))
        evidence.add("comments", row("comments", kind="section", text="of the file"))
        evidence.add("comments", row("comments", frame=1, kind="packet", text="of a frame"))
        evidence.add("interfaces", row("interfaces", interface_id=0, name="of a man", description="d"))
    names, hosts, comments, interfaces = (
        pq.read_table(tmp_path / f"{table}.parquet").to_pylist()
        for table in ("names", "hosts", "comments", "interfaces")
    )
    assert [(one["ip"], one["source"]) for one in names] == [
        ("10.0.0.1", "mdns"), ("192.0.2.9", "mdns"), ("10.9.9.9", "dns"),
    ]  # fmt: skip
    assert [one["ip"] for one in hosts] == ["10.0.0.1", "192.0.2.9"]
    assert [one["text"] for one in comments] == ["of a frame"]
    assert (interfaces[0]["name"], interfaces[0]["description"]) == (None, None)
    assert left_out.of("third-party").records == 3 and left_out.of("untimed").records == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("203.0.113.7", True), ("203.0.113.7:443", True), ("[2001:db8::7]:443", True), ("2001:DB8:0:0::7", True),
        ("::ffff:203.0.113.7", True), ("see 203.0.113.7.", True), ("1203.0.113.7", False), ("203.0.114.7", False),
        ("7.113.0.203.in-addr.arpa", True), ("113.0.203.in-addr.arpa.", True), ("7.114.0.203.in-addr.arpa", False),
        ("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", True),
        ("02-00-00-00-00-0A", True), ("02:00:00:00:00:0b", False), ("cabinet-Durand.example", True), ("durang", False),
        ("", False), (":::::", False), ("999.1.1.1.in-addr.arpa", False), ("g.ip6.arpa", False),
    ],
)  # fmt: skip
def test_who_is_spoken_of(text: str, found: bool) -> None:
    from ipaddress import ip_network

    forbidden = Forbidden(
        [ip_network("203.0.113.0/24"), ip_network("2001:db8::/64")], ["02:00:00:00:00:0a"], ["durand"]
    )
    assert forbidden.finds(text) is found


@pytest.mark.parametrize("columns", [False, True])
def test_an_identity_without_an_address_is_anybody_s(tmp_path: Path, columns: bool) -> None:
    scope = Scope(targets=SCOPE.targets)
    rows = [("subscribers", row("subscribers", ip=ip, kind="user-name", identity="alice"))
            for ip in (None, "10.0.0.1", "10.9.9.9")]  # fmt: skip
    found, left_out = written(tmp_path, rows, columns=columns, scope=scope)
    assert [one["ip"] for one in found["subscribers"]] == ["10.0.0.1"]
    assert {key: one.records for key, one in left_out.tallies.items()} == {("third-party", "dropped"): 2}


@pytest.mark.parametrize("columns", [False, True])
def test_names_of_devices_are_withheld_with_the_facts_of_hosts(tmp_path: Path, columns: bool) -> None:
    scope = Scope(withheld=frozenset({"hosts"}))
    rows = [("names", row("names", ip="10.0.0.1", name=f"{source}.example", first_ts=1, source=source))
            for source in ("dns", "sni", "certificate", "dhcp", "mdns")]  # fmt: skip
    found, left_out = written(tmp_path, rows, columns=columns, scope=scope)
    assert [one["source"] for one in found["names"]] == ["dns", "sni", "certificate"]
    assert {key: one.records for key, one in left_out.tallies.items()} == {("withheld", "dropped"): 2}
