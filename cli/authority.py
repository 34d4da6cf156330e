"""wirecover authority: the legal basis of a case, checked and shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wirecover.capture.errors import EXIT_DONE, EXIT_REFUSED
from wirecover.cli.acting import acting, open_case
from wirecover.cli.options import case_argument
from wirecover.cli.streams import count, show, tell

if TYPE_CHECKING:
    from wirecover.casefile.authority import Authority

record_argument = click.argument(
    "record", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)


@click.group()
def authority() -> None:
    """The legal basis of a case: what a record lacks, what it allows, which deadlines it sets."""


@authority.command()
@record_argument
def check(record: Path) -> int:
    """Say what is missing or contradictory in the authority record FILE, and what a person has to confirm.

    Exit code 4 when no case can be made under it.
    """
    from wirecover.casefile.authority_check import check as remarks_of
    from wirecover.casefile.authority_file import read_authority

    remarks = remarks_of(read_authority(record).authority)
    for one in remarks:
        show(f"{one.kind:<13}  {one.about}: {one.text}")
    against = sum(one.refuses for one in remarks)
    if against:
        tell(f"{record}: {count(against, 'reason')} to refuse it.")
        return EXIT_REFUSED
    tell(f"{record}: a case can be made under it; {count(len(remarks), 'remark')} for a person to weigh.")
    return EXIT_DONE


@authority.command("show")
@case_argument
def show_case(case: Path) -> None:
    """Show the authority of CASE: what it covers, what may be done now, and its deadlines."""
    from wirecover.casefile.authority_instruments import time_text
    from wirecover.casefile.authority_state import CHANGING, deadlines, refusal
    from wirecover.casefile.case import Case

    opened = Case.open(case)
    file = opened.authority()
    if file is None:
        show("training case: there is no legal basis, and nothing made from it may be used as evidence")
        return
    one, now = file.authority, opened.clock()
    for name, value in _facts(one):
        show(f"{name:<18}  {value}")
    show(f"{'record SHA-256':<18}  {file.sha256}")
    for line in deadlines(one, now):
        state = "PASSED" if line.passed else "ahead"
        show(f"{'deadline':<18}  {time_text(line.at)}  {state:<6}  {line.name}: {line.text}")
    for verb in CHANGING:
        reason = refusal(one, verb, now)
        show(f"{verb + ' now':<18}  {'allowed' if reason is None else 'refused: ' + reason}")


@authority.command()
@case_argument
@record_argument
@acting
def amend(case: Path, record: Path) -> None:
    """Put the record FILE in the place of the authority of CASE: a renewal, a confirmation, an answer.

    Same country and reference. The record before it is kept. Exhibits that are in the case stay as they were taken in.
    """
    from wirecover.casefile.authority_file import read_authority
    from wirecover.casefile.authority_store import amend as put

    number, other_scope = put(open_case(case), read_authority(record))
    tell(f"Record {number} is now the authority of {case}.")
    if other_scope:
        tell(
            f"{count(other_scope, 'exhibit')} in the case had been taken in under another scope and stay so; the "
            "manifest of each says under which."
        )


@authority.command()
@case_argument
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@acting
def unmask(case: Path, addresses: Sequence[str]) -> None:
    """Show the pseudonym that each ADDRESS has in CASE, and in how many flows it is an end.

    For third parties under pseudonyms. Needs --reason, and two examiners where the authority says so.
    """
    from wirecover.casefile.unmask import unmask as hold

    for one in hold(open_case(case), addresses):
        show(f"{one.address}  {one.pseudonym}  {count(one.flows, 'flow')}")


def _facts(one: "Authority") -> list[tuple[str, str]]:
    from wirecover.casefile.authority_instruments import instruments, time_text

    def period(first: int, last: int) -> str:
        return f"{time_text(first)} to {time_text(last)}"

    known = instruments().get(one.instrument)
    return [
        ("country", one.country), ("instrument", f"{one.instrument}: {known.title}" if known else one.instrument),
        ("reference", one.reference), ("status", one.status),
        ("issued", f"{time_text(one.issued.at)} by {one.issued.name}, {one.issued.function}"),
        ("covers", period(one.covers.first, one.covers.last)),
        *(("renewal", f"{renewal.reference}: {period(renewal.period.first, renewal.period.last)}")
          for renewal in one.renewals),
        *([("looks back", period(one.retro.first, one.retro.last))] if one.retro else []),
        ("selection", one.selection), ("data categories", ", ".join(one.categories)),
        *(("target", f"{target.type} {target.value} ({target.subject})") for target in one.targets),
        ("excluded", f"{count(len(one.exclusions), 'identifier')} of protected persons"),
        ("third parties", one.others),
        *([("cross-border", f"{one.cross_border.state}: {one.cross_border.answer}")] if one.cross_border else []),
        *(("condition", text) for text in (one.cross_border.conditions if one.cross_border else ())),
        ("reason required", "yes" if one.reason_required else "no"),
        ("two persons", ", ".join(one.two_person) or "no"),
        *([("retention", one.retention.rule)] if one.retention else []),
    ]  # fmt: skip
