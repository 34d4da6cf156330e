-- name: stun_peers
-- question: Which addresses did STUN and TURN reveal behind a translator or a relay?
-- reads: stun_messages, flows, captures
-- param: ip ADDRESS = NULL                 -- only of flows of this address
-- returns: client_ip VARCHAR, server_ip VARCHAR, server_port INTEGER, mapped VARCHAR, relayed VARCHAR,
--     peer VARCHAR, realm VARCHAR, software VARCHAR, app VARCHAR, messages BIGINT, first_ts TIMESTAMP_NS,
--     last_ts TIMESTAMP_NS, capture VARCHAR, frame BIGINT, flow_id BIGINT
-- cannot show: the far side of a relayed call whose TURN messages are encrypted or not captured
SELECT f.client_ip, f.server_ip, f.server_port, s.mapped, s.relayed, s.peer, s.realm, s.software, f.app,
       count(*) AS messages, min(s.ts) AS first_ts, max(s.ts) AS last_ts, any_value(c.name) AS capture,
       min(s.frame) AS frame, s.flow_id
FROM stun_messages s JOIN flows f USING (flow_id) JOIN captures c ON c.capture_id = f.capture_id
WHERE (s.mapped IS NOT NULL OR s.relayed IS NOT NULL OR s.peer IS NOT NULL)
  AND ($ip IS NULL OR f.client_ip = $ip OR f.server_ip = $ip)
GROUP BY s.flow_id, f.client_ip, f.server_ip, f.server_port, s.mapped, s.relayed, s.peer, s.realm, s.software, f.app
ORDER BY first_ts, frame, s.flow_id, s.mapped, s.relayed, s.peer, s.realm, s.software
