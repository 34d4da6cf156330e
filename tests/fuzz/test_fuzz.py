"""The fuzz harness runs, finds what fails, and finds nothing in a short run over every target."""

from pathlib import Path
from random import Random

import pytest
from fuzz import run, targets
from fuzz.mutate import mutated
from fuzz.seeds import seeds_of
from fuzz.targets import MAX_INPUT, TARGETS

from wirecover.capture.protocols import Malformed

ROUNDS = {"decode": 6, "file": 25, "quic": 25, "x509": 30}
"""Inputs of a target in this test; 80 of one that is not named."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_finds_nothing(name: str) -> None:
    seeds, chance = seeds_of(name), Random(name)
    assert all(0 < len(one) <= MAX_INPUT for one in seeds)
    rounds = ROUNDS.get(name, 80)
    for data in [*seeds[:rounds], b"", *(mutated(seeds, chance) for _ in range(rounds))]:
        TARGETS[name](data)


def test_most_targets_start_from_real_messages() -> None:
    poor = {name for name in TARGETS if seeds_of(name) == [bytes(range(64))]}
    assert poor == set()


def test_what_fails_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(data: bytes) -> None:
        if data[:1] == b"\0":
            raise IndexError("beyond the end")

    monkeypatch.setitem(TARGETS, "arp", broken)
    assert run.main(["arp", "--seconds", "2", "--engine", "plain", "--out", str(tmp_path)]) == 1
    kept = list(tmp_path.glob("arp-*"))
    assert kept
    assert all(path.read_bytes()[:1] == b"\0" for path in kept)
    assert "beyond the end" in capsys.readouterr().err


def test_a_parser_may_raise_nothing_but_malformed_inside_its_bytes() -> None:
    def outside(data: bytes) -> None:
        raise Malformed(len(data) + 1, "outside")

    with pytest.raises(AssertionError):
        targets._parses(outside)(b"abc")


def test_the_same_seed_gives_the_same_inputs() -> None:
    seeds = seeds_of("dns")
    assert [mutated(seeds, Random(3)) for _ in range(5)] == [mutated(seeds, Random(3)) for _ in range(5)]
