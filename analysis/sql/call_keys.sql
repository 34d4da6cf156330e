-- name: call_keys
-- question: Which parts of flows have something in common that ties them to one call?
-- reads: call_marks, call_pieces
-- param: transaction_ns BIGINT   -- copies of one STUN message are seen at most so far apart
-- returns: one row for each part and key; parts of one key at one time belong together (reason: why)
-- cannot show: legs that share no address, name or time with the others

WITH told AS MATERIALIZED (
    SELECT p.piece, p.flow_id, p.capture_id, p.client, p.server, p.client_ip, m.* EXCLUDE (flow_id, part)
    FROM call_pieces p JOIN call_marks m ON m.flow_id = p.flow_id AND m.part = p.part
    WHERE m.mark = 'stun'
),
-- Servers of STUN, TURN or conferences tie nothing together: many talk to them.
services AS MATERIALIZED (
    SELECT server AS address FROM call_pieces WHERE server_serves
    UNION SELECT client FROM call_pieces WHERE client_serves
),
-- The addresses of a part. own: of a device that takes part; lent: given to it by a relay or a translator; sought: of
-- the far side.
addresses AS MATERIALIZED (
    SELECT DISTINCT piece, capture_id, client_ip, address, kind FROM (
        SELECT piece, capture_id, client_ip, client AS address, 'own' AS kind FROM call_pieces
        -- the server's side is a device too where it asks by itself: both ends of a direct connection do
        UNION ALL SELECT piece, capture_id, client_ip, server, CASE WHEN server_asks THEN 'own' ELSE 'sought' END
                  FROM call_pieces WHERE server_asks OR checks > 0
        UNION ALL SELECT piece, capture_id, client_ip, mapped, 'lent' FROM told WHERE mapped IS NOT NULL
        UNION ALL SELECT piece, capture_id, client_ip, relayed, 'lent' FROM told
                  WHERE relayed IS NOT NULL AND "class" = 'success'
        UNION ALL SELECT piece, capture_id, client_ip, peer, 'sought' FROM told WHERE peer IS NOT NULL
    ) WHERE address IS NOT NULL AND address NOT IN (SELECT address FROM services)
),
lent AS MATERIALIZED (SELECT DISTINCT address FROM addresses WHERE kind = 'lent'),
own AS MATERIALIZED (SELECT DISTINCT capture_id, address FROM addresses WHERE kind = 'own'),
-- ICE: both halves of USERNAME name one session, whichever side sends (RFC 8445 section 7.2.2)
sessions AS (
    SELECT DISTINCT piece, list_aggregate(list_sort(string_split(username, ':')), 'string_agg', ':') AS session FROM told
    WHERE method = 'binding' AND "class" = 'request' AND realm IS NULL AND username LIKE '%_:_%'
      AND len(string_split(username, ':')) = 2 AND length(username) >= 8
),
-- 96 random bits: a message, or its answer, that is seen in two flows went through both
transactions AS (
    SELECT transaction_id, min(start_ns) AS first_ns, max(start_ns) AS last_ns, count(DISTINCT piece) AS pieces
    FROM told WHERE length(transaction_id) >= 24 AND len(list_distinct(string_split(transaction_id, ''))) >= 6
    GROUP BY transaction_id HAVING count(DISTINCT piece) BETWEEN 2 AND 8
),
-- SRTP that a relay passes on keeps its source number
streams AS (
    SELECT p.piece, m.ssrc, m.payload_type FROM call_pieces p
    JOIN call_marks m ON m.flow_id = p.flow_id AND m.part = p.part
    WHERE m.mark = 'rtp' AND m.ssrc > 65535 AND m.packets >= 50
)
SELECT DISTINCT piece, 'address ' || address AS key, 'one address' AS reason FROM addresses a
WHERE (kind = 'own' OR kind = 'sought')
  AND EXISTS (SELECT 1 FROM lent l WHERE l.address = a.address) OR kind = 'lent'
UNION ALL
SELECT DISTINCT piece, 'socket ' || capture_id || ' ' || address, 'one socket' FROM addresses a
WHERE kind = 'own' OR kind = 'sought'
  AND EXISTS (SELECT 1 FROM own o WHERE o.capture_id = a.capture_id AND o.address = a.address)
UNION ALL
SELECT DISTINCT piece, 'sought ' || capture_id || ' ' || client_ip || ' ' || address, 'one far address' FROM addresses
WHERE kind = 'sought'
UNION ALL
SELECT piece, 'ice ' || session, 'one ICE session' FROM sessions
UNION ALL
SELECT DISTINCT t.piece, 'transaction ' || t.transaction_id, 'one STUN message in both' FROM told t
JOIN transactions x ON x.transaction_id = t.transaction_id AND x.last_ns::HUGEINT - x.first_ns <= $transaction_ns
UNION ALL
SELECT piece, 'conversation ' || conversation_id, 'one conversation in several exhibits' FROM call_pieces
UNION ALL
SELECT DISTINCT piece, 'ssrc ' || ssrc || ' ' || payload_type, 'one media stream in both' FROM streams
