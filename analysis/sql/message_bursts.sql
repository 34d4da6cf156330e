-- name: message_bursts
-- question: Which bursts of application data did each labelled flow carry, in which direction, when and how large?
-- reads: flow_sightings, flow_pairs, packets, tls_handshakes, messenger_frames
-- param: include_unlabelled BOOLEAN   -- take TLS and QUIC flows without an application label as well
-- param: handshake_ns BIGINT          -- a handshake is over at the latest so long after its hellos
-- param: gap_ns BIGINT                -- packets of one direction closer than this are one burst (t_e)
-- param: connect_ns BIGINT            -- a burst that starts so soon after the handshake belongs to connecting
-- param: floor_bytes BIGINT           -- smaller bursts are not message events
-- param: media_bytes BIGINT           -- bursts from this size on are media-like
-- param: keepalive_bytes BIGINT       -- larger bursts are never keepalives
-- param: keepalive_members BIGINT     -- bursts of one size class needed before a rhythm is stated
-- param: keepalive_period_ns BIGINT   -- shorter periods are no keepalive
-- param: keepalive_percent BIGINT     -- share of intervals that must agree with their median
-- param: receipt_ns BIGINT            -- an answer to a message comes at most so long after it
-- param: receipt_percent BIGINT       -- share of the bursts of one size that must be such answers
-- param: unframed_percent BIGINT      -- clear framing counts while at most this share of the payload lies behind its end
-- returns: one row a burst, or a frame of a messenger that frames its stream in clear (source 'framing'); kind 'small'
--     is kept here for counting and is not a message event
-- cannot show: messages that share a burst, messages below the floor, messages sent while connecting

