"""wirecover series: which exhibits are files of one recording, as the files show it or an analyst declares it."""

from pathlib import Path

import click

from wirecover.capture.errors import EXIT_DONE
from wirecover.cli.acting import acting, open_case
from wirecover.cli.options import case_argument
from wirecover.cli.streams import count, tell


@click.command()
@case_argument
@click.argument("exhibits", nargs=-1, metavar="[EXHIBIT]...")
@click.option(
    "--declare", "name", metavar="NAME", help="Declare the EXHIBITs (name or SHA-256) to be one series."
)
@click.option("--withdraw", metavar="NAME", help="Take a declaration back.")
@acting
def series(case: Path, exhibits: tuple[str, ...], name: str | None, withdraw: str | None) -> int:
    """Declare exhibits of CASE to be one rotated series, or take that back.

    Most series are found without it: `wirecover query CASE series_seams` lists them and what lies at each seam.
    """
    from wirecover.casefile import series as declared

    if (name is None) == (withdraw is None):
        raise click.UsageError("give either --declare NAME with its exhibits, or --withdraw NAME")
    if withdraw is not None:
        if exhibits:
            raise click.UsageError("--withdraw takes no exhibits")
        number = declared.withdraw(open_case(case), withdraw)
        tell(f"The declaration of {count(number, 'exhibit')} was taken back.")
    elif name is not None:
        number = declared.declare(open_case(case), name, exhibits)
        tell(f"{count(number, 'exhibit')} are declared to be one series.")
    return EXIT_DONE
