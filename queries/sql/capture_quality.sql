-- name: capture_quality
-- question: How much of each capture was lost, cut, damaged or left aside?
-- reads: captures, interfaces, flows, damage
-- returns: name VARCHAR, packets BIGINT, complete BOOLEAN, truncated_packets BIGINT, malformed_packets BIGINT,
--     duplicate_packets BIGINT, out_of_order_packets BIGINT, out_of_scope_packets BIGINT,
--     undecoded_packets BIGINT, reported_drops BIGINT, missing_bytes BIGINT, flows_cut_at_start BIGINT,
--     damage VARCHAR[], capture_id BIGINT
-- cannot show: packets that the recorder lost without saying so, unless TCP shows the gap
WITH drops AS (
    SELECT capture_id, sum(reported_drops)::BIGINT AS reported_drops FROM interfaces GROUP BY capture_id
), gaps AS (
    SELECT capture_id, sum(missing_bytes)::BIGINT AS missing_bytes,
           count(*) FILTER (WHERE transport = 'tcp' AND NOT syn_seen) AS flows_cut_at_start
    FROM flows GROUP BY capture_id
), found AS (
    SELECT capture_id,
           list(concat_ws(' ', kind, 'at offset', "offset", detail) ORDER BY "offset", frame, kind, detail) AS damage
    FROM damage GROUP BY capture_id
)
SELECT c.name, c.packets, c.complete, c.truncated_packets, c.malformed_packets, c.duplicate_packets,
       c.out_of_order_packets, c.out_of_scope_packets, c.undecoded_packets, d.reported_drops,
       coalesce(g.missing_bytes, 0) AS missing_bytes, coalesce(g.flows_cut_at_start, 0) AS flows_cut_at_start,
       coalesce(f.damage, []) AS damage, c.capture_id
FROM captures c
LEFT JOIN drops d USING (capture_id)
LEFT JOIN gaps g USING (capture_id)
LEFT JOIN found f USING (capture_id)
ORDER BY c.name, c.capture_id
