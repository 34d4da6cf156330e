"""Sharing and receiving: what is outside never leaves, what comes in is checked whole and kept apart."""

import dataclasses
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sealing import Keys, keys, opened_by_hand
from sharing import FAR, SCOPE, Line, case_of, decode, order, write_scope

from wirecover.capture.scope import Scope as CaptureScope
from wirecover.capture.tables import TABLES
from wirecover.casefile import share_receive
from wirecover.casefile.bundle import SealError
from wirecover.casefile.case import Case
from wirecover.casefile.errors import CaseError, IntegrityError
from wirecover.casefile.foreign import SHARED_DERIVED
from wirecover.casefile.foreign import tables as foreign_tables
from wirecover.casefile.log_file import records
from wirecover.casefile.private_files import partial_of
from wirecover.casefile.seal import seal
from wirecover.casefile.share import share
from wirecover.casefile.share_receive import bundles, foreign_problems, receive, refill
from wirecover.casefile.share_rows import choose, write_exhibit
from wirecover.casefile.share_rules import RULES
from wirecover.casefile.share_scope import Scope, ShareError, read_order
from wirecover.casefile.transaction import transaction
from wirecover.casefile.verify import verify

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Both:
    """Two partners and a case each."""

    root: Path
    ours: Case
    theirs: Case
    alice: Keys
    bob: Keys

    def send(self, name: str, text: str = SCOPE, code: str = "H2", **changes: Any) -> Path:
        write_scope(self.root / f"{name}.toml", text, **changes)
        share(
            self.ours, read_order(self.root / f"{name}.toml"), code, None, self.root / name, self.bob.recipients,
            self.alice.signer,
        )  # fmt: skip
        return self.root / name

    def take(self, path: Path) -> share_receive.Received:
        return receive(self.theirs, path, self.bob.identities, self.alice.fingerprint)


