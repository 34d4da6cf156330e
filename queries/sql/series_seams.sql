-- name: series_seams
-- question: Which captures follow each other as one rotated series, and what lies at each seam between them?
-- reads: series, flow_parts
-- returns: series_id BIGINT, part BIGINT, parts BIGINT, capture VARCHAR, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS,
--     gap_s DOUBLE, connections BIGINT, compared BIGINT, unbroken BIGINT, bytes_between BIGINT, packets_between BIGINT,
--     reason VARCHAR, capture_id BIGINT
-- cannot show: whether connections without TCP sequence numbers on both sides of a seam lost anything between
-- cannot show: that a missing stretch was taken out rather than never recorded
WITH seams AS (
    SELECT capture_id, count(*) AS connections, count(bytes_between) AS compared,
           count(*) FILTER (bytes_between = 0) AS unbroken, sum(bytes_between)::BIGINT AS bytes_between,
           sum(coalesce(up_packets_between, 0) + coalesce(down_packets_between, 0))::BIGINT AS packets_between
    FROM flow_parts WHERE part > 1 GROUP BY capture_id
)
SELECT s.series_id, s.part, s.parts, s.name AS capture, s.first_ts, s.last_ts, (s.gap_ns / 1e9)::DOUBLE AS gap_s,
       coalesce(m.connections, 0) AS connections, coalesce(m.compared, 0) AS compared,
       coalesce(m.unbroken, 0) AS unbroken, m.bytes_between, m.packets_between, s.reason, s.capture_id
FROM series s LEFT JOIN seams m USING (capture_id)
ORDER BY s.series_id, s.part
