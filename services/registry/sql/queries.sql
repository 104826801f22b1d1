-- name: lock_agent(tenant_id, agent_id)$
-- Make the agent's row if there is none and hold its lock until the transaction ends.
INSERT INTO agents (tenant_id, agent_id)
VALUES (:tenant_id, :agent_id)
ON CONFLICT (tenant_id, agent_id) DO UPDATE SET agent_id = excluded.agent_id
RETURNING revision;

-- name: find_models_before(tenant_id, agent_id, job_id)
-- The job's model, and the agent's with the highest version: what a registration must know.
SELECT true AS is_of_job, m.*
FROM models m
WHERE tenant_id = :tenant_id AND job_id = :job_id
UNION ALL
(SELECT false, m.*
 FROM models m
 WHERE tenant_id = :tenant_id AND agent_id = :agent_id
 ORDER BY major DESC, minor DESC, patch DESC
 LIMIT 1);

-- name: find_model(tenant_id, agent_id, version)^
SELECT *
FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version = :version;

-- name: find_model_and_deployed(tenant_id, agent_id, version)
-- One row where both are the same model.
SELECT *
FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND (version = :version OR status = 'deployed');

-- name: find_deployed_model(tenant_id, agent_id)^
SELECT *
FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND status = 'deployed';

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

-- name: retire_deployed_model(tenant_id, agent_id, revision)!
-- Before the next one is set: at most one row may be deployed, and the index is checked row by row.
WITH revised AS (
    UPDATE agents SET revision = :revision WHERE tenant_id = :tenant_id AND agent_id = :agent_id
)
UPDATE models SET status = 'ready'
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND status = 'deployed';

-- name: set_deployed_model(tenant_id, agent_id, revision, version, previous_version, action, actor, reason, job_id, at)!
-- With the change's row in the history.
WITH added AS (
    INSERT INTO deployments (
        tenant_id, agent_id, revision, version, previous_version, action, actor, reason,
        job_id, at
    )
    VALUES (
        :tenant_id, :agent_id, :revision, :version, :previous_version, :action, :actor, :reason,
        :job_id, :at
    )
)
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

-- name: list_deployments(tenant_id, agent_id)
SELECT revision, version, previous_version, action, actor, reason, job_id, at
FROM deployments
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
ORDER BY revision;

-- name: find_rollout_policy(tenant_id, agent_id)$
SELECT rollout
FROM agents
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: set_rollout_policy(tenant_id, agent_id, rollout)!
UPDATE agents SET rollout = :rollout
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: find_answer_counts(tenant_id, agent_id, versions)
-- Whoever sends feedback may name any version: of those that do not exist nothing is kept.
SELECT m.version, m.artifact_digest, c.counts
FROM models AS m
LEFT JOIN answer_counts AS c USING (tenant_id, agent_id, version)
WHERE m.tenant_id = :tenant_id AND m.agent_id = :agent_id
  AND m.version = any(:versions::text[]);

-- name: put_answer_counts(tenant_id, agent_id, counts)!
INSERT INTO answer_counts (tenant_id, agent_id, version, counts)
SELECT :tenant_id, :agent_id, each.key, each.value
FROM jsonb_each(:counts) AS each
ON CONFLICT (tenant_id, agent_id, version) DO UPDATE SET counts = excluded.counts;

-- name: find_running_experiment(tenant_id, agent_id)^
SELECT *
FROM experiments
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND state = 'running';

-- name: find_experiment(experiment_id)^
SELECT *
FROM experiments
WHERE experiment_id = :experiment_id;

-- name: put_experiment(experiment_id, tenant_id, agent_id, kind, state, control_version, treatment_version, job_id, progress, started_at, deadline_at, ended_at, reason)!
-- What has ended stays as it ended.
INSERT INTO experiments (
    experiment_id, tenant_id, agent_id, kind, state, control_version, treatment_version, job_id,
    progress, started_at, deadline_at, ended_at, reason
)
VALUES (
    :experiment_id, :tenant_id, :agent_id, :kind, :state, :control_version, :treatment_version,
    :job_id, :progress, :started_at, :deadline_at, :ended_at, :reason
)
ON CONFLICT (experiment_id) DO UPDATE SET
    state = excluded.state, progress = excluded.progress, ended_at = excluded.ended_at,
    reason = excluded.reason
WHERE experiments.state = 'running';

-- name: find_last_rollback(tenant_id, agent_id)$
SELECT max(ended_at)
FROM experiments
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND state = 'rolled_back';

-- name: find_due_experiment(now)^
SELECT tenant_id, agent_id
FROM experiments
WHERE state = 'running' AND deadline_at <= :now
ORDER BY deadline_at
LIMIT 1;
