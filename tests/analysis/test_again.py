"""Logged analyses run again: what this version cannot run is refused. That rows come out the same is tested with
the command (tests/cli/test_rebuild.py).
"""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from wirecover.analysis.again import as_record, run_again
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.run import DETECTORS
from wirecover.casefile.case import Case


@pytest.mark.parametrize(
    ("pattern", "parameters", "reason"),
    [("none", {}, "cannot run"), ("co_timing", {"colour": 1}, "does not know: colour")],
)
def test_what_is_not_known_is_refused(
    tmp_path: Path, pattern: str, parameters: dict[str, int], reason: str
) -> None:
    case = Case(tmp_path, training=True)
    with pytest.raises(AnalysisError, match=reason):
        run_again(case, pattern, parameters)


@pytest.mark.parametrize("name", DETECTORS)
def test_parameters_come_back_from_the_log_as_they_were(name: str) -> None:
    used = DETECTORS[name].parameters
    assert as_record(type(used), json.loads(json.dumps(asdict(used))), name) == used
