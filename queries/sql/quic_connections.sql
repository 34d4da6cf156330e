-- name: quic_connections
-- question: Which QUIC connections were made, with which version, ids and software, and which resumed an earlier one?
-- reads: quic_handshakes, tls_handshakes, flows, captures
-- param: connection_id VARCHAR = NULL      -- only with this connection id (hexadecimal), of either side
-- returns: client_ts TIMESTAMP_NS, client_ip VARCHAR, server_ip VARCHAR, server_port INTEGER, sni VARCHAR,
--     version VARCHAR, client_version VARCHAR, original_dcid VARCHAR, client_scid VARCHAR, server_scid VARCHAR,
--     retry_scid VARCHAR, token_bytes INTEGER, early_data BOOLEAN, user_agent VARCHAR, server_versions VARCHAR[],
--     capture VARCHAR, frame BIGINT, flow_id BIGINT
-- cannot show: ids that were agreed upon later, inside encryption
SELECT t.client_ts, f.client_ip, f.server_ip, f.server_port, t.sni, q.version, q.client_version, q.original_dcid,
       q.client_scid, q.server_scid, q.retry_scid, q.token_bytes, q.early_data, q.user_agent, q.server_versions,
       c.name AS capture, q.frame, q.flow_id
FROM quic_handshakes q JOIN flows f USING (flow_id) JOIN captures c ON c.capture_id = f.capture_id
     LEFT JOIN tls_handshakes t USING (flow_id)
WHERE $connection_id IS NULL
   OR lower($connection_id::VARCHAR) IN (q.original_dcid, q.client_scid, q.server_scid, q.retry_scid)
ORDER BY f.first_ts, q.flow_id, q.frame
