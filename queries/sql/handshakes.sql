-- name: handshakes
-- question: Which TLS, DTLS and QUIC handshakes were made, to which name, and with which software fingerprint?
-- reads: tls_handshakes, flows, captures
-- param: ip ADDRESS = NULL                 -- only of flows of this address
-- param: name VARCHAR = NULL               -- only to this server name or a name below it
-- param: ja4 VARCHAR = NULL                -- only with this JA4 fingerprint
-- returns: client_ts TIMESTAMP_NS, client_ip VARCHAR, server_ip VARCHAR, server_port INTEGER, carrier VARCHAR,
--     sni VARCHAR, version VARCHAR, cipher VARCHAR, alpn_offered VARCHAR[], alpn_selected VARCHAR, ja4 VARCHAR,
--     ja3 VARCHAR, ech VARCHAR, resumed BOOLEAN, app VARCHAR, capture VARCHAR, client_frame BIGINT,
--     server_frame BIGINT, flow_id BIGINT
-- cannot show: handshakes that began before the capture
-- cannot show: the true server name behind Encrypted ClientHello
SELECT t.client_ts, f.client_ip, f.server_ip, f.server_port, t.carrier, t.sni, t.version, t.cipher, t.alpn_offered,
       t.alpn_selected, t.ja4, t.ja3, t.ech, t.resumed, f.app, c.name AS capture, t.client_frame, t.server_frame,
       t.flow_id
FROM tls_handshakes t JOIN flows f USING (flow_id) JOIN captures c ON c.capture_id = f.capture_id
WHERE ($ip IS NULL OR f.client_ip = $ip OR f.server_ip = $ip)
  AND ($name IS NULL OR lower(t.sni) = lower($name::VARCHAR) OR ends_with(lower(t.sni), '.' || lower($name::VARCHAR)))
  AND ($ja4 IS NULL OR t.ja4 = $ja4)
ORDER BY t.client_ts, t.flow_id, t.client_frame, t.server_frame
