-- name: unidentified
-- question: What share of the traffic has no application label, and why?
-- reads: flow_sightings, tls_handshakes
-- returns: reason VARCHAR, service VARCHAR, flows BIGINT, bytes BIGINT, share_of_flows_percent DOUBLE,
--     share_of_bytes_percent DOUBLE
-- cannot show: what the unlabelled traffic is
WITH hello AS (
    SELECT s.conversation_id AS flow_id, count(t.sni) AS names, count(t.ech) AS hidden
    FROM tls_handshakes t JOIN flow_sightings s USING (flow_id) GROUP BY s.conversation_id
), sorted AS (
    SELECT CASE
               WHEN f.app IS NOT NULL THEN 'labelled'
               WHEN h.names > 0 THEN 'server name that no rule knows'
               WHEN h.hidden > 0 THEN 'server name encrypted'
               WHEN h.flow_id IS NOT NULL THEN 'handshake without server name'
               WHEN f.service IN ('tls', 'quic', 'dtls') THEN 'handshake not in the capture'
               WHEN f.service IS NOT NULL THEN 'service that carries no application label'
               WHEN f.payload_up + f.payload_down = 0 THEN 'no payload'
               WHEN f.transport = 'tcp' AND NOT f.syn_seen THEN 'start not in the capture'
               ELSE 'protocol not recognised'
           END AS reason,
           f.service, f.bytes_up + f.bytes_down AS bytes, f.continues
    FROM flow_sightings f LEFT JOIN hello h USING (flow_id)
    WHERE f.counted
), counted AS (
    SELECT reason, service, count(*) FILTER (NOT continues) AS flows, sum(bytes)::BIGINT AS bytes
    FROM sorted GROUP BY reason, service
)
SELECT reason, service, flows, bytes,
       round(100.0 * flows / nullif(sum(flows) OVER ()::BIGINT, 0), 3)::DOUBLE AS share_of_flows_percent,
       round(100.0 * bytes / nullif(sum(bytes) OVER ()::BIGINT, 0), 3)::DOUBLE AS share_of_bytes_percent
FROM counted
ORDER BY reason = 'labelled' DESC, bytes DESC, reason, service
