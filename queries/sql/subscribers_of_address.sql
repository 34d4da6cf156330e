-- name: subscribers_of_address
-- question: To which subscriber did the network say an address belonged, and when?
-- reads: subscribers, captures
-- param: ip ADDRESS = NULL                 -- only this address, or the /64 prefix it is in
-- param: identity VARCHAR = NULL           -- only this IMSI, number, user name, ...
-- returns: ip VARCHAR, kind VARCHAR, identity VARCHAR, first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, ended BOOLEAN,
--     source VARCHAR, session VARCHAR, gateway VARCHAR, capture VARCHAR, frame BIGINT, last_frame BIGINT
-- cannot show: who held the device; an identity is of a subscription, a session or a device
-- cannot show: an address that is written with zeros inside its prefix, and prefixes of other lengths than 64
-- cannot show: subscribers behind an address translator, which share one address
SELECT s.ip, s.kind, s.identity, s.first_ts, s.last_ts, s.ended, s.source, s.session, s.gateway, c.name AS capture,
       s.frame, s.last_frame
FROM subscribers s JOIN captures c ON c.capture_id = s.capture_id
WHERE ($ip IS NULL OR s.ip = $ip
       OR (ends_with(s.ip, '::/64') AND starts_with($ip, replace(s.ip, '/64', '')))
       OR (ends_with(s.ip, '::/64') AND len(string_split(replace(s.ip, '::/64', ''), ':')) = 4
           AND starts_with($ip, replace(s.ip, '::/64', ':'))))
  AND ($identity IS NULL OR s.identity = $identity)
ORDER BY s.first_ts, s.ip, s.kind, s.identity, s.session, s.capture_id, s.frame
