-- name: lock_agent(tenant_id, agent_id)$
-- Make the agent's row if there is none and hold its lock until the transaction ends.
INSERT INTO agents (tenant_id, agent_id)
VALUES (:tenant_id, :agent_id)
ON CONFLICT (tenant_id, agent_id) DO UPDATE SET agent_id = excluded.agent_id
RETURNING revision;

-- name: find_model_of_job(tenant_id, job_id)^
SELECT *
FROM models
WHERE tenant_id = :tenant_id AND job_id = :job_id;

-- name: find_model(tenant_id, agent_id, version)^
SELECT *
FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version = :version;

-- name: find_deployed_model(tenant_id, agent_id)^
SELECT *
FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND status = 'deployed';

-- name: find_highest_version(tenant_id, agent_id)^
SELECT major, minor, patch
FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
ORDER BY major DESC, minor DESC, patch DESC
LIMIT 1;

-- name: list_versions(tenant_id, agent_id)
-- For an error text that names the versions there are; newest first.
SELECT version
FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
ORDER BY major DESC, minor DESC, patch DESC
LIMIT 10;

-- name: list_models(tenant_id, agent_id)
SELECT *
FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
ORDER BY major, minor, patch;

-- name: set_archived(model_id)!
UPDATE models SET status = 'archived' WHERE model_id = :model_id;

-- name: set_protection(model_id, reason)!
UPDATE models SET protected_reason = :reason WHERE model_id = :model_id;

-- name: insert_model(model_id, tenant_id, agent_id, major, minor, patch, kind, artifact_uri, artifact_digest, status, job_id, dataset_id, dataset, parent_version, evaluation_id, metrics, lineage, created_at)!
INSERT INTO models (
    model_id, tenant_id, agent_id, major, minor, patch, kind, artifact_uri, artifact_digest,
    status, job_id, dataset_id, dataset, parent_version, evaluation_id, metrics, lineage,
    created_at
)
VALUES (
    :model_id, :tenant_id, :agent_id, :major, :minor, :patch, :kind, :artifact_uri,
    :artifact_digest, :status, :job_id, :dataset_id, :dataset, :parent_version, :evaluation_id,
    :metrics, :lineage, :created_at
);

-- name: retire_deployed_model(tenant_id, agent_id)!
-- Before the next one is set: at most one row may be deployed, and the index is checked row by row.
UPDATE models SET status = 'ready'
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND status = 'deployed';

-- name: set_deployed_model(tenant_id, agent_id, version)!
UPDATE models SET status = 'deployed'
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version = :version;

-- name: find_allowed_answers(tenant_id, agent_id)$
SELECT allowed_answers
FROM agents
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: set_allowed_answers(tenant_id, agent_id, allowed_answers)!
UPDATE agents SET allowed_answers = :allowed_answers
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: set_revision(tenant_id, agent_id, revision)!
UPDATE agents SET revision = :revision
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: insert_deployment(tenant_id, agent_id, revision, version, previous_version, action, actor, reason, job_id, at)!
INSERT INTO deployments (
    tenant_id, agent_id, revision, version, previous_version, action, actor, reason,
    job_id, at
)
VALUES (
    :tenant_id, :agent_id, :revision, :version, :previous_version, :action, :actor, :reason,
    :job_id, :at
);

-- name: list_deployments(tenant_id, agent_id)
SELECT revision, version, previous_version, action, actor, reason, job_id, at
FROM deployments
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
ORDER BY revision;
