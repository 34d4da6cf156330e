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
ENDPOINTS: Final = _schema(
    endpoint_id=_i64, ip=_text, network=_text, first_ts=_time, last_ts=_time, capture_id=_i64, first_frame=_i64,
    last_capture_id=_i64, last_frame=_i64, flows=_i64, flows_opened=_i64, peers=_i64, bytes_sent=_i64,
    bytes_received=_i64, macs=_texts, names=_texts, systems=_texts, software=_texts, ja4s=_texts, apps=_texts,
    identities=_texts, vlans=_ids, links=_i32, warnings=_texts, capture_ids=_ids,
)  # fmt: skip
ENDPOINT_FACTS: Final = _schema(
    endpoint_id=_i64, ip=_text, network=_text, kind=_text, attribute=_text, value=_text, source=_text, first_ts=_time,
    last_ts=_time, times=_i64, capture_id=_i64, frame=_i64, flow_id=_i64,
)  # fmt: skip
DEVICE_LINKS: Final = _schema(
    link_id=_i64, ip=_text, network=_text, other_ip=_text, other_network=_text, reason=_text, strength=_text,
    value=_text, source=_text, ts=_time, capture_id=_i64, frame=_i64, other_source=_text, other_ts=_time,
    other_capture_id=_i64, other_frame=_i64, addresses=_i32, counter=_texts, statement=_text,
)  # fmt: skip
ENDPOINT_WARNINGS: Final = _schema(
    endpoint_id=_i64, ip=_text, network=_text, warning=_text, told=_texts, first_ts=_time, capture_id=_i64,
    frame=_i64, other_capture_id=_i64, other_frame=_i64, statement=_text,
)  # fmt: skip
UNEXPLAINED: Final = _schema(
    endpoint_id=_i64, ip=_text, network=_text, place=_i16, reason=_text, labelled=_flag, flows=_i64, bytes=_i64,
    services=_texts, apps=_texts, first_ts=_time, capture_id=_i64, first_frame=_i64, flow_id=_i64,
)  # fmt: skip
ANALYSIS_NOTES: Final = _schema(pattern=_text, seq=_i32, note=_text)

DERIVED: Final[dict[str, pa.Schema]] = {
    "findings": FINDINGS, "finding_frames": FINDING_FRAMES, "events": EVENTS, "calls": CALLS,
    "call_flows": CALL_FLOWS, "analysis_notes": ANALYSIS_NOTES, "endpoints": ENDPOINTS,
    "endpoint_facts": ENDPOINT_FACTS, "device_links": DEVICE_LINKS, "endpoint_warnings": ENDPOINT_WARNINGS,
    "unexplained": UNEXPLAINED,
}  # fmt: skip

OWNED: Final = frozenset({"endpoints", "endpoint_facts", "device_links", "endpoint_warnings", "unexplained"})
"""Tables without a pattern of their own, each written by one detector: a run of it replaces all rows."""

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
        "endpoints": {
            "endpoint_id": "from address and network: the same in every run and case",
            "ip": "address; not a person, and not one device for sure",
            "network": "virtual network (VNI, I-SID) that its packets came in, NULL: none, or not told",
            "first_ts": "first time that anything is known of it, UTC",
            "last_ts": "last such time, UTC",
            "capture_id": "capture of its first frame",
            "first_frame": "first frame of its first flow; without flows, where it was told of first",
            "last_capture_id": "capture of its last frame",
            "last_frame": "last frame of its last flow; without flows, as first_frame",
            "flows": "flows it takes part in; what several captures recorded counts once",
            "flows_opened": "of them, those in which it is the client",
            "peers": "distinct addresses at the other end",
            "bytes_sent": "bytes on the wire that it sent",
            "bytes_received": "bytes on the wire that it was sent",
            "macs": "hardware addresses told of it, in text order, at most 32; all in endpoint_facts",
            "names": "names told of it, likewise",
            "systems": "systems, models and vendors told of it, likewise",
            "software": "programs that name themselves, likewise",
            "ja4s": "JA4 fingerprints of its ClientHellos, likewise",
            "apps": "application labels of flows that it opened, likewise",
            "identities": "identities and accounts told of it, as attribute and value, likewise",
            "vlans": "VLANs of its flows, at most 32",
            "links": "rows of device_links that name it",
            "warnings": "rows of endpoint_warnings on it, by their keys",
            "capture_ids": "captures that show it, ascending",
        },
        "endpoint_facts": {
            "endpoint_id": "the endpoint",
            "ip": "its address",
            "network": "its virtual network, or NULL",
            "kind": "'mac', 'name', 'system', 'software', 'ja4', 'app', 'identity' or 'other'",
            "attribute": "what is told",
            "value": "as it was told",
            "source": "protocol or detector that told it",
            "first_ts": "first time told in that capture, UTC",
            "last_ts": "last time told in that capture, UTC",
            "times": "conversations or messages that told it",
            "capture_id": "the capture",
            "frame": "frame that told it first",
            "flow_id": "flow of that frame, NULL where the source notes none",
        },
        "device_links": {
            "link_id": "from both addresses, reason, value and first time: the same in every run",
            "ip": "address that the identifier was told of first",
            "network": "its virtual network, or NULL",
            "other_ip": "the other address; the same one where two recordings tell it at different times",
            "other_network": "its virtual network, or NULL",
            "reason": "kind of identifier: a key that docs/methods.md explains",
            "strength": "'hardware', 'software', 'subscription' or 'name': of what it is; no proof of one device",
            "value": "the identifier",
            "source": "protocol or detector that told it of ip",
            "ts": "when it was first told of ip, UTC",
            "capture_id": "capture of that frame",
            "frame": "frame that told it of ip",
            "other_source": "protocol or detector that told it of other_ip",
            "other_ts": "when it was first told of other_ip, UTC",
            "other_capture_id": "capture of that frame",
            "other_frame": "frame that told it of other_ip",
            "addresses": "addresses that the identifier was told of",
            "counter": "what speaks against one device: keys that docs/methods.md explains",
            "statement": "the link as one English sentence",
        },
        "endpoint_warnings": {
            "endpoint_id": "the endpoint",
            "ip": "its address",
            "network": "its virtual network, or NULL",
            "warning": "why it may not have been one device all the time: a key that docs/methods.md explains",
            "told": "what was told, in text order, at most 32",
            "first_ts": "when the first of it was told, UTC",
            "capture_id": "capture of frame",
            "frame": "frame that told the first of it",
            "other_capture_id": "capture of other_frame",
            "other_frame": "frame that told the second, NULL where there is one only",
            "statement": "the sign as one English sentence",
        },
        "unexplained": {
            "endpoint_id": "the endpoint",
            "ip": "its address",
            "network": "its virtual network, or NULL",
            "place": "order in which the reasons are tried, from 1; a flow has the first that holds",
            "reason": "why these flows have no label, or which sort of label: a key that docs/methods.md explains",
            "labelled": "true: these flows have a label",
            "flows": "flows; what several captures recorded counts once",
            "bytes": "their bytes on the wire, both directions",
            "services": "protocols recognised in them",
            "apps": "their labels; of reason 'hint', applications whose addresses, ports or patterns they fit",
            "first_ts": "first packet of the first of them, UTC",
            "capture_id": "capture of that flow",
            "first_frame": "its first frame",
            "flow_id": "that flow",
        },
        "note": "what its last run left out or could not do, as one English sentence",
    },
}


def empty(table: str) -> pa.Table:
    """The derived table of that name without rows."""
    return DERIVED[table].empty_table()
