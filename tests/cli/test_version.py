"""What is installed."""

import platform

from wirecover.capture.apps.loader import load_rules


def test_version(run) -> None:
    done = run("version")
    assert done.code == 0
    assert f"application rules {load_rules().sha256}" in done.out
    assert f"Python {platform.python_version()}" in done.out
