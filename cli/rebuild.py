"""wirecover rebuild: the catalogue and the derived rows made anew from the evidence, and what differs."""

from pathlib import Path

import click

from wirecover.capture.errors import EXIT_DONE, EXIT_INTEGRITY
from wirecover.cli.acting import acting, open_case
from wirecover.cli.options import case_argument
from wirecover.cli.streams import count, show, tell


@click.command()
@case_argument
@click.option(
    "--replace", "put_in_place", is_flag=True, help="Put the new catalogue in place also where it differs."
)
@acting
def rebuild(case: Path, put_in_place: bool) -> int:
    """Make the catalogue of CASE and all derived rows anew from its evidence, and compare with what is there.

    Analyses are run as the custody log has them. Exit code 5 when something differs; then the catalogue that is
    there stays, unless --replace is given. A catalogue that is missing or cannot be read is replaced.
    """
    from wirecover.analysis.again import run_again
    from wirecover.casefile.rebuild import rebuild as make_anew

    found = make_anew(open_case(case), run_again, put_in_place=put_in_place)
    for one in found.tables:
        if one.same:
            show(f"same       {one.table}: {one.after}")
        else:
            told = f"the case has {one.before or 'none'}, the log says {one.logged or 'nothing'}"
            show(f"DIFFERS    {one.table}: {one.after}; {told}")
    if found.unreadable:
        tell(f"The catalogue that was there cannot be read ({found.unreadable}): it was made anew.")
    for pattern in found.other_versions:
        tell(f"{pattern}: was run by another version; its rows may differ for that alone.")
    differ = sum(not one.same for one in found.tables)
    where = "The new catalogue is in place." if found.replaced else "The catalogue that was there stays."
    tell(
        f"{count(differ, 'table')} of {len(found.tables)} differ. {where}"
        if differ
        else f"All tables are the same. {where}"
    )
    return EXIT_INTEGRITY if differ else EXIT_DONE
