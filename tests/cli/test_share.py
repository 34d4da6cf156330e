"""share and receive on the command line."""

import shutil
from pathlib import Path

import pytest
from support.signing_keys import write_key

SCOPE = """
format = "wirecover-share/1"
reference = "2026/1"
purpose = "Identify the relay"
partner = "FR/OFAC"

[scope]
tables = ["flows", "tls_handshakes", "packets"]
applications = ["{app}"]

[conditions]
use = ["Not in court without our consent"]
"""


@pytest.fixture
def place(analysed: Path, tmp_path: Path, run) -> Path:
    shutil.copytree(analysed, tmp_path / "case")
    write_key(tmp_path / "key.pem")
    run("identity", tmp_path / "id")
    run("init", tmp_path / "theirs", "--training")
    (tmp_path / "scope.toml").write_text(SCOPE.format(app="xmpp"))
    return tmp_path


def shared(run, place: Path, *more: object):
    return run(
        "share", place / "case", "--to", place / "id.pub", "--scope", place / "scope.toml", "--handling", "H1",
        "--out", place / "out.age", "--key", place / "key.pem", *more,
    )  # fmt: skip


def received(run, place: Path):
    return run(
        "receive",
        place / "out.age",
        "--identity",
        place / "id",
        "--into",
        place / "theirs",
        "--signer",
        place / "key.pub",
    )


def test_a_share_goes_from_case_to_case(run, place: Path) -> None:
    app = run(
        "sql", place / "case", "SELECT app FROM flows WHERE app IS NOT NULL LIMIT 1", "--format", "csv"
    ).out
    (place / "scope.toml").write_text(SCOPE.format(app=app.split()[1].strip('"')))
    assert shared(run, place).code == 0
    done = received(run, place)
    assert done.code == 0
    assert "Condition: Not in court without our consent" in done.lines
    found = run("sql", place / "theirs", "SELECT DISTINCT handling FROM foreign_flows", "--format", "csv")
    assert found.out.split() == ["handling", "H1"]
    again = received(run, place)
    assert again.code == 0 and "nothing was changed" in again.err
    assert run("verify", place / "out.age", "--identity", place / "id").code == 0
    assert run("verify", place / "theirs").code == 0


def test_wrong_terms_are_one_line(run, place: Path) -> None:
    (place / "scope.toml").write_text(SCOPE.format(app="no-such-app"))
    done = shared(run, place)
    assert done.code == 1 and "nothing of this case" in done.err and len(done.lines) == 1
    (place / "scope.toml").write_text("format = 1")
    assert shared(run, place).code == 1
    assert not (place / "out.age").exists()
