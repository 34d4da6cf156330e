"""wirecover share: a chosen part of a case, sealed for a partner under terms."""

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
@click.option(
    "--scope",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What may leave and on what conditions (TOML, docs/exchange.md).",
)
@click.option("--handling", required=True, metavar="CODE", help="Handling code: H0, H1, H2 or H3.")
@click.option(
    "--authority",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Authority record of this share; needed unless the case is for training.",
)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@signing_options
@acting
def share(
    case: Path,
    recipients: Sequence[Path],
    scope: Path,
    handling: str,
    authority: Path | None,
    out: Path,
    key: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Seal the part of CASE that a scope file lets out, for a partner.

    What is outside the scope does not leave. The SHA-256 of the file goes to standard output.
    """
    from wirecover.casefile.authority_file import read_authority
    from wirecover.casefile.bundle_keys import read_recipients
    from wirecover.casefile.share import share as run
    from wirecover.casefile.share_scope import read_order

    order, to = read_order(scope), read_recipients(recipients)
    basis = None if authority is None else read_authority(authority)
    opened = open_case(case)
    signer = load_signer(opened, key, passphrase_fd)
    done = run(opened, order, handling, basis, out, to, signer)
    show(done.sealed.sha256)
    for table, left in done.left.items():
        tell(f"{table}: {count(left, 'row')} inside, {count(done.stayed.get(table, 0), 'row')} stay.")
    tell(
        f"Shared under {order.reference!r}, edition {order.edition}, handling {handling}, into {plain(out)} "
        f"({size(done.sealed.bytes)}); receipt: {plain(done.receipt.name)}."
    )
    tell(f"Signed by key {done.sealed.signer}.")
