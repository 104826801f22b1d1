-- name: lock_progress(tenant_id, agent_id)^
-- Make the agent's row if there is none and hold its lock until the transaction ends.
INSERT INTO agents (tenant_id, agent_id)
VALUES (:tenant_id, :agent_id)
ON CONFLICT (tenant_id, agent_id) DO UPDATE SET agent_id = excluded.agent_id
RETURNING level, correct_answers, rated_answers;

-- name: save_progress(tenant_id, agent_id, level, correct_answers, rated_answers)!
UPDATE agents
SET level = :level, correct_answers = :correct_answers, rated_answers = :rated_answers
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: find_plan(tenant_id, job_id)$
SELECT plan
FROM plans
WHERE tenant_id = :tenant_id AND job_id = :job_id;

-- name: insert_plan(tenant_id, job_id, agent_id, plan)!
INSERT INTO plans (tenant_id, job_id, agent_id, plan)
VALUES (:tenant_id, :job_id, :agent_id, :plan);
