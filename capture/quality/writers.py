"""What a file says of the program that wrote it, held against what the program writes.

Only two kinds of things are said. A name of a program that makes changed or made-up captures is a fact that the file
itself tells. A block that the named program does not write shows that another one wrote the file as it is; that holds
for dumpcap alone, whose writing of packets is known (wireshark/wireshark, dumpcap.c, capture_loop_write_packet_cb: an
Enhanced Packet Block, with no comment).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from wirecover.capture.files import damage as kinds
from wirecover.capture.files.batch import Comment, Damage
from wirecover.capture.quality.measure import Indicator, Place

EDITORS: Final = (
    "editcap", "mergecap", "reordercap", "text2pcap", "randpkt", "tracewrangler", "tcprewrite", "scapy",
)  # fmt: skip
"""Programs that write captures out of captures, or out of nothing."""
MERGED: Final = "File created by merging"
"""How the comment begins that mergecap leaves (wireshark/wireshark, mergecap.c)."""
SHOWN: Final = 120


def indicators(comments: Sequence[Comment], damage: Iterable[Damage]) -> Iterator[Indicator]:
    """What the texts and blocks of a file say of its writers."""
    names = [one.text for one in comments if one.kind == "application"]
    edited = sorted({name for name in names if any(editor in name.casefold() for editor in EDITORS)})
    edited += sorted({one.text for one in comments if one.kind == "section" and one.text.startswith(MERGED)})
    for name in edited:
        yield Indicator(
            "written-by-editor", None, _short(name), 1, None,
            detail="the file names a program that writes captures out of other captures or out of nothing",
            explanations=("prepared",),
        )  # fmt: skip
    yield from _recorders(comments)
    if any(name.casefold().startswith("dumpcap") for name in names):
        yield from _not_by_dumpcap(comments, damage)
    appended = sum(one.count for one in damage if one.kind == kinds.ANOTHER_HEADER)
    if appended:
        yield Indicator(
            "appended", None, None, appended, None,
            detail=f"{appended + 1} captures stand one after another in the file", explanations=("prepared",),
        )  # fmt: skip


def _recorders(comments: Sequence[Comment]) -> Iterator[Indicator]:
    """Sections of one file that name different programs, systems or hardware."""
    for kind in ("application", "os", "hardware"):
        found = sorted({one.text for one in comments if one.kind == kind})
        if len(found) > 1:
            yield Indicator(
                "several-recorders", None, kind, len(found), None,
                detail="; ".join(_short(text, 40) for text in found[:5]), explanations=("prepared", "several-machines"),
            )  # fmt: skip


def _not_by_dumpcap(comments: Sequence[Comment], damage: Iterable[Damage]) -> Iterator[Indicator]:
    noted = [one.frame for one in comments if one.kind == "packet" and one.frame is not None]
    if noted:
        yield Indicator(
            "not-by-named-tool", None, "packet comments", len(noted), None,
            place=Place(min(noted), None, max(noted)),
            detail="the file names dumpcap, which writes no comments on packets: another program saved it again",
            explanations=("annotated", "fed"),
        )  # fmt: skip
    for one in damage:
        if one.kind == kinds.NO_TIME:
            yield Indicator(
                "not-by-named-tool", None, "Simple Packet Blocks", one.count, None, place=Place(one.frame),
                detail="the file names dumpcap, which gives every packet a time", explanations=("fed",),
            )  # fmt: skip


def _short(text: str, limit: int = SHOWN) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
