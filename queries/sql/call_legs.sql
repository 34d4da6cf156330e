-- name: call_legs
-- question: Which flows make up a call, what is each of them for, and where in which exhibit does it begin?
-- reads: calls, call_flows, flow_sightings, captures
-- param: call_id BIGINT = NULL             -- only this call
-- param: ip ADDRESS = NULL                 -- only calls in which this address takes part
-- returns: call_id BIGINT, setup_ts TIMESTAMP_NS, role VARCHAR, transport VARCHAR, client_ip VARCHAR,
--     client_port INTEGER, server_ip VARCHAR, server_port INTEGER, app VARCHAR, first_ts TIMESTAMP_NS,
--     last_ts TIMESTAMP_NS, packets_up BIGINT, packets_down BIGINT, capture VARCHAR, first_frame BIGINT,
--     reason VARCHAR, flow_id BIGINT
-- cannot show: legs inside TLS, and those that nothing ties to the call
SELECT l.call_id, c.setup_ts, l.role, f.transport, f.client_ip, f.client_port, f.server_ip, f.server_port, f.app,
       l.first_ts, l.last_ts, f.packets_up, f.packets_down, x.name AS capture, l.first_frame, l.reason, l.flow_id
FROM call_flows l JOIN calls c ON c.call_id = l.call_id JOIN flow_sightings f ON f.flow_id = l.flow_id
JOIN captures x ON x.capture_id = l.capture_id
WHERE ($call_id IS NULL OR l.call_id = $call_id) AND ($ip IS NULL OR list_contains(c.party_ips, $ip))
ORDER BY c.setup_ts, l.call_id, l.first_ts, l.flow_id, l.role
