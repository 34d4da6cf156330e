"""wirecover queries: what can be asked by name."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wirecover.cli.options import check_output, output_options, put
from wirecover.cli.streams import show

if TYPE_CHECKING:
    from wirecover.queries.library import Query


@click.command()
@click.argument("name", required=False)
@output_options
def queries(name: str | None, form: str | None, out: Path | None) -> None:
    """List the named queries, with the question each one answers; or all about the query NAME."""
    check_output(form, out)
    from wirecover.queries.library import find, load

    if name is None:
        import pyarrow as pa

        listed = list(load().values())
        table = pa.table(
            {
                "name": pa.array([query.name for query in listed], pa.string()),
                "question": pa.array([query.question for query in listed], pa.string()),
                "parameters": pa.array([_signature(query) for query in listed], pa.string()),
            }
        )
        put(table, form, out)
        return
    if form is not None or out is not None:
        raise click.UsageError("--format and --out are for the list, not for one query")
    _describe(find(name))


def _signature(query: "Query") -> str:
    """Parameter names, those that must be given first and marked."""
    ordered = sorted(query.parameters, key=lambda one: not one.required)
    return ", ".join(one.name + ("" if one.required else "?") for one in ordered)


def _describe(query: "Query") -> None:
    show(query.question)
    for one in query.parameters:
        must = "required" if one.required else f"default {'none' if one.default is None else one.default}"
        show(f"  -p {one.name}=...  {one.kind}, {must}: {one.doc}")
    show("  returns: " + ", ".join(f"{column} {kind}" for column, kind in query.returns))
    for line in query.cannot_show:
        show(f"  cannot show: {line}")
