"""The evidence tables: every Parquet file of an exhibit, as Arrow schemas.

Times are INT64 nanoseconds since 1970-01-01 UTC and ids are signed 64-bit (Spark reads neither nanosecond
timestamps nor unsigned ids well). An exhibit's hash is known only when its last byte has been read, so rows carry
`flow_no`, the flow's number inside its exhibit (from 0, in order of first frame); the views of the case turn it
into `flow_id` and add `capture_id`, both derived from the hash (`identifiers.py`).
"""

from typing import Final

import pyarrow as pa

_text, _i64, _i32, _i16, _flag = pa.string(), pa.int64(), pa.int32(), pa.int16(), pa.bool_()
_texts = pa.list_(pa.field("item", pa.string()))


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


CAPTURES: Final = _schema(
    capture_id=_i64, flow_base=_i64, name=_text, sha256=_text, bytes=_i64, format=_text, compression=_text,
    packets=_i64, first_ts=_i64, last_ts=_i64, snaplen=_i64, truncated_packets=_i64, malformed_packets=_i64,
    duplicate_packets=_i64, out_of_order_packets=_i64, out_of_scope_packets=_i64, undecoded_packets=_i64,
    fragment_packets=_i64, complete=_flag, tool_version=_text, rules_sha256=_text,
    local_rules_sha256=_text,
)  # fmt: skip
INTERFACES: Final = _schema(
    interface_id=_i32, name=_text, description=_text, link_type=_i32, link_name=_text, snaplen=_i64,
    ts_resolution_ns=_i64, ts_offset_s=_i64, packets=_i64, reported_drops=_i64,
)  # fmt: skip
DAMAGE: Final = _schema(kind=_text, offset=_i64, frame=_i64, count=_i64, detail=_text)
OUT_OF_SCOPE: Final = _schema(reason=_text, action=_text, packets=_i64, bytes=_i64, records=_i64)
COMMENTS: Final = _schema(frame=_i64, kind=_text, text=_text)
FLOWS: Final = _schema(
    flow_no=_i64, transport=_text, client_ip=_text, client_port=_i32, server_ip=_text, server_port=_i32,
    client_by=_text, first_frame=_i64, last_frame=_i64, first_ts=_i64, last_ts=_i64, packets_up=_i64,
    packets_down=_i64, bytes_up=_i64, bytes_down=_i64, payload_up=_i64, payload_down=_i64, syn_seen=_flag,
    fin_seen=_flag, rst_seen=_flag, rtt_us=_i64, retransmits=_i64, missing_bytes=_i64, vlan=_i32, tunnel=_text,
    community_id=_text, service=_text, app=_text, app_confidence=_i16,
)  # fmt: skip
PACKETS: Final = _schema(
    flow_no=_i64, frame=_i64, ts=_i64, up=_flag, payload_bytes=_i32,
    record_bytes=pa.list_(pa.field("item", pa.int32())), record_types=pa.list_(pa.field("item", pa.int16())),
)  # fmt: skip
TLS_HANDSHAKES: Final = _schema(
    flow_no=_i64, carrier=_text, client_frame=_i64, client_ts=_i64, server_frame=_i64, server_ts=_i64, sni=_text,
    alpn_offered=_texts, alpn_selected=_text, version=_text, client_version=_text, cipher=_text, ja3=_text,
    ja3s=_text, ja4=_text, ech=_text, resumed=_flag, hello_retry=_flag, quic_version=_text,
    certificate_sha1s=_texts, certificate_sha256s=_texts, sni_kind=_text, client_complete=_flag, psk_offered=_flag,
    early_data=_flag, ticket_offered=_flag, ech_config_id=_i32, ech_kdf=_i32, ech_aead=_i32,
    client_certificate_sha256s=_texts,
)  # fmt: skip
QUIC_HANDSHAKES: Final = _schema(
    flow_no=_i64, frame=_i64, client_version=_text, version=_text, original_dcid=_text, client_scid=_text,
    server_scid=_text, retry_scid=_text, retry_holds=_flag, token_bytes=_i32, early_data=_flag,
    server_versions=_texts, user_agent=_text, available_versions=_texts, idle_timeout_ms=_i64,
    transport_parameters=_texts,
)  # fmt: skip
CERTIFICATES: Final = _schema(
    sha256=_text, sha1=_text, subject=_text, issuer=_text, serial=_text, not_before=_i64, not_after=_i64, san=_texts,
    public_key_type=_text, public_key_bits=_i32, self_signed=_flag, flow_no=_i64, frame=_i64,
)  # fmt: skip
DNS_MESSAGES: Final = _schema(
    flow_no=_i64, frame=_i64, ts=_i64, message_id=_i32, is_response=_flag, query_name=_text, query_type=_text,
    rcode=_text, answers=_i32,
)  # fmt: skip
DNS_ANSWERS: Final = _schema(
    flow_no=_i64, frame=_i64, ts=_i64, query_name=_text, name=_text, type=_text, data=_text, ttl=_i64,
)  # fmt: skip
NAMES: Final = _schema(
    ip=_text, name=_text, first_ts=_i64, last_ts=_i64, source=_text, flow_no=_i64, frame=_i64
)
STUN_MESSAGES: Final = _schema(
    **{"flow_no": _i64, "frame": _i64, "ts": _i64, "source": _text, "method": _text, "class": _text,
       "transaction_id": _text, "username": _text, "realm": _text, "software": _text, "mapped": _text,
       "relayed": _text, "peer": _text, "error_code": _i32, "attributes": _texts}
)  # fmt: skip
MEDIA_STREAMS: Final = _schema(
    flow_no=_i64, ssrc=_i64, payload_type=_i16, up=_flag, first_ts=_i64, last_ts=_i64, first_frame=_i64,
    packets=_i64, bytes=_i64, kind=_text, last_frame=_i64, lost=_i64, gaps=_i64, rtcp=_flag, extension_profile=_i32,
    turn_channel=_i32, encapsulation=_text,
)  # fmt: skip
SSH_HANDSHAKES: Final = _schema(
    flow_no=_i64, client_frame=_i64, server_frame=_i64, client_software=_text, server_software=_text, hassh=_text,
    hassh_server=_text,
)  # fmt: skip
HOSTS: Final = _schema(
    ip=_text, mac=_text, attribute=_text, value=_text, source=_text, frame=_i64, first_ts=_i64, last_ts=_i64,
)  # fmt: skip
SIP_MESSAGES: Final = _schema(
    flow_no=_i64, frame=_i64, ts=_i64, source=_text, target=_text, method=_text, status=_i32, uri=_text, call_id=_text,
    cseq=_i64, from_uri=_text, from_name=_text, to_uri=_text, to_name=_text, asserted=_text, contact=_text,
    software=_text, media=_i32,
)  # fmt: skip
SDP_MEDIA: Final = _schema(
    flow_no=_i64, frame=_i64, ts=_i64, call_id=_text, kind=_text, ip=_text, port=_i32, protocol=_text, formats=_texts,
    direction=_text, candidates=_texts, fingerprint=_text, ice_ufrag=_text,
)  # fmt: skip
SUBSCRIBERS: Final = _schema(
    ip=_text, kind=_text, identity=_text, first_ts=_i64, last_ts=_i64, ended=_flag, source=_text, session=_text,
    gateway=_text, flow_no=_i64, frame=_i64, last_frame=_i64,
)  # fmt: skip
RECOGNITIONS: Final = _schema(flow_no=_i64, service=_text, reason=_text, value=_text, frame=_i64)
MESSENGER_FRAMES: Final = _schema(
    flow_no=_i64, frame=_i64, ts=_i64, up=_flag, protocol=_text, kind=_text, length=_i32,
)  # fmt: skip
MESSENGER_FACTS: Final = _schema(
    flow_no=_i64, frame=_i64, ts=_i64, up=_flag, protocol=_text, attribute=_text, value=_text,
)  # fmt: skip
QUALITY: Final = _schema(
    metric=_text, interface_id=_i32, subject=_text, count=_i64, total=_i64, value=_i64, unit=_text, first_frame=_i64,
    first_ts=_i64, last_frame=_i64, detail=_text,
)  # fmt: skip
AUTHENTICITY: Final = _schema(
    indicator=_text, interface_id=_i32, subject=_text, count=_i64, total=_i64, value=_i64, unit=_text, first_frame=_i64,
    first_ts=_i64, last_frame=_i64, detail=_text, explanations=_texts,
)  # fmt: skip
FLOW_ENDS: Final = _schema(
    flow_no=_i64, up_first_seq=_i64, up_next_seq=_i64, up_first_id=_i32, up_last_id=_i32, down_first_seq=_i64,
    down_next_seq=_i64, down_first_id=_i32, down_last_id=_i32,
)  # fmt: skip
APP_EVIDENCE: Final = _schema(
    flow_no=_i64, app=_text, rule_id=_text, kind=_text, value=_text, frame=_i64, confidence=_i16,
)  # fmt: skip

