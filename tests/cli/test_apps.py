"""What can be recognised, and what is installed."""

import json
import platform

from wirecover.capture.apps.loader import load_rules


def test_every_application_and_its_gaps(run) -> None:
    done = run("apps", "--format", "json")
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)
    assert [row["app"] for row in rows] == list(load_rules().apps)
    assert all(row["rows"] > 0 and row["known_gaps"] for row in rows)


def test_version(run) -> None:
    done = run("version")
    assert done.code == 0
    assert f"application rules {load_rules().sha256}" in done.out
    assert f"Python {platform.python_version()}" in done.out
