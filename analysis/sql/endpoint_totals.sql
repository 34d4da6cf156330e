-- Addresses that opened at least one flow, or of which another than a web server's protocol tells something (the word
-- of a host about itself); with their volume. Times are those of all records, volumes those of the records that count.
WITH told AS (
    SELECT DISTINCT ip FROM hosts WHERE ip IS NOT NULL AND source <> 'http'
    UNION
    SELECT DISTINCT ip FROM subscribers WHERE ip IS NOT NULL
)
SELECT s.ip, s.network, min(s.first_ns), max(s.last_ns),
       arg_min({'capture': s.capture_id, 'frame': s.first_frame, 'flow': s.flow_id},
               (s.first_ns, s.capture_id, s.first_frame, s.flow_id)),
       arg_max({'capture': s.capture_id, 'frame': s.last_frame, 'flow': s.flow_id},
               (s.last_ns, s.capture_id, s.last_frame, s.flow_id)),
       count(*) FILTER (s.counted AND NOT s.continues) AS flows,
       count(*) FILTER (s.counted AND NOT s.continues AND s.client),
       count(DISTINCT s.peer), coalesce(sum(s.sent) FILTER (s.counted), 0)::BIGINT,
       coalesce(sum(s.received) FILTER (s.counted), 0)::BIGINT,
       coalesce(list_sort(list(DISTINCT s.vlan) FILTER (s.vlan IS NOT NULL)), [])[:32],
       list_sort(list(DISTINCT s.capture_id))
FROM sides s LEFT JOIN told t ON t.ip = s.ip
GROUP BY s.ip, s.network
HAVING bool_or(s.counted AND s.client) OR (bool_or(s.counted) AND any_value(t.ip) IS NOT NULL)
ORDER BY flows DESC, s.ip, s.network NULLS FIRST