LINES = [
    Line("192.0.2.1", "198.51.100.1", T0, T0 + 5 * SECOND, "signal"),
    Line("192.0.2.2", "198.51.100.1", T0, T0 + 5 * SECOND, "signal"),
    Line("192.0.2.1", "198.51.100.2", T0 + 50 * SECOND, T0 + 500 * SECOND, "signal"),
    Line("192.0.2.1", "198.51.100.3", T0, T0 + SECOND, "whatsapp"),
    Line("203.0.113.9", "192.0.2.1", T0 + 9 * SECOND, T0 + 10 * SECOND, "signal"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("partners")
    case_of(root / "ours", [LINES])
    Case.create(root / "theirs", training=True)
    return root


@pytest.fixture
def both(model: Path, tmp_path: Path) -> Both:
    for name in ("ours", "theirs"):
        shutil.copytree(model / name, tmp_path / name)
    ours, theirs = (Case.open(tmp_path / name) for name in ("ours", "theirs"))
    return Both(tmp_path, ours, theirs, keys(tmp_path / "keys", "alice"), keys(tmp_path / "keys", "bob"))


def inside(path: Path, who: Keys) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(opened_by_hand(path, who.identities))) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


def rows_of(files: dict[str, bytes], table: str) -> list[dict[str, Any]]:
    found = []
    for name, data in files.items():
        if name.endswith(f"/{table}.parquet"):
            found += pq.read_table(io.BytesIO(data)).to_pylist()
    return found


# ---- what leaves ---------------------------------------------------------------------------------------------


def test_what_is_inside_leaves_and_arrives(both: Both) -> None:
    path = both.send("out")
    files = inside(path, both.bob)
    assert [row["flow_no"] for row in rows_of(files, "flows")] == [0, 4]
    assert {row["sni"] for row in rows_of(files, "tls_handshakes")} == {LINES[0].mark, LINES[4].mark}
    assert [row["name"] for row in rows_of(files, "captures")] == [None], "the file's name stays"
    done = both.take(path)
    assert done.status == "received" and done.rows["flows"] == 2
    with both.theirs.connect() as connection:
        found = connection.execute(
            "SELECT client_ip, server_ip, handling FROM foreign_flows ORDER BY flow_id"
        ).fetchall()
        assert found == [("192.0.2.1", "198.51.100.1", "H2"), ("203.0.113.9", "192.0.2.1", "H2")]
        [(own,)] = connection.execute("SELECT count(*) FROM flows").fetchall()
        assert own == 0, "foreign rows are no evidence of this case"
        joined = connection.execute(
            "SELECT count(*) FROM foreign_tls_handshakes t JOIN foreign_flows f USING (flow_id) "
            "JOIN foreign_captures c ON c.capture_id = f.capture_id "
            "JOIN foreign_bundles b ON b.bundle_sha256 = t.bundle_sha256"
        ).fetchall()
        assert joined == [(2,)]
    with both.ours.connect() as connection:
        ours = connection.execute("SELECT flow_id FROM flows WHERE flow_no IN (0, 4) ORDER BY 1").fetchall()
    with both.theirs.connect() as connection:
        assert connection.execute("SELECT flow_id FROM foreign_flows ORDER BY 1").fetchall() == ours
    [terms] = bundles(both.theirs)
    assert terms["handling"] == "H2" and terms["conditions"]["use"] == ["Ask before use in court"]
    assert foreign_problems(both.theirs) == [] and verify(both.theirs).holds and verify(both.ours).holds


def test_both_sides_log_it(both: Both) -> None:
    both.take(both.send("out"))
    ours, theirs = ([*records(case.path)] for case in (both.ours, both.theirs))
    assert [(one.verb, one.phase) for one in ours][-2:] == [("share", "begun"), ("share", "done")]
    assert [(one.verb, one.phase) for one in theirs][-2:] == [("receive", "begun"), ("receive", "done")]
    assert ours[-1].arguments["manifest_sha256"] == theirs[-1].result
    assert theirs[-1].arguments["log_sha256"] in {one.sha256 for one in ours}
    text = json.dumps([one.arguments for one in ours + theirs])
    assert "192.0.2" not in text and "198.51.100" not in text, "by reference, not the data"


@pytest.mark.parametrize(
    ("changes", "flows"),
    [
        ({"addresses": None}, [0, 1, 4]),
        ({"to": None}, [0, 2, 4]),
        ({"applications": None}, [0, 3, 4]),
        ({"addresses": '["198.51.100.1"]'}, [0, 1]),
        ({"addresses": '["203.0.113.0/24"]'}, [4]),
        ({"from": "2023-11-14T22:13:29Z"}, [4]),
        ({"addresses": None, "to": None, "applications": None}, [0, 1, 2, 3, 4]),
    ],
)
def test_each_part_narrows(both: Both, changes: dict[str, Any], flows: list[int]) -> None:
    files = inside(both.send("out", **changes), both.bob)
    assert [row["flow_no"] for row in rows_of(files, "flows")] == flows
    assert {row["flow_no"] for row in rows_of(files, "packets")} == set(flows)


def test_tables_that_are_not_named_stay(both: Both) -> None:
    files = inside(both.send("out", tables='["tls_handshakes"]'), both.bob)
    assert {Path(name).stem for name in files} == {"manifest", "signer", "captures", "tls_handshakes"}


def test_an_empty_share_is_refused_and_leaves_nothing(both: Both) -> None:
    before = {path.name for path in both.root.iterdir()}
    with pytest.raises(ShareError, match="nothing of this case"):
        both.send("out", addresses='["10.0.0.0/8"]')
    assert {path.name for path in both.root.iterdir()} == before | {"out.toml"}
    assert [*records(both.ours.path)][-1].phase == "failed"


def test_unknown_exhibits_and_findings_are_refused(both: Both) -> None:
    for changes in ({"exhibits": f'["{"0" * 64}"]'}, {"findings": "[7]"}):
        with pytest.raises(ShareError, match="not in this case"):
            both.send("out", **changes)


def test_changed_evidence_is_not_passed_on(both: Both) -> None:
    [path] = both.ours.path.glob("evidence/*/names.parquet")
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="changed since the ingest"):
        both.send("out")


def test_a_name_tells_nothing_of_later_sightings_and_a_reason_nothing_of_other_flows(both: Both) -> None:
    files = inside(both.send("out", tables='["flows", "names", "app_evidence", "certificates"]'), both.bob)
    assert {row["name"] for row in rows_of(files, "names")} == {LINES[0].mark, LINES[4].mark}
    assert {row["last_ts"] for row in rows_of(files, "names")} == {None}
    assert {row["value"] for row in rows_of(files, "app_evidence")} == {LINES[0].mark, LINES[4].mark}, (
        "the reason whose frame is that of another flow stays"
    )
    assert {(row["flow_no"], row["frame"]) for row in rows_of(files, "certificates")} == {(None, None)}


