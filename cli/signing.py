"""Options of verbs that sign or that check a signature."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wirecover.cli.acting import passphrase

if TYPE_CHECKING:
    from wirecover.casefile.case import Case
    from wirecover.casefile.manifest_signature import Signer

Command = TypeVar("Command", bound=Callable[..., Any])

identity_option = click.option(
    "--identity",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Private key that it was sealed for (see: wirecover identity).",
)
to_option = click.option(
    "--to",
    "recipients",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key file of a recipient; may be given several times.",
)


def signing_options(command: Command) -> Command:
    """--key and --passphrase-fd."""
    command = click.option(
        "--passphrase-fd",
        type=click.IntRange(min=0),
        help="Read the key's passphrase from this file descriptor; asked for at the terminal otherwise.",
    )(command)
    return click.option(
        "--key",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Private key in PEM (Ed25519, EC or RSA) that signs; by default the key of --examiner.",
    )(command)


def signer_option(*, required: bool) -> Callable[[Command], Command]:
    """--signer: whose signature is trusted."""
    return click.option(
        "--signer",
        required=required,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Public key or certificate in PEM that must have signed.",
    )


def load_signer(case: "Case | None", key: Path | None, passphrase_fd: int | None) -> "Signer":
    """The key of --key, else that of the examiner who acts; its passphrase never comes from the arguments."""
    if key is not None:
        from wirecover.casefile.manifest_signature import signer_from_pem

        path = key
        return signer_from_pem(path, lambda: passphrase(path.name, None, passphrase_fd))
    from wirecover.casefile.examiner import Examiner

    by = None if case is None else case.by
    if not isinstance(by, Examiner):
        raise click.UsageError("say who signs: --examiner PROFILE or --key PEM")
    return by


def trusted_key(signer: Path | None) -> str | None:
    """Fingerprint of the key in the file of --signer."""
    if signer is None:
        return None
    from wirecover.casefile.manifest_signature import trusted_fingerprint

    return trusted_fingerprint(signer)
