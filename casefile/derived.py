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
    call_id=_i64, app=_text, caller_ip=_text, callee_ip=_text, setup_ts=_time, answer_ts=_time, end_ts=_time,
    state=_text, media=_text, relayed=_flag, confidence=_i16, statement=_text, details=_text,
    capture_ids=_ids,
)  # fmt: skip
CALL_FLOWS: Final = _schema(call_id=_i64, flow_id=_i64, capture_id=_i64, role=_text)

DERIVED: Final[dict[str, pa.Schema]] = {
    "findings": FINDINGS, "finding_frames": FINDING_FRAMES, "events": EVENTS, "calls": CALLS,
    "call_flows": CALL_FLOWS,
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
        "kind": "'text-like', 'media-like', 'connect-like' or 'keepalive': by size and rhythm",
        "confidence": "integer percent from a fixed rule (docs/methods.md); not a validated rate",
        "first_frame": "first frame of the burst",
        "last_frame": "last frame of the burst",
        "first_ts": "time of the first packet of the burst, UTC",
        "packets": "payload-carrying packets in the burst",
    },
    "calls": {
        "call_id": "from the flows of the call: the same in every run",
        "app": "application label, or NULL",
        "caller_ip": "address that set the call up, or NULL when not known",
        "callee_ip": "the other address, or NULL when not seen",
        "setup_ts": "first packet of the call's set-up, UTC",
        "answer_ts": "first sustained media both ways, UTC, NULL when not answered",
        "end_ts": "last packet of the call, UTC",
        "state": "'answered', 'unanswered' or 'unknown'",
        "media": "'audio', 'video' or 'unknown'",
        "relayed": "true when the media went through a relay",
        "confidence": "integer percent from a fixed rule",
        "statement": "the call as one English sentence",
        "details": "figures behind the sentence, canonical JSON",
        "capture_ids": "captures the call was seen in, ascending",
    },
    "call_flows": {
        "call_id": "the call",
        "flow_id": "a flow of that call",
        "capture_id": "capture the flow was seen in",
        "role": "part of the flow in the call: 'media', 'set-up' or 'relay control'",
    },
}


def empty(table: str) -> pa.Table:
    """The derived table of that name without rows."""
    return DERIVED[table].empty_table()
