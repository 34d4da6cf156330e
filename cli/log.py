"""wirecover log: the custody log of a case, its head, and time stamps for it."""

from collections.abc import Sequence
from pathlib import Path

import click

from wirecover.cli.acting import acting, certificates, exported, open_case, tell_found, tsa_option
from wirecover.cli.options import case_argument, check_output, output_options, put
from wirecover.cli.streams import show, tell


@click.command()
@case_argument
@output_options
@click.option(
    "--head", "only_head", is_flag=True, help="Only number and hash of the last act, to be noted elsewhere."
)
@click.option(
    "--request",
    "asked",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a time-stamp request (RFC 3161) for the head to this file.",
)
@click.option(
    "--attach",
    "answer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Keep the answer of a time-stamp authority to such a request.",
)
@tsa_option
@acting
def log(
    case: Path,
    form: str | None,
    out: Path | None,
    only_head: bool,
    asked: Path | None,
    answer: Path | None,
    tsa: Sequence[Path],
) -> None:
    """Show the custody log of CASE: who did what, when, why and with what outcome.

    Note its head outside the case now and then: `wirecover verify CASE --head NUMBER:HASH` finds a log that was
    cut or written anew since.
    """
    check_output(form, out)
    if sum((only_head, asked is not None, answer is not None, out is not None)) > 1:
        raise click.UsageError("--head, --request, --attach and --out exclude each other")
    if asked is not None or answer is not None:
        _stamp(case, asked, answer, tsa)
        return
    from wirecover.casefile.custody import Act, head, record
    from wirecover.casefile.log_view import shown_table

    opened = open_case(case)
    with record(opened, Act("log", {"out": exported(case, out)}, export=out is not None)) as entry:
        tell_found(entry.found)
        if only_head:
            last = head(case)
            show(f"{last.seq}:{last.sha256}")
        else:
            written = put(shown_table(case), form, out)
            if written is not None:
                entry.result(written, files=[[exported(case, out), written]])
    tell("The head of the log changes with each act, also with this one.")


def _stamp(case: Path, asked: Path | None, answer: Path | None, tsa: Sequence[Path]) -> None:
    """Make a request for a time stamp, or keep the answer to one; nothing is sent anywhere."""
    from wirecover.casefile.anchors import attach, make_request

    opened = open_case(case)
    if asked is not None:
        known, data = make_request(opened)
        asked.write_bytes(data)
        tell(
            f"Wrote {asked}, for act {known.seq}: take it to a time-stamp authority, keep the answer by --attach."
        )
    if answer is not None:
        known, stamp = attach(opened, answer.read_bytes(), certificates(tsa))
        sure = "" if stamp.trusted else " (not checked against a certificate of it: give --tsa)"
        show(f"{known.seq}:{known.sha256}")
        tell(f"Kept the time stamp of act {known.seq} by {stamp.signer}{sure}.")
