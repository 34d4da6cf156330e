"""The frame around all verbs: what is loaded, which code is returned, one line an error."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from wirecover.capture.errors import CaptureError, WirecoverError
from wirecover.casefile.errors import IntegrityError
from wirecover.cli import main as cli_main
from wirecover.cli.main import EXIT_INTERRUPTED, TRACEBACK, VERBS, cli, main

HEAVY = {"numpy", "numba", "polars", "duckdb", "pyarrow", "rich", "typst", "cryptography", "zstandard", "lz4"}
HELP_SECONDS = 0.15

ASK = """
import json, sys
from wirecover.cli.main import main
codes = [main(words) for words in json.loads(sys.argv[1])]
print(json.dumps([codes, sorted(sys.modules)]), file=sys.stderr)
"""


def test_help_loads_nothing_heavy() -> None:
    asked = [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)]
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(asked)], capture_output=True, text=True, check=True
    )
    codes, modules = json.loads(done.stderr)
    assert codes == [0] * len(asked)
    assert not HEAVY & {name.partition(".")[0] for name in modules}
    assert {name for name in modules if name.startswith("wirecover.")} <= {
        "wirecover.capture", "wirecover.capture.errors", "wirecover.cli", "wirecover.cli.main",
        "wirecover.cli.streams", "wirecover.cli.options", "wirecover.cli.acting", "wirecover.cli.signing",
            *(f"wirecover.cli.{verb}" for verb in VERBS),
    }  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="os.times knows no children's time there")
@pytest.mark.parametrize("words", [["--help"], ["ingest", "--help"]])
def test_help_answers_at_once(words: list[str]) -> None:
    """Processor time of the best of several runs: the wall clock of a shared machine says nothing."""
    spent = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-m", "wirecover.cli", *words], capture_output=True, check=True)
        after = os.times()
        spent.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(spent) < HELP_SECONDS


def test_every_verb_is_a_command_of_its_name() -> None:
    context = click.Context(cli)
    for verb in VERBS:
        command = cli.get_command(context, verb)
        assert command is not None and command.name == verb
        assert command.get_short_help_str()
    assert cli.list_commands(context) == list(VERBS)
    assert cli.get_command(context, "main") is None


def test_help_lists_every_verb(run) -> None:
    done = run("--help")
    assert done.code == 0
    for verb, text in VERBS.items():
        assert f"  {verb} " in done.out
        assert text.split()[0] in done.out


def test_runs_as_a_module_and_shows_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wirecover.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("wirecover ") and done.stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no verb given (see: wirecover --help)"),
        (["ingst"], "no verb 'ingst'; did you mean ingest? (see: wirecover --help)"),
        (["xyzzy"], "no verb 'xyzzy' (see: wirecover --help)"),
        (["--nonsense"], "--nonsense"),
        (["init"], "Missing argument 'CASE'"),
        (["query", "/no/such/case", "exhibits"], "/no/such/case"),
        (["sql", "/no/such/case", "SELECT 1", "--format", "xml"], "xml"),
    ],
)
def test_wrong_use_is_one_line_and_two(run, words: list[str], said: str) -> None:
    done = run(*words)
    assert done.code == 2
    assert done.out == ""
    assert len(done.lines) == 1
    assert done.lines[0].startswith("wirecover: ") and said in done.lines[0]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (WirecoverError("it cannot be"), 1, "it cannot be"),
        (CaptureError("a.pcap", "is cut", 12), 3, "a.pcap: is cut (offset 12)"),
        (IntegrityError("changed"), 5, "changed"),
        (MemoryError(), 1, "not enough memory"),
        (PermissionError(13, "Permission denied", "x\x1b[31m"), 1, "x\\u{1b}[31m: Permission denied"),
        (KeyError("odd\nkey"), 1, "unexpected KeyError at test_main.py:"),
        (click.ClickException("no"), 2, "no (see: wirecover --help)"),
        (KeyboardInterrupt(), EXIT_INTERRUPTED, "interrupted"),
        (click.Abort(), EXIT_INTERRUPTED, "interrupted"),
    ],
)
def test_any_error_is_one_line_and_a_code(
    run, monkeypatch, error: BaseException, code: int, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli_main.cli, "main", fail)
    done = run("queries")
    assert (done.code, done.out, len(done.lines)) == (code, "", 1)
    assert said in done.lines[0]


def test_a_trace_is_shown_when_asked_for(run, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(cli_main.cli, "main", fail)
    monkeypatch.setenv(TRACEBACK, "1")
    done = run("queries")
    assert "Traceback" in done.err and done.lines[-1].startswith("wirecover: unexpected ValueError")


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes of this kind")
def test_a_reader_that_leaves_is_no_error_to_speak_of() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "wirecover.cli", "queries"], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_results_that_cannot_be_written_are_an_error() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wirecover.cli", "queries"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (1, "wirecover: No space left on device\n")


def test_output_is_utf_8_on_any_console(monkeypatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    assert main(["queries"]) == 0
    sys.stdout.flush()
    assert "…" in raw.getvalue().decode("utf-8")
