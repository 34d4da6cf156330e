"""Running the command line in this process, and one case that many tests only read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from wirecover.cli.main import main

CAPTURE = Path(__file__).parent.parent / "captures" / "harbour-xmpp-turn-h3-client1.pcap.gz"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return call


@pytest.fixture(scope="session")
def capture() -> Path:
    return CAPTURE


@pytest.fixture(scope="session")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training case with one capture and its findings; not to be changed."""
    case = tmp_path_factory.mktemp("cli") / "case"
    for words in (["init", case, "--training"], ["ingest", case, CAPTURE], ["analyze", case]):
        assert main([str(word) for word in words]) == 0
    return case


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A new, empty training case."""
    path = tmp_path / "case"
    assert main(["init", str(path), "--training"]) == 0
    return path
