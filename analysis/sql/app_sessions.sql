-- name: app_sessions
-- question: When did each address have connections of each application, and how much did they carry?
-- reads: flow_sightings
-- param: gap_ns BIGINT        -- flows at most so far apart are one session
-- param: most_flows BIGINT    -- flows of a session whose frames are listed
-- returns: one row a session; flow_refs holds capture, flow, first and last frame of its first flows, and whether the
--     flow counts. Volumes are sums over the flows that count: what several exhibits recorded is in them once.
-- cannot show: use of the application; applications keep connections open while nobody looks

WITH labelled AS (
    SELECT client_ip, app, flow_id, capture_id, counted, continues, exhibits, server_ip, first_frame, last_frame,
           epoch_ns(first_ts) AS first_ns,
           epoch_ns(last_ts) AS last_ns, coalesce(packets_up, 0) AS packets_up,
           coalesce(packets_down, 0) AS packets_down, coalesce(bytes_up, 0) AS bytes_up,
           coalesce(bytes_down, 0) AS bytes_down
    FROM flow_sightings WHERE app IS NOT NULL AND client_ip IS NOT NULL
),
reached AS (
    SELECT *, max(last_ns) OVER (PARTITION BY client_ip, app ORDER BY first_ns, last_ns, flow_id
                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_ns
    FROM labelled
),
numbered AS (
    SELECT *, sum(CASE WHEN first_ns - before_ns <= $gap_ns THEN 0 ELSE 1 END)
                  OVER (PARTITION BY client_ip, app ORDER BY first_ns, last_ns, flow_id) AS session
    FROM reached
),
placed AS (
    SELECT *, row_number() OVER (PARTITION BY client_ip, app, session ORDER BY first_ns, last_ns, flow_id) AS place
    FROM numbered
)
SELECT client_ip, app, min(first_ns) AS first_ns, max(last_ns) AS last_ns, count(*) FILTER (counted AND NOT continues) AS flows,
       (sum(packets_up) FILTER (counted))::BIGINT AS packets_up,
       (sum(packets_down) FILTER (counted))::BIGINT AS packets_down,
       (sum(bytes_up) FILTER (counted))::BIGINT AS bytes_up, (sum(bytes_down) FILTER (counted))::BIGINT AS bytes_down,
       count(DISTINCT server_ip) FILTER (counted) AS servers, list_sort(list(DISTINCT capture_id)) AS captures,
       list([capture_id, flow_id, first_frame, last_frame, counted::BIGINT] ORDER BY place)
           FILTER (place <= $most_flows) AS flow_refs,
       count(*) AS records, count(*) FILTER (counted AND NOT continues AND exhibits > 1) AS shared_flows
FROM placed
GROUP BY client_ip, app, session
-- a conversation whose client another exhibit took for the server is listed with the record that counts
HAVING count(*) FILTER (counted) > 0
ORDER BY client_ip, app, first_ns
