"""wirecover sql: a SELECT of the user's own."""

import sys
from pathlib import Path

import click

from wirecover.cli.acting import acting, exported, open_case
from wirecover.cli.options import case_argument, check_output, output_options, put


@click.command()
@case_argument
@click.argument("text", metavar="SELECT")
@output_options
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds.")
@click.option("--memory", default="2GB", show_default=True, help="What the query may use.")
@acting
def sql(case: Path, text: str, form: str | None, out: Path | None, timeout: float, memory: str) -> None:
    """Answer one SELECT on CASE; `-` reads it from standard input.

    The statement runs in a process of its own that can neither write nor open any other file.
    """
    check_output(form, out)
    from wirecover.queries.runner import ask

    statement = sys.stdin.read() if text == "-" else text
    ask(
        open_case(case), statement, timeout_s=timeout, memory=memory,
        deliver=lambda table: put(table, form, out), export=exported(case, out),
    )  # fmt: skip
