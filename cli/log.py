"""wirecover log: the custody log of a case, its head, and time stamps for it."""

from pathlib import Path

import click

from wirecover.cli.acting import acting, open_case, tell_found
from wirecover.cli.options import case_argument, check_output, output_options, put
from wirecover.cli.streams import show, tell


@click.command()
@case_argument
@output_options
@click.option(
    "--head", "only_head", is_flag=True, help="Only number and hash of the last act, to be noted elsewhere."
)
@acting
def log(case: Path, form: str | None, out: Path | None, only_head: bool) -> None:
    """Show the custody log of CASE: who did what, when, why and with what outcome.

    Note its head outside the case now and then: `wirecover verify CASE --head NUMBER:HASH` finds a log that was
    cut or written anew since.
    """
    check_output(form, out)
    from wirecover.casefile.custody import Act, head, record
    from wirecover.casefile.log_view import shown_table

    opened = open_case(case)
    with record(opened, Act("log", {"out": out.name if out else None}, export=out is not None)) as entry:
        tell_found(entry.found)
        if only_head:
            last = head(case)
            show(f"{last.seq}:{last.sha256}")
        else:
            put(shown_table(case), form, out)
    tell("The head of the log changes with each act, also with this one.")
