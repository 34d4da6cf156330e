-- name: joined_flows
-- question: Which connections go on over several captures of a series, and what do their parts add up to?
-- reads: joined_flows
-- param: ip ADDRESS = NULL   -- only connections of this address
-- returns: connection_id BIGINT, parts BIGINT, transport VARCHAR, client_ip VARCHAR, client_port INTEGER,
--     server_ip VARCHAR, server_port INTEGER, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, payload_up BIGINT,
--     payload_down BIGINT, bytes_between BIGINT, service VARCHAR, sni VARCHAR, app VARCHAR, app_confidence SMALLINT,
--     app_reason VARCHAR, flow_ids BIGINT[]
-- cannot show: connections that lie in one capture alone
SELECT connection_id, parts, transport, client_ip, client_port, server_ip, server_port, first_ts, last_ts, payload_up,
       payload_down, bytes_between, service, sni, app, app_confidence, app_reason, flow_ids
FROM joined_flows
WHERE $ip IS NULL OR client_ip = $ip OR server_ip = $ip
ORDER BY first_ts, connection_id
