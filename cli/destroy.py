"""wirecover destroy: erase a case, leave a signed record."""

from pathlib import Path

import click

from wirecover.cli.signing import clock_free_reason, load_signer, signing_options
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
@clock_free_reason
def destroy(case: Path, confirm: str, key: Path, passphrase_fd: int | None, reason: str) -> None:
    """Erase CASE for good and leave CASE.destroyed: a signed record and the custody log.

    A run that was stopped is resumed by the same command.
    """
    from wirecover.casefile.destroy import LIMITS
    from wirecover.casefile.destroy import destroy as run

    done = run(case, confirm, load_signer(key, passphrase_fd), reason=reason or None)
    if done.resumed:
        tell("An earlier run had begun this; it was finished.")
    tell(f"Erased {count(done.files, 'file')} ({size(done.bytes)}). Record: {plain(done.folder)}.")
    tell(f"Signed by key {done.signer}.")
    tell(LIMITS)
