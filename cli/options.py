"""Arguments and options that several verbs share."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    import pyarrow as pa

Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS: Final = ("table", "csv", "json", "parquet")
"""As queries/formats.py has them, which is too heavy for `--help`; a test compares."""
_BY_SUFFIX: Final = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".txt": "table"}

case_argument = click.argument("case", type=click.Path(exists=True, file_okay=False, path_type=Path))


def output_options(command: Command) -> Command:
    """--format and --out."""
    command = click.option(
        "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the answer to this file."
    )(command)
    return click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        help="How to write the answer; by default as the ending of --out says, else a table.",
    )(command)


def put(table: "pa.Table", form: str | None, out: Path | None) -> str | None:
    """Write a result where the options say; the SHA-256 of the file, if it is one."""
    from wirecover.queries.formats import write

    chosen = form or (_BY_SUFFIX.get(out.suffix.lower(), "table") if out else "table")
    write(table, chosen, out if out is not None else sys.stdout)
    if out is None:
        return None
    from hashlib import file_digest

    with out.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def check_output(form: str | None, out: Path | None) -> None:
    """Refuse before any work what `put` would refuse after it."""
    if form == "parquet" and out is None:
        raise click.UsageError("--format parquet needs --out FILE")
    if out is not None and not out.absolute().parent.is_dir():
        raise click.UsageError(f"--out: there is no folder {out.absolute().parent}")
