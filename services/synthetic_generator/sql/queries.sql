-- name: find_answer(tenant_id, request_id)$
SELECT facts
FROM requests
WHERE tenant_id = :tenant_id AND request_id = :request_id;

-- name: insert_answer(tenant_id, request_id, agent_id, facts)!
-- Two workers may have carried out one request: the first answer stays.
INSERT INTO requests (tenant_id, request_id, agent_id, facts)
VALUES (:tenant_id, :request_id, :agent_id, :facts)
ON CONFLICT (tenant_id, request_id) DO NOTHING;
