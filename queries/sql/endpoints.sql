-- name: endpoints
-- question: Which addresses are in the exhibits, and what do the exhibits tell of the devices behind them?
-- reads: endpoints, captures
-- param: ip ADDRESS = NULL                 -- only this address
-- param: app VARCHAR = NULL                -- only addresses that opened flows with this label
-- returns: ip VARCHAR, network VARCHAR, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, flows BIGINT, flows_opened BIGINT,
--     peers BIGINT, bytes_sent BIGINT, bytes_received BIGINT, macs VARCHAR[], names VARCHAR[], systems VARCHAR[],
--     software VARCHAR[], ja4s VARCHAR[], apps VARCHAR[], identities VARCHAR[], links INTEGER, warnings VARCHAR[],
--     capture VARCHAR, first_frame BIGINT, exhibits BIGINT
-- cannot show: who used a device, and how many devices stood behind an address
-- cannot show: anything before `wirecover analyze CASE endpoints` was run
SELECT e.ip, e.network, e.first_ts, e.last_ts, e.flows, e.flows_opened, e.peers, e.bytes_sent, e.bytes_received, e.macs,
       e.names, e.systems, e.software, e.ja4s, e.apps, e.identities, e.links, e.warnings, c.name AS capture,
       e.first_frame, len(e.capture_ids) AS exhibits
FROM endpoints e LEFT JOIN captures c ON c.capture_id = e.capture_id
WHERE ($ip IS NULL OR e.ip = $ip) AND ($app IS NULL OR list_contains(e.apps, $app))
ORDER BY e.flows DESC, e.ip, e.network NULLS FIRST
