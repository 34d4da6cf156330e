-- name: calls
-- question: Which calls were made, when, with which application, and were they answered?
-- reads: calls
-- param: ip ADDRESS = NULL                 -- only calls in which this address takes part
-- param: app VARCHAR = NULL                -- only this application
-- param: least_confidence BIGINT = 0       -- only calls of this confidence or more, percent
-- returns: setup_ts TIMESTAMP_NS, app VARCHAR, caller_ip VARCHAR, callee_ip VARCHAR, party_ips VARCHAR[],
--     direction VARCHAR, state VARCHAR, media VARCHAR, ring_ts TIMESTAMP_NS, answer_ts TIMESTAMP_NS,
--     end_ts TIMESTAMP_NS, media_ms BIGINT, relayed BOOLEAN, packets_out BIGINT, packets_in BIGINT, legs INTEGER,
--     views INTEGER, confidence SMALLINT, statement VARCHAR, call_id BIGINT
-- cannot show: who held the devices, and what was said
-- cannot show: calls inside TLS or a VPN, and why a call without media ended
SELECT setup_ts, app, caller_ip, callee_ip, party_ips, direction, state, media, ring_ts, answer_ts, end_ts, media_ms,
       relayed, packets_out, packets_in, legs, views, confidence, statement, call_id
FROM calls
WHERE ($ip IS NULL OR list_contains(party_ips, $ip) OR caller_ip = $ip OR callee_ip = $ip)
  AND ($app IS NULL OR app = $app) AND confidence >= $least_confidence
ORDER BY setup_ts, call_id
