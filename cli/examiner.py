"""wirecover examiner: the profile of who acts, and the key that signs."""

from pathlib import Path

import click

from wirecover.cli.acting import passphrase
from wirecover.cli.streams import show, tell

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def examiner() -> None:
    """Make or show the profile of an examiner, who signs in the custody log."""


@examiner.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", required=True, help="Name of the examiner.")
@click.option("--role", required=True, help="Role, for instance forensic analyst.")
@click.option("--organisation", required=True, help="Service or court.")
@click.option(
    "--key", type=_FILE, help="An existing key (PEM, or PKCS#12 ending in .p12 or .pfx); stays where it is."
)
@click.option("--certificate", type=_FILE, help="Certificate of that key, PEM.")
@click.option("--passphrase-file", type=_FILE, help="Its first line is the passphrase of the new key.")
@click.option("--passphrase-fd", type=click.IntRange(min=0), help="The same from a file descriptor.")
def new(
    folder: Path,
    name: str,
    role: str,
    organisation: str,
    key: Path | None,
    certificate: Path | None,
    passphrase_file: Path | None,
    passphrase_fd: int | None,
) -> None:
    """Write a profile into FOLDER; with a new Ed25519 key, unless --key names one."""
    if certificate is not None and key is None:
        raise click.UsageError("--certificate goes with --key: a new key has none yet")
    from wirecover.casefile.examiner import PUBLIC, new_examiner

    secret = None
    if key is None:
        secret = passphrase("the new key", passphrase_file, passphrase_fd, confirm=True)
    profile = new_examiner(
        folder, name, role, organisation, passphrase=secret, key=key, certificate=certificate
    )
    tell(f"Wrote {profile}. Use it with --examiner {profile}.")
    if key is None:
        tell(f"Give {folder / PUBLIC} to those who check your signatures; keep the key and its passphrase.")


@examiner.command("show")
@click.argument("profile", type=_FILE)
@click.option("--passphrase-file", type=_FILE, help="Its first line is the passphrase of the key.")
@click.option("--passphrase-fd", type=click.IntRange(min=0), help="The same from a file descriptor.")
def show_profile(profile: Path, passphrase_file: Path | None, passphrase_fd: int | None) -> None:
    """Show whom PROFILE names, and the id of the key."""
    from wirecover.casefile.examiner import Examiner

    one = Examiner.load(profile, lambda: passphrase(profile.name, passphrase_file, passphrase_fd))
    show(f"name          {one.name}")
    show(f"role          {one.role}")
    show(f"organisation  {one.organisation}")
    show(f"key           {one.key_id} ({one.algorithm})")
    if one.certificate is not None:
        show(
            f"certificate   {one.certificate.subject.rfc4514_string()}, serial {one.certificate.serial_number:x}"
        )
