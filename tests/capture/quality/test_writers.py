"""What a file says of its writer, against what is in it."""

from wirecover.capture.files import damage as kinds
from wirecover.capture.files.batch import Comment, Damage
from wirecover.capture.quality.writers import indicators

DUMPCAP = Comment(None, "application", "Dumpcap (Wireshark) 4.2.5")


def names(comments: list[Comment], damage: list[Damage] | None = None) -> list[tuple[str, str | None, int]]:
    return [(one.indicator, one.subject, one.count) for one in indicators(comments, damage or [])]


def test_a_recorder_is_no_indicator() -> None:
    assert names([DUMPCAP, Comment(None, "os", "Linux"), Comment(None, "section", "from the router")]) == []


def test_programs_that_make_captures_out_of_captures() -> None:
    assert names([Comment(None, "application", "mergecap")]) == [("written-by-editor", "mergecap", 1)]
    merged = "File created by merging: \nFile1: a.pcap"
    assert names([Comment(None, "section", merged)]) == [("written-by-editor", merged, 1)]


def test_a_comment_on_a_packet_was_not_written_by_dumpcap() -> None:
    noted = [Comment(7, "packet", "look"), Comment(3, "packet", "here")]
    assert names(noted) == []
    [one] = indicators([DUMPCAP, *noted], [])
    assert (one.indicator, one.count, one.place.first_frame, one.place.last_frame) == (
        "not-by-named-tool",
        2,
        3,
        7,
    )


def test_packets_without_a_time_were_not_written_by_dumpcap() -> None:
    timeless = [Damage(kinds.NO_TIME, 10, 4, 9, "9 packets")]
    assert names([DUMPCAP], timeless) == [("not-by-named-tool", "Simple Packet Blocks", 9)]
    assert names([], timeless) == []


def test_sections_of_different_recorders_and_appended_files() -> None:
    several = [
        DUMPCAP,
        Comment(None, "application", "another"),
        Comment(None, "os", "x"),
        Comment(None, "os", "x"),
    ]
    assert names(several) == [("several-recorders", "application", 2)]
    assert names(
        [], [Damage(kinds.ANOTHER_HEADER, 1, 2, 1, ""), Damage(kinds.ANOTHER_HEADER, 9, 8, 1, "")]
    ) == [("appended", None, 2)]


def test_long_texts_are_cut() -> None:
    [one] = indicators([Comment(None, "application", "mergecap " + "x" * 4000)], [])
    assert one.subject is not None and len(one.subject) == 120
