"""wirecover verify: what holds and what does not, one line each."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from wirecover.capture.errors import EXIT_DONE, EXIT_INTEGRITY
from wirecover.cli.streams import count, show, tell

_WORD: Final = {True: "holds", False: "FAILS", None: "not checked"}


@click.command()
@click.argument("what", metavar="CASE|REPORT", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--case",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With a report: also draw it from this case and compare.",
)
def verify(what: Path, case: Path | None) -> int:
    """Check a case folder, or the PDF of a report against the data beside it.

    Exit code 5 when something does not hold.
    """
    if what.is_dir() and case is not None:
        raise click.UsageError("--case goes with a report")
    lines = _case(what) if what.is_dir() else _report(what, case)
    failed = 0
    for subject, holds, detail in lines:
        show(f"{_WORD[holds]:<11}  {subject}: {detail}")
        failed += holds is False
    tell(f"{what}: {count(failed, 'check')} failed." if failed else f"{what}: nothing was found to be wrong.")
    return EXIT_INTEGRITY if failed else EXIT_DONE


Line = tuple[str, bool | None, str]


def _case(path: Path) -> Iterable[Line]:
    from wirecover.casefile.case import Case
    from wirecover.casefile.verify import verify as check

    return [(one.subject, one.holds, one.detail) for one in check(Case.open(path)).checks]


def _report(path: Path, case: Path | None) -> Iterable[Line]:
    from wirecover.casefile.case import Case
    from wirecover.report.verify import verify_report

    found = verify_report(path, Case.open(case) if case is not None else None)
    return [(one.name, one.holds, one.detail) for one in found.checks]
