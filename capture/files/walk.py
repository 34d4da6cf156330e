"""What the pcap and the pcapng walk share: the window, the columns, the frame count, the ledger of damage."""

from wirecover.capture.files import damage as kinds
from wirecover.capture.files.batch import Columns, Comment, FrameBatch, Interface, ResolvedName
from wirecover.capture.files.damage import DamageLog
from wirecover.capture.files.pipe import Window


class Findings:
    """What a walk learns besides the frames; the reader shows these lists as its own."""

    def __init__(self) -> None:
        self.interfaces: list[Interface] = []
        self.damage = DamageLog()
        self.comments: list[Comment] = []
        self.resolved_names: list[ResolvedName] = []


class Walk:
    """One pass over a capture's records. `frames` is the number of frames handed on so far."""

    def __init__(self, window: Window, findings: Findings, frames: int = 0, last_ts: int = -1) -> None:
        self.window = window
        self.findings = findings
        self.frames = frames
        self.row = 0
        """Rows of the columns that are filled and not yet handed on."""
        self.columns = Columns()
        self.last_ts = last_ts
        self.other = False
        """Whether a capture of the other format stands where the walk ended, to be read on."""

    @property
    def next_frame(self) -> int:
        """Number that the next frame to be read gets."""
        return self.frames + self.row + 1

    def take(self) -> FrameBatch:
        """Hand on the filled rows. Their bytes stay where they are until the next but one batch is asked for."""
        self.window.hand_on()
        batch = self.columns.batch(self.window.data, self.row, self.frames + 1)
        self.last_ts = int(batch.ts[-1])
        self.frames += self.row
        self.row = 0
        return batch

    def need(self, count: int) -> None:
        """Have `count` bytes in the window, unless the stream ends before."""
        if self.window.left < count:
            self.window.more(count)

    def note(self, kind: str, detail: str, count: int = 1) -> None:
        """Damage at the place where the window stands."""
        self.findings.damage.add(kind, detail, offset=self.window.offset, frame=self.next_frame, count=count)

    def note_cut(self, what: str, need: int) -> None:
        """The stream ends inside something. `need` is its length."""
        left = self.window.left
        self.note(kinds.CUT, f"the file ends inside {what}: {left} of {need} bytes are there", left)

    def note_stop(self, start: int, reason: str) -> None:
        """Nothing believable follows the damage at `start`: the rest of the file is not read."""
        lost = self.window.base + self.window.end - start
        self.findings.damage.add(
            kinds.ABSURD_LENGTH, f"{reason}; reading stopped, {lost} bytes not read",
            offset=start, frame=self.next_frame, count=lost,
        )  # fmt: skip

    def note_gap(self, start: int, reason: str) -> None:
        """Bytes from stream offset `start` up to where the window stands now were skipped."""
        count = self.window.offset - start
        self.findings.damage.add(
            kinds.GAP, f"{reason}; {count} bytes skipped", offset=start, frame=self.next_frame, count=count
        )