TUNNELS: Final = _schema(
    flow_no=_i64, position=_i16, up=_flag, kind=_text, outer_source=_text, outer_destination=_text,
    outer_source_port=_i32, outer_destination_port=_i32, identifier=_i64, bssid=_text, first_frame=_i64,
)  # fmt: skip

TABLES: Final[dict[str, pa.Schema]] = {
    "captures": CAPTURES, "interfaces": INTERFACES, "damage": DAMAGE,
    "out_of_scope": OUT_OF_SCOPE, "comments": COMMENTS, "flows": FLOWS,
    "packets": PACKETS, "tls_handshakes": TLS_HANDSHAKES, "certificates": CERTIFICATES,
    "dns_messages": DNS_MESSAGES, "dns_answers": DNS_ANSWERS, "names": NAMES, "stun_messages": STUN_MESSAGES,
    "media_streams": MEDIA_STREAMS, "ssh_handshakes": SSH_HANDSHAKES, "hosts": HOSTS, "app_evidence": APP_EVIDENCE,
    "tunnels": TUNNELS,
    "quic_handshakes": QUIC_HANDSHAKES, "sip_messages": SIP_MESSAGES, "sdp_media": SDP_MEDIA,
    "subscribers": SUBSCRIBERS, "recognitions": RECOGNITIONS, "messenger_frames": MESSENGER_FRAMES,
    "messenger_facts": MESSENGER_FACTS, "quality": QUALITY, "authenticity": AUTHENTICITY, "flow_ends": FLOW_ENDS,
}  # fmt: skip
