-- name: sdp_addresses
-- question: Where did the parties of SIP calls ask for their media, and which private addresses did they reveal?
-- reads: sdp_media, captures
-- param: ip VARCHAR = NULL                 -- only where this address is named, as media address or candidate
-- returns: ts TIMESTAMP_NS, call_id VARCHAR, kind VARCHAR, ip VARCHAR, port INTEGER, protocol VARCHAR,
--     direction VARCHAR, candidates VARCHAR[], fingerprint VARCHAR, ice_ufrag VARCHAR, capture VARCHAR, frame BIGINT,
--     flow_id BIGINT
-- cannot show: whether media really went there: see flows and media_streams
SELECT s.ts, s.call_id, s.kind, s.ip, s.port, s.protocol, s.direction, s.candidates, s.fingerprint, s.ice_ufrag,
       c.name AS capture, s.frame, s.flow_id
FROM sdp_media s JOIN captures c ON c.capture_id = s.capture_id
WHERE $ip IS NULL OR s.ip = $ip::VARCHAR
   OR len(list_filter(s.candidates, lambda one: starts_with(replace(replace(one, '[', ''), ']', ''), $ip::VARCHAR || ':'))) > 0
ORDER BY s.ts, s.flow_id, s.frame, s.kind, s.port, s.ip
