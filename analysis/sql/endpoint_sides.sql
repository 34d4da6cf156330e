-- Both ends of each flow: two rows a flow, one for its client and one for its server.
--
-- network: the virtual networks (VNI of VXLAN and GENEVE, I-SID of 802.1ah) around the packets that reach the end,
-- outermost first; where none of these was recorded, around those it sent. Routers between two virtual networks may put
-- each direction into the network of its receiver (RFC 9135 section 4). NULL: in none.
WITH layers AS (
    SELECT flow_id, up, string_agg(kind || ' ' || identifier, ' / ' ORDER BY position) AS network
    FROM tunnels
    WHERE kind IN ('vxlan', 'vxlan-gpe', 'geneve', 'pbb') AND identifier IS NOT NULL
    GROUP BY flow_id, up
), networks AS (
    SELECT flow_id, max(network) FILTER (up) AS sent_up, max(network) FILTER (NOT up) AS sent_down
    FROM layers GROUP BY flow_id
), shown AS (
    SELECT f.*, n.sent_up, n.sent_down, epoch_ns(f.first_ts) AS first_ns, epoch_ns(f.last_ts) AS last_ns
    FROM flow_sightings f LEFT JOIN networks n ON n.flow_id = f.flow_id
)
SELECT client_ip AS ip, coalesce(sent_down, sent_up) AS network, true AS client, server_ip AS peer, flow_id, capture_id,
       conversation_id, first_ns, last_ns, first_frame, last_frame, coalesce(bytes_up, 0) AS sent,
       coalesce(bytes_down, 0) AS received, counted, continues, app, vlan, service
FROM shown WHERE client_ip IS NOT NULL
UNION ALL
SELECT server_ip, coalesce(sent_up, sent_down), false, client_ip, flow_id, capture_id, conversation_id, first_ns, last_ns,
       first_frame, last_frame, coalesce(bytes_down, 0), coalesce(bytes_up, 0), counted, continues, app, vlan, service
FROM shown WHERE server_ip IS NOT NULL
