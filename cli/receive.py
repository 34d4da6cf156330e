"""wirecover receive: what a partner shared, into a case, apart from its own evidence."""

from pathlib import Path

import click

from wirecover.cli.acting import acting, open_case
from wirecover.cli.signing import identity_option, signer_option, trusted_key
from wirecover.cli.streams import count, plain, tell


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@identity_option
@click.option(
    "--into",
    "case",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Case that takes it in.",
)
@signer_option(required=True)
@acting
def receive(file: Path, identity: Path, case: Path, signer: Path) -> None:
    """Check the share FILE whole, then take its rows into a case, apart and under their terms.

    They are in the tables foreign_*; the terms are in foreign_bundles.
    """
    from wirecover.casefile.bundle_keys import read_identities
    from wirecover.casefile.share_receive import receive as run

    trusted = trusted_key(signer)
    assert trusted is not None
    done = run(open_case(case), file, read_identities(identity), trusted)
    if done.cleared:
        tell(f"{count(done.cleared, 'leftover')} of an unfinished run removed.")
    terms = done.manifest.share
    if done.status == "already":
        tell(f"{plain(file)} is in the case already; nothing was changed.")
        return
    for table, rows in sorted(done.rows.items()):
        tell(f"foreign_{table}: {count(rows, 'row')}.")
    tell(f"Handling {terms['handling']}: {terms.get('handling_meaning')}.")
    for line in terms["conditions"]["use"]:
        tell(f"Condition: {line}")
    tell(f"Received {terms['reference']!r}, edition {terms['edition']}, into {plain(case)}.")
