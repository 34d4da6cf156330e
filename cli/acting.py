"""Options that say who acts upon a case and why; shared by every verb that is logged."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from wirecover.cli.streams import tell

if TYPE_CHECKING:
    from wirecover.casefile.case import Case
    from wirecover.casefile.examiner import Certificate, Examiner

Command = TypeVar("Command", bound=Callable[..., Any])
_KEY: Final = "wirecover.acting"
_LONGEST: Final = 4096
"""Bytes of a passphrase that are read."""


def acting(command: Command) -> Command:
    """--reason, --examiner, --second, and where their passphrases come from. Read back by `open_case`."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    options = [
        click.option("--reason", help="Why; kept in the custody log.", **_kept()),
        click.option(
            "--examiner", type=file, help="Profile of who acts; signs in the custody log.", **_kept()
        ),
        click.option(
            "--second", type=file, help="Profile of the second examiner, where two must sign.", **_kept()
        ),
    ]
    for who in ("examiner", "second"):
        options.append(click.option(
            f"--{who}-passphrase-file", type=file, help=f"First line: passphrase of the key of --{who}.", **_kept()
        ))  # fmt: skip
        options.append(click.option(
            f"--{who}-passphrase-fd", type=click.IntRange(min=0), help="The same from a file descriptor.", **_kept()
        ))  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _kept() -> dict[str, Any]:
    return {"expose_value": False, "callback": _keep}


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    context.meta.setdefault(_KEY, {})[parameter.name] = value


def open_case(path: Path) -> "Case":
    """The case, with the examiners and the reason that the options of `acting` give."""
    from wirecover.casefile.case import Case

    given: dict[str, Any] = click.get_current_context().meta.get(_KEY, {})
    opened = Case.open(path)
    by, second = (_examiner(who, given) for who in ("examiner", "second"))
    if second is not None and by is None:
        raise click.UsageError("--second goes with --examiner")
    return Case.open(opened.path, by=by, second=second, reason=given.get("reason"))


def _examiner(who: str, given: dict[str, Any]) -> "Examiner | None":
    profile: Path | None = given.get(who)
    file, descriptor = given.get(f"{who}_passphrase_file"), given.get(f"{who}_passphrase_fd")
    if file is not None and descriptor is not None:
        raise click.UsageError(f"--{who}-passphrase-file and --{who}-passphrase-fd exclude each other")
    if profile is None:
        return None
    from wirecover.casefile.examiner import Examiner

    return Examiner.load(profile, lambda: passphrase(profile.name, file, descriptor))


def passphrase(of: str, file: Path | None, descriptor: int | None, *, confirm: bool = False) -> bytes:
    """A passphrase from a file, a descriptor or the terminal; never from arguments or the environment."""
    if file is not None:
        with file.open("rb") as opened:
            return opened.readline(_LONGEST).rstrip(b"\r\n")
    if descriptor is not None:
        try:
            with os.fdopen(descriptor, "rb", closefd=False) as pipe:
                return pipe.readline(_LONGEST).rstrip(b"\r\n")
        except OSError as error:
            reason = error.strerror or str(error)
            raise click.UsageError(f"{of}: descriptor {descriptor} cannot be read ({reason})") from error
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"{of}: its key is encrypted: give a passphrase file or descriptor, or run at a terminal"
        )
    text: str = click.prompt(f"Passphrase of {of}", hide_input=True, err=True, confirmation_prompt=confirm)
    return text.encode()


def exported(case: Path, out: Path | None) -> str | None:
    """How the log names the file that is written, if one is."""
    if out is None:
        return None
    from wirecover.casefile.loose_files import name_of

    return name_of(case, out)


def tell_found(found: tuple[str, ...]) -> None:
    """What earlier runs left behind, for the user."""
    for one in found:
        tell(f"found: {one}")


tsa_option = click.option(
    "--tsa",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates (PEM) of time-stamp authorities that are trusted.",
)


def certificates(paths: Sequence[Path]) -> "list[Certificate]":
    """All certificates in PEM files; wrong use when there is none in one of them."""
    from wirecover.casefile.examiner import read_certificates

    return [one for path in paths for one in read_certificates(path)]
