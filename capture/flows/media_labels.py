"""Media streams that give their application away by their numbers -> labels of their flows.

The first payloads of a flow are mostly its set-up; what a call sends once it is answered stands behind them. So these
patterns look at the streams that were found in the whole flow; what a pattern is worth is in the application rules, as
evidence of the kind `signature`, like the patterns of `protocols/messenger_bytes.py`, whose names they share.
"""

from collections.abc import Iterable
from typing import Final

from wirecover.capture.apps.matcher import FlowFacts, Label, RuleSet
from wirecover.capture.flows.media import MediaStream

SIGNAL_DATA: Final = (101, 0x0D)
"""Payload type and SSRC of the RTP data channel of a one-to-one call of Signal, both ways:
https://github.com/signalapp/ringrtc/tree/ae5d7bd src/rust/src/core/connection.rs."""


def media_labels(streams: Iterable[MediaStream], rules: RuleSet) -> dict[int, Label]:
    """Flow number to label, for flows that carry such a stream."""
    found: dict[int, Label] = {}
    for stream in streams:
        if (stream.payload_type, stream.ssrc) == SIGNAL_DATA and stream.flow_no not in found:
            facts = FlowFacts(
                transport="udp", server_ip="", server_port=0, client_ip="", client_port=0, frame=stream.first_frame,
                signatures=frozenset({"signal-rtp-data"}),
            )  # fmt: skip
            label = rules.match(facts, stream.first_ts)
            if label is not None:
                found[stream.flow_no] = label
    return found
