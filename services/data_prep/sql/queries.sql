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

-- name: set_model_version(tenant_id, agent_id, dataset_id, model_version)!
UPDATE datasets SET model_version = :model_version
WHERE dataset_id = :dataset_id AND tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: find_memory_of_model(tenant_id, agent_id, model_version)^
-- Which dataset a version was trained on, and where it stands in memory.
SELECT version, memory_sequence
FROM datasets
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND model_version = :model_version
ORDER BY version DESC
LIMIT 1;

-- name: enter_memory(tenant_id, agent_id, version, vouched)!
UPDATE datasets SET
    vouched = vouched OR :vouched,
    memory_sequence = 1 + (
        SELECT coalesce(max(memory_sequence), 0) FROM datasets
        WHERE tenant_id = :tenant_id AND agent_id = :agent_id
    )
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version = :version;

-- name: leave_memory(tenant_id, agent_id, after_sequence)!
-- Everything that entered later leaves.
UPDATE datasets SET memory_sequence = NULL
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND memory_sequence > :after_sequence;

-- name: insert_remembered_items(tenant_id, agent_id, dataset_version, part, hashes, item_ids, keys, inputs, targets, details)!
INSERT INTO remembered_items (
    tenant_id, agent_id, dataset_version, part, input_hash, item_id, input_key, input, target,
    details
)
SELECT
    :tenant_id, :agent_id, :dataset_version, :part, item.input_hash, item.item_id, item.input_key,
    item.input, item.target, item.details
FROM unnest(
    :hashes::text[], :item_ids::text[], :keys::text[], :inputs::text[], :targets::text[],
    :details::jsonb[]
) AS item (input_hash, item_id, input_key, input, target, details)
ON CONFLICT DO NOTHING;

-- name: read_remembered_items(tenant_id, agent_id, part)
-- Of one input the item that entered last: it may be a correction.
SELECT DISTINCT ON (item.input_hash)
    item.item_id, item.input_key, item.input, item.target, item.details, item.dataset_version,
    dataset.vouched
FROM remembered_items AS item
INNER JOIN datasets AS dataset
    ON dataset.tenant_id = item.tenant_id
    AND dataset.agent_id = item.agent_id
    AND dataset.version = item.dataset_version
WHERE item.tenant_id = :tenant_id AND item.agent_id = :agent_id AND item.part = :part
  AND dataset.memory_sequence IS NOT NULL
ORDER BY item.input_hash, dataset.memory_sequence DESC;

-- name: delete_stale_items(tenant_id, agent_id, retained, pending_datasets, restorable_until)!
-- Items of old datasets whose version was never deployed, and replaced or surplus replay items that
-- entered so long ago that no rollback is expected to bring them back.
DELETE FROM remembered_items AS item
USING datasets AS dataset, agents AS agent
WHERE item.tenant_id = :tenant_id AND item.agent_id = :agent_id
  AND agent.tenant_id = item.tenant_id AND agent.agent_id = item.agent_id
  AND dataset.tenant_id = item.tenant_id AND dataset.agent_id = item.agent_id
  AND dataset.version = item.dataset_version
  AND CASE
      WHEN dataset.memory_sequence IS NULL
      THEN dataset.version <= agent.last_version - :pending_datasets
      ELSE item.part = 'replay'
          AND dataset.memory_sequence <= :restorable_until
          AND item.input_hash <> ALL (:retained::text[])
  END;

-- name: insert_erased_feedback(tenant_id, agent_id, item_ids)!
INSERT INTO erased_feedback (tenant_id, agent_id, item_id)
SELECT :tenant_id, :agent_id, item_id FROM unnest(:item_ids::text[]) AS item (item_id)
ON CONFLICT DO NOTHING;

-- name: erase_feedback(tenant_id, agent_id, item_ids)!
DELETE FROM remembered_items
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND details -> 'feedback_ids' ?| :item_ids::text[];

-- name: read_erased_feedback_ids(tenant_id, agent_id)
SELECT item_id FROM erased_feedback
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;
