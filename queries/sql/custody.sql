-- name: custody
-- question: Who did what to the case, and when?
-- reads: custody_log
-- returns: seq BIGINT, ts TIMESTAMP_NS, actor VARCHAR, verb VARCHAR, arguments VARCHAR, tool_version VARCHAR,
--     sha256 VARCHAR
-- cannot show: acts upon the folder by other programs; see wirecover verify
SELECT seq, ts, actor, verb, arguments, tool_version, sha256
FROM custody_log
ORDER BY seq
