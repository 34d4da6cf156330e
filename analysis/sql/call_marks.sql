-- name: call_marks
-- question: Which flows carry set-up or media of calls, and when was each of them at it?
-- reads: flow_sightings, stun_messages, media_streams, tls_handshakes, packets
-- param: call_apps VARCHAR[]     -- labels of applications whose own UDP traffic is that of calls
-- param: split_ns BIGINT         -- a flow without any such traffic for longer has two parts
-- param: run_ns BIGINT           -- shortest run of packets both ways that is looked at
-- param: pause_ns BIGINT         -- longest pause inside such a run
-- param: fewest_per_s BIGINT     -- packets a second each way, at least
-- param: most_ratio BIGINT       -- bytes of one way at most so many times those of the other
-- returns: one row a mark: a STUN message, an RTP stream, a DTLS handshake, a run of packets without known headers;
--     part numbers the parts of each flow from 0
-- cannot show: media inside TLS (TURN over TLS on port 443), which leaves no such mark

WITH stun_flows AS MATERIALIZED (SELECT DISTINCT flow_id FROM stun_messages),
rtp_flows AS MATERIALIZED (SELECT DISTINCT flow_id FROM media_streams),
dtls AS MATERIALIZED (
    SELECT flow_id, epoch_ns(client_ts) AS ns, client_frame, server_frame FROM tls_handshakes
    WHERE carrier = 'dtls' AND client_ts IS NOT NULL
),
-- Runs without known headers: where STUN was spoken, or by the application's label; never DTLS, QUIC or what is known
-- to be something else.
opaque AS MATERIALIZED (
    SELECT f.flow_id, epoch_ns(f.first_ts) AS first_ns FROM flow_sightings f
    WHERE f.transport = 'udp'
      AND (f.service = 'stun' OR (f.service IS NULL AND list_contains($call_apps::VARCHAR[], f.app)))
      AND f.flow_id NOT IN (SELECT flow_id FROM rtp_flows) AND f.flow_id NOT IN (SELECT flow_id FROM dtls)
),
control AS MATERIALIZED (
    SELECT flow_id, frame FROM stun_messages
    WHERE method NOT IN ('send', 'data') AND flow_id IN (SELECT flow_id FROM opaque)
),
seconds AS (
    SELECT p.flow_id, (epoch_ns(p.ts)::HUGEINT - o.first_ns) // 1000000000 AS second, min(epoch_ns(p.ts)) AS start_ns,
           max(epoch_ns(p.ts)) AS end_ns, min(p.frame) AS frame, max(p.frame) AS last_frame,
           count(*) FILTER (p.up) AS up, count(*) FILTER (NOT p.up) AS down,
           coalesce(sum(p.payload_bytes) FILTER (p.up), 0) AS bytes_up,
           coalesce(sum(p.payload_bytes) FILTER (NOT p.up), 0) AS bytes_down
    FROM packets p JOIN opaque o ON o.flow_id = p.flow_id
    ANTI JOIN control c ON c.flow_id = p.flow_id AND c.frame = p.frame
    GROUP BY p.flow_id, second
    HAVING count(*) FILTER (p.up) >= 2 AND count(*) FILTER (NOT p.up) >= 2
),
stretches AS (
    SELECT *, sum(CASE WHEN start_ns::HUGEINT - before_ns <= $pause_ns THEN 0 ELSE 1 END)
                  OVER (PARTITION BY flow_id ORDER BY second) AS stretch
    FROM (SELECT *, lag(end_ns) OVER (PARTITION BY flow_id ORDER BY second) AS before_ns FROM seconds)
),
runs AS (
    SELECT flow_id, min(start_ns) AS start_ns, max(end_ns) AS end_ns, min(frame) AS frame, max(last_frame) AS last_frame,
           sum(up)::BIGINT AS up, sum(down)::BIGINT AS down, sum(bytes_up)::BIGINT AS bytes_up,
           sum(bytes_down)::BIGINT AS bytes_down
    FROM stretches GROUP BY flow_id, stretch
    HAVING max(end_ns)::HUGEINT - min(start_ns) >= $run_ns
       AND least(sum(up), sum(down)) * 1000000000::HUGEINT >= $fewest_per_s * (max(end_ns)::HUGEINT - min(start_ns))
       AND greatest(sum(bytes_up), sum(bytes_down)) <= $most_ratio * least(sum(bytes_up), sum(bytes_down))
),
marks AS (
    SELECT flow_id, 'stun' AS mark, epoch_ns(ts) AS start_ns, epoch_ns(ts) AS end_ns, frame, frame AS last_frame,
           source, method, "class", transaction_id, username, realm, mapped, relayed, peer, error_code, attributes,
           NULL::BIGINT AS ssrc, NULL::SMALLINT AS payload_type, NULL::BOOLEAN AS up, NULL::BIGINT AS packets,
           NULL::BIGINT AS bytes, NULL::VARCHAR AS media
    FROM stun_messages
    UNION ALL BY NAME
    -- Zoom numbers the sources of each meeting alike: they tie nothing. Payload type 101 with SSRC 13 is Signal's data
    -- channel: it goes both ways before anybody answers, and is no media.
    SELECT flow_id, 'rtp' AS mark, epoch_ns(first_ts) AS start_ns, epoch_ns(last_ts) AS end_ns, first_frame AS frame,
           last_frame, CASE WHEN encapsulation IS NULL THEN ssrc END AS ssrc, payload_type, up, packets, bytes,
           kind AS media
    FROM media_streams WHERE NOT (payload_type = 101 AND ssrc = 13)
    UNION ALL BY NAME
    SELECT flow_id, 'dtls' AS mark, ns AS start_ns, ns AS end_ns, client_frame AS frame,
           coalesce(server_frame, client_frame) AS last_frame
    FROM dtls WHERE flow_id IN (SELECT flow_id FROM stun_flows) OR flow_id IN (SELECT flow_id FROM rtp_flows)
    UNION ALL BY NAME
    SELECT flow_id, 'run' AS mark, start_ns, end_ns, frame, last_frame, side AS up,
           CASE WHEN side THEN up ELSE down END AS packets, CASE WHEN side THEN bytes_up ELSE bytes_down END AS bytes
    FROM runs CROSS JOIN (VALUES (true), (false)) AS sides(side)
),
placed AS (
    SELECT *, max(end_ns) OVER (PARTITION BY flow_id ORDER BY start_ns, frame, mark, up
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached_ns
    FROM marks
)
SELECT * EXCLUDE (reached_ns),
       sum(CASE WHEN reached_ns IS NOT NULL AND start_ns::HUGEINT - reached_ns > $split_ns THEN 1 ELSE 0 END)
           OVER (PARTITION BY flow_id ORDER BY start_ns, frame, mark, up ROWS UNBOUNDED PRECEDING)::BIGINT AS part
FROM placed
