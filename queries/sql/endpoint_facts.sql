-- name: endpoint_facts
-- question: What was told of an address, by which protocol, in which frame?
-- reads: endpoint_facts, captures
-- param: ip ADDRESS = NULL                 -- only this address
-- param: kind VARCHAR = NULL               -- only mac, name, system, software, ja4, app, identity or other
-- param: value VARCHAR = NULL              -- only this value
-- returns: ip VARCHAR, network VARCHAR, kind VARCHAR, attribute VARCHAR, value VARCHAR, source VARCHAR,
--     first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, times BIGINT, capture VARCHAR, frame BIGINT, flow_id BIGINT
-- cannot show: that what a host says of itself is true
SELECT f.ip, f.network, f.kind, f.attribute, f.value, f.source, f.first_ts, f.last_ts, f.times, c.name AS capture, f.frame,
       f.flow_id
FROM endpoint_facts f LEFT JOIN captures c ON c.capture_id = f.capture_id
WHERE ($ip IS NULL OR f.ip = $ip) AND ($kind IS NULL OR f.kind = $kind) AND ($value IS NULL OR f.value = $value)
ORDER BY f.ip, f.network NULLS FIRST, f.kind, f.attribute, f.first_ts, f.value, f.source, f.capture_id
