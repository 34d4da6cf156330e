-- name: capture_quality
-- question: How much of each capture was lost, cut, damaged, recorded twice or left aside?
-- reads: captures, interfaces, flows, damage, quality
-- returns: name VARCHAR, packets BIGINT, complete BOOLEAN, truncated_packets BIGINT, malformed_packets BIGINT,
--     duplicate_packets BIGINT, out_of_order_packets BIGINT, out_of_scope_packets BIGINT,
--     undecoded_packets BIGINT, reported_drops BIGINT, missing_bytes BIGINT, unseen_bytes BIGINT,
--     one_sided_flows BIGINT, clock_steps BIGINT, wrong_checksums BIGINT, flows_cut_at_start BIGINT,
--     damage VARCHAR[], capture_id BIGINT
-- cannot show: packets that the recorder lost without saying so, unless TCP shows the gap
-- cannot show: of a large capture, checksums and acknowledged bytes beyond the sample; quality_ledger says of how many
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
), lines AS (
    SELECT capture_id,
           (sum(coalesce("value", 0)) FILTER (metric = 'unseen'))::BIGINT AS unseen_bytes,
           (sum("count") FILTER (metric = 'one-sided'))::BIGINT AS one_sided_flows,
           (sum("count") FILTER (metric = 'clock-back'))::BIGINT AS clock_steps,
           (sum("count") FILTER (metric IN ('wrong-sum', 'wrong-ip-sum')))::BIGINT AS wrong_checksums
    FROM quality WHERE subject IS NULL GROUP BY capture_id
)
SELECT c.name, c.packets, c.complete, c.truncated_packets, c.malformed_packets, c.duplicate_packets,
       c.out_of_order_packets, c.out_of_scope_packets, c.undecoded_packets, d.reported_drops,
       coalesce(g.missing_bytes, 0) AS missing_bytes, l.unseen_bytes, l.one_sided_flows, l.clock_steps,
       l.wrong_checksums, coalesce(g.flows_cut_at_start, 0) AS flows_cut_at_start,
       coalesce(f.damage, []) AS damage, c.capture_id
FROM captures c
LEFT JOIN drops d USING (capture_id)
LEFT JOIN gaps g USING (capture_id)
LEFT JOIN found f USING (capture_id)
LEFT JOIN lines l USING (capture_id)
ORDER BY c.name, c.capture_id
