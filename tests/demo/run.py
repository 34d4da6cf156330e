"""`make demo`: the main job from end to end on the bundled captures, and in plain words what came out of it.

    python tests/demo/run.py FOLDER CAPTURES

Makes FOLDER anew: a training case and its report. Every step is the command that a user would type.
"""

import sys
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
"""Lines of applications and of findings; the report has all."""


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
    print(f"Ask on: {sys.executable} -m wirecover.cli query {case} flows_of_address -p ip={busiest(case)}")
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
    more(len(document.applications))
    patterns = Counter(f"{one.pattern}, {one.kind}" for one in document.findings)
    print("\nFindings: " + "; ".join(f"{number} {name}" for name, number in sorted(patterns.items())) + "\n")
    ordered = sorted(document.findings, key=lambda one: (one.kind == "fact", one.number))
    for finding in ordered[:SHOWN]:
        sentence = finding.statement if finding.kind != "fact" else finding.statement.partition(". ")[0] + "."
        print(f"  {finding.number}. {plain(sentence)}")
    more(len(document.findings))


def more(number: int) -> None:
    """Say what is not shown."""
    if number > SHOWN:
        print(f"  and {number - SHOWN:,} more, in the report")


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
