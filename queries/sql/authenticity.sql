-- name: authenticity
-- question: What about each capture would editing explain, and which innocent causes must be ruled out first?
-- reads: authenticity, captures
-- returns: capture VARCHAR, indicator VARCHAR, interface_id INTEGER, subject VARCHAR, count BIGINT, total BIGINT,
--     value BIGINT, unit VARCHAR, first_frame BIGINT, first_ts TIMESTAMP_NS, last_frame BIGINT, detail VARCHAR,
--     explanations VARCHAR[], capture_id BIGINT
-- cannot show: that a capture was edited, or that it was not: an indicator is no proof, and its absence is none
SELECT c.name AS capture, a.indicator, a.interface_id, a.subject, a."count", a.total, a."value", a.unit, a.first_frame,
       a.first_ts, a.last_frame, a.detail, a.explanations, a.capture_id
FROM authenticity a JOIN captures c USING (capture_id)
ORDER BY c.first_ts, a.capture_id, a.indicator, a.interface_id NULLS FIRST, a.subject NULLS FIRST, a.detail
