"""The console blocks of a document: run again, and held against what the document shows.

A block is fenced as ```console. A line `$ wirecover ...` is a command; what follows is what it prints, words
(standard error) first. A line `...` stands for any lines, and `…` inside a line for any text. `python
tests/support/console.py README.md` runs the commands of a document and writes what they print into it; lines
kept around a `...` keep their number.
"""

import io
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from wirecover.cli.main import main

ROOT = Path(__file__).parent.parent.parent
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY_LINES = r"(?:.*\n)*"


@dataclass(frozen=True, slots=True)
class Step:
    """One command and what a document says it prints."""

    command: str
    shown: tuple[str, ...]


def steps(document: str) -> Iterator[Step]:
    """The commands of a document, in order."""
    for block in _BLOCK.finditer(document):
        for part in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            yield Step(command, tuple(shown))


def run(command: str) -> list[str]:
    """What a command prints, in this process; only `wirecover` commands are run, and they must succeed."""
    name, *words = shlex.split(command)
    if name != "wirecover":
        raise ValueError(f"{command}: not a wirecover command; use another kind of block")
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    if code:
        raise RuntimeError(f"{command}: exit code {code}: {err.getvalue()}")
    return [line.rstrip() for line in (err.getvalue() + out.getvalue()).splitlines()]


def matches(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Whether the printed lines are what is shown."""
    parts = [
        _ANY_LINES if line == "..." else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in shown
    ]
    pattern = "".join(parts)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def prepare(folder: Path) -> None:
    """Put the bundled captures where the documents say they are."""
    shutil.copytree(ROOT / "tests" / "captures", folder / "tests" / "captures")


def renewed(document: str) -> str:
    """The document with what its commands print now."""
    for step in list(steps(document)):
        printed = run(step.command)
        if matches(step.shown, printed):
            continue
        if "..." in step.shown:
            place = step.shown.index("...")
            after = len(step.shown) - place - 1
            printed = [*printed[:place], "...", *(printed[-after:] if after else [])]
        old, new = ("\n".join((f"$ {step.command}", *lines)) + "\n" for lines in (step.shown, printed))
        document = document.replace(old, new, 1)
    return document


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name).resolve()
        with tempfile.TemporaryDirectory() as there:
            prepare(Path(there))
            with chdir(there):
                text = renewed(path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8", newline="\n")
