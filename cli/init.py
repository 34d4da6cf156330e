"""wirecover init: a new case folder."""

from pathlib import Path

import click

from wirecover.capture.errors import EXIT_REFUSED, WirecoverError
from wirecover.cli.streams import plain, tell


class AuthorityError(WirecoverError):
    """The legal basis does not allow what was asked."""

    exit_code = EXIT_REFUSED


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option(
    "--authority", type=click.Path(path_type=Path), help="Authority record (not built yet: refused)."
)
@click.option("--training", is_flag=True, help="A case for training: everything made from it is marked so.")
def init(case: Path, authority: Path | None, training: bool) -> None:
    """Make the case folder CASE."""
    if authority is not None and training:
        raise click.UsageError("--authority and --training exclude each other")
    if authority is None and not training:
        raise click.UsageError("say under which authority (--authority FILE), or --training")
    if authority is not None:
        raise AuthorityError(
            f"{authority}: refused: this version cannot read authority records yet, so it makes "
            "training cases only (--training)"
        )
    from wirecover.casefile.case import Case

    Case.create(case, training=True)
    tell(f"Made training case {plain(case)}. Everything made from it is marked as training.")
