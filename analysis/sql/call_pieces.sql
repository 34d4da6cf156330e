-- name: call_pieces
-- question: What does each part of a flow show of a call?
-- reads: call_marks, flow_sightings
-- param: plain VARCHAR[]         -- STUN methods of the standards
-- returns: one row for each part of a flow; piece numbers them from 0 by time
-- cannot show: whose device it was

WITH features AS (
    SELECT flow_id, part, min(start_ns) AS start_ns, max(end_ns) AS end_ns, min(frame) AS first_frame,
           count(*) FILTER (mark = 'stun') AS stun,
           count(*) FILTER (method = 'binding' AND "class" = 'request' AND list_has_any(attributes,
               ['ICE-CONTROLLING', 'ICE-CONTROLLED', 'USE-CANDIDATE', 'PRIORITY'])) AS checks,
           count(*) FILTER (method = 'allocate') AS allocates,
           count(*) FILTER (method = 'allocate' AND "class" = 'success') AS allocated,
           count(*) FILTER (method = 'allocate' AND "class" = 'error' AND coalesce(error_code, 0) NOT IN (401, 437, 438))
               AS refused,
           count(*) FILTER (method IN ('create-permission', 'channel-bind', 'send')) AS permissions,
           count(*) FILTER (mark = 'stun' AND NOT list_contains($plain::VARCHAR[], method)
                            OR method = 'allocate' AND "class" = 'request'
                               AND NOT list_contains(attributes, 'REQUESTED-TRANSPORT')
                               AND relayed IS NOT NULL) AS vendor,
           any_value(realm) AS realm,
           count(*) FILTER (mark = 'dtls') AS dtls,
           coalesce(sum(packets) FILTER (mark = 'rtp' AND up), 0)::BIGINT AS rtp_up,
           coalesce(sum(packets) FILTER (mark = 'rtp' AND NOT up), 0)::BIGINT AS rtp_down,
           coalesce(sum(packets) FILTER (mark = 'run' AND up), 0)::BIGINT AS run_up,
           min(start_ns) FILTER (mark IN ('rtp', 'run')) AS media_ns,
           max(end_ns) FILTER (mark IN ('rtp', 'run')) AS media_end_ns
    FROM call_marks GROUP BY flow_id, part
),
-- What each sender of STUN messages does: a device asks for bindings, a server only answers.
senders AS (
    SELECT source, bool_or("class" = 'request' AND method = 'binding') AS asks,
           bool_or("class" IN ('success', 'error') AND method IN ('allocate', 'refresh', 'create-permission',
                   'channel-bind') OR method = 'data') AS relays,
           bool_or("class" = 'success' AND method = 'binding') AS answers
    FROM call_marks WHERE mark = 'stun' GROUP BY source
),
told AS (
    SELECT p.*, f.capture_id, f.transport, f.client_ip, f.server_ip, f.conversation_id, f.counted, f.service, f.app,
           coalesce(f.app_confidence, 0) AS app_confidence,
           greatest(f.packets_up + f.packets_down - sum(p.stun) OVER (PARTITION BY p.flow_id), 0)::BIGINT AS rest,
           f.packets_up = 0 OR f.packets_down = 0 AS one_way,
           CASE WHEN contains(f.client_ip, ':') THEN '[' || f.client_ip || ']:' ELSE f.client_ip || ':' END
               || f.client_port AS client,
           CASE WHEN contains(f.server_ip, ':') THEN '[' || f.server_ip || ']:' ELSE f.server_ip || ':' END
               || f.server_port AS server
    FROM features p JOIN flow_sightings f ON f.flow_id = p.flow_id
),
crowded AS (SELECT server FROM told GROUP BY server HAVING count(DISTINCT client_ip) > 4)
SELECT row_number() OVER (ORDER BY t.start_ns, t.first_frame, t.flow_id, t.part) - 1 AS piece, t.*,
       coalesce(s.asks, false) AS server_asks,
       coalesce(s.relays OR s.answers AND NOT s.asks, false) OR t.allocates > 0
           OR t.server IN (SELECT server FROM crowded) AS server_serves,
       coalesce(c.relays OR c.answers AND NOT c.asks, false) AS client_serves
FROM told t LEFT JOIN senders s ON s.source = t.server LEFT JOIN senders c ON c.source = t.client
