"""The derived tables: what analyses write into the case, as Arrow schemas.

Evidence tables (`wirecover.capture.tables`) are read from captures; these are concluded from them. The store
creates one table for each schema below, in this column order, and takes rows in exactly this shape. Times are
UTC without a zone (`TIMESTAMP_NS` in DuckDB), ids are signed 64-bit integers, confidences integer percent.
"""

from typing import Final

import pyarrow as pa

_text, _i64, _i32, _i16 = pa.string(), pa.int64(), pa.int32(), pa.int16()
_flag, _real, _time = pa.bool_(), pa.float64(), pa.timestamp("ns")
_ids = pa.list_(pa.field("item", pa.int64()))
_texts = pa.list_(pa.field("item", pa.string()))


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


FINDINGS: Final = _schema(
    finding_id=_i64, pattern=_text, subject=_text, object=_text, app=_text, first_ts=_time, last_ts=_time,
    score=_real, likelihood_ratio=_real, lr_low=_real, lr_high=_real, parameters=_text,
    analysis_version=_text, kind=_text, statement=_text, details=_text, capture_ids=_ids,
)  # fmt: skip
FINDING_FRAMES: Final = _schema(finding_id=_i64, capture_id=_i64, frame=_i64, flow_id=_i64, role=_text)
EVENTS: Final = _schema(
    event_id=_i64, pattern=_text, flow_id=_i64, capture_id=_i64, ts=_time, up=_flag, bytes=_i64, kind=_text,
    confidence=_i16, first_frame=_i64, last_frame=_i64, first_ts=_time, packets=_i32,
)  # fmt: skip
CALLS: Final = _schema(
    call_id=_i64, app=_text, caller_ip=_text, callee_ip=_text, setup_ts=_time, ring_ts=_time, answer_ts=_time,
    end_ts=_time, state=_text, direction=_text, media=_text, relayed=_flag, confidence=_i16, party_ips=_texts,
    peer_addresses=_texts, legs=_i32, views=_i32, packets_out=_i64, packets_in=_i64, media_ms=_i64,
    statement=_text, details=_text, capture_ids=_ids,
)  # fmt: skip
CALL_FLOWS: Final = _schema(
    call_id=_i64, flow_id=_i64, capture_id=_i64, role=_text, first_ts=_time, last_ts=_time, first_frame=_i64,
    reason=_text,
)  # fmt: skip
ANALYSIS_NOTES: Final = _schema(pattern=_text, seq=_i32, note=_text)

DERIVED: Final[dict[str, pa.Schema]] = {
    "findings": FINDINGS, "finding_frames": FINDING_FRAMES, "events": EVENTS, "calls": CALLS,
    "call_flows": CALL_FLOWS, "analysis_notes": ANALYSIS_NOTES,
}  # fmt: skip

COLUMN_COMMENTS: Final[dict[str, dict[str, str]]] = {
    "findings": {
        "finding_id": "from pattern, subject, object, first time and parameters: the same in every run",
        "pattern": "name of the detector that made the statement",
        "subject": "the address the statement is about",
        "object": "the other address, or NULL when the statement is about one address",
        "app": "application label the statement is restricted to, or NULL",
        "first_ts": "first packet the statement rests on, UTC",
        "last_ts": "last packet the statement rests on, UTC",
        "score": "the detector's own measure (see its method), rounded to 6 digits; not a probability",
        "likelihood_ratio": "from this project's own validation set only; NULL where there is none",
        "lr_low": "lower end of the 95 % interval of the likelihood ratio, NULL where there is none",
        "lr_high": "upper end of the 95 % interval of the likelihood ratio, NULL where there is none",
        "parameters": "the detector's parameters, canonical JSON",
        "analysis_version": "version of the detector",
        "kind": "'fact' (counted or measured) or 'assessment' (interpreted)",
        "statement": "the finding as one English sentence",
        "details": "figures behind the sentence, canonical JSON",
        "capture_ids": "captures the statement rests on, ascending",
    },
    "finding_frames": {
        "finding_id": "the finding",
        "capture_id": "the capture the frame is in",
        "frame": "frame number in that capture, from 1",
        "flow_id": "flow the frame belongs to",
        "role": "why the frame is listed, for instance 'first frame of flow'",
    },
    "events": {
        "event_id": "from the flow, the direction and the first frame: the same in every run",
        "pattern": "name of the detector that wrote the event",
        "flow_id": "flow the event was seen in",
        "capture_id": "capture the event was seen in",
        "ts": "time of the last packet of the burst, UTC",
        "up": "true: from client to server",
        "bytes": "transport payload of the burst; of its TLS records, where segments were sent again",
        "kind": "'text-like', 'media-like', 'receipt-like', 'connect-like' or 'keepalive': by size and rhythm",
        "confidence": "integer percent from a fixed rule (docs/methods.md); not a validated rate",
        "first_frame": "first frame of the burst",
        "last_frame": "last frame of the burst",
        "first_ts": "time of the first packet of the burst, UTC",
        "packets": "payload-carrying packets in the burst",
    },
    "calls": {
        "call_id": "from the flows of the call and its first packet: the same in every run",
        "app": "application label, or NULL; 'meta' where WhatsApp and Messenger cannot be told apart",
        "caller_ip": "address that set the call up, or NULL when not known",
        "callee_ip": "address that was called, or NULL when not known or not seen",
        "setup_ts": "first packet of the call's set-up, UTC",
        "ring_ts": "when the offer reached the called side, UTC, NULL when no exhibit shows that",
        "answer_ts": "first media both ways, UTC, NULL when not answered or not known",
        "end_ts": "last packet of media, or of the set-up where there was none, UTC",
        "state": "'answered', 'unanswered', 'rejected', 'failed' or 'unknown'",
        "direction": "'outgoing' or 'incoming' as the first of party_ips sees it, 'unknown' when not known",
        "media": "'audio', 'video', 'screen' or 'unknown'",
        "relayed": "true: media went through a relay or conference server; false: direct; NULL: no media seen",
        "confidence": "integer percent from a fixed rule (docs/methods.md); not a validated rate",
        "party_ips": "addresses of the devices that the exhibits show taking part, the first one seen first",
        "peer_addresses": "address and port of far ends, relays lent and translated addresses, in text order",
        "legs": "flows of the call",
        "views": "devices or exhibits that show it from their own side",
        "packets_out": "media packets that the first of party_ips sent",
        "packets_in": "media packets that reached it",
        "media_ms": "milliseconds with media both ways, 0 when none",
        "statement": "the call as one English sentence",
        "details": "figures and reasons behind the sentence, canonical JSON",
        "capture_ids": "captures the call was seen in, ascending",
    },
    "call_flows": {
        "call_id": "the call",
        "flow_id": "a flow of that call",
        "capture_id": "capture the flow was seen in",
        "role": "part of the flow in the call: 'media', 'relay', 'set-up' or 'signalling'",
        "first_ts": "first packet of the flow that belongs to the call, UTC",
        "last_ts": "last packet of the flow that belongs to the call, UTC",
        "first_frame": "frame of first_ts",
        "reason": "what ties the flow to the others of the call",
    },
    "analysis_notes": {
        "pattern": "name of the detector that says so",
        "seq": "order of its notes, from 1",
        "note": "what its last run left out or could not do, as one English sentence",
    },
}


def empty(table: str) -> pa.Table:
    """The derived table of that name without rows."""
    return DERIVED[table].empty_table()
