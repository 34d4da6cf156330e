"""Names that a suspect chose, on every way out: terminal, CSV, JSON, the report; they are shown and never act."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from sharing import Line, case_of

from wirecover.casefile.case import Case
from wirecover.cli.main import main
from wirecover.report.document import build
from wirecover.report.pdf import render

T0 = 1_700_000_000_000_000_000
EVIL = {
    "title": "\x1b]0;owned\x07", "clear": "\x1b[2J\x1b[H", "8-bit csi": "\x9b31m", "bidi": "a\u202egnp.exe",
    "isolate": "\u2066x\u2069", "zero width": "good\u200b.example", "line": "a\r\nholds  everything",
    "separator": "a\u2028b", "formula": "=cmd|' /C calc'!A0", "plus": "+1+1", "at": "@SUM(1)", "minus": "-2+3",
    "tab formula": "\t=1+1", "quote": '"=1+1"', "html": "<script>alert(1)</script>",
    "typst": "#panic(\"x\") $x$ *b* @y",
    "null": "a\x00b", "backslash": "\\u{1b}", "surrogate-like": "\ufffe", "tag": "\U000e0041",
    "long": "=" + "A" * 30_000,
}  # fmt: skip
ACTING = [
    chr(code)
    for code in (*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x200B, 0x202E, 0x2028, 0x2066)
]


class Named(Line):
    """A flow whose every text is a chosen one."""

    __slots__ = ()
    chosen: dict[int, str] = {}  # noqa: RUF012 - filled once, below

    @property
    def mark(self) -> str:
        return Named.chosen[self.first]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    lines = []
    for number, text in enumerate(EVIL.values()):
        Named.chosen[T0 + number * 100] = text
        lines.append(Named("192.0.2.1", "198.51.100.1", T0 + number * 100, T0 + number * 100 + 9, "signal"))
    return case_of(tmp_path_factory.mktemp("names") / "case", [list(lines)])


def shown(case: Case, form: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert (
        main(
            [
                "sql",
                str(case.path),
                "SELECT sni, sni AS again FROM tls_handshakes ORDER BY flow_id",
                "--format",
                form,
            ]
        )
        == 0
    )
    return capsys.readouterr().out


def test_every_name_arrives_in_the_case_as_it_was(case: Case) -> None:
    with case.connect() as connection:
        found = connection.execute("SELECT sni FROM tls_handshakes ORDER BY flow_id").fetchall()
    assert [one for (one,) in found] == list(EVIL.values())


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_nothing_acts_on_a_terminal(case: Case, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(case, form, capsys)
    assert not [char for char in ACTING if char in text]
    lines = text.splitlines()
    assert not [line for line in lines if line.lstrip().startswith("holds")]


def test_no_cell_is_a_formula(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [cell for row in csv.reader(io.StringIO(shown(case, "csv", capsys))) for cell in row]
    assert len(cells) == 2 * (len(EVIL) + 1)
    assert not [cell for cell in cells if cell.lstrip()[:1] in "=+-@" and cell]


def test_json_gives_the_names_back(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["sni"] for row in json.loads(shown(case, "json", capsys))] == list(EVIL.values())


def test_names_of_columns_are_chosen_by_analysts_and_do_not_act_either(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("table", "csv", "json"):
        capsys.readouterr()
        sql = 'SELECT 1 AS "=1+1", 2 AS "\x1b[2J", 3 AS "a\u202eb", 4 AS "x\ny"'
        assert main(["sql", str(case.path), sql, "--format", form]) == 0
        text = capsys.readouterr().out
        assert not [char for char in ACTING if char in text]
        if form == "csv":
            assert next(csv.reader(io.StringIO(text)))[0] == "'=1+1"


def test_errors_do_not_act(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    for sql in ("SELECT '\x1b[2J'::INTEGER", 'SELECT "\u202e\x07"', "\r\nwirecover: holds"):
        capsys.readouterr()
        assert main(["sql", str(case.path), sql]) == 1
        text = capsys.readouterr().err
        assert not [char for char in ACTING if char in text] and len(text.splitlines()) == 1


def test_the_report_is_made_and_shows_them(case: Case, tmp_path: Path) -> None:
    """A character that no font has, or markup, must neither stop the report nor become part of its source."""
    written = render(build(case), tmp_path / "r.pdf", "en")
    assert written.bytes > 10_000
    data = (tmp_path / "r.pdf").read_bytes()
    assert b"/JavaScript" not in data and b"/Launch" not in data
    companion = json.loads(written.companion.read_text(encoding="utf-8"))
    assert companion


FILES = ["\x1b[2J", "=cmd", "a\u202egnp", "x\ny", "<b>", "-rf", "\x9b31m"]


def test_names_of_files_do_not_act(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = Path(__file__).parent.parent / "captures" / "harbour-xmpp-turn-h3-client1.pcap.gz"
    data = gzip.decompress(capture.read_bytes())
    (tmp_path / "in").mkdir()
    for number, name in enumerate(FILES):
        try:
            (tmp_path / "in" / f"{name}.pcap").write_bytes(data[: 4000 + number])
        except OSError:
            continue  # this file system has no such name
    assert main(["init", str(tmp_path / "case"), "--training"]) == 0
    assert main(["ingest", str(tmp_path / "case"), str(tmp_path / "in")]) == 3
    main(["verify", str(tmp_path / "case")])
    main(["query", str(tmp_path / "case"), "exhibits", "--format", "csv"])
    out, err = capsys.readouterr()
    assert not [char for char in ACTING if char in out + err]
    assert "cmd.pcap" in out and not [line for line in out.splitlines() if line.startswith("=")]
