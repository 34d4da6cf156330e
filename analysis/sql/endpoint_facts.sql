-- What is told of each address, one row a value, source and exhibit: who told it, how often, from when to when, and the
-- first frame. network is NULL also where the source tells no network; those rows are placed by the caller. makes: what is
-- told makes the address one of the inventory, though no flow may be seen of it.
WITH hellos AS (
    SELECT s.ip, s.network, t.ja4, t.carrier, s.conversation_id, t.client_certificate_sha256s AS certificates,
           epoch_ns(t.client_ts) AS ns, t.capture_id, t.client_frame AS frame, t.flow_id
    FROM tls_handshakes t JOIN sides s ON s.flow_id = t.flow_id AND s.client
    -- DTLS inside of STUN, or through a relay: the client of the handshake may be the flow's server, or behind it
    WHERE t.client_frame IS NOT NULL AND t.client_ts IS NOT NULL
      AND (t.carrier IN ('tcp', 'quic') OR (t.carrier = 'dtls' AND s.service = 'dtls'))
), facts AS (
    SELECT ip, NULL AS network, attribute, value, source, epoch_ns(first_ts) AS ns, epoch_ns(last_ts) AS last_ns,
           NULL AS thing, capture_id, frame, NULL::BIGINT AS flow_id, source <> 'http' AS makes
    FROM hosts WHERE ip IS NOT NULL
    UNION ALL
    SELECT ip, network, 'ja4', ja4, carrier, ns, ns, conversation_id, capture_id, frame, flow_id, false
    FROM hellos WHERE ja4 IS NOT NULL
    UNION ALL
    SELECT ip, network, 'client-certificate', certificates[1], carrier, ns, ns, conversation_id, capture_id, frame, flow_id,
           false
    FROM hellos WHERE len(certificates) > 0
    UNION ALL
    SELECT ip, network, CASE WHEN client THEN 'app' ELSE 'app-as-server' END, app, 'label', first_ns, last_ns,
           conversation_id, capture_id, first_frame, flow_id, false
    FROM sides WHERE app IS NOT NULL
    UNION ALL
    SELECT s.ip, s.network, 'user-agent', q.user_agent, 'quic', s.first_ns, s.first_ns, s.conversation_id, q.capture_id,
           q.frame, q.flow_id, false
    FROM quic_handshakes q JOIN sides s ON s.flow_id = q.flow_id AND s.client WHERE q.user_agent IS NOT NULL
    UNION ALL
    SELECT s.ip, s.network, 'ssh-software', CASE WHEN s.client THEN h.client_software ELSE h.server_software END, 'ssh',
           s.first_ns, s.first_ns, s.conversation_id, h.capture_id,
           CASE WHEN s.client THEN h.client_frame ELSE h.server_frame END, h.flow_id, false
    FROM ssh_handshakes h JOIN sides s ON s.flow_id = h.flow_id
    UNION ALL
    SELECT s.ip, s.network, 'stun-software', m.software, 'stun', epoch_ns(m.ts), epoch_ns(m.ts), s.conversation_id,
           m.capture_id, m.frame, m.flow_id, false
    FROM stun_messages m JOIN sides s ON s.flow_id = m.flow_id
    WHERE m.software IS NOT NULL
      AND starts_with(m.source, CASE WHEN contains(s.ip, ':') THEN '[' || s.ip || ']:' ELSE s.ip || ':' END)
    UNION ALL
    SELECT s.ip, s.network, told.attribute, told.value, 'sip', epoch_ns(m.ts), epoch_ns(m.ts), s.conversation_id,
           m.capture_id, m.frame, m.flow_id, false
    FROM sip_messages m JOIN sides s ON s.flow_id = m.flow_id,
         LATERAL (SELECT unnest([{'attribute': 'sip-software', 'value': m.software},
                                 {'attribute': 'sip-from', 'value': m.from_uri}]) AS told)
    WHERE m.status IS NULL AND told.value IS NOT NULL
      AND starts_with(m.source, CASE WHEN contains(s.ip, ':') THEN '[' || s.ip || ']:' ELSE s.ip || ':' END)
    UNION ALL
    SELECT ip, NULL, kind, identity, source, epoch_ns(first_ts), epoch_ns(last_ts), NULL, capture_id, frame, flow_id, true
    FROM subscribers WHERE ip IS NOT NULL
)
SELECT ip, network, attribute, value, source, capture_id, min(ns), max(last_ns),
       greatest(count(DISTINCT thing), 1), arg_min({'frame': frame, 'flow': flow_id}, (ns, frame, flow_id)),
       bool_or(makes)
FROM facts
WHERE value IS NOT NULL AND value <> '' AND ns IS NOT NULL AND frame IS NOT NULL
GROUP BY ip, network, attribute, value, source, capture_id
ORDER BY ip, network NULLS FIRST, attribute, value, source, min(ns), capture_id