NETWORKS = ["192.0.2.1/32", "192.0.2.2/31", "2001:db8::1/128"]


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[Line], Scope]:
    hosts = [f"192.0.2.{n}" for n in range(1, 5)] + ["2001:db8::1", "2001:db8::2"]
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, 30))
        length = draw(st.integers(0, 30))
        lines.append(
            Line(
                draw(st.sampled_from(hosts)), draw(st.sampled_from(hosts)), T0 + start * SECOND,
                T0 + (start + length) * SECOND, draw(st.sampled_from(["signal", "whatsapp", None])),
            )
        )  # fmt: skip
    first = draw(st.none() | st.integers(0, 30))
    last = draw(st.none() | st.integers(first or 0, 60))
    scope = Scope(
        first_ts=None if first is None else T0 + first * SECOND, last_ts=None if last is None else T0 + last * SECOND,
        addresses=tuple(draw(st.lists(st.sampled_from(NETWORKS), max_size=2))),
        applications=tuple(draw(st.lists(st.sampled_from(["signal", "whatsapp"]), max_size=1))), exhibits=(),
        findings=(), tables=tuple(sorted(RULES)), exhibit_names=False,
    )  # fmt: skip
    return lines, scope


def is_inside(line: Line, scope: Scope) -> bool:
    """The rule, said once more."""
    if scope.first_ts is not None and line.first < scope.first_ts:
        return False
    if scope.last_ts is not None and line.last > scope.last_ts:
        return False
    if scope.applications and line.app not in scope.applications:
        return False
    ends = [ip_address(line.client), ip_address(line.server)]
    return not scope.addresses or any(end in ip_network(net) for end in ends for net in scope.addresses)


def searched(files: dict[str, bytes], lines: list[Line], scope: Scope) -> None:
    """Every flow carries a mark in every table that can hold one; the files are searched for the marks."""
    wanted = {line.mark for line in lines if is_inside(line, scope)}
    stayed = [line for line in lines if line.mark not in wanted]
    assert {row["sni"] for row in rows_of(files, "tls_handshakes")} == wanted
    blob = b"\n".join(files.values())
    cells = json.dumps([rows_of(files, table) for table in RULES], default=str)
    for line in stayed:
        assert line.mark.encode() not in blob and line.mark not in cells
        assert str(line.first + 7) not in cells, "a time that only this flow has"
    ends = {end for line in lines if line.mark in wanted for end in (line.client, line.server)}
    for end in {end for line in stayed for end in (line.client, line.server)} - ends:
        if scope.addresses and not scope.holds_address(
            end, scope.networks()
        ):  # one of the scope may be told of alone
            assert f'"{end}"' not in cells
    assert FAR not in cells and FAR.encode() not in blob


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recordings())
def test_no_row_outside_the_scope_is_ever_written(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[list[Line], Scope]
) -> None:
    lines, scope = made
    root = tmp_path_factory.mktemp("rows")
    (root / "x.pcap").write_bytes(b"x")
    (root / "evidence").mkdir()
    (root / "out").mkdir()
    decode(lines, root / "x.pcap", root / "evidence", CaptureScope())
    write_exhibit(root / "evidence", root / "out", scope, choose(root / "evidence", scope, None))
    searched({f"x/{path.name}": path.read_bytes() for path in (root / "out").iterdir()}, lines, scope)


def whole_share(root: Path, lines: list[Line], scope: Scope) -> None:
    case, bob = case_of(root / "case", [lines]), keys(root / "keys", "bob")
    try:
        share(case, order(scope), "H2", None, root / "out", bob.recipients, bob.signer)
    except ShareError:
        assert not [line for line in lines if is_inside(line, scope)]
        assert not (root / "out").exists() and not partial_of(root / "out").exists()
        return
    searched(inside(root / "out", bob), lines, scope)


def test_no_row_outside_the_scope_is_in_a_bundle(tmp_path: Path) -> None:
    limits = {"exhibits": (), "findings": (), "tables": tuple(sorted(RULES)), "exhibit_names": False}
    scope = Scope(None, T0 + 20 * SECOND, ("192.0.2.1/32",), ("signal",), **limits)
    whole_share(tmp_path, LINES, scope)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recordings())
def test_no_row_outside_the_scope_ever_leaves(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[list[Line], Scope]
) -> None:
    whole_share(tmp_path_factory.mktemp("scope"), *made)


