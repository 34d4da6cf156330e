"""The chain of acts."""

from pathlib import Path

import pytest

from wirecover.casefile.case import Case
from wirecover.casefile.custody import GENESIS, actor, broken_acts, canonical


def test_acts_are_chained_and_numbered(tmp_path: Path) -> None:
    case = Case.create(tmp_path / "case", training=True, clock=lambda: 5)
    case.log("report", {"out": "é\ud800", "n": 1})
    with case.connect() as connection:
        acts = connection.execute(
            "SELECT seq, epoch_ns(ts), verb, arguments, prev_sha256, sha256 FROM custody_log"
        ).fetchall()
        assert broken_acts(connection) == []
    assert [row[:3] for row in acts] == [(1, 5, "init"), (2, 5, "report")]
    assert acts[1][3] == '{"n":1,"out":"é\\ud800"}'
    assert (acts[0][4], acts[1][4]) == (GENESIS, acts[0][5])


def test_canonical_json_knows_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    assert canonical({"b": [1, None], "a": "ü"}) == '{"a":"ü","b":[1,null]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))

    def nobody() -> str:
        raise KeyError("no such uid")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert actor() == "unknown"
