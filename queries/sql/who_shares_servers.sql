-- name: who_shares_servers
-- question: Which servers of an application were used by several of the observed addresses?
-- reads: flow_sightings
-- param: min_clients BIGINT = 2            -- least number of client addresses
-- param: max_clients BIGINT = NULL         -- most, to leave out servers that everybody uses
-- param: app VARCHAR = NULL                -- only this application
-- returns: server_ip VARCHAR, server_port INTEGER, transport VARCHAR, app VARCHAR, clients BIGINT,
--     client_ips VARCHAR[], flows BIGINT, bytes BIGINT, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS
-- cannot show: that those who share a server know each other; large services serve everybody
SELECT server_ip, server_port, transport, app, count(DISTINCT client_ip) AS clients,
       list_sort(list(DISTINCT client_ip)) AS client_ips, count(*) FILTER (counted AND NOT continues) AS flows,
       coalesce(sum(bytes_up + bytes_down) FILTER (counted), 0)::BIGINT AS bytes,
       min(first_ts) AS first_ts, max(last_ts) AS last_ts
FROM flow_sightings
WHERE app IS NOT NULL AND ($app IS NULL OR app = $app)
GROUP BY server_ip, server_port, transport, app
HAVING count(*) FILTER (counted) > 0 AND clients >= $min_clients
   AND ($max_clients IS NULL OR clients <= $max_clients::BIGINT)
ORDER BY clients, bytes DESC, server_ip, server_port, transport, app
