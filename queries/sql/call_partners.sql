-- name: call_partners
-- question: With which addresses did each address have calls, how many and how long?
-- reads: calls
-- param: ip ADDRESS = NULL                 -- only partners of this address
-- param: app VARCHAR = NULL                -- only this application
-- returns: ip VARCHAR, partner VARCHAR, app VARCHAR, calls BIGINT, answered BIGINT, made BIGINT, received BIGINT,
--     media_ms BIGINT, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, most_confidence SMALLINT
-- cannot show: partners that no exhibit shows: a call through a relay that is seen from one side alone has none
-- cannot show: that the partner is a person's device: it may be a conference server or an address many share
WITH pairs AS (
    SELECT call_id, app, state, setup_ts, end_ts, media_ms, confidence, caller_ip, callee_ip,
           unnest(party_ips) AS ip, party_ips
    FROM calls
),
together AS (SELECT * EXCLUDE (party_ips), unnest(list_filter(party_ips, lambda one: one <> ip)) AS partner FROM pairs)
SELECT ip, partner, app, count(DISTINCT call_id) AS calls,
       count(DISTINCT call_id) FILTER (state = 'answered') AS answered,
       count(DISTINCT call_id) FILTER (caller_ip = ip) AS made,
       count(DISTINCT call_id) FILTER (callee_ip = ip) AS received, sum(media_ms)::BIGINT AS media_ms,
       min(setup_ts) AS first_ts, max(end_ts) AS last_ts, max(confidence) AS most_confidence
FROM together
WHERE ($ip IS NULL OR ip = $ip) AND ($app IS NULL OR app = $app)
GROUP BY ip, partner, app
ORDER BY calls DESC, ip, partner, app
