-- name: find_dataset(dataset_id)$
SELECT event_body
FROM datasets
WHERE dataset_id = :dataset_id;

-- name: lock_agent(tenant_id, agent_id)$
-- Make the agent's row if there is none and hold its lock until the transaction ends.
INSERT INTO agents (tenant_id, agent_id)
VALUES (:tenant_id, :agent_id)
ON CONFLICT (tenant_id, agent_id) DO UPDATE SET agent_id = excluded.agent_id
RETURNING last_version;

-- name: set_version(tenant_id, agent_id, version)!
UPDATE agents SET last_version = :version
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: insert_dataset(dataset_id, tenant_id, agent_id, version, job_id, artifact_digest, event_body)!
INSERT INTO datasets (
    dataset_id, tenant_id, agent_id, version, job_id, artifact_digest, event_body
)
VALUES (:dataset_id, :tenant_id, :agent_id, :version, :job_id, :artifact_digest, :event_body);

-- name: read_replay_buffer(tenant_id, agent_id)
SELECT item_id, input_key, input, target, details
FROM replay_buffer
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
ORDER BY input_hash;

-- name: upsert_replay_items(tenant_id, agent_id, dataset_version, hashes, item_ids, keys, inputs, targets, details)!
-- A later item with the same input takes the earlier one's place: it may be a correction.
INSERT INTO replay_buffer (
    tenant_id, agent_id, dataset_version, input_hash, item_id, input_key, input, target, details
)
SELECT
    :tenant_id, :agent_id, :dataset_version, item.input_hash, item.item_id, item.input_key,
    item.input, item.target, item.details
FROM unnest(
    :hashes::text[], :item_ids::text[], :keys::text[], :inputs::text[], :targets::text[],
    :details::jsonb[]
) AS item (input_hash, item_id, input_key, input, target, details)
ON CONFLICT (tenant_id, agent_id, input_hash) DO UPDATE SET
    item_id = excluded.item_id,
    input = excluded.input,
    target = excluded.target,
    details = excluded.details,
    dataset_version = excluded.dataset_version;

-- name: delete_replay_items(tenant_id, agent_id, hashes)!
DELETE FROM replay_buffer
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND input_hash = ANY (:hashes::text[]);

-- name: insert_erased_feedback(tenant_id, agent_id, item_ids)!
INSERT INTO erased_feedback (tenant_id, agent_id, item_id)
SELECT :tenant_id, :agent_id, item_id FROM unnest(:item_ids::text[]) AS item (item_id)
ON CONFLICT DO NOTHING;

-- name: erase_feedback(tenant_id, agent_id, item_ids)!
DELETE FROM replay_buffer
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND details -> 'feedback_ids' ?| :item_ids::text[];

-- name: read_erased_feedback_ids(tenant_id, agent_id)
SELECT item_id FROM erased_feedback
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;
