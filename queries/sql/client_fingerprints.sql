-- name: client_fingerprints
-- question: Which client software, by fingerprint, stood behind each address, and for which applications?
-- reads: tls_handshakes, flows
-- param: ip ADDRESS = NULL                 -- only this client address
-- returns: client_ip VARCHAR, ja4 VARCHAR, ja3s_seen BIGINT, carrier VARCHAR, handshakes BIGINT, apps VARCHAR[],
--     names VARCHAR[], first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, example_flow_id BIGINT
-- cannot show: one device among several with the same software
SELECT f.client_ip, t.ja4, count(DISTINCT t.ja3) AS ja3s_seen, t.carrier, count(*) AS handshakes,
       coalesce(list_sort(list(DISTINCT f.app) FILTER (WHERE f.app IS NOT NULL)), []) AS apps,
       coalesce(list_sort(list(DISTINCT t.sni) FILTER (WHERE t.sni IS NOT NULL)), []) AS names,
       min(t.client_ts) AS first_ts, max(t.client_ts) AS last_ts, min(t.flow_id) AS example_flow_id
FROM tls_handshakes t JOIN flows f USING (flow_id)
WHERE t.ja4 IS NOT NULL AND ($ip IS NULL OR f.client_ip = $ip)
GROUP BY f.client_ip, t.ja4, t.carrier
ORDER BY f.client_ip, handshakes DESC, t.ja4, t.carrier
