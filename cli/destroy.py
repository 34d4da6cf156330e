"""wirecover destroy: erase a case, leave a signed record."""

from pathlib import Path

import click

from wirecover.cli.acting import acting, open_case
from wirecover.cli.signing import load_signer, signing_options
from wirecover.cli.streams import count, plain, size, tell


@click.command()
@click.argument("case", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--confirm",
    required=True,
    metavar="REFERENCE",
    help="Reference of the authority, repeated; without an authority the beginning of the case's name in its log.",
)
@signing_options
@acting
def destroy(case: Path, confirm: str, key: Path | None, passphrase_fd: int | None) -> None:
    """Erase CASE for good and leave CASE.destroyed: a signed record and the custody log.

    A run that was stopped is resumed by the same command (with --key, once the case is out of use).
    """
    from wirecover.casefile.destroy import LIMITS
    from wirecover.casefile.destroy import destroy as run

    opened = open_case(case) if case.exists() else None
    signer = load_signer(opened, key, passphrase_fd)
    done = run(case, confirm, signer) if opened is None else run(case, confirm, signer, act_on=opened)
    if done.resumed:
        tell("An earlier run had begun this; it was finished.")
    tell(f"Erased {count(done.files, 'file')} ({size(done.bytes)}). Record: {plain(done.folder)}.")
    tell(f"Signed by key {done.signer}.")
    tell(LIMITS)
