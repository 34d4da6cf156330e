-- name: dns_lookups
-- question: Which names did an address look up, when, and what was answered?
-- reads: dns_messages, dns_answers, flows, captures
-- param: ip ADDRESS = NULL                 -- only lookups by this client
-- param: name VARCHAR = NULL               -- only this name or names below it
-- returns: ts TIMESTAMP_NS, client_ip VARCHAR, server_ip VARCHAR, query_name VARCHAR, query_type VARCHAR,
--     rcode VARCHAR, answers VARCHAR[], capture VARCHAR, frame BIGINT, flow_id BIGINT
-- cannot show: lookups over TLS, HTTPS or QUIC, and answers from a cache of the client
WITH told AS (
    SELECT flow_id, frame, list(type || ' ' || data ORDER BY type, data) AS answers
    FROM dns_answers GROUP BY flow_id, frame
)
SELECT m.ts, f.client_ip, f.server_ip, m.query_name, m.query_type, m.rcode, coalesce(t.answers, []) AS answers,
       c.name AS capture, m.frame, m.flow_id
FROM dns_messages m
JOIN flows f USING (flow_id)
JOIN captures c ON c.capture_id = f.capture_id
LEFT JOIN told t ON t.flow_id = m.flow_id AND t.frame = m.frame
WHERE m.is_response
  AND ($ip IS NULL OR f.client_ip = $ip)
  AND ($name IS NULL OR lower(m.query_name) = lower($name::VARCHAR)
       OR ends_with(lower(m.query_name), '.' || lower($name::VARCHAR)))
ORDER BY m.ts, m.flow_id, m.frame, m.message_id, m.query_name, m.query_type
