"""wirecover verify: what holds and what does not, one line each."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from wirecover.capture.errors import EXIT_DONE, EXIT_INTEGRITY
from wirecover.cli.acting import acting, certificates, open_case, tsa_option
from wirecover.cli.signing import signer_option, trusted_key
from wirecover.cli.streams import count, show, tell

_WORD: Final = {True: "holds", False: "FAILS", None: "not checked"}


@click.command()
@click.argument("what", metavar="CASE|REPORT|BUNDLE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--case",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With a report: also draw it from this case and compare.",
)
@click.option(
    "--identity",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With a sealed file: also check what is inside, writing nothing.",
)
@click.option(
    "--exhibits",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With a case: also hash the captures themselves, in this folder.",
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="NUMBER:SHA256",
    help="With a case: a head of its log that was noted.",
)
@signer_option(required=False)
@tsa_option
@acting
def verify(
    what: Path,
    case: Path | None,
    identity: Path | None,
    exhibits: Path | None,
    heads: Sequence[str],
    signer: Path | None,
    tsa: Sequence[Path],
) -> int:
    """Check a case folder, the PDF of a report against the data beside it, or a sealed file.

    Exit code 5 when something does not hold.
    """
    if what.is_dir() and case is not None:
        raise click.UsageError("--case goes with a report")
    if not what.is_dir() and (exhibits is not None or heads):
        raise click.UsageError("--exhibits and --head go with a case")
    if what.is_dir():
        lines = _case(what, exhibits, heads, signer, tsa)
    else:
        lines = _bundle(what, identity, signer) if _is_bundle(what) else _report(what, case)
    failed = 0
    for subject, holds, detail in lines:
        word = "note" if holds is None and what.is_dir() else _WORD[holds]
        show(f"{word:<11}  {subject}: {detail}")
        failed += holds is False
    if what.is_dir():
        _log_it(what, failed)
    tell(f"{what}: {count(failed, 'check')} failed." if failed else f"{what}: nothing was found to be wrong.")
    return EXIT_INTEGRITY if failed else EXIT_DONE


Line = tuple[str, bool | None, str]


def _case(
    path: Path, exhibits: Path | None, heads: Sequence[str], signer: Path | None, tsa: Sequence[Path]
) -> Iterable[Line]:
    from wirecover.casefile.case import Case
    from wirecover.casefile.verify import verify as check

    known = [_head(text) for text in heads]
    known_tsa = certificates(tsa)
    found = check(
        Case.open(path), trusted=trusted_key(signer), exhibits_at=exhibits, heads=known, tsa=known_tsa
    )
    return [(one.subject, one.holds, one.detail) for one in found.checks]


def _head(text: str) -> tuple[int, str]:
    number, colon, digest = text.partition(":")
    if not colon or not number.isascii() or not number.isdecimal() or len(digest) != 64:
        raise click.UsageError(f"--head {text}: not NUMBER:SHA256, as `wirecover log CASE --head` shows it")
    return int(number), digest.lower()


def _log_it(path: Path, failed: int) -> None:
    """A check is logged after it, since it is of the log too; where that cannot be done, it still was a check."""
    from wirecover.casefile.custody import Act, note
    from wirecover.casefile.errors import AuthorityError, CaseError

    try:
        note(open_case(path), Act("verify", {"failed": failed}))
    except (AuthorityError, CaseError) as error:
        tell(f"This check is not in the custody log: {error}")


def _is_bundle(path: Path) -> bool:
    from wirecover.casefile.bundle import is_bundle

    return is_bundle(path)


def _bundle(path: Path, identity: Path | None, signer: Path | None) -> Iterable[Line]:
    from wirecover.casefile.bundle_check import check_bundle
    from wirecover.casefile.bundle_keys import read_identities

    keys = None if identity is None else read_identities(identity)
    return [(one.subject, one.holds, one.detail) for one in check_bundle(path, keys, trusted_key(signer))]


def _report(path: Path, case: Path | None) -> Iterable[Line]:
    from wirecover.casefile.case import Case
    from wirecover.report.verify import verify_report

    found = verify_report(path, Case.open(case) if case is not None else None)
    return [(one.name, one.holds, one.detail) for one in found.checks]
