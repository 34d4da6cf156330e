"""What can be recognised."""

import json

from wirecover.capture.apps.loader import load_rules


def test_every_application_and_its_gaps(run) -> None:
    done = run("apps", "--format", "json")
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)
    assert [row["app"] for row in rows] == list(load_rules().apps)
    assert all(row["rows"] > 0 and row["known_gaps"] for row in rows)
