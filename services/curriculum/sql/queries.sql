-- name: lock_progress(tenant_id, agent_id)^
-- Make the agent's row if there is none and hold its lock until the transaction ends.
INSERT INTO agents (tenant_id, agent_id)
VALUES (:tenant_id, :agent_id)
ON CONFLICT (tenant_id, agent_id) DO UPDATE SET agent_id = excluded.agent_id
RETURNING level, correct_answers, rated_answers;

-- name: find_definitions(tenant_id, agent_id)$
SELECT skills FROM agents WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: save_definitions(tenant_id, agent_id, skills)!
UPDATE agents SET skills = :skills WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: find_skills(tenant_id, agent_id, most)
SELECT skill, task_type, correct, items, previous_rate, best_rate, evaluations
FROM skills
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
ORDER BY items DESC, skill
LIMIT :most;

-- name: save_skills(tenant_id, agent_id, skills, task_types, correct, items, previous_rates, best_rates, evaluations)!
INSERT INTO skills (tenant_id, agent_id, skill, task_type, correct, items, previous_rate, best_rate,
                    evaluations)
SELECT :tenant_id, :agent_id, g.*
FROM unnest(:skills::text[], :task_types::text[], :correct::int[], :items::int[],
            :previous_rates::float8[], :best_rates::float8[], :evaluations::int[]) AS g
ON CONFLICT (tenant_id, agent_id, skill)
DO UPDATE SET task_type = excluded.task_type, correct = excluded.correct, items = excluded.items,
              previous_rate = excluded.previous_rate, best_rate = excluded.best_rate,
              evaluations = excluded.evaluations;

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
