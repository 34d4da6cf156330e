-- name: names_of_address
-- question: By which names was an address known, when, and how do we know?
-- reads: names, captures
-- param: ip ADDRESS                        -- the address
-- returns: name VARCHAR, source VARCHAR, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, sightings BIGINT,
--     capture VARCHAR, frame BIGINT
-- cannot show: names that other clients used for the address outside the captures
SELECT n.name, n.source, min(n.first_ts) AS first_ts, max(n.last_ts) AS last_ts, count(*) AS sightings,
       arg_min(c.name, (n.first_ts, n.capture_id, n.frame)) AS capture,
       arg_min(n.frame, (n.first_ts, n.capture_id, n.frame)) AS frame
FROM names n JOIN captures c USING (capture_id)
WHERE n.ip = $ip
GROUP BY n.name, n.source
ORDER BY first_ts, n.name, n.source
