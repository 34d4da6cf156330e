-- name: top_talkers
-- question: Which addresses exchanged the most traffic?
-- reads: flow_sightings
-- param: top BIGINT = 50                   -- how many addresses
-- returns: ip VARCHAR, flows BIGINT, peers BIGINT, bytes_sent BIGINT, bytes_received BIGINT, bytes BIGINT,
--     apps VARCHAR[], first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS
-- cannot show: traffic that only the smaller of two records of one conversation holds
-- cannot show: hosts behind one address apart
WITH sides AS (
    SELECT client_ip AS ip, server_ip AS peer, bytes_up AS sent, bytes_down AS received, app, first_ts, last_ts,
           counted, continues
    FROM flow_sightings
    UNION ALL
    SELECT server_ip, client_ip, bytes_down, bytes_up, app, first_ts, last_ts, counted, continues
    FROM flow_sightings
)
SELECT ip, count(*) FILTER (counted AND NOT continues) AS flows, count(DISTINCT peer) AS peers,
       (sum(sent) FILTER (counted))::BIGINT AS bytes_sent,
       (sum(received) FILTER (counted))::BIGINT AS bytes_received,
       (sum(sent + received) FILTER (counted))::BIGINT AS bytes,
       coalesce(list_sort(list(DISTINCT app) FILTER (WHERE app IS NOT NULL)), []) AS apps,
       min(first_ts) AS first_ts, max(last_ts) AS last_ts
FROM sides
GROUP BY ip
ORDER BY bytes DESC, ip
LIMIT $top
