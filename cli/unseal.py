"""wirecover unseal: a sealed case as a folder again."""

from pathlib import Path

import click

from wirecover.cli.signing import identity_option, signer_option, trusted_key
from wirecover.cli.streams import count, plain, tell


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@identity_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Case folder to make.")
@signer_option(required=False)
def unseal(file: Path, identity: Path, out: Path, signer: Path | None) -> None:
    """Open the sealed case FILE into a new case folder.

    Signature and every file are checked on the way; there is no case folder until all of it holds.
    """
    from wirecover.casefile.bundle_keys import read_identities
    from wirecover.casefile.seal import unseal as run

    done = run(file, read_identities(identity), out, trusted=trusted_key(signer))
    if done.cleared:
        tell(f"{plain(out)}: what an unfinished run had left was removed.")
    manifest = done.opened.manifest
    tell(f"Unsealed {count(len(manifest.members), 'file')} into {plain(out)}.")
    tell(f"Custody log when it was sealed: {count(manifest.log_acts, 'act')}, last {manifest.log_sha256}.")
    known = "as given" if signer is not None else "compare it with the one you know"
    tell(f"Signed by key {done.opened.signer} ({known}).")
