"""The command `wirecover`: verbs loaded when they are used, errors as one line, exit codes.

Imports here, and at the top of every verb's file, are click and the standard library only (and modules of
ours that do the same), so that `--help` answers at once. What a verb needs it imports when it runs; a test
holds this.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from wirecover.capture.errors import EXIT_DONE, EXIT_OTHER, EXIT_WRONG_USE, WirecoverError
from wirecover.cli.streams import complain, prepare_streams, silence_stdout

EXIT_INTERRUPTED: Final = 130
"""128 + SIGINT, as shells report it."""
TRACEBACK: Final = "WIRECOVER_TRACEBACK"
"""Environment variable: when set to 1, an unexpected error shows where it came from."""

VERBS: Final = {
    "init": "Make a case folder.",
    "authority": "Check an authority record; show or renew that of a case.",
    "ingest": "Take captures, folders of captures or globs into a case; safe to repeat.",
    "series": "Declare exhibits to be files of one recording, or take that back.",
    "queries": "List the named queries, with the question each one answers.",
    "query": "Answer a named query.",
    "sql": "Answer a SELECT of your own, read-only and sandboxed.",
    "analyze": "Run the pattern detectors and write their findings into the case.",
    "report": "Write the report of a case as PDF.",
    "verify": "Check a case or a report: what holds, what does not.",
    "rebuild": "Make catalogue and findings anew from the evidence, and compare.",
    "log": "Show the custody log of a case: who did what, when and why.",
    "examiner": "Make or show the profile and key of an examiner, who signs in the log.",
    "seal": "Seal a whole case into one file for its recipients.",
    "unseal": "Open a sealed case into a new case folder.",
    "share": "Seal a chosen part of a case for a partner, under terms.",
    "receive": "Take in what a partner shared, apart from the case's own evidence.",
    "destroy": "Erase a case for good and leave a signed record.",
    "identity": "Make a pair of keys that can be sealed for.",
    "apps": "List the applications that can be recognised, and by what.",
    "version": "Show the version of wirecover and of what it stands on.",
}
"""Verb -> what it does, in the order of the work. The verb `v` is the function `v` of `cli/v.py`."""


class LazyGroup(click.Group):
    """A group whose verbs are imported one at a time, when one is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(f"wirecover.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, n=1)
            raise click.UsageError(
                f"no verb {args[0]!r}" + (f"; did you mean {near[0]}?" if near else ""), ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="VERB [ARGS]...",
    epilog=(
        "Results go to standard output, all else to standard error. Exit codes: 0 done; 1 failed; "
        "2 wrong use; 3 done, but some input was damaged; 4 refused by the authority; 5 integrity failure."
    ),
)
@click.version_option(package_name="wirecover", message="%(prog)s %(version)s")
def cli() -> None:
    """Metadata of encrypted messaging in recorded packet captures, as evidence.

    For captures recorded under a legal authority. Nothing is decrypted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process by default) and return its exit code."""
    prepare_streams()
    os.umask(0o077)  # whatever is made here is for its maker alone, until somebody decides otherwise
    try:
        code = cli.main(arguments, prog_name="wirecover", standalone_mode=False)
        sys.stdout.flush()  # here, so that a reader that left or a full disk is seen
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost frame: any error becomes one line and a code
        return _failed(error)
    return code if isinstance(code, int) else EXIT_DONE


def _failed(error: Exception) -> int:
    """Say what went wrong in one line; the exit code."""
    if os.environ.get(TRACEBACK) == "1":
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        complain(_usage_line(error))
        return EXIT_WRONG_USE
    if isinstance(error, WirecoverError):
        complain(str(error))
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        silence_stdout()  # whoever read the results has left, as `head` does: no word about it
        return EXIT_OTHER
    if isinstance(error, MemoryError):
        complain("not enough memory")
    elif isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EIO):
            silence_stdout()
        complain(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
    else:
        complain(_internal_line(error))
    return EXIT_OTHER


def _usage_line(error: click.ClickException) -> str:
    """Wrong use, and where to read about it."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return "no verb given (see: wirecover --help)"
    where = context.command_path if context else "wirecover"
    return f"{error.format_message().rstrip('.')} (see: {where} --help)"


def _internal_line(error: Exception) -> str:
    """An error that is none of the user's: where it happened, for whoever mends it."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = "?"
    if frame is not None:
        place = f"{os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}"  # noqa: PTH119 - no pathlib for one name
    return f"unexpected {type(error).__name__} at {place}: {error} (set {TRACEBACK}=1 for the whole trace)"
