-- name: addresses_of_name
-- question: Which addresses stood behind a name or the names below it, and when?
-- reads: names, captures
-- param: name VARCHAR                      -- the name, for instance example.org
-- returns: ip VARCHAR, name VARCHAR, source VARCHAR, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS,
--     sightings BIGINT, capture VARCHAR, frame BIGINT
-- cannot show: addresses that the name had at other times or for clients elsewhere
SELECT n.ip, n.name, n.source, min(n.first_ts) AS first_ts, max(n.last_ts) AS last_ts, count(*) AS sightings,
       arg_min(c.name, (n.first_ts, n.capture_id, n.frame)) AS capture,
       arg_min(n.frame, (n.first_ts, n.capture_id, n.frame)) AS frame
FROM names n JOIN captures c USING (capture_id)
WHERE lower(n.name) = lower($name) OR ends_with(lower(n.name), '.' || lower($name))
GROUP BY n.ip, n.name, n.source
ORDER BY first_ts, n.ip, n.name, n.source
