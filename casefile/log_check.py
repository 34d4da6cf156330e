"""Does the custody log hold: every line, the chain, the numbers, what crashes left, acts without an end.

Found: any changed, added, dropped, swapped or repeated line but the very last ones; a log cut short, by head.json,
by the catalogue and by every report, seal or manifest that names a later head. Not found by this alone: a log
whose end was cut together with head.json and the catalogue, or that was written anew from the start by
someone who may sign nothing. Against the first stands any head kept outside the case; against the second, that
too, or a signature, or a time stamp.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from wirecover.casefile.custody import ENDINGS
from wirecover.casefile.errors import CaseError, IntegrityError
from wirecover.casefile.log_file import CANCEL, GENESIS, Head, Record, lines, read_head

SHOWN: Final = 50
"""Problems told one by one; more are counted."""


@dataclass(slots=True)
class LogState:
    """What a pass over the log gives."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What is odd and no sign of a change: acts that were killed, clocks that went back, lines cut by a crash."""
    heads: dict[int, str] = field(default_factory=dict)
    """Number of a line -> its hash, for witnesses."""
    acts: list[Record] = field(default_factory=list)

    def against(self, name: str, head: Head) -> str:
        """ "" when the log holds that head, else what is wrong, for a witness of that name."""
        found = self.heads.get(head.seq)
        if head.seq == 0 or found == head.sha256:
            return ""
        if found is None:
            return f"{name} knows of act {head.seq}, the log ends at {max(self.heads, default=0)}: acts are missing"
        return f"{name} knows act {head.seq} with another hash: the log was rewritten"


def read_log(case: Path) -> LogState:
    """Read the whole log and check it line by line."""
    state = LogState()
    try:
        _walk(case, state)
    except CaseError as error:
        state.problems.append(str(error))
    if not state.acts:
        state.problems.append("the log is empty: even the making of the case is not in it")
    _check_acts(state)
    try:
        head = read_head(case)
        if head is None:
            state.problems.append("head.json is missing")
        elif wrong := state.against("head.json", head):
            state.problems.append(wrong)
    except IntegrityError as error:
        state.problems.append(str(error))
    if len(state.problems) > SHOWN:
        more = len(state.problems) - SHOWN
        state.problems[SHOWN:] = [f"and {more:,} more problems in the log"]
    return state


def _walk(case: Path, state: LogState) -> None:
    previous, place, latest = GENESIS, 0, 0
    left = b""
    """Bytes of lines that a crash cut short, since the last record."""
    for number, line, ended in lines(case):
        if not ended:
            left += line
            state.remarks.append(f"the last {len(line)} bytes of the log are a line that was never finished")
            break
        if line.endswith(CANCEL):
            left += line + b"\n"
            continue
        try:
            record = Record.from_line(line)
        except (ValueError, TypeError, RecursionError) as error:
            state.problems.append(f"line {number} of the log is no record: {str(error).splitlines()[0]}")
            left = b""
            continue
        place += 1
        if record.seq != place:
            state.problems.append(f"act {place} is missing or out of place (found number {record.seq})")
            place = record.seq
        state.problems += _line_problems(record, previous, left)
        if left and record.torn is not None:
            state.remarks.append(
                f"{len(left)} bytes before act {record.seq} are a line that a crash cut short"
            )
        if record.clock_back_ns != max(0, latest - record.ts):
            state.problems.append(f"act {record.seq} ({record.verb}) says of the clock what its times do not")
        elif record.clock_back_ns:
            state.remarks.append(
                f"act {record.seq} ({record.verb}): the clock stood {record.clock_back_ns / 1e9:.3f} s before that "
                "of an earlier act"
            )
        latest = max(latest, record.ts)
        previous, left = record.sha256, b""
        state.heads.setdefault(record.seq, record.sha256)
        state.acts.append(record)


def _line_problems(record: Record, previous: str, left: bytes) -> Iterator[str]:
    name = f"act {record.seq} ({record.verb})"
    if record.prev_sha256 != previous:
        yield f"{name} does not follow from the act before it"
    if record.digest() != record.sha256:
        yield f"{name} was changed"
    told = {"bytes": len(left), "sha256": sha256(left).hexdigest()} if left else None
    if record.torn != told:
        yield f"{name} tells of other unfinished bytes before it than there are"


def _check_acts(state: LogState) -> None:
    """Every act begins once and ends at most once; what is part of one lies within it."""
    begun: dict[int, Record] = {}
    ended: set[int] = set()
    for one in state.acts:
        name = f"act {one.seq} ({one.verb})"
        if one.phase == "begun" and one.act == one.seq:
            begun[one.seq] = one
        elif one.act != one.seq and one.act not in begun:
            state.problems.append(f"{name} is part of act {one.act}, which was never begun")
        elif one.act != one.seq and one.phase in ENDINGS:
            if one.act in ended:
                state.problems.append(f"{name} ends act {one.act} a second time")
            ended.add(one.act)
            if one.phase == "abandoned":
                state.remarks.append(f"act {one.act} ({one.verb}) was killed: it was begun and never ended")
    for seq in sorted(set(begun) - ended):
        state.remarks.append(
            f"act {seq} ({begun[seq].verb}) was begun and has no end: it is running, or was killed"
        )
