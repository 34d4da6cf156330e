-- name: unexplained
-- question: Which share of the traffic of each address has no application label, and why?
-- reads: unexplained, captures
-- param: ip ADDRESS = NULL                 -- only this address
-- returns: ip VARCHAR, network VARCHAR, place SMALLINT, reason VARCHAR, labelled BOOLEAN, flows BIGINT, bytes BIGINT,
--     share_of_flows_percent DOUBLE, share_of_bytes_percent DOUBLE, services VARCHAR[], apps VARCHAR[],
--     capture VARCHAR, first_frame BIGINT, flow_id BIGINT
-- cannot show: what the traffic without a label is: absence of a label is not absence of use
-- cannot show: sums over addresses: a flow between two of them counts for both
WITH shared AS (
    SELECT *, sum(flows) OVER (PARTITION BY endpoint_id)::BIGINT AS all_flows,
           sum(bytes) OVER (PARTITION BY endpoint_id)::BIGINT AS all_bytes,
           sum(bytes) FILTER (NOT labelled) OVER (PARTITION BY endpoint_id)::BIGINT AS unlabelled
    FROM unexplained WHERE $ip IS NULL OR ip = $ip
)
SELECT s.ip, s.network, s.place, s.reason, s.labelled, s.flows, s.bytes,
       round(100.0 * s.flows / nullif(s.all_flows, 0), 3)::DOUBLE AS share_of_flows_percent,
       round(100.0 * s.bytes / nullif(s.all_bytes, 0), 3)::DOUBLE AS share_of_bytes_percent,
       s.services, s.apps, c.name AS capture, s.first_frame, s.flow_id
FROM shared s LEFT JOIN captures c ON c.capture_id = s.capture_id
ORDER BY coalesce(s.unlabelled, 0) DESC, s.ip, s.network NULLS FIRST, s.place
