-- name: label_reasons
-- question: Why does a flow carry its application label, and what spoke for another?
-- reads: app_evidence, flows, captures
-- param: app VARCHAR = NULL                -- only flows with this label
-- param: ip ADDRESS = NULL                 -- only flows of this address
-- returns: first_ts TIMESTAMP_NS, client_ip VARCHAR, server_ip VARCHAR, server_port INTEGER, label VARCHAR,
--     label_confidence SMALLINT, speaks_for VARCHAR, rule_id VARCHAR, kind VARCHAR, value VARCHAR,
--     confidence SMALLINT, capture VARCHAR, frame BIGINT, flow_id BIGINT
-- cannot show: reasons that no rule knows
SELECT f.first_ts, f.client_ip, f.server_ip, f.server_port, f.app AS label, f.app_confidence AS label_confidence,
       e.app AS speaks_for, e.rule_id, e.kind, e.value, e.confidence, c.name AS capture, e.frame, e.flow_id
FROM app_evidence e JOIN flows f USING (flow_id) JOIN captures c ON c.capture_id = f.capture_id
WHERE ($app IS NULL OR f.app = $app) AND ($ip IS NULL OR f.client_ip = $ip OR f.server_ip = $ip)
ORDER BY f.first_ts, e.flow_id, e.confidence DESC, e.app, e.rule_id, e.kind, e.value, e.frame
