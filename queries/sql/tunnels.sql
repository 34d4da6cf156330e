-- name: tunnels
-- question: In which tunnels, sessions, VLANs or radio cells were the flows of an address seen?
-- reads: tunnels, flows, captures
-- param: ip ADDRESS = NULL                 -- only around flows of this address
-- param: outer_ip ADDRESS = NULL           -- only layers that this address carries
-- param: kind VARCHAR = NULL               -- only layers of this kind: gtp-u, pppoe, vxlan, 802.11, ...
-- param: identifier BIGINT = NULL          -- only layers of this TEID, VNI, session, label or VLAN
-- returns: client_ip VARCHAR, kind VARCHAR, identifier BIGINT, bssid VARCHAR, up BOOLEAN, position SMALLINT,
--     outer_source VARCHAR, outer_source_port INTEGER, outer_destination VARCHAR, outer_destination_port INTEGER,
--     flows BIGINT, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, capture VARCHAR, frame BIGINT, flow_id BIGINT
-- cannot show: tunnels that a flow moved to after its first packet of a direction; whose session or tunnel it was
SELECT f.client_ip, t.kind, t.identifier, t.bssid, t.up, t.position, t.outer_source, t.outer_source_port,
       t.outer_destination, t.outer_destination_port, count(*) AS flows, min(f.first_ts) AS first_ts,
       max(f.last_ts) AS last_ts, any_value(c.name) AS capture, min(t.first_frame) AS frame,
       arg_min(t.flow_id, t.first_frame) AS flow_id
FROM tunnels t JOIN flows f USING (flow_id) JOIN captures c ON c.capture_id = f.capture_id
WHERE ($ip IS NULL OR f.client_ip = $ip OR f.server_ip = $ip)
  AND ($outer_ip IS NULL OR t.outer_source = $outer_ip OR t.outer_destination = $outer_ip)
  AND ($kind IS NULL OR t.kind = $kind)
  AND ($identifier IS NULL OR t.identifier = $identifier)
GROUP BY c.capture_id, f.client_ip, t.kind, t.identifier, t.bssid, t.up, t.position, t.outer_source,
         t.outer_source_port, t.outer_destination, t.outer_destination_port
ORDER BY first_ts, frame, flow_id, t.position, t.up DESC
