"""`make demo`: the main job from end to end on the bundled captures, and in plain words what came out of it.

    python tests/demo/run.py FOLDER CAPTURES

Makes FOLDER anew: a training case and its report. Every step is the command that a user would type.
"""

import sys
import textwrap
from collections import Counter
from pathlib import Path

from wirecover.casefile.case import Case
from wirecover.casefile.durable import remove_tree
from wirecover.cli.main import main as wirecover
from wirecover.cli.streams import count, plain, size
from wirecover.report.document import build
from wirecover.report.model import ResultDocument
from wirecover.report.pdf import attached, typesetter
from wirecover.report.view import view

SHOWN = 12
"""Lines of applications; the report has all."""
SHOWN_FINDINGS = 4


def main() -> int:
    folder, captures = Path(sys.argv[1]), Path(sys.argv[2])
    case, report = folder / "case", folder / "report.pdf"
    if folder.exists():
        if any(path.name not in ("case", "report.pdf", "report.json") for path in folder.iterdir()):
            print(f"{folder}: holds more than an earlier demo; not removed", file=sys.stderr)
            return 2
        remove_tree(folder)
    folder.mkdir()
    for words in (
        ["init", str(case), "--training"],
        ["ingest", str(case), str(captures)],
        ["analyze", str(case)],
        ["report", str(case), "--out", str(report)],
        ["verify", str(case)],
    ):
        print(f"\n$ wirecover {' '.join(words)}", flush=True)
        if code := wirecover(words):
            return code
    tell(build(Case.open(case)))
    print(f"\nThe case is {case}, the report {report} ({size(report.stat().st_size)}).")
    command = Path(sys.executable).with_name("wirecover")
    if command.is_relative_to(Path.cwd()):
        command = command.relative_to(Path.cwd())
    print(f"Ask on: {command} query {case} flows_of_address -p ip={busiest(case)}")
    return 0


def tell(document: ResultDocument) -> None:
    """What was found, as the report says it."""
    print("\nWhat was found\n")
    for line in view(document, "en", attached(document)[1], typesetter())["summary"]:
        print(f"  {plain(' '.join(line.split()))}")  # a report has thin and unbreakable spaces
    print("\nWho used which application\n")
    for one in document.applications[:SHOWN]:
        amount = f"{size(one.bytes_up)} sent, {size(one.bytes_down)} received"
        print(f"  {plain(one.endpoint)} used {plain(one.app)}: {count(one.flows, 'flow')}, {amount}")
    more(len(document.applications), SHOWN)
    patterns = Counter(f"{one.pattern}, {one.kind}" for one in document.findings)
    print("\nFindings: " + "; ".join(f"{number} {name}" for name, number in sorted(patterns.items())) + "\n")
    strongest = sorted(
        document.findings, key=lambda one: (one.kind == "fact", -(one.score or 0.0), one.number)
    )
    for finding in strongest[:SHOWN_FINDINGS]:
        sentence = finding.statement if finding.kind != "fact" else finding.statement.partition(". ")[0] + "."
        text = f"{finding.number}. {plain(sentence)}"
        print(textwrap.fill(text, 110, initial_indent="  ", subsequent_indent="     "))
    more(len(document.findings), SHOWN_FINDINGS)


def more(number: int, shown: int) -> None:
    """Say what is not shown."""
    if number > shown:
        print(f"  and {number - shown:,} more, in the report")


def busiest(case: Path) -> str:
    """An address worth asking about."""
    connection = Case.open(case).connect()
    try:
        [(address,)] = connection.execute(
            "SELECT client_ip FROM flows WHERE client_ip IS NOT NULL "
            "GROUP BY client_ip ORDER BY count(*) DESC, client_ip LIMIT 1"
        ).fetchall()
    finally:
        connection.close()
    return str(address)


if __name__ == "__main__":
    sys.exit(main())
