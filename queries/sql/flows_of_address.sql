-- name: flows_of_address
-- question: With whom did an address exchange traffic, when, and how much?
-- reads: flows, captures
-- param: ip ADDRESS                        -- the address
-- param: since TIMESTAMP_NS = NULL         -- only flows that end at this time or later
-- param: until TIMESTAMP_NS = NULL         -- only flows that start at this time or earlier
-- returns: first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, role VARCHAR, transport VARCHAR, own_port INTEGER,
--     peer_ip VARCHAR, peer_port INTEGER, service VARCHAR, app VARCHAR, app_confidence SMALLINT,
--     bytes_sent BIGINT, bytes_received BIGINT, capture VARCHAR, first_frame BIGINT, last_frame BIGINT,
--     flow_id BIGINT
-- cannot show: who used the address; several devices may stand behind one
SELECT f.first_ts, f.last_ts, CASE WHEN f.client_ip = $ip THEN 'client' ELSE 'server' END AS role, f.transport,
       CASE WHEN f.client_ip = $ip THEN f.client_port ELSE f.server_port END AS own_port,
       CASE WHEN f.client_ip = $ip THEN f.server_ip ELSE f.client_ip END AS peer_ip,
       CASE WHEN f.client_ip = $ip THEN f.server_port ELSE f.client_port END AS peer_port,
       f.service, f.app, f.app_confidence,
       CASE WHEN f.client_ip = $ip THEN f.bytes_up ELSE f.bytes_down END AS bytes_sent,
       CASE WHEN f.client_ip = $ip THEN f.bytes_down ELSE f.bytes_up END AS bytes_received,
       c.name AS capture, f.first_frame, f.last_frame, f.flow_id
FROM flows f JOIN captures c USING (capture_id)
WHERE (f.client_ip = $ip OR f.server_ip = $ip)
  AND ($since IS NULL OR f.last_ts >= $since::TIMESTAMP_NS)
  AND ($until IS NULL OR f.first_ts <= $until::TIMESTAMP_NS)
ORDER BY f.first_ts, f.flow_id