WITH chosen AS MATERIALIZED (
    SELECT flow_id, capture_id, client_ip, coalesce(app, '') AS app, coalesce(app_confidence, 0) AS app_confidence,
           epoch_ns(first_ts) AS first_ns, coalesce(transport = 'tcp' AND syn_seen, false) AS start_seen,
           coalesce(missing_bytes, 0) AS missing_bytes,
           CASE WHEN transport = 'tcp' AND coalesce(missing_bytes, 0) = 0 THEN coalesce(retransmits, 0) ELSE 0 END
               AS resent
    FROM flow_sightings
    -- UDP media and set-up (RTP, STUN, DTLS) is the matter of calls, not of messages
    WHERE (transport = 'tcp' OR service = 'quic') AND coalesce(service, '') <> 'dns'
      AND (app IS NOT NULL OR ($include_unlabelled AND service IN ('tls', 'quic')))
),
-- Frames in clear come first: a flow that has them is not cut into bursts. They only begin with the stream (the
-- opening was read), and a gap ends them; where too much payload comes behind the last one, bursts count instead.
spoken AS (
    SELECT m.flow_id, max(epoch_ns(m.ts)) AS last_ns FROM messenger_frames m JOIN chosen c ON c.flow_id = m.flow_id
    GROUP BY m.flow_id
),
framed AS MATERIALIZED (
    SELECT s.flow_id FROM spoken s JOIN packets p ON p.flow_id = s.flow_id GROUP BY s.flow_id
    HAVING coalesce(sum(p.payload_bytes) FILTER (epoch_ns(p.ts) > s.last_ns), 0) * 100::HUGEINT
           <= $unframed_percent * sum(p.payload_bytes)
),
-- Frames of which the size alone says what they are. Threema: boxes are 16 bytes more than the payload, which has a
-- type of 4; an echo carries 12 bytes, an acknowledgement an identity and a message's number, 8 each; a message has
-- 156 bytes or more (https://github.com/threema-ch/threema-android/tree/0437b04 ProtocolDefines, MonitoringLayer).
sizes(protocol, length, kind) AS (VALUES ('threema-csp', 32, 'keepalive'), ('threema-csp', 36, 'receipt-like')),
frames AS MATERIALIZED (
    SELECT m.flow_id, m.up, m.frame, epoch_ns(m.ts) AS ns, m.length, m.protocol, m.kind, s.kind AS told,
           row_number() OVER (PARTITION BY m.flow_id, m.up ORDER BY m.ts, m.frame, m.length, m.kind) AS burst,
           row_number() OVER (PARTITION BY m.flow_id, m.up, m.frame ORDER BY m.length, m.kind) AS nth
    FROM messenger_frames m JOIN framed f ON f.flow_id = m.flow_id
    LEFT JOIN sizes s ON s.protocol = m.protocol AND s.length = m.length AND m.kind = 'message'
    WHERE NOT EXISTS (SELECT 1 FROM flow_pairs y WHERE y.yields AND y.flow_id = m.flow_id
                                                   AND m.ts BETWEEN y.from_ts AND y.to_ts)
),
hellos AS (
    SELECT flow_id, min(greatest(epoch_ns(client_ts), epoch_ns(server_ts))) AS hello_ns,
           bool_or(coalesce(version, '') LIKE '%1.3%') AS tls13
    FROM tls_handshakes GROUP BY flow_id
),
-- What several exhibits recorded counts once: a packet does not, while a preferred record shows the conversation.
-- Record sizes (with their headers of 5 bytes) are only asked for where segments were sent again.
arrived AS MATERIALIZED (
    SELECT p.flow_id, p.up, p.frame, epoch_ns(p.ts) AS ns, p.payload_bytes AS size, c.resent,
           CASE WHEN len(p.record_types) > 0 THEN list_contains(p.record_types, 23) END AS ends_data,
           coalesce(list_contains(p.record_types, 20), false) AS ends_change,
           CASE WHEN c.resent > 0 THEN coalesce(list_sum(p.record_bytes) + 5 * len(p.record_bytes), 0) END AS records,
           CASE WHEN c.resent > 0
                THEN coalesce(list_sum([one[1] + 5 FOR one IN list_zip(p.record_bytes, p.record_types)
                                        IF one[2] = 23]), 0) END AS data_records
    FROM packets p JOIN chosen c ON c.flow_id = p.flow_id
    WHERE p.payload_bytes > 0 AND p.flow_id NOT IN (SELECT flow_id FROM framed)
      AND NOT EXISTS (SELECT 1 FROM flow_pairs y WHERE y.yields AND y.flow_id = p.flow_id
                                                   AND p.ts BETWEEN y.from_ts AND y.to_ts)
),
-- Where segments were sent again and nothing is missing, the records say the size, each counted in the packet where it
-- ends. They are believed when all other payload can have been sent again: else record boundaries were lost on the way.
believed AS (
    SELECT flow_id, up FROM arrived WHERE resent > 0
    GROUP BY flow_id, up
    HAVING sum(records) > 0 AND sum(size) - sum(records) BETWEEN 1 AND max(resent) * max(size)
),
-- A packet inside a record belongs to the record that ends next in its direction.
told AS MATERIALIZED (
    SELECT a.flow_id, a.up, a.frame, a.ns, a.ends_data, a.ends_change,
           CASE WHEN b.flow_id IS NULL THEN a.size ELSE a.data_records END AS size,
           coalesce(first_value(a.ends_data IGNORE NULLS) OVER (
                  PARTITION BY a.flow_id, a.up ORDER BY a.ns, a.frame ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
              ), true) AS is_data
    FROM arrived a LEFT JOIN believed b ON b.flow_id = a.flow_id AND b.up = a.up
),
-- TLS 1.3: the client's first encrypted record is its Finished. Before 1.3: ChangeCipherSpec announces it.
-- Without either: the hellos (QUIC), or the SYN of a protocol of the application's own. NULL: began before the capture.
opened AS (
    SELECT c.flow_id, coalesce(
               greatest(any_value(h.hello_ns),
                   min(t.ns) FILTER (h.tls13 AND t.up AND t.ends_data AND t.ns > h.hello_ns
                                     AND t.ns <= h.hello_ns + $handshake_ns),
                   max(t.ns) FILTER (t.ends_change AND t.ns <= coalesce(h.hello_ns, c.first_ns) + $handshake_ns)),
               CASE WHEN any_value(c.start_seen) THEN any_value(c.first_ns) - 1 END) AS open_ns,
           coalesce(bool_or(t.ends_data IS NOT NULL), false) AS typed
    FROM chosen c JOIN told t ON t.flow_id = c.flow_id LEFT JOIN hellos h ON h.flow_id = c.flow_id
    GROUP BY c.flow_id
    UNION ALL -- frames: behind the handshake of their own protocol, else from the stream's first byte on
    SELECT c.flow_id, greatest(max(f.ns) FILTER (f.kind = 'handshake' AND f.ns <= c.first_ns::HUGEINT + $handshake_ns),
                               any_value(c.first_ns) - 1), true
    FROM chosen c JOIN frames f ON f.flow_id = c.flow_id GROUP BY c.flow_id
),
marked AS (
    SELECT t.flow_id, t.up, t.frame, t.ns, t.size,
           CASE WHEN t.ns - lag(t.ns) OVER arrival < $gap_ns THEN 0 ELSE 1 END AS starts
    FROM told t JOIN opened o ON o.flow_id = t.flow_id
    WHERE t.is_data AND (o.open_ns IS NULL OR t.ns > o.open_ns)
    WINDOW arrival AS (PARTITION BY t.flow_id, t.up ORDER BY t.ns, t.frame)
),
numbered AS (
    SELECT *, sum(starts) OVER (PARTITION BY flow_id, up ORDER BY ns, frame) AS burst FROM marked
),
bursts AS MATERIALIZED (
    SELECT flow_id, up, burst::BIGINT AS burst, min(ns) AS first_ns, max(ns) FILTER (size > 0) AS ns,
           sum(size)::BIGINT AS bytes, count(*) AS packets, min(frame) AS first_frame, max(frame) AS last_frame,
           1 AS nth, NULL::VARCHAR AS framing, NULL::VARCHAR AS told
    FROM numbered GROUP BY flow_id, up, burst
    -- a burst in which no record ends is a part of the next one, or was sent again
    HAVING sum(size) > 0
    UNION ALL -- each frame for itself, where its last byte came
    SELECT flow_id, up, burst, ns, ns, length::BIGINT, 1, frame, frame, nth, kind, told
    FROM frames WHERE kind IN ('message', 'record')
),
-- Keepalives: bursts of one size class at a constant interval. Three ways to class a size: the exact size in one
-- flow; sizes of one flow that lie within 16 bytes of their neighbour (padding); the exact size over all flows of
-- an endpoint (polling that opens a connection each time).
small AS MATERIALIZED (
    SELECT b.*, c.client_ip, c.app FROM bursts b JOIN chosen c ON c.flow_id = b.flow_id
    WHERE b.bytes <= $keepalive_bytes AND b.told IS NULL
),
stepped AS (
    SELECT flow_id, up, burst, ns,
           CASE WHEN bytes - lag(bytes) OVER by_size <= 16 THEN 0 ELSE 1 END AS step, bytes
    FROM small WINDOW by_size AS (PARTITION BY flow_id, up ORDER BY bytes, ns, burst)
),
classed AS (
    SELECT 1 AS scope, flow_id::VARCHAR AS owner, up, bytes AS class, flow_id, burst, ns FROM small
    UNION ALL
    SELECT 2, flow_id::VARCHAR, up, sum(step) OVER (PARTITION BY flow_id, up ORDER BY bytes, ns, burst)::BIGINT,
           flow_id, burst, ns
    FROM stepped
    UNION ALL
    SELECT 3, client_ip || '|' || app, up, bytes, flow_id, burst, ns FROM small
),
spaced AS MATERIALIZED (
    SELECT *, ns - lag(ns) OVER beat AS before_ns, lead(ns) OVER beat - ns AS after_ns
    FROM classed
    WINDOW beat AS (PARTITION BY scope, owner, up, class ORDER BY ns, flow_id, burst)
),
medians AS (
    SELECT scope, owner, up, class, quantile_disc(before_ns, 0.5) AS period_ns, count(*) AS members
    FROM spaced GROUP BY scope, owner, up, class
),
-- an interval agrees with the median within a tenth of it, or one second if that is more
judged AS (
    SELECT s.flow_id, s.up, s.burst, s.scope, s.class, s.ns, m.period_ns, m.members,
           coalesce(abs(s.before_ns - m.period_ns) <= greatest(m.period_ns // 10, 1000000000), false) AS before_agrees,
           coalesce(abs(s.after_ns - m.period_ns) <= greatest(m.period_ns // 10, 1000000000), false) AS after_agrees,
           sum(CASE WHEN abs(s.before_ns - m.period_ns) <= greatest(m.period_ns // 10, 1000000000) THEN 1 ELSE 0 END)
               OVER (PARTITION BY s.scope, s.owner, s.up, s.class) AS agreeing
    FROM spaced s JOIN medians m
      ON m.scope = s.scope AND m.owner = s.owner AND m.up = s.up AND m.class = s.class
    WHERE m.members >= $keepalive_members AND m.period_ns >= $keepalive_period_ns
),
beaten AS MATERIALIZED (
    SELECT flow_id, up, burst, scope, class, ns, period_ns, (agreeing * 100 // (members - 1))::BIGINT AS agreement
    FROM judged
    WHERE (before_agrees OR after_agrees) AND agreeing * 100 >= $keepalive_percent * (members - 1)
),
-- A keepalive that leaves together with something small (two rhythms that meet): the burst holds a packet of a beat's
-- size, one period from a beat of its flow, and what is left is no larger than that and below the floor.
joined_beats AS (
    SELECT b.flow_id, b.up, b.burst, max(k.agreement) AS agreement
    FROM bursts b JOIN numbered n ON n.flow_id = b.flow_id AND n.up = b.up AND n.burst = b.burst
    JOIN beaten k ON k.scope = 1 AND k.flow_id = b.flow_id AND k.up = b.up AND k.class = n.size
    WHERE b.framing IS NULL AND b.packets > 1 AND b.bytes > n.size AND b.bytes - n.size <= n.size AND b.bytes - n.size < $floor_bytes
      AND abs(abs(n.ns::HUGEINT - k.ns) - k.period_ns) <= greatest(k.period_ns // 10, 1000000000)
    GROUP BY b.flow_id, b.up, b.burst
),
beats AS (
    SELECT flow_id, up, burst, max(agreement) AS agreement
    FROM (SELECT flow_id, up, burst, agreement FROM beaten
          UNION ALL SELECT flow_id, up, burst, agreement FROM joined_beats)
    GROUP BY flow_id, up, burst
),
-- Receipts: bursts of one size of a flow that nearly always begin right after one of the other direction began. Where
-- an application pads messages and receipts to one size the share stays low, and none is named so.
followed AS (
    SELECT flow_id, up, burst, told, first_ns, bytes,
           max(CASE WHEN up THEN NULL ELSE first_ns END) OVER before AS down_ns,
           max(CASE WHEN up THEN first_ns END) OVER before AS up_ns
    FROM bursts b WHERE NOT EXISTS (SELECT 1 FROM beats k WHERE k.flow_id = b.flow_id AND k.up = b.up
                                                            AND k.burst = b.burst)
    WINDOW before AS (PARTITION BY flow_id ORDER BY first_ns, first_frame, up, burst
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
answers AS (
    SELECT flow_id, up, burst, agreement
    FROM (
        SELECT *, (count(*) FILTER (answers) OVER class * 100 // count(*) OVER class)::BIGINT AS agreement,
               count(*) OVER class AS members
        FROM (SELECT *, coalesce(first_ns::HUGEINT - CASE WHEN up THEN down_ns ELSE up_ns END
                                 BETWEEN 0 AND $receipt_ns, false) AS answers FROM followed)
        WHERE bytes <= $keepalive_bytes AND told IS NULL
        WINDOW class AS (PARTITION BY flow_id, up, bytes)
    )
    WHERE answers AND members >= $keepalive_members AND agreement >= $receipt_percent
),
named AS (
    SELECT b.*, c.capture_id, c.client_ip, c.app, c.app_confidence, c.missing_bytes, o.open_ns, o.typed,
           coalesce(CASE WHEN b.told IS NOT NULL THEN 95 END, k.agreement, a.agreement) AS agreement,
           CASE WHEN b.told IS NOT NULL THEN b.told
                WHEN k.agreement IS NOT NULL THEN 'keepalive'
                WHEN b.bytes < $floor_bytes THEN 'small'
                WHEN o.open_ns IS NOT NULL AND b.first_ns <= o.open_ns + $connect_ns THEN 'connect-like'
                WHEN a.agreement IS NOT NULL THEN 'receipt-like'
                WHEN b.bytes >= $media_bytes THEN 'media-like'
                ELSE 'text-like' END AS kind
    FROM bursts b JOIN chosen c ON c.flow_id = b.flow_id JOIN opened o ON o.flow_id = b.flow_id
    LEFT JOIN beats k ON k.flow_id = b.flow_id AND k.up = b.up AND k.burst = b.burst
    LEFT JOIN answers a ON a.flow_id = b.flow_id AND a.up = b.up AND a.burst = b.burst
)
SELECT (('0x' || substr(sha256(flow_id::VARCHAR || '|' || up::VARCHAR || '|' || first_frame::VARCHAR
                               || CASE WHEN nth > 1 THEN '|' || nth ELSE '' END), 1, 16))::UBIGINT >> 1)::BIGINT
           AS event_id,
       flow_id, capture_id, client_ip, app, ns, up, bytes, kind,
       -- the rule of docs/methods.md: fixed points, not a rate
       CASE WHEN kind IN ('keepalive', 'receipt-like') THEN least(agreement, 95)
            ELSE 40 + CASE WHEN framing = 'message' THEN 30 WHEN typed THEN 20 ELSE 0 END + CASE WHEN app_confidence >= 80 THEN 10 ELSE 0 END
                    + CASE WHEN bytes >= 2 * $floor_bytes THEN 10 ELSE 0 END
                    - CASE WHEN open_ns IS NULL OR missing_bytes > 0 THEN 15 ELSE 0 END
                    - CASE WHEN kind = 'connect-like' THEN 25 ELSE 0 END
       END::SMALLINT AS confidence,
       first_frame, last_frame, first_ns, packets::INTEGER AS packets,
       CASE WHEN framing IS NOT NULL THEN 'framing' WHEN typed THEN 'records' ELSE 'payload' END AS source
FROM named
