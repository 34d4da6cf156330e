-- name: certificates
-- question: Which certificates were shown in the clear, by which servers, to how many clients?
-- reads: certificates, tls_handshakes, flows
-- returns: subject VARCHAR, issuer VARCHAR, san VARCHAR[], not_before TIMESTAMP_NS, not_after TIMESTAMP_NS,
--     self_signed BOOLEAN, public_key_type VARCHAR, public_key_bits INTEGER, handshakes BIGINT, clients BIGINT,
--     servers VARCHAR[], sha256 VARCHAR
-- cannot show: certificates of TLS 1.3 and QUIC, which travel encrypted
WITH shown AS (
    SELECT unnest(certificate_sha256s) AS sha256, flow_id, client_frame FROM tls_handshakes
), seen AS (
    SELECT s.sha256, count(DISTINCT (s.flow_id, s.client_frame)) AS handshakes,
           count(DISTINCT f.client_ip) AS clients, list_sort(list(DISTINCT f.server_ip)) AS servers
    FROM shown s JOIN flows f USING (flow_id) GROUP BY s.sha256
)
SELECT c.subject, c.issuer, c.san, c.not_before, c.not_after, c.self_signed, c.public_key_type, c.public_key_bits,
       coalesce(s.handshakes, 0) AS handshakes, coalesce(s.clients, 0) AS clients,
       coalesce(s.servers, []) AS servers, c.sha256
FROM certificates c LEFT JOIN seen s USING (sha256)
ORDER BY handshakes DESC, c.sha256
