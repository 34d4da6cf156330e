-- name: findings
-- question: What did the analyses find, and on how many frames does each finding rest?
-- reads: findings, finding_frames
-- param: pattern VARCHAR = NULL            -- only findings of this detector
-- param: ip ADDRESS = NULL                 -- only findings about this address
-- returns: finding_id BIGINT, pattern VARCHAR, kind VARCHAR, subject VARCHAR, object VARCHAR, app VARCHAR,
--     first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, score DOUBLE, likelihood_ratio DOUBLE, statement VARCHAR,
--     frames BIGINT
-- cannot show: what no detector looks for; an absent finding is not a finding of absence
SELECT f.finding_id, f.pattern, f.kind, f.subject, f.object, f.app, f.first_ts, f.last_ts, f.score,
       f.likelihood_ratio, f.statement, count(n.frame) AS frames
FROM findings f LEFT JOIN finding_frames n USING (finding_id)
WHERE ($pattern IS NULL OR f.pattern = $pattern) AND ($ip IS NULL OR f.subject = $ip OR f.object = $ip)
GROUP BY ALL
ORDER BY f.pattern, f.first_ts, f.finding_id
