"""Options of verbs that sign or that check a signature."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from wirecover.casefile.manifest_signature import Signer

Command = TypeVar("Command", bound=Callable[..., Any])
_LONGEST_PASSPHRASE = 4096

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
clock_free_reason = click.option("--reason", default="", help="Why; kept in the custody log.")


def signing_options(command: Command) -> Command:
    """--key and --passphrase-fd."""
    command = click.option(
        "--passphrase-fd",
        type=click.IntRange(min=0),
        help="Read the key's passphrase from this file descriptor; asked for at the terminal otherwise.",
    )(command)
    return click.option(
        "--key",
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Private key in PEM (Ed25519, EC or RSA) that signs the manifest.",
    )(command)


def signer_option(*, required: bool) -> Callable[[Command], Command]:
    """--signer: whose signature is trusted."""
    return click.option(
        "--signer",
        required=required,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Public key or certificate in PEM that must have signed.",
    )


def load_signer(key: Path, passphrase_fd: int | None) -> "Signer":
    """The signing key; its passphrase comes from the descriptor or the terminal, never from the arguments."""
    from wirecover.casefile.manifest_signature import signer_from_pem

    return signer_from_pem(key, lambda: _passphrase(key, passphrase_fd))


def _passphrase(key: Path, descriptor: int | None) -> bytes:
    if descriptor is not None:
        with os.fdopen(descriptor, "rb", closefd=False) as pipe:
            return pipe.readline(_LONGEST_PASSPHRASE).rstrip(b"\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError(f"{key} is encrypted: give --passphrase-fd, or run at a terminal")
    text: str = click.prompt(f"Passphrase of {key.name}", hide_input=True, err=True)
    return text.encode()


def trusted_key(signer: Path | None) -> str | None:
    """Fingerprint of the key in the file of --signer."""
    if signer is None:
        return None
    from wirecover.casefile.manifest_signature import trusted_fingerprint

    return trusted_fingerprint(signer)
