"""One capture in, one folder of evidence out.

`decode` drives the floor: frame batches, packet columns, flows, candidate bytes, parsers, rows. It knows nothing of
cases; whoever calls it names the folder and moves it into place. It may run on any worker: only a path goes in and
only a manifest comes out.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.apps.matcher import RuleSet, load_rules
from wirecover.capture.apps.sockets import labels_by_socket
from wirecover.capture.errors import CaptureError
from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.files.batch import NO_FRAMES, Comment, Interface
from wirecover.capture.files.reader import CaptureReader
from wirecover.capture.flows.conversations import Conversations
from wirecover.capture.flows.hosts import HostBook
from wirecover.capture.flows.labelled import LabelledFlows
from wirecover.capture.flows.labels import Labeller, shared_sockets
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.media import MediaTracker
from wirecover.capture.flows.media_labels import media_labels
from wirecover.capture.flows.names import NameBook
from wirecover.capture.flows.rows import FlowRows
from wirecover.capture.flows.tracker import FlowTracker, Step
from wirecover.capture.flows.tunnels import TunnelBook
from wirecover.capture.identifiers import MAX_FLOWS, capture_id, flow_base
from wirecover.capture.manifest import Manifest, OutOfScope
from wirecover.capture.name_hunt import NameHunt
from wirecover.capture.packets.fragments import Reassembler
from wirecover.capture.packets.link_names import link_name
from wirecover.capture.packets.record import (
    FRAGMENT,
    MALFORMED,
    NOT_IP,
    OK,
    PART,
    PROTECTED,
    REASONS,
    UNKNOWN_LINK,
)
from wirecover.capture.quality.survey import Survey
from wirecover.capture.read_ahead import ReadAhead
from wirecover.capture.scope import EVERYTHING, Scope
from wirecover.capture.scope_filter import PSEUDONYM_HIGH, Learned, LeftOut, ScopeFilter
from wirecover.capture.scoped_evidence import ScopedEvidence
from wirecover.capture.tables import PACKETS
from wirecover.capture.version import tool_version

MAX_HELD_FLOWS: Final = 1 << 15
"""UDP flows that wait for one another's label; beyond, they are written and the next ones wait."""
FLOWS_AT_ONCE: Final = 1 << 14
"""Flows put into rows at one time: at its end a capture may leave a million."""
_RECORD_LISTS: Final = (PACKETS.field("record_bytes").type, PACKETS.field("record_types").type)


def decode(path: Path, out: Path, scope: Scope = EVERYTHING, rules: Path | None = None) -> Manifest:
    """Decode the capture at `path` into the existing, empty folder `out`; write its manifest there and return it.

    `rules` is a folder or file of application rules that hold beside those of this version. Raises RuleError for them,
    and CaptureError when the file is no capture or cannot be opened, OSError when `out` cannot be written.
    Damage inside a capture is no error: what is readable is kept, the rest is counted in the `damage` table.
    """
    with _no_collector():
        known = load_rules(rules)
        learned = _learn(path, scope, known) if scope.excluded_names else Learned()
        left_out = LeftOut()
        with CaptureReader(path) as reader, _writer(out, scope, left_out) as evidence:
            allowed = None if scope.is_open else ScopeFilter(scope, path.name, learned, left_out)
            decoding = Decoding(evidence, allowed, left_out, known, reader.comments, reader.interfaces)
            _read(reader, decoding)
            damage = decoding.write_totals(reader, path.name)
    manifest = Manifest(
        name=path.name, sha256=reader.sha256, bytes=reader.size, tool_version=tool_version(),
        rules_sha256=known.sha256, local_rules_sha256=known.local_sha256 or "",
        tables=dict(evidence.rows), files=evidence.digests(), damage=damage,
        complete=reader.complete, scope_sha256=scope.digest(),
        out_of_scope=tuple(
            OutOfScope(*row) for row in left_out.rows()
        ),
    )  # fmt: skip
    manifest.write(out)
    return manifest


def _writer(out: Path, scope: Scope, left_out: LeftOut) -> EvidenceWriter:
    return EvidenceWriter(out) if scope.is_open else ScopedEvidence(out, scope, left_out)


def _read(reader: CaptureReader, decoding: "Decoding") -> None:
    for frames in ReadAhead(reader):
        decoding.take(*frames)
    decoding.finish()


