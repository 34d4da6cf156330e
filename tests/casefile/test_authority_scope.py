"""From the authority to the last file of the case: nothing out of scope is in it, on a stream, or left in a folder."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from support import orders
from support import scope_world as sw

from wirecover.capture.scope import Scope
from wirecover.capture.tables import TABLES
from wirecover.casefile.authority import CATEGORIES
from wirecover.casefile.authority_file import AuthorityFile, parse_authority
from wirecover.casefile.authority_scope import ALWAYS, OPENS, scope_of, withheld
from wirecover.cli.main import main

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
ENDS = (
    ("10.0.0.2", "192.0.2.10"), ("10.0.0.77", "192.0.2.10"), ("10.0.0.2", sw.LAWYER), (sw.LAWYER_SERVER, "10.0.0.2"),
)  # fmt: skip
CATEGORY_LINE = '["traffic", "server-names", "applications", "equipment", "accounts"]'


def record_of(world: sw.World, categories: tuple[str, ...]) -> bytes:
    more = orders.target("network", sw.TARGETS[1]) + orders.excluded("network", sw.LAWYER)
    more += orders.excluded("name", sw.LAWYER_NAME) if world.by_name else ""
    changes = {
        "from = 2023-11-02T00:00:00Z": "from = 2023-11-14T22:30:00Z",  # support.scope_world.WINDOW
        "to = 2024-03-01T00:00:00Z": "to = 2023-11-14T22:46:40Z",
        CATEGORY_LINE: str(list(categories)).replace("'", '"'),
    }
    top = 'third_parties = "pseudonymise"' if world.pseudonymise else ""
    return orders.order(changes, more=more, top=top)


WORLDS = st.builds(sw.World, sw.talks(), pseudonymise=st.booleans(), by_name=st.booleans())
FURTHER = st.sets(st.sampled_from([one for one in CATEGORIES if one != "traffic"]))
HURRY = {"deadline": None, "suppress_health_check": list(HealthCheck), "phases": PHASES}


@settings(max_examples=1, **HURRY)
@given(WORLDS, FURTHER)
@example(
    sw.World([sw.Talk(kind, *ENDS[at % 4], 1100, at) for at, kind in enumerate(sw.KINDS * 4)]),
    set(CATEGORIES[1:]),
)
def test_nothing_out_of_scope_is_in_the_case_or_beside_it(
    capfd: pytest.CaptureFixture[str], world: sw.World, more: set[str]
) -> None:
    nothing_leaks(capfd, world, more)


@pytest.mark.slow
@settings(max_examples=25, **HURRY)
@given(WORLDS, FURTHER)
def test_nothing_out_of_scope_is_in_many_cases(
    capfd: pytest.CaptureFixture[str], world: sw.World, more: set[str]
) -> None:
    nothing_leaks(capfd, world, more)


def nothing_leaks(capfd: pytest.CaptureFixture[str], world: sw.World, more: set[str]) -> None:
    world.spans = ((1_700_001_000 * 10**9, 1_700_002_000 * 10**9),)
    categories = ("traffic", *sorted(more))
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.joinpath("order.toml").write_bytes(record_of(world, categories))
        home.joinpath("temporary").mkdir()
        world.write(home / "exhibit.pcapng")
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"], tempfile.tempdir = str(home / "temporary"), None
        try:
            for arguments in (
                ["init", f"{home}/case", "--authority", f"{home}/order.toml"],
                ["ingest", f"{home}/case", f"{home}/exhibit.pcapng"],
                ["analyze", f"{home}/case"],
                ["query", f"{home}/case", "capture_quality"],
            ):
                assert main(arguments) in (0, 3), (arguments, capfd.readouterr())
        finally:
            os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
            tempfile.tempdir = None
        home.joinpath("case", "authority.toml").unlink()  # names the protected persons by right
        printed = "".join(capfd.readouterr())
        home.joinpath("case", "printed.txt").write_text(printed, encoding="utf-8")
        forbidden = world.forbidden() | sw.RECORDER_WORDS
        assert sw.leaks(home / "case", forbidden) == []
        assert list((home / "temporary").iterdir()) == []
        [evidence] = (home / "case" / "evidence").iterdir()
        closed_tables(evidence, categories)


def closed_tables(evidence: Path, categories: tuple[str, ...]) -> None:
    import pyarrow.parquet as pq

    for entry in withheld(categories):
        table, _, column = entry.partition(".")
        rows = pq.read_table(evidence / f"{table}.parquet", partitioning=None)
        assert rows.num_rows == 0 if not column else rows[column].null_count == rows.num_rows, entry


def test_every_table_belongs_to_a_category_or_to_the_recording() -> None:
    opened = {entry.partition(".")[0] for entries in OPENS.values() for entry in entries}
    assert set(TABLES) <= opened | ALWAYS, "a new table: say in authority_scope which category opens it"
    for entry in (entry for entries in OPENS.values() for entry in entries if "." in entry):
        table, _, column = entry.partition(".")
        assert column in TABLES[table].names, entry


def test_without_a_category_nothing_of_it_is_open() -> None:
    closed = withheld(("traffic",))
    assert {"dns_messages", "names", "hosts", "app_evidence", "subscribers", "comments"} <= closed
    assert {"tls_handshakes.sni", "flows.app", "stun_messages.username"} <= closed
    assert not {"flows", "packets", "captures", "damage", "out_of_scope"} & closed
    assert withheld(CATEGORIES) == frozenset()
    assert "tls_handshakes.sni" not in withheld(("traffic", "server-names"))


def scope(more: str = "", top: str = "", key: bytes = b"") -> Scope:
    file: AuthorityFile = parse_authority(orders.order(more=more, top=top), "a")
    return scope_of(file.authority, key)


def test_the_scope_says_what_the_record_says() -> None:
    found = scope(
        orders.target("mac", "02:00:00:00:00:01") + orders.target("teid", "7")
        + orders.target("network", "2001:db8::/64", layer='"outer"')
        + orders.target("subscriber", "the man of the ground floor") + orders.excluded("name", "Durand.example")
        + "[[renewals]]\nreference = 'r'\nfrom = 2024-03-02T00:00:00Z\nto = 2024-03-03T00:00:00Z\n"
        + "[renewals.by]\nname = 'x'\nfunction = 'y'\nat = 2024-02-02T00:00:00Z\n",
    )  # fmt: skip
    assert [(one.kind, one.value, one.layer) for one in found.targets or ()] == [
        ("network", "10.0.0.2/32", "inner"), ("mac", "02:00:00:00:00:01", "inner"), ("teid", "7", "inner"),
        ("network", "2001:db8::/64", "outer"),
    ]  # fmt: skip
    assert len(found.spans) == 2 and found.excluded_names == ("durand.example",)
    assert scope(top='selection = "recording"').targets is None
    hidden = scope(top='third_parties = "pseudonymise"', key=b"k" * 32)
    assert hidden.others == "pseudonymise" and "flow_ends" in hidden.withheld
