-- name: exhibits
-- question: Which captures are in the case, with which hash, and what time do they cover?
-- reads: captures
-- returns: name VARCHAR, sha256 VARCHAR, bytes BIGINT, format VARCHAR, compression VARCHAR, packets BIGINT,
--     first_ts TIMESTAMP_NS, last_ts TIMESTAMP_NS, complete BOOLEAN, tool_version VARCHAR,
--     ingested_at TIMESTAMP_NS, capture_id BIGINT
-- cannot show: whether the clock of the recorder was right
SELECT name, sha256, bytes, format, compression, packets, first_ts, last_ts, complete, tool_version, ingested_at,
       capture_id
FROM captures
ORDER BY first_ts, name, sha256
