"""Authority records are read strictly: whatever is odd is refused, with file, line and key."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import orders

from wirecover.casefile.authority import Authority
from wirecover.casefile.authority_file import parse_authority, read_authority
from wirecover.casefile.errors import AuthorityError


def read(data: bytes) -> Authority:
    return parse_authority(data, "a.toml").authority


def refused(data: bytes) -> str:
    with pytest.raises(AuthorityError) as caught:
        read(data)
    text = str(caught.value)
    assert caught.value.exit_code == 4 and text.startswith("a.toml: ") and "\n" not in text
    return text


def test_a_record_is_read_whole() -> None:
    more = (
        orders.excluded("mac", "02-00-00-00-00-0A") + orders.excluded("name", "Durand.Example")
        + '[[renewals]]\nreference = "R1"\nfrom = 2024-03-01T00:00:00Z\nto = 2024-04-01T00:00:00Z\n'
        + '[renewals.by]\nname = "C. Martin"\nfunction = "juge"\nat = 2024-02-20T00:00:00Z\n'
        + '[custody]\nreason_required = true\ntwo_person = ["export", "unmask"]\n'
    )  # fmt: skip
    found = read(orders.order(more=more))
    assert found.covers.first == 1_698_883_200 * 10**9
    assert found.issued.at == 1_698_829_200 * 10**9, "an hour before, since it is in another zone"
    assert [(one.type, one.value) for one in found.targets] == [("network", "10.0.0.2/32")]
    assert [one.value for one in found.exclusions] == ["02:00:00:00:00:0a", "durand.example"]
    assert found.ends == found.renewals[0].period.last
    assert found.reason_required and found.two_person == ("export", "unmask")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({'country = "FR"': 'country = "FR"\nnonsense = 1'}, "line 5, nonsense: unknown key"),
        ({'subject = "suspect"': 'subject = "suspect"\ncolour = 1'}, "targets[1].colour: unknown key"),
        ({'country = "FR"': 'country = "fr"'}, "line 4, country: must be two capital letters"),
        ({"wirecover-authority/1": "wirecover-authority/9"}, "format"),
        ({'"10.0.0.2"': '"10.0.0.2/24"'}, "has host bits set"),
        ({'"10.0.0.2"': '"everyone"'}, "line 31, targets[1].value"),
        ({'type = "network"': 'type = "email"'}, "none of: network, mac"),
        ({"2023-11-02T00:00:00Z": "2023-11-02T00:00:00"}, "offset"),
        ({"2023-11-02T00:00:00Z": "2023-11-02"}, "date and time"),
        ({"2023-11-02T00:00:00Z": "2024-11-02T00:00:00Z"}, "covers.to: is before from"),
        ({"2023-11-02T00:00:00Z": "0001-01-01T00:00:00+14:00"}, "between 1970 and 2100"),
        ({"2024-03-01T00:00:00Z": "9999-12-31T23:59:59-14:00"}, "between 1970 and 2100"),
        ({"penalty_years = 10": "penalty_years = true"}, "must be a number"),
        ({"penalty_years = 10": "penalty_years = nan"}, "between 0 and 100"),
        ({'status = "active"': 'status = "fine"'}, "status"),
        ({'reference = "JI 4/2026/117"': 'reference = "a\\u001b[2Jb"'}, "visible characters"),
        ({'reference = "JI 4/2026/117"': 'reference = "\\u202e"'}, "visible characters"),
        ({'["traffic",': '["traffic", "content",'}, "content is refused"),
        ({'["traffic",': '["traffic", "traffic",'}, "stands twice"),
        ({"0" * 64: "0" * 63}, "SHA-256"),
        ({'[issued]\nname = "C. Martin"\n': "[issued]\n"}, "issued.name: is missing"),
    ],
)  # fmt: skip
def test_what_is_odd_is_refused_with_its_place(changes: dict[str, str], says: str) -> None:
    assert says in refused(orders.order(changes))


@pytest.mark.parametrize(
    "data",
    [b"", b"[", b"\xff", b"a = " + b"[" * 5000, b"x" * (2 << 20), b'format = ["x"]', b"targets = 3"],
)  # fmt: skip
def test_what_is_no_record_is_refused(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize("table", ["targets", "exclusions"])
def test_absurd_identifiers_are_refused(table: str) -> None:
    for kind, value in (
        ("mac", "02:00"),
        ("teid", "9" * 5000),
        ("teid", "-1"),
        ("name", "abc"),
        ("network", "::/129"),
    ):
        more = (orders.target if table == "targets" else orders.excluded)(kind, value)
        refused(orders.order(more=more))


def test_too_many_targets_are_refused() -> None:
    more = "".join(orders.target("network", f"10.{i >> 8}.{i & 255}.9") for i in range(1001))
    assert "more than 1000" in refused(orders.order(more=more))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damage_is_a_refusal_or_a_record(data: st.DataObject) -> None:
    """Cut, doubled and overwritten anywhere: one clear line, or a record; never anything else."""
    whole = orders.order()
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    damaged = whole[:start] + data.draw(st.binary(max_size=6)) + whole[stop:]
    try:
        read(damaged)
    except AuthorityError as error:
        assert "\n" not in str(error)


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(AuthorityError, match="No such file"):
        read_authority(tmp_path / "none.toml")


def test_the_record_of_the_tests_is_toml() -> None:
    assert tomllib.loads(orders.order().decode())["country"] == "FR"
