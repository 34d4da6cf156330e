"""wirecover ingest: captures into a case."""

import os
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wirecover.capture.errors import EXIT_DAMAGED, EXIT_DONE
from wirecover.cli.acting import acting, open_case, tell_found
from wirecover.cli.options import case_argument
from wirecover.cli.streams import count, tell

if TYPE_CHECKING:
    from wirecover.casefile.case import Case
    from wirecover.casefile.collect import Collected
    from wirecover.casefile.ingest import FileOutcome, IngestReport

WORTH_PROCESSES: Final = 64 << 20
"""Bytes of captures from which further processes pay for their start."""
MOST_WORKERS: Final = 8
_SHOWN_DAMAGE: Final = 5
"""Lines of damage shown for one capture; all of them are in the case."""


@click.command()
@case_argument
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(1, 64), help="Captures decoded at once; default: as it pays.")
@acting
@click.option(
    "--rules", type=click.Path(path_type=Path, exists=True), metavar="DIR",
    help="Folder (or file) of application rules of your own, beside those of this version.",
)  # fmt: skip
def ingest(case: Path, paths: Sequence[Path], workers: int | None, rules: Path | None) -> int:
    """Take captures into CASE: files, folders (searched through) or globs.

    What is in the case already is left as it is, so an ingest may be repeated. pcap and pcapng, also
    compressed with gzip, Zstandard, LZ4 or xz. Exit code 3 when something could not be read whole.
    """
    from wirecover.casefile.collect import collect

    opened = open_case(case)
    if rules is not None:
        from wirecover.capture.apps.loader import load_rules

        load_rules(rules)  # what is wrong with them is said before any work
    collected = collect(paths, case)
    _refuse_wrong_paths(paths, collected)
    from wirecover.cli.progress import Progress

    sizes = {path: _size_of(path) for path in collected.files}
    with Progress(sizes) as progress:
        report = opened.ingest(
            paths, workers=workers or _workers(sizes.values()), progress=progress.take, rules=rules
        )
    tell_found(report.found)
    _summarise(opened, report)
    return EXIT_DAMAGED if report.with_status("damaged", "failed") else EXIT_DONE


def _refuse_wrong_paths(paths: Sequence[Path], collected: "Collected") -> None:
    """A path that names nothing is a slip of the keyboard: say so before hours of work, not after."""
    for problem in collected.problems:
        if not problem.path.is_dir() or not collected.files:
            raise click.UsageError(f"{problem.path}: {problem.reason}")
    if not collected.files:
        raise click.UsageError(f"{', '.join(map(str, paths))}: no captures there")


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # the ingest will say what is wrong with it
        return 0


def _workers(sizes: Collection[int]) -> int:
    """How many processes are worth starting for captures of these sizes."""
    if sum(sizes) < WORTH_PROCESSES:
        return 1
    return max(1, min(len(sizes), os.cpu_count() or 1, MOST_WORKERS))


def _summarise(case: "Case", report: "IngestReport") -> None:
    """What was done, in plain words."""
    kept = _kept(case, report)
    for outcome in report.outcomes:
        _tell_one(outcome, kept)
    done = report.with_status("done", "damaged")
    parts = [f"{count(len(done), 'capture')} ingested"]
    if done:
        packets, flows = (sum(kept[one.sha256 or ""][place] for one in done) for place in (0, 1))
        parts[0] += f" ({count(packets, 'packet')}, {count(flows, 'flow')})"
    if damaged := len(report.with_status("damaged")):
        parts.append(f"{damaged:,} of them damaged")
    if already := len(report.with_status("already")):
        parts.append(f"{already:,} already there")
    if failed := len(report.with_status("failed")):
        parts.append(f"{failed:,} failed")
    tell("; ".join(parts) + ".")
    if report.skipped:
        tell(f"Left aside: {count(report.skipped, 'file')} in the folders, not captures by name or content.")
    if report.leftovers:
        tell(f"Removed what {count(report.leftovers, 'unfinished ingest')} had left behind.")


def _kept(case: "Case", report: "IngestReport") -> dict[str, tuple[int, int]]:
    """Exhibit hash -> (packets, flows) of what this run took in."""
    if not report.with_status("done", "damaged"):
        return {}
    with closing(case.connect()) as connection:
        rows = connection.execute(
            "SELECT c.sha256, c.packets, (SELECT count(*) FROM flows f WHERE f.capture_id = c.capture_id) "
            "FROM captures c"
        ).fetchall()
    return {digest: (packets, flows) for digest, packets, flows in rows}


def _tell_one(outcome: "FileOutcome", kept: dict[str, tuple[int, int]]) -> None:
    """The lines about one capture, where there is something to say."""
    if outcome.status == "failed":
        tell(f"failed: {outcome.reason}")
    elif outcome.status == "already" and outcome.reason:
        tell(outcome.reason)
    elif outcome.status == "damaged":
        packets, flows = kept[outcome.sha256 or ""]
        what = "; ".join(outcome.damage[:_SHOWN_DAMAGE]) or "it could not be read to its end"
        more = len(outcome.damage) - _SHOWN_DAMAGE
        tell(
            f"damaged: {outcome.path}: {what}" + (f"; and {more:,} more places" if more > 0 else "")
            + f"; kept {count(packets, 'packet')} in {count(flows, 'flow')}"
        )  # fmt: skip
