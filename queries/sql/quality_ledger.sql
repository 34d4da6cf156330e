-- name: quality_ledger
-- question: What does each capture lack, or hold twice, and of how many packets was that looked for?
-- reads: quality, captures
-- param: found_only BOOLEAN = false   -- leave out what was looked for and not found
-- returns: capture VARCHAR, metric VARCHAR, interface_id INTEGER, subject VARCHAR, count BIGINT, total BIGINT,
--     share_percent DOUBLE, value BIGINT, unit VARCHAR, first_frame BIGINT, first_ts TIMESTAMP_NS, last_frame BIGINT,
--     detail VARCHAR, capture_id BIGINT
-- cannot show: what lies outside the sample of a large capture
SELECT c.name AS capture, q.metric, q.interface_id, q.subject, q."count", q.total,
       CASE WHEN q.total > 0 THEN round(100.0 * q."count" / q.total, 3)::DOUBLE END AS share_percent, q."value", q.unit,
       q.first_frame, q.first_ts, q.last_frame, q.detail, q.capture_id
FROM quality q JOIN captures c USING (capture_id)
WHERE q."count" > 0 OR NOT $found_only
ORDER BY c.first_ts, q.capture_id, q.metric, q.interface_id NULLS FIRST, q.subject NULLS FIRST, q.detail
