"""wirecover seal: the whole case as one sealed file."""

from collections.abc import Sequence
from pathlib import Path

import click

from wirecover.cli.acting import acting, open_case
from wirecover.cli.options import case_argument
from wirecover.cli.signing import load_signer, signing_options, to_option
from wirecover.cli.streams import count, plain, show, size, tell


@click.command()
@case_argument
@to_option
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option(
    "--with-pseudonym-key",
    is_flag=True,
    help="Seal the key of the pseudonyms too: with it, recipients can find out who third parties are.",
)
@signing_options
@acting
def seal(
    case: Path,
    recipients: Sequence[Path],
    out: Path,
    with_pseudonym_key: bool,
    key: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Seal the whole of CASE into one file for its recipients, with a signed manifest.

    The file is an age file holding a tar archive. Its SHA-256 goes to standard output.
    """
    from wirecover.casefile.bundle_keys import read_recipients
    from wirecover.casefile.seal import seal as run

    to = read_recipients(recipients)
    opened = open_case(case)
    signer = load_signer(opened, key, passphrase_fd)
    result = run(opened, out, to, signer, with_pseudonym_key=with_pseudonym_key)
    show(result.sealed.sha256)
    members = result.sealed.manifest.members
    if result.cleared:
        tell(f"{plain(out)}: an unfinished file of an earlier run was removed.")
    if result.left_out:
        tell(f"Left out: {count(result.left_out, 'hidden or unfinished file')}.")
    kind = "post-quantum " if to.post_quantum else ""
    tell(
        f"Sealed {count(len(members), 'file')} into {plain(out)} ({size(result.sealed.bytes)}) for "
        f"{count(len(to.keys), kind + 'recipient')}; receipt: {plain(result.receipt.name)}."
    )
    tell(f"Signed by key {result.sealed.signer}.")
