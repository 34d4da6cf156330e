-- name: sip_calls
-- question: Which calls did SIP in the clear set up: who called whom, when was it answered and ended, where did media go?
-- reads: sip_messages, sdp_media, captures
-- param: party VARCHAR = NULL              -- only calls in whose From, To or asserted identity this text stands
-- returns: started TIMESTAMP_NS, answered TIMESTAMP_NS, ended TIMESTAMP_NS, caller VARCHAR, caller_name VARCHAR,
--     asserted VARCHAR, callee VARCHAR, last_status INTEGER, source VARCHAR, target VARCHAR, media VARCHAR[],
--     messages BIGINT, call_id VARCHAR, capture VARCHAR, frame BIGINT, flow_id BIGINT
-- cannot show: what was said; bodies of messages are not stored
-- cannot show: that the names are true: From is chosen by the caller, the asserted identity by the network
-- cannot show: one call as one row where a border element gives each leg its own Call-ID
WITH media AS (
    SELECT capture_id, call_id,
           list_sort(list_distinct(list(kind || ' ' || ip || ':' || port) FILTER (ip IS NOT NULL AND port > 0))) AS media
    FROM sdp_media GROUP BY capture_id, call_id
)
SELECT min(s.ts) AS started, min(s.ts) FILTER (s.method = 'INVITE' AND s.status BETWEEN 200 AND 299) AS answered,
       min(s.ts) FILTER (s.method IN ('BYE', 'CANCEL') AND s.status IS NULL) AS ended,
       arg_min(s.from_uri, s.frame) AS caller, arg_min(s.from_name, s.frame) AS caller_name,
       arg_min(s.asserted, s.frame) AS asserted, arg_min(s.to_uri, s.frame) AS callee,
       arg_max(s.status, s.frame) FILTER (s.method = 'INVITE') AS last_status, arg_min(s.source, s.frame) AS source,
       arg_min(s.target, s.frame) AS target, any_value(m.media) AS media, count(*) AS messages, s.call_id,
       any_value(c.name) AS capture, min(s.frame) AS frame, arg_min(s.flow_id, s.frame) AS flow_id
FROM sip_messages s JOIN captures c ON c.capture_id = s.capture_id
     LEFT JOIN media m ON m.capture_id = s.capture_id AND m.call_id = s.call_id
GROUP BY s.capture_id, s.call_id
HAVING bool_or(s.method = 'INVITE')
   AND ($party IS NULL OR bool_or(contains(lower(concat_ws(' ', s.from_uri, s.to_uri, s.asserted)), lower($party::VARCHAR))))
ORDER BY started, s.call_id, s.capture_id
