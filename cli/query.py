"""wirecover query: the answer of a named query."""

from collections.abc import Sequence
from pathlib import Path

import click

from wirecover.cli.acting import acting, exported, open_case
from wirecover.cli.options import case_argument, check_output, output_options, put


@click.command()
@case_argument
@click.argument("name")
@click.option("-p", "--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the query.")
@output_options
@click.option("--timeout", type=click.FloatRange(min=0.1), default=600.0, show_default=True, help="Seconds.")
@click.option("--memory", default="2GB", show_default=True, help="What the query may use.")
@acting
def query(
    case: Path,
    name: str,
    given: Sequence[str],
    form: str | None,
    out: Path | None,
    timeout: float,
    memory: str,
) -> None:
    """Answer the query NAME on CASE; `wirecover queries` lists them."""
    check_output(form, out)
    params = named_values(given)
    from wirecover.queries.runner import run

    run(
        open_case(case), name, params, timeout_s=timeout, memory=memory,
        deliver=lambda table: put(table, form, out), export=exported(case, out),
    )  # fmt: skip


def named_values(given: Sequence[str]) -> dict[str, str]:
    """`name=value` texts as a dictionary; the value is all behind the first equals sign."""
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"-p {text}: not name=value")
        if name in values:
            raise click.UsageError(f"-p {name} was given twice")
        values[name] = value
    return values
