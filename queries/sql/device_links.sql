-- name: device_links
-- question: Which addresses may have been one device, for which reason, and what speaks against it?
-- reads: device_links, captures
-- param: ip ADDRESS = NULL                 -- only links of this address
-- param: strength VARCHAR = NULL           -- only hardware, software, subscription or name
-- returns: ip VARCHAR, network VARCHAR, other_ip VARCHAR, other_network VARCHAR, reason VARCHAR, strength VARCHAR,
--     value VARCHAR, counter VARCHAR[], addresses INTEGER, source VARCHAR, ts TIMESTAMP_NS, capture VARCHAR,
--     frame BIGINT, other_source VARCHAR, other_ts TIMESTAMP_NS, other_capture VARCHAR, other_frame BIGINT,
--     statement VARCHAR
-- cannot show: that two addresses were one device, or that two without a link were two
-- cannot show: links by TLS session tickets, pre-shared keys and QUIC tokens, which are not stored
SELECT l.ip, l.network, l.other_ip, l.other_network, l.reason, l.strength, l.value, l.counter, l.addresses, l.source, l.ts,
       c.name AS capture, l.frame, l.other_source, l.other_ts, o.name AS other_capture, l.other_frame, l.statement
FROM device_links l
LEFT JOIN captures c ON c.capture_id = l.capture_id
LEFT JOIN captures o ON o.capture_id = l.other_capture_id
WHERE ($ip IS NULL OR l.ip = $ip OR l.other_ip = $ip) AND ($strength IS NULL OR l.strength = $strength)
ORDER BY l.ts, l.other_ts, l.ip, l.other_ip, l.reason, l.value, l.link_id
