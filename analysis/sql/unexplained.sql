-- Each flow that counts, with what decides why it has no label: one row for each distinct set of these, and each end.
--
-- What any record of the conversation, or an earlier part of the connection in another file of its series, shows of its
-- handshake counts. sni: a name was read; ech: the hello had Encrypted ClientHello or its GREASE.
WITH hellos AS (
    SELECT c.connection_id, bool_or(t.client_frame IS NOT NULL) AS hello, bool_or(t.sni IS NOT NULL) AS sni,
           bool_or(t.ech IS NOT NULL) AS ech,
           bool_or(list_has_any(coalesce(t.alpn_offered, []), ['dot', 'doq'])
                   OR (t.sni IS NOT NULL AND (list_contains($resolvers, lower(t.sni))
                       OR list_contains($resolvers, regexp_replace(lower(t.sni), '^[^.]+\.', ''))))) AS resolver
    FROM tls_handshakes t
    JOIN flow_sightings s ON s.flow_id = t.flow_id
    JOIN flow_sightings c ON c.flow_id = s.conversation_id
    WHERE t.carrier IN ('tcp', 'dtls', 'quic')
    GROUP BY c.connection_id
), media AS (
    SELECT DISTINCT s.conversation_id FROM media_streams m JOIN flow_sightings s USING (flow_id)
), recognised AS (
    SELECT DISTINCT s.conversation_id FROM recognitions r JOIN flow_sightings s USING (flow_id)
    WHERE list_contains($tunnels, r.service)
), hinted AS (
    SELECT s.conversation_id, list(DISTINCT e.app) AS apps
    FROM app_evidence e JOIN flow_sightings s USING (flow_id) WHERE s.app IS NULL GROUP BY s.conversation_id
), sockets AS (
    SELECT unnest($sockets) AS socket, unnest($socket_apps) AS apps
), told AS (
    SELECT f.flow_id, f.app, f.service, f.transport, f.continues, f.client_ip, f.server_ip, f.capture_id, f.first_frame,
           epoch_ns(f.first_ts) AS first_ns, coalesce(f.bytes_up, 0) + coalesce(f.bytes_down, 0) AS bytes,
           coalesce(f.payload_up, 0) + coalesce(f.payload_down, 0) = 0 AND f.transport IN ('tcp', 'udp') AS silent,
           (coalesce(f.packets_up, 0) = 0) <> (coalesce(f.packets_down, 0) = 0) AS one_sided,
           coalesce(f.syn_seen, false) AS begun,
           coalesce(f.missing_bytes, 0) > 0 OR 10 * coalesce(c.truncated_packets, 0) > coalesce(c.packets, 0) AS cut,
           coalesce(h.hello, false) AS hello, coalesce(h.sni, false) AS sni, coalesce(h.ech, false) AS ech,
           coalesce(h.resolver, false) OR (f.server_port = 853 AND f.service IN ('tls', 'quic', 'dtls')) AS resolver,
           m.conversation_id IS NOT NULL OR f.service = 'stun' AS media,
           r.conversation_id IS NOT NULL OR list_contains($tunnels, f.service) OR f.transport IN ('esp', 'ah') AS tunnel,
           list_contains($tunnel_apps, f.app) AS tunnel_app,
           list_concat(g.apps, k.apps) AS hints
    FROM flow_sightings f
    LEFT JOIN captures c ON c.capture_id = f.capture_id
    LEFT JOIN hellos h ON h.connection_id = f.connection_id
    LEFT JOIN media m ON m.conversation_id = f.conversation_id
    LEFT JOIN recognised r ON r.conversation_id = f.conversation_id
    LEFT JOIN hinted g ON g.conversation_id = f.conversation_id
    LEFT JOIN sockets k ON k.socket = concat_ws('|', f.transport, f.server_ip, f.server_port)
    WHERE f.counted
), judged AS (
    SELECT *, CASE
        WHEN tunnel_app THEN 'tunnel-app'
        WHEN app IS NOT NULL THEN 'application'
        WHEN tunnel THEN 'tunnel'
        WHEN transport NOT IN ('tcp', 'udp', 'udplite', 'sctp') THEN 'control'
        WHEN silent THEN 'no-payload'
        WHEN resolver THEN 'encrypted-dns'
        WHEN service IS NOT NULL AND service NOT IN ('tls', 'quic', 'dtls', 'stun') THEN 'other-service'
        WHEN media THEN 'media'
        WHEN len(hints) > 0 THEN 'hint'
        WHEN hello AND ech THEN 'ech'
        WHEN hello AND sni THEN 'no-rule'
        WHEN hello THEN 'no-name'
        WHEN service = 'quic' THEN 'quic-unread'
        WHEN transport = 'tcp' AND NOT begun THEN 'before-capture'
        WHEN one_sided AND (transport = 'tcp' OR service IS NOT NULL) THEN 'one-sided'
        WHEN cut AND (transport = 'tcp' OR service IS NOT NULL) THEN 'cut'
        WHEN service IS NOT NULL THEN 'unread'
        ELSE 'unknown' END AS reason
    FROM told
)
SELECT s.ip, s.network, j.reason, count(*) FILTER (NOT j.continues) AS flows, sum(j.bytes)::BIGINT AS bytes,
       coalesce(list_sort(list(DISTINCT j.service) FILTER (j.service IS NOT NULL)), []) AS services,
       list(DISTINCT j.app) FILTER (j.app IS NOT NULL) AS labels,
       flatten(list(DISTINCT j.hints) FILTER (j.reason = 'hint')) AS hints,
       arg_min({'ns': j.first_ns, 'capture': j.capture_id, 'frame': j.first_frame, 'flow': j.flow_id},
               (j.first_ns, j.capture_id, j.first_frame, j.flow_id)) AS seen
FROM judged j JOIN sides s ON s.flow_id = j.flow_id
GROUP BY s.ip, s.network, j.reason
ORDER BY s.ip, s.network NULLS FIRST, j.reason
