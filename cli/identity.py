"""wirecover identity: a pair of keys that bundles can be sealed for."""

from pathlib import Path

import click

from wirecover.cli.streams import plain, show, tell


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--post-quantum", is_flag=True, help="Hybrid MLKEM768_X25519 instead of age X25519.")
def identity(file: Path, post_quantum: bool) -> None:
    """Make a pair of keys: the private one in FILE, the public one in FILE.pub.

    Give FILE.pub to whoever is to seal for you. age keys of other programs serve as well.
    """
    public_file = file.with_name(file.name + ".pub")
    for path in (file, public_file):
        if path.exists() or path.is_symlink():
            raise click.UsageError(f"{path} exists already")
    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {file.absolute().parent}")
    from wirecover.casefile.bundle_keys import new_identity
    from wirecover.casefile.private_files import write_private

    secret, public = new_identity(post_quantum=post_quantum)
    write_private(file, secret.encode("ascii"))
    write_private(public_file, public.encode("ascii"))
    show(public.strip())
    tell(
        f"Private key: {plain(file)} (keep it offline; readable by you only). Public key: {plain(public_file)}."
    )
