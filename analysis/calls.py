"""Calls: set-up, relays and media of many flows, joined into one row a call."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import duckdb
import pyarrow as pa

from wirecover.analysis.call_evidence import Group, read_groups
from wirecover.analysis.call_judge import Verdict, judge
from wirecover.analysis.call_parts import JoinParameters, prepare_groups
from wirecover.analysis.call_rows import call_id, call_row, findings_of, flow_rows, times_of
from wirecover.analysis.call_signals import NOTHING, find_signalling
from wirecover.analysis.call_sip import Dialog, dialogs_of_groups, group_of, read_dialogs
from wirecover.analysis.detector import Finding, Result
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import rows
from wirecover.analysis.findings import counted, parameters_json, result
from wirecover.analysis.message_events import Parameters as EventParameters
from wirecover.analysis.message_events import prepare
from wirecover.analysis.sightings import Sightings, prepare_sightings
from wirecover.casefile.derived import CALL_FLOWS, CALLS

MOST_DEVICES: Final = 64
"""Devices of one call at most; more were tied by an address that many share, and nothing true could be said."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """How parts of flows are joined; `events` are the thresholds of the bursts that signal."""

    most_findings: int = 10_000
    join: JoinParameters = field(default_factory=JoinParameters)
    events: EventParameters = field(default_factory=EventParameters)

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        if self.most_findings < 1:
            raise AnalysisError("most_findings must be 1 or more")
        self.join.check()
        self.events.check()


class Calls:
    """Detector: calls."""

    name: ClassVar[str] = "calls"
    version: ClassVar[str] = "1"
    question: ClassVar[str] = (
        "Which calls were made, with which application, between which addresses, when, and answered or not?"
    )
    method: ClassVar[str] = (
        "Parts of flows with STUN, TURN, DTLS and RTP, or with packets both ways at the rate of a call, are "
        "joined while they share a device's socket, a relayed, translated or sought address, an ICE session, "
        "a STUN message, a media stream, or begin together. A group is a call when a device sends and receives "
        "media in it, when media of one direction belongs to a set-up of a known calling application, when "
        "the application uses such a set-up for calls alone, or when a relay is opened and closed between two "
        "bursts of a messenger. Media both ways for 2 s is answered. The calling side is the one whose offer "
        "is seen leaving (and arriving), or the one that controls ICE."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        (
            "Who called whom: an address is not a person, and behind an address there may be several devices; "
            "calls that two devices behind one address begin together may be told as one."
        ),
        "What was said, or that anybody spoke: media flows while nobody listens.",
        "Calls whose set-up and media go through TLS or a VPN, and calls on the telephone network.",
        (
            "Whether a call without media was declined, missed, given up or answered by another device of the "
            "called person."
        ),
        (
            "That a session is a call of two persons: conferences, voice rooms and test calls look alike; "
            "of a conference only the sides that the exhibits show are seen."
        ),
        (
            "The exact moment of answering: media begins after somebody accepts, by up to some seconds; and "
            "some applications send media before."
        ),
        "WhatsApp and Messenger apart, where only their common relays are seen.",
    )
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """The calls with their flows; for each a fact and an assessment."""
        parameters.check()
        sightings = prepare_sightings(connection, parameters.events.clock_tolerance_s)
        dialogs = read_dialogs(connection)
        table = prepare_groups(connection, sightings, parameters.join, dialogs)
        groups = read_groups(connection, table)
        told = dialogs_of_groups(connection, table, dialogs)
        bursts = prepare(connection, parameters.events)
        signalling = find_signalling(connection, bursts, groups)
        ends = dict(rows(connection, "SELECT capture_id, coalesce(epoch_ns(last_ts), 0) FROM captures"))
        verdicts: list[Verdict] = []
        left: list[Group] = []
        crowds = [group for group in groups if len(group.devices) > MOST_DEVICES]
        for group in (one for one in groups if len(one.devices) <= MOST_DEVICES):
            verdict = judge(group, signalling.get(group.number, NOTHING), ends, told.get(group.number))
            if verdict is None:
                left.append(group)
            else:
                verdicts.append(verdict)
        verdicts += _signalled(connection, sightings, dialogs, told, ends)
        verdicts.sort(key=lambda verdict: (times_of(verdict).setup, call_id(verdict)))
        text = parameters_json(parameters)
        findings: list[Finding] = []
        calls: list[dict[str, Any]] = []
        flows: list[dict[str, Any]] = []
        for place, verdict in enumerate(verdicts):
            number = call_id(verdict)
            calls.append(call_row(verdict, number))
            flows += flow_rows(verdict, number)
            if place < parameters.most_findings:
                findings += findings_of(verdict, number, self.name, self.version, text)
        return result(
            findings,
            notes=_notes(verdicts, left, crowds, parameters),
            calls=pa.Table.from_pylist(calls, schema=CALLS),
            call_flows=pa.Table.from_pylist(flows, schema=CALL_FLOWS),
        )


def _signalled(
    connection: duckdb.DuckDBPyConnection, sightings: Sightings, dialogs: dict[str, Dialog],
    told: dict[int, Dialog], ends: dict[int, int],
) -> list[Verdict]:  # fmt: skip
    """Calls of which the exhibits hold the signalling alone."""
    with_media = {dialog.call_id for dialog in told.values()}
    found = []
    for place, (name, dialog) in enumerate(sorted(dialogs.items())):
        if name not in with_media:
            group = group_of(connection, sightings, dialog, -1 - place)
            if verdict := judge(group, NOTHING, ends, dialog):
                found.append(verdict)
    return found


def _notes(
    verdicts: list[Verdict], left: list[Group], crowds: list[Group], parameters: Parameters
) -> list[str]:
    notes = []
    if crowds:
        notes.append(
            f"{counted(len(crowds), 'group')} of flows tie more than {MOST_DEVICES} devices to each other "
            "(addresses that many share, or a made-up case): not told as calls."
        )
    if left:
        notes.append(
            f"{counted(len(left), 'set-up', 'set-ups')} of a path or relay, or media of one direction, without "
            "what makes a call: not counted as calls."
        )
    if not verdicts:
        notes.append("No call found.")
    if len(verdicts) > parameters.most_findings:
        over = len(verdicts) - parameters.most_findings
        notes.append(f"{counted(over, 'call')} without a finding of its own; all are in the table of calls.")
    return notes
