-- name: find_result(tenant_id, request_id)$
SELECT event_body
FROM requests
WHERE tenant_id = :tenant_id AND request_id = :request_id;

-- name: insert_result(tenant_id, request_id, agent_id, event_body)!
-- Two workers may have carried out one request: the first answer stays.
INSERT INTO requests (tenant_id, request_id, agent_id, event_body)
VALUES (:tenant_id, :request_id, :agent_id, :event_body)
ON CONFLICT (tenant_id, request_id) DO NOTHING;

-- name: find_segments(tenant_id, request_id)
SELECT items, state FROM segments
WHERE tenant_id = :tenant_id AND request_id = :request_id
ORDER BY draws;

-- name: insert_segment(tenant_id, request_id, draws, items, state)!
INSERT INTO segments (tenant_id, request_id, draws, items, state)
VALUES (:tenant_id, :request_id, :draws, :items, :state)
ON CONFLICT (tenant_id, request_id, draws) DO NOTHING;

-- name: delete_segments(tenant_id, request_id)!
DELETE FROM segments WHERE tenant_id = :tenant_id AND request_id = :request_id;

-- name: find_llm_replies(tenant_id, most)
-- The newest ones.
SELECT key, reply FROM llm_replies
WHERE tenant_id = :tenant_id
ORDER BY replied_at DESC
LIMIT :most;

-- name: insert_llm_replies(tenant_id, keys, replies)!
INSERT INTO llm_replies (tenant_id, key, reply)
SELECT :tenant_id, n.key, n.reply FROM unnest(:keys::text[], :replies::text[]) AS n (key, reply)
ON CONFLICT (tenant_id, key) DO NOTHING;

-- name: prune_llm_replies(tenant_id, most)!
DELETE FROM llm_replies
WHERE tenant_id = :tenant_id AND replied_at < (
    SELECT replied_at FROM llm_replies
    WHERE tenant_id = :tenant_id
    ORDER BY replied_at DESC
    OFFSET :most LIMIT 1
);
