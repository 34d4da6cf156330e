"""The documents say what the program does: commands are run again, lists are compared."""

import re
from pathlib import Path

import pytest
from support import console, query_table

from wirecover.cli.main import VERBS

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.joinpath("docs").glob("*.md")])
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_shown_print_what_is_shown(path: Path, tmp_path: Path, monkeypatch) -> None:
    steps = list(console.steps(path.read_text(encoding="utf-8")))
    if not steps:
        return
    console.prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    for step in steps:
        printed = console.run(step.command)
        assert console.matches(step.shown, printed), (
            f"{path.name}: $ {step.command} prints otherwise; renew it: "
            f"python tests/support/console.py {path.name}\n" + "\n".join(printed)
        )


def test_the_readme_shows_a_first_case() -> None:
    shown = [
        step.command.split()[1] for step in console.steps((ROOT / "README.md").read_text(encoding="utf-8"))
    ]
    assert [verb for verb in VERBS if verb in shown] == [
        "init", "ingest", "query", "sql", "analyze", "report", "verify",
    ]  # fmt: skip


def test_every_verb_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = set(re.findall(r"^\| `wirecover (\w+)", text, re.MULTILINE))
    assert table == set(VERBS)


def test_every_query_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert query_table.renewed(text) == text, "renew it: python tests/support/query_table.py README.md"


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [link for link in _LINK.findall(text) if not (path.parent / link).exists()] == []


def test_what_matches_what() -> None:
    assert console.matches(("a", "...", "z"), ["a", "b", "c", "z"])
    assert console.matches(("a", "...", "z"), ["a", "z"])
    assert console.matches(("n … bytes",), ["n 12 bytes"])
    assert not console.matches(("n … bytes",), ["n 12", "bytes"])
    assert not console.matches(("a",), ["a", "b"])
    assert not console.matches(("a.c",), ["abc"])
