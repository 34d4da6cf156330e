"""wirecover analyze: the detectors, and what each of them wrote."""

from collections.abc import Sequence
from pathlib import Path

import click

from wirecover.cli.acting import acting, open_case
from wirecover.cli.options import case_argument, check_output, output_options, put
from wirecover.cli.streams import count, tell


@click.command()
@case_argument
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option(
    "-p", "--param", "given", multiple=True, metavar="PATTERN.NAME=VALUE", help="A parameter of a detector."
)
@output_options
@acting
def analyze(
    case: Path, patterns: Sequence[str], given: Sequence[str], form: str | None, out: Path | None
) -> None:
    """Run the detectors on CASE (all of them, or the PATTERNs named) and write their findings into it.

    The findings of an earlier run of the same detector are replaced.
    """
    check_output(form, out)
    import pyarrow as pa

    from wirecover.analysis.run import analyze as run
    from wirecover.analysis.run import parse_parameters

    parameters = parse_parameters(given, list(patterns) or None)
    done = run(open_case(case), list(patterns) or None, parameters)
    put(
        pa.table({
            "pattern": pa.array([one.pattern for one in done], pa.string()),
            "facts": pa.array([one.facts for one in done], pa.int64()),
            "assessments": pa.array([one.assessments for one in done], pa.int64()),
            "frames": pa.array([one.frames for one in done], pa.int64()),
            "events": pa.array([one.events for one in done], pa.int64()),
        }),
        form, out,
    )  # fmt: skip
    for one in done:
        for note in one.notes:
            tell(f"{one.pattern}: {note}")
    findings = sum(one.facts + one.assessments for one in done)
    tell(f"{count(len(done), 'detector')} run, {count(findings, 'finding')} written into the case.")