def _learn(path: Path, scope: Scope, rules: RuleSet) -> Learned:
    """What in this capture stands for the names that the scope excludes; nothing is written."""
    hunt, left_out = NameHunt(scope.excluded_names), LeftOut()
    with CaptureReader(path) as reader:
        allowed = ScopeFilter(scope, path.name, Learned(), left_out)
        decoding = Decoding(hunt, allowed, left_out, rules, reader.comments)
        _read(reader, decoding)
        decoding.write_totals(reader, path.name)
    if hunt.overflow:
        raise CaptureError(path.name, "too much of it speaks of excluded persons to leave out all of it")
    return hunt.learned()


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without Python's cycle collector, which walks the dialogues of all flows again and again to find none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Decoding:
    """The state of one capture's decode."""

    def __init__(
        self,
        evidence: EvidenceWriter,
        allowed: ScopeFilter | None,
        left_out: LeftOut,
        rules: RuleSet,
        comments: Sequence[Comment] = (),
        interfaces: Sequence[Interface] = (),
    ) -> None:
        self.rules = rules
        self._comments = comments
        self._comments_inside: set[int | None] = {None}
        """Of a scope that is not open: frames that are kept and carry a comment."""
        self._evidence = evidence
        self._allowed = allowed
        """None: everything is."""
        self._left_out = left_out
        self._tracker = FlowTracker()
        self._media = MediaTracker(self._tracker.seed)
        self._names = NameBook(self._tracker.seed, lambda columns: evidence.add_columns("names", columns))
        self._ledger = Ledger()
        self._hosts = HostBook(self._ledger, lambda row: evidence.add("hosts", row))
        self._conversations = Conversations(self._tracker, evidence, self._names, self._ledger, self._hosts)
        self._labeller = Labeller(rules, self._conversations, evidence, self._tracker.seed)
        self._survey = Survey(interfaces)
        self._reassembler = Reassembler()
        self._tunnels = TunnelBook()
        self._held: list[LabelledFlows] = []
        self._with_media: set[int] = set()
        """Flows that ended and had RTP streams, while flows are held."""
        self._packets = 0
        self._truncated = 0
        self._malformed = 0
        self._undecoded = 0
        self._fragments = 0
        self._first_ts: int | None = None
        self._last_ts: int | None = None
        self._per_interface: NDArray[np.int64] = np.zeros(0, np.int64)

    # ---- packets -----------------------------------------------------------------------------------------

    def take(self, batch: Any, links: NDArray[np.int32], rows: NDArray[Any]) -> None:
        """One batch of frames, in file order, and their rows. `links[k]` is the link type of interface k."""
        if not len(batch.offset):
            return
        self._packets += len(batch.offset)
        self._count_interfaces(batch.interface, len(links))
        if self._allowed is not None:
            rows = self._allowed.take(batch, rows, links)
        if not len(rows):
            return
        if self._allowed is None or not np.any(rows["fragment"] >= 0):
            self._count_rows(rows, batch, links)
            rows, buffer = self._reassembler.take(batch, rows, links)
        else:  # what fragments hold may be outside the scope: it is known before anything is counted of them
            shown = rows.copy()
            rows, buffer = self._reassembler.take(batch, rows, links)
            rows = self._allowed.again(batch, rows, links, self._reassembler.stacks, self._reassembler.heads)
            self._reassembler.forget(self._allowed.excluded_fragments)
            self._count_rows(shown[np.isin(shown["frame"], rows["frame"])], batch, links)
        if self._allowed is not None:
            self._note_comments(rows)
        self._follow(batch, links, rows, buffer)

    def _count_rows(self, rows: NDArray[Any], batch: Any, links: NDArray[np.int32]) -> None:
        """What frames tell that are not followed as packets."""
        if len(rows):
            self._count(rows, batch, links)
            self._hosts.take_batch(batch, rows, links)
            self._survey.take_frames(batch, rows, len(links))

    def _follow(
        self, batch: Any, links: NDArray[np.int32], rows: NDArray[Any], buffer: NDArray[np.uint8]
    ) -> None:
        """Packets to flows; `buffer` is the batch's, with the datagrams put together behind it."""
        for step in self._tracker.follow(rows, buffer):
            self._survey.take_packets(
                batch,
                rows,
                step.start,
                step.stop,
                self._tracker.slot_of,
                self._tracker.half_of,
                self._tracker.flows,
            )
            self._conversations.read(rows, buffer, step)
            self._tracker.orient(rows, step)
            self._media.observe(
                rows,
                buffer,
                step.start,
                step.stop,
                self._tracker.slot_of,
                self._tracker.half_of,
                self._tracker.flows,
            )
            self._tunnels.take(batch, links, rows, step, self._tracker, self._reassembler.stacks)
            self._write_packets(rows, step)
            self._write_flows(step.finished)

    def _note_comments(self, rows: NDArray[Any]) -> None:
        """Which commented frames lie inside the scope."""
        if commented := {comment.frame for comment in self._comments}:
            plain = rows["frame"][rows["src_hi"] != PSEUDONYM_HIGH]
            self._comments_inside |= commented.intersection(plain.tolist())

    def _count_interfaces(self, interface: NDArray[np.int32], known: int) -> None:
        counts = np.bincount(interface, minlength=max(known, len(self._per_interface)))
        counts[: len(self._per_interface)] += self._per_interface
        self._per_interface = counts

    def _count(self, rows: NDArray[Any], batch: Any, links: NDArray[np.int32]) -> None:
        first, last = int(rows["ts"].min()), int(rows["ts"].max())
        self._first_ts = first if self._first_ts is None else min(first, self._first_ts)
        self._last_ts = last if self._last_ts is None else max(last, self._last_ts)
        self._truncated += int(np.count_nonzero(rows["cut"]))
        status = rows["status"]
        self._undecoded += int(
            np.count_nonzero((status == NOT_IP) | (status == UNKNOWN_LINK) | (status == PROTECTED))
        )
        self._fragments += int(np.count_nonzero((status == FRAGMENT) | (rows["more_fragments"] != 0)))
        self._malformed += int(np.count_nonzero(status == MALFORMED))
        for kind, code in (
            ("malformed-packet", MALFORMED),
            ("encrypted-frame", PROTECTED),
            ("packets-not-read", OK),
            ("packets-not-read", PART),
        ):
            found = rows[(status == code) & (rows["reason"] != 0)]
            for reason in np.unique(found["reason"]).tolist():
                of_reason = found[found["reason"] == reason]
                self._ledger.note(kind, REASONS[reason], int(of_reason["frame"][0]), count=len(of_reason))
        strange = rows["frame"][status == UNKNOWN_LINK]
        found = links[batch.interface[strange - batch.first_frame]]
        for link in np.unique(found).tolist():
            of_link = strange[found == link]
            self._ledger.note("unknown-link-type", link_name(link), int(of_link[0]), count=len(of_link))

    # ---- rows --------------------------------------------------------------------------------------------

    def _write_packets(self, rows: NDArray[Any], step: Step) -> None:
        columns = self._tracker.payload_columns(rows, step)
        ends = columns.pop("ends")
        records = step.records
        offsets = np.zeros(len(ends) + 1, np.int32)
        offsets[1:] = ends
        none = pa.array(np.append(np.diff(offsets) == 0, False))
        used = int(offsets[-1])
        lists = [
            pa.ListArray.from_arrays(
                pa.array(offsets, mask=none.to_numpy(zero_copy_only=False)),
                pa.array(values[:used], kind.value_type),
                type=kind,
            )
            for values, kind in zip(
                (records["length"], records["kind"].astype(np.int16)), _RECORD_LISTS, strict=True
            )
        ]
        self._evidence.add_columns("packets", [*(pa.array(column) for column in columns.values()), *lists])

    def _write_flows(self, finished: NDArray[np.int32]) -> None:
        """Label and write flows that ended. UDP flows that a call may have in common wait for one another."""
        self._tracker.settle(finished)
        streams = self._media.close(finished, self._tracker.flows)
        for stream in streams:
            self._evidence.add("media_streams", stream)
        self._with_media.update(stream.flow_no for stream in streams)
        told = media_labels(streams, self.rules)
        if not len(finished):
            return
        layers = self._tunnels.close(finished, self._tracker.flows)
        if layers is not None:
            self._evidence.add_columns("tunnels", layers)
        ends = self._survey.close(finished, self._tracker.flows, self._tracker.halves)
        if ends is not None:
            self._evidence.add_columns("flow_ends", ends)
        shared = shared_sockets(finished, self._tracker.flows, self._conversations)
        for slots, held in ((finished[~shared], False), (finished[shared], True)):
            ordered = slots[np.argsort(self._tracker.flows["flow_no"][slots], kind="stable")]
            for start in range(0, len(ordered), FLOWS_AT_ONCE):
                part = ordered[start : start + FLOWS_AT_ONCE]
                batch = self._labeller.label(FlowRows(self._tracker.flows, self._tracker.halves, part))
                if told:
                    batch.inherit(told)
                if held:
                    self._held.append(batch)
                else:
                    batch.write(self._evidence)
        self._tracker.release(finished)
        if sum(len(batch.rows) for batch in self._held) > MAX_HELD_FLOWS:
            self._write_held()

    def _write_held(self) -> None:
        """Let flows of one UDP socket share their label, then write them."""
        inherited = labels_by_socket(
            [flow for batch in self._held for flow in batch.socket_flows(self._with_media)],
            self.rules.part_of,
        )
        for batch in self._held:
            batch.inherit(inherited)
            batch.write(self._evidence)
        self._held.clear()
        self._with_media.clear()

    def finish(self) -> None:
        """The capture's end: flows that were still alive are written."""
        rows, buffer = self._reassembler.finish()
        if self._allowed is not None and len(rows):
            rows = self._allowed.again(NO_FRAMES, rows, np.zeros(0, np.int32), {}, {})
        if len(rows):
            self._follow(NO_FRAMES, np.zeros(0, np.int32), rows, buffer)
        self._write_flows(self._tracker.finish().finished)
        self._write_held()

    def write_totals(self, reader: CaptureReader, name: str) -> tuple[str, ...]:
        """The tables of the whole capture, once everything is read; the damage as lines."""
        evidence, tracker, ledger = self._evidence, self._tracker, self._ledger
        for fact in self._hosts.rows():
            evidence.add("hosts", fact)
        evidence.add_columns("names", self._names.columns())
        for subscriber in self._conversations.dissector.subscribers.rows():
            evidence.add("subscribers", subscriber)
        for known in sorted({(one.ip, one.name) for one in reader.resolved_names}):
            evidence.add("names", (*known, None, None, "nrb", None, None))
        self._write_reader(reader)
        if tracker.ended_early:
            ledger.note("flow-table-full", "flows ended early to bound memory", count=tracker.ended_early)
        if self._names.lost:
            ledger.note("name-table-full", "names left out to bound memory", count=self._names.lost)
        for lost, text in (
            (self._media.ended_early, "media streams ended early to bound memory"),
            (self._media.forgotten, "packets that may begin a media stream, forgotten to bound memory"),
        ):
            if lost:
                ledger.note("media-table-full", text, count=lost)
        for kind, detail, frame, count in self._reassembler.losses():
            ledger.note(kind, detail, frame, count=count)
        if self._tunnels.left_out:
            ledger.note(
                "tunnel-table-full",
                "directions of flows whose tunnels were not noted to bound memory",
                count=self._tunnels.left_out,
            )
        if tracker.flow_count > MAX_FLOWS:
            ledger.note(
                "too-many-flows",
                f"more than {MAX_FLOWS} flows: ids beyond are not unique",
                count=tracker.flow_count - MAX_FLOWS,
            )
        damage = list(ledger.rows())
        for row in damage:
            evidence.add("damage", row)
        for left in self._left_out.rows():
            evidence.add("out_of_scope", left)
        self._write_survey(reader)
        evidence.add(
            "captures",
            (capture_id(reader.sha256), flow_base(reader.sha256), name, reader.sha256, reader.size, reader.format,
             reader.compression, self._packets, self._first_ts, self._last_ts, reader.snaplen, self._truncated,
             self._malformed, self._survey.duplicates, self._survey.out_of_order,
             self._left_out.dropped, self._undecoded, self._fragments, reader.complete, tool_version(),
             self.rules.sha256, self.rules.local_sha256),
        )  # fmt: skip
        return tuple(_damage_line(*row) for row in damage)

    def _write_survey(self, reader: CaptureReader) -> None:
        comments = [
            one for one in reader.comments if self._allowed is None or one.frame in self._comments_inside
        ]
        if self._allowed is not None:  # those without a frame have no time: they may be outside the authority
            comments = [one for one in comments if one.frame is not None]
        for measure in self._survey.measures():
            self._evidence.add("quality", measure.row())
        for indicator in self._survey.indicators(comments, reader.damage):
            self._evidence.add("authenticity", indicator.row())

    def _write_reader(self, reader: CaptureReader) -> None:
        counts = self._per_interface.tolist()
        for one in reader.interfaces:
            self._evidence.add(
                "interfaces",
                (one.interface_id, one.name, one.description, one.link_type, link_name(one.link_type), one.snaplen,
                 one.ts_resolution_ns, one.ts_offset_s,
                 counts[one.interface_id] if one.interface_id < len(counts) else 0,
                 one.reported_drops),
            )  # fmt: skip
        for comment in reader.comments:
            if self._allowed is None or comment.frame in self._comments_inside:
                self._evidence.add("comments", (comment.frame, comment.kind, comment.text))
        for found in reader.damage:
            self._ledger.note(found.kind, found.detail, found.frame, found.offset, found.count)


def _damage_line(kind: str, offset: int | None, frame: int | None, count: int, detail: str) -> str:
    """One line for people. The reader's entries have an offset, and say in words what was counted."""
    places = [] if frame is None else [f"frame {frame}"]
    if offset is not None:
        return f"{kind}: {detail} ({', '.join([f'offset {offset}', *places])})"
    times = "once" if count == 1 else f"{count} times"
    return f"{kind}: {detail} ({', '.join([times, *(f'first in {place}' for place in places)])})"
