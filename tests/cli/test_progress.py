"""A bar for eyes, silence for files."""

import io
import sys
from pathlib import Path

from wirecover.casefile.ingest import FileOutcome, IngestEvent
from wirecover.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def events(path: Path) -> list[IngestEvent]:
    return [IngestEvent(path, 1, 1), IngestEvent(path, 1, 1, FileOutcome(path, "done"))]


def test_nothing_is_drawn_into_a_file(capsys) -> None:
    path = Path("a.pcap")
    with Progress({path: 10}) as progress:
        for event in events(path):
            progress.take(event)
    assert capsys.readouterr() == ("", "")


def test_a_bar_over_bytes_is_drawn_on_a_terminal(monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    path = Path("evil\x1b[2J.pcap")
    with Progress({path: 2000}) as progress:
        begun, ended = events(path)
        progress.take(begun)
        progress.refresh()
        progress.take(ended)
        progress.refresh()
    drawn = terminal.getvalue()
    assert "evil\\u{1b}[2J.pcap" in drawn and "\x1b[2J.pcap" not in drawn
    assert "2.0/2.0 kB" in drawn
