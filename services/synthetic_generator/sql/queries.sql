-- name: find_result(tenant_id, request_id)$
SELECT event_body
FROM requests
WHERE tenant_id = :tenant_id AND request_id = :request_id;

-- name: insert_result(tenant_id, request_id, agent_id, event_body)!
-- Two workers may have carried out one request: the first answer stays.
INSERT INTO requests (tenant_id, request_id, agent_id, event_body)
VALUES (:tenant_id, :request_id, :agent_id, :event_body)
ON CONFLICT (tenant_id, request_id) DO NOTHING;
