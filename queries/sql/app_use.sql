-- name: app_use
-- question: Which address used which application in which hour, and how much?
-- reads: packets, flow_sightings, flow_pairs
-- param: ip ADDRESS = NULL                 -- only this client address
-- param: app VARCHAR = NULL                -- only this application
-- returns: client_ip VARCHAR, app VARCHAR, hour TIMESTAMP_NS, flows BIGINT, packets_up BIGINT,
--     packets_down BIGINT, payload_up BIGINT, payload_down BIGINT, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS
-- cannot show: use without payload packets in the capture
-- cannot show: of a conversation that several exhibits recorded, packets that only the smaller record holds
-- cannot show: whether a person acted; applications also talk by themselves

-- date_trunc would round the nanoseconds to microseconds first, and so 10:59:59.999999999 to 11:00
SELECT f.client_ip, f.app, make_timestamp_ns(epoch_ns(p.ts) - epoch_ns(p.ts) % 3600000000000) AS hour,
       count(DISTINCT f.conversation_id) AS flows,
       count(*) FILTER (WHERE p.up) AS packets_up, count(*) FILTER (WHERE NOT p.up) AS packets_down,
       coalesce(sum(p.payload_bytes) FILTER (WHERE p.up), 0)::BIGINT AS payload_up,
       coalesce(sum(p.payload_bytes) FILTER (WHERE NOT p.up), 0)::BIGINT AS payload_down,
       min(p.ts) AS first_ts, max(p.ts) AS last_ts
FROM packets p JOIN flow_sightings f USING (flow_id)
WHERE f.app IS NOT NULL AND ($ip IS NULL OR f.client_ip = $ip) AND ($app IS NULL OR f.app = $app)
  AND NOT EXISTS (SELECT 1 FROM flow_pairs y
                  WHERE y.yields AND y.flow_id = p.flow_id AND p.ts BETWEEN y.from_ts AND y.to_ts)
GROUP BY f.client_ip, f.app, hour
ORDER BY f.client_ip, f.app, hour
