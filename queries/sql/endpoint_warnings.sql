-- name: endpoint_warnings
-- question: Which addresses may have stood for several devices, or for different ones in turn?
-- reads: endpoint_warnings, captures
-- param: ip ADDRESS = NULL                 -- only this address
-- returns: ip VARCHAR, network VARCHAR, warning VARCHAR, told VARCHAR[], first_ts TIMESTAMP_NS, capture VARCHAR,
--     frame BIGINT, other_capture VARCHAR, other_frame BIGINT, statement VARCHAR
-- cannot show: that an address without a row stood for one device
SELECT w.ip, w.network, w.warning, w.told, w.first_ts, c.name AS capture, w.frame, o.name AS other_capture,
       w.other_frame, w.statement
FROM endpoint_warnings w
LEFT JOIN captures c ON c.capture_id = w.capture_id
LEFT JOIN captures o ON o.capture_id = w.other_capture_id
WHERE $ip IS NULL OR w.ip = $ip
ORDER BY w.ip, w.network NULLS FIRST, w.warning, w.first_ts, w.frame
