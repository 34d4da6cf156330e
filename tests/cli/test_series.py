"""wirecover series: a declaration stands in the case and in its log, and can be taken back."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.captures import Frame, pcap

from wirecover.casefile.case import Case
from wirecover.casefile.errors import CaseError
from wirecover.casefile.series import declare, withdraw
from wirecover.cli.main import cli


@pytest.fixture
def case(tmp_path: Path) -> Case:
    for name, second in (("late", 1_700_100_000), ("early", 1_700_000_000)):
        data = pcap([Frame(bytes(60), second), Frame(bytes(60), second + 1)])
        (tmp_path / f"{name}.pcap").write_bytes(data)
    made = Case.create(tmp_path / "case", training=True)
    made.ingest([tmp_path / "late.pcap", tmp_path / "early.pcap"])
    return made


def parts(case: Case) -> list[tuple[str, str]]:
    with closing(case.connect()) as connection:
        return connection.execute("SELECT name, reason FROM series ORDER BY part").fetchall()


def test_a_declared_series_is_one_in_order_of_time_and_is_logged(case: Case) -> None:
    assert parts(case) == []
    digest = next(one.sha256 for one in case.exhibits() if one.name == "late.pcap")
    done = CliRunner().invoke(
        cli, ["series", str(case.path), "--declare", "tap 1", digest[:12], "early.pcap"]
    )
    assert done.exit_code == 0, done.output
    assert parts(case) == [("early.pcap", "declared: tap 1"), ("late.pcap", "declared: tap 1")]
    with closing(case.connect()) as connection:
        acts = connection.execute("SELECT arguments FROM custody_log WHERE verb = 'series'").fetchall()
    assert len(acts) == 1 and "tap 1" in acts[0][0] and digest in acts[0][0]
    done = CliRunner().invoke(cli, ["series", str(case.path), "--withdraw", "tap 1"])
    assert done.exit_code == 0 and parts(case) == []


def test_what_cannot_be_declared(case: Case) -> None:
    for name, exhibits in (
        ("x", ["late.pcap"]), ("x", ["late.pcap", "late.pcap"]), ("x", ["late.pcap", "nowhere.pcap"]),
        ("", ["late.pcap", "early.pcap"]), ("a\nb", ["late.pcap", "early.pcap"]), ("x", ["late.pcap", "0"]),
    ):  # fmt: skip
        with pytest.raises(CaseError):
            declare(case, name, exhibits)
    with pytest.raises(CaseError):
        withdraw(case, "x")
    assert parts(case) == []


def test_either_declare_or_withdraw(case: Case) -> None:
    for arguments in ([], ["--declare", "a", "--withdraw", "b"], ["--withdraw", "a", "late.pcap"]):
        assert CliRunner().invoke(cli, ["series", str(case.path), *arguments]).exit_code == 2
