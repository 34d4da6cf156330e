"""wirecover init: a new case folder."""

from pathlib import Path

import click

from wirecover.cli.streams import plain, tell


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option(
    "--authority", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Authority record under which the case is made (docs/authority.md).",
)  # fmt: skip
@click.option("--training", is_flag=True, help="A case for training: everything made from it is marked so.")
def init(case: Path, authority: Path | None, training: bool) -> None:
    """Make the case folder CASE.

    Exit code 4 when no case can be made under the authority; `wirecover authority check` says why.
    """
    if authority is not None and training:
        raise click.UsageError("--authority and --training exclude each other")
    if authority is None and not training:
        raise click.UsageError("say under which authority (--authority FILE), or --training")
    from wirecover.casefile.case import Case

    if authority is None:
        Case.create(case, training=True)
        tell(f"Made training case {plain(case)}. Everything made from it is marked as training.")
        return
    from wirecover.casefile.authority_file import read_authority

    file = read_authority(authority)
    Case.create(case, training=False, authority=file)
    one = file.authority
    tell(
        f"Made case {plain(case)} under {plain(one.instrument)} {plain(one.reference)}. SHA-256 of its record:"
    )
    tell(file.sha256)
