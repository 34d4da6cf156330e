-- name: frames_of_finding
-- question: On which frames of which exhibits does a finding rest?
-- reads: finding_frames, captures
-- param: finding_id BIGINT                 -- the finding, as the query findings lists it
-- returns: capture VARCHAR, frame BIGINT, role VARCHAR, flow_id BIGINT, sha256 VARCHAR
SELECT c.name AS capture, n.frame, n.role, n.flow_id, c.sha256
FROM finding_frames n JOIN captures c USING (capture_id)
WHERE n.finding_id = $finding_id
ORDER BY c.name, c.sha256, n.frame, n.role, n.flow_id
