-- name: message_events
-- question: When did an application of an address send or receive what looks like a message?
-- reads: events, flow_sightings, captures
-- param: ip ADDRESS = NULL                 -- only events of flows of this address
-- param: app VARCHAR = NULL                -- only this application
-- returns: ts TIMESTAMP_NS, client_ip VARCHAR, server_ip VARCHAR, app VARCHAR, direction VARCHAR, bytes BIGINT,
--     packets INTEGER, kind VARCHAR, confidence SMALLINT, capture VARCHAR, first_frame BIGINT, last_frame BIGINT,
--     event_id BIGINT, flow_id BIGINT
-- cannot show: events that only the smaller of two records of one conversation holds
-- cannot show: what was said, and to whom beyond the server
-- cannot show: messages that fall together in one burst as several
SELECT e.ts, f.client_ip, f.server_ip, f.app, CASE WHEN e.up THEN 'sent' ELSE 'received' END AS direction, e.bytes,
       e.packets, e.kind, e.confidence, c.name AS capture, e.first_frame, e.last_frame, e.event_id, e.flow_id
FROM events e JOIN flow_sightings f USING (flow_id) JOIN captures c ON c.capture_id = f.capture_id
WHERE ($ip IS NULL OR f.client_ip = $ip OR f.server_ip = $ip) AND ($app IS NULL OR f.app = $app)
ORDER BY e.ts, e.flow_id, e.first_frame, e.event_id