def test_every_shared_column_exists_and_ids_of_flows_are_always_shared() -> None:
    for table, rule in RULES.items():
        names = set(TABLES[table].names)
        assert {*rule.columns, *rule.times, *rule.needs} <= names
        assert set(rule.needs) <= set(rule.times) <= set(rule.columns)
        assert rule.by != "flow" or "flow_no" in rule.columns
    assert not {"comments", "interfaces", "damage", "subscribers", "sip_messages"} & set(RULES), "these stay"


# ---- what comes in -------------------------------------------------------------------------------------------


def state(case: Case) -> tuple[Any, ...]:
    """Everything but the log, which tells of refusals too."""
    with case.connect() as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchall() for table in foreign_tables()
        ]
    files = sorted(
        str(path.relative_to(case.path)) for path in case.path.rglob("*") if "log" not in path.parts
    )
    return counts, [name for name in files if not name.endswith(".wal")]


@pytest.fixture
def refused(both: Both) -> Iterator[Both]:
    """After the test, nothing has come in."""
    case = both.theirs
    case.connect(write=True).close()
    before = state(case)
    yield both
    assert state(case) == before


def test_a_changed_or_cut_bundle_is_refused(refused: Both) -> None:
    data = refused.send("out").read_bytes()
    for place in range(100, len(data), len(data) // 5):
        changed = bytearray(data)
        changed[place] ^= 1
        for variant in (bytes(changed), data[:place]):
            (refused.root / "bad").write_bytes(variant)
            with pytest.raises((IntegrityError, SealError)):
                refused.take(refused.root / "bad")


def test_another_signer_key_or_kind_is_refused(refused: Both) -> None:
    path = refused.send("out")
    with pytest.raises(IntegrityError, match="not by the key"):
        receive(refused.theirs, path, refused.bob.identities, refused.bob.fingerprint)
    with pytest.raises(SealError, match="not sealed for any key"):
        receive(refused.theirs, path, refused.alice.identities, refused.alice.fingerprint)
    seal(refused.ours, refused.root / "whole", refused.bob.recipients, refused.alice.signer)
    with pytest.raises(SealError, match="use wirecover unseal"):
        refused.take(refused.root / "whole")


def test_a_bundle_passed_on_by_its_receiver_is_refused(refused: Both) -> None:
    """Bob seals what Alice signed for him anew for Carol: Carol must not take it as sent to her."""
    import pyrage

    carol = keys(refused.root / "keys", "carol")
    plain = opened_by_hand(refused.send("out"), refused.bob.identities)
    (refused.root / "on").write_bytes(pyrage.encrypt(plain, carol.recipients.age()))
    with pytest.raises(IntegrityError, match="somebody passed it on"):
        receive(refused.theirs, refused.root / "on", carol.identities, refused.alice.fingerprint)


def test_training_and_real_cases_do_not_mix(refused: Both) -> None:
    path = refused.send("out")
    real = Case.create(refused.root / "real", training=False)
    with pytest.raises(ShareError, match="training material"):
        receive(real, path, refused.bob.identities, refused.alice.fingerprint)


def test_the_same_bundle_twice_is_taken_once(both: Both) -> None:
    path = both.send("out")
    assert both.take(path).status == "received"
    before = state(both.theirs)
    assert both.take(path).status == "already"
    assert state(both.theirs) == before


def test_older_and_contradicting_editions_are_refused(both: Both) -> None:
    first, second = both.send("one"), both.send("two", edition="2")
    again = both.send("again", edition="2", purpose='"another"')
    both.take(second)
    before = state(both.theirs)
    with pytest.raises(IntegrityError, match="older than edition 2"):
        both.take(first)
    with pytest.raises(IntegrityError, match="is here already, and is another one"):
        both.take(again)
    assert state(both.theirs) == before
    both.take(both.send("three", edition="3"))
    assert [one["edition"] for one in bundles(both.theirs)] == [2, 3]


def test_a_kill_between_folder_and_rows_is_mended(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    path = both.send("out")
    digest = both.take(path).manifest.digest()
    with both.theirs.connect(write=True) as connection, transaction(connection):
        for table in foreign_tables():
            connection.execute(f"DELETE FROM {table}")
    (both.theirs.path / "foreign" / ".partial-x").mkdir()
    assert len(foreign_problems(both.theirs)) == 3, "two folders that no row names, one act without its rows"
    done = both.take(path)
    assert done.status == "received" and done.cleared == 2
    assert [one["bundle_sha256"] for one in bundles(both.theirs)] == [digest]
    assert foreign_problems(both.theirs) == []


def test_rows_can_be_filled_again_from_the_folders(both: Both) -> None:
    both.take(both.send("out"))
    queries = [f"SELECT * FROM {table} ORDER BY ALL" for table in foreign_tables()]
    with both.theirs.connect() as connection:
        before = [connection.execute(query).fetchall() for query in queries]
    with both.theirs.connect(write=True) as connection, transaction(connection):
        for table in foreign_tables():
            connection.execute(f"DELETE FROM {table}")
        refill(both.theirs.path, connection, [*records(both.theirs.path)])
    with both.theirs.connect() as connection:
        assert [connection.execute(query).fetchall() for query in queries] == before


def test_changes_after_the_receipt_are_found(both: Both) -> None:
    both.take(both.send("out"))
    [folder] = (both.theirs.path / "foreign").iterdir()
    [flows] = folder.glob("exhibits/*/flows.parquet")
    flows.chmod(0o600)
    flows.write_bytes(b"x")
    (folder / "more").write_bytes(b"x")
    found = foreign_problems(both.theirs)
    assert any("flows.parquet: changed" in line for line in found) and any(
        "more: not in" in line for line in found
    )


def test_changed_rows_are_found(both: Both) -> None:
    both.take(both.send("out"))
    assert foreign_problems(both.theirs) == []
    with both.theirs.connect(write=True) as connection:
        connection.execute(
            "UPDATE foreign_flows SET server_ip = '192.0.2.66' WHERE server_ip = '198.51.100.1'"
        )
        connection.execute("DELETE FROM foreign_packets WHERE rowid = 0")
    found = [check.detail for check in verify(both.theirs).checks if check.holds is False]
    assert [line.partition("rows of ")[2].partition(":")[0] for line in found] == [
        "foreign_flows",
        "foreign_packets",
    ]


def test_a_share_goes_on_with_nothing_that_was_received(both: Both) -> None:
    both.take(both.send("out"))
    write_scope(both.root / "on.toml", SCOPE, addresses=None, to=None, applications=None)
    with pytest.raises(ShareError, match="nothing of this case"):
        share(
            both.theirs, read_order(both.root / "on.toml"), "H2", None, both.root / "on", both.alice.recipients,
            both.bob.signer,
        )  # fmt: skip


# ---- terms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "changes"),
    [("H9", {}), ("", {}), ("H3", {"use": "[]"}), ("H2", {"onward": "true"}), ("h2", {})],
)
def test_terms_that_contradict_each_other_are_refused(both: Both, code: str, changes: dict[str, Any]) -> None:
    with pytest.raises(CaseError):
        both.send("out", code=code, **changes)


def test_the_columns_of_concluded_tables_exist() -> None:
    from wirecover.casefile.derived import DERIVED

    for table, columns in SHARED_DERIVED.items():
        assert set(columns) <= set(DERIVED[table].names)
        assert "details" not in columns, "figures of a finding may tell of others"


def test_findings_leave_whole_or_not_at_all(both: Both) -> None:
    with both.ours.connect() as connection:
        [(capture, base)] = connection.execute("SELECT capture_id, flow_base FROM exhibits").fetchall()
    with both.ours.connect(write=True) as connection, transaction(connection):
        for number, flows in ((1, (0, 4)), (2, (0, 1))):
            connection.execute(
                "INSERT INTO findings (finding_id, pattern, subject, first_ts, last_ts, kind, statement, details) "
                "VALUES (?, 'p', '192.0.2.1', make_timestamp_ns(?), make_timestamp_ns(?), 'fact', 's', ?)",
                [number, T0, T0 + SECOND, json.dumps({"others": FAR})],
            )
            for flow in flows:
                connection.execute(
                    "INSERT INTO finding_frames (finding_id, capture_id, frame, flow_id, role) "
                    "VALUES (?, ?, 1, ?, 'r')",
                    [number, capture, base + flow],
                )
    files = inside(both.send("one", findings="[1]", tables='["flows", "findings"]'), both.bob)
    assert [row["finding_id"] for row in rows_of(files, "findings")] == [1]
    assert [row["flow_no"] for row in rows_of(files, "flows")] == [0, 4]
    assert FAR.encode() not in b"".join(files.values())
    with pytest.raises(ShareError, match="rests on flows outside"):
        both.send("two", findings="[2]", tables='["flows", "findings"]')
    both.take(both.root / "one")
    with both.theirs.connect() as connection:
        assert connection.execute("SELECT finding_id, handling FROM foreign_findings").fetchall() == [
            (1, "H2")
        ]
