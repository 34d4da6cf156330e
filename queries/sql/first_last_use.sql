-- name: first_last_use
-- question: When was each application first and last used by each address, with flows begun on how many days (UTC)?
-- reads: flow_sightings, captures
-- returns: client_ip VARCHAR, app VARCHAR, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, days BIGINT, flows BIGINT,
--     bytes BIGINT, lowest_confidence SMALLINT, first_capture VARCHAR, first_frame BIGINT, last_capture VARCHAR,
--     last_frame BIGINT
-- cannot show: which clock is right where exhibits that recorded the same flow differ
-- cannot show: use outside the time that the captures cover
SELECT f.client_ip, f.app, min(f.first_ts) AS first_ts, max(f.last_ts) AS last_ts,
       count(DISTINCT epoch_ns(f.first_ts) // 86400000000000) AS days, count(*) FILTER (f.counted AND NOT f.continues) AS flows,
       coalesce(sum(f.bytes_up + f.bytes_down) FILTER (f.counted), 0)::BIGINT AS bytes,
       min(f.app_confidence) AS lowest_confidence,
       arg_min(c.name, (f.first_ts, f.flow_id)) AS first_capture,
       arg_min(f.first_frame, (f.first_ts, f.flow_id)) AS first_frame,
       arg_max(c.name, (f.last_ts, f.flow_id)) AS last_capture,
       arg_max(f.last_frame, (f.last_ts, f.flow_id)) AS last_frame
FROM flow_sightings f JOIN captures c USING (capture_id)
WHERE f.app IS NOT NULL
GROUP BY f.client_ip, f.app
HAVING count(*) FILTER (f.counted) > 0
ORDER BY f.client_ip, first_ts, f.app
