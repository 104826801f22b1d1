-- name: accept_attempt(job_id, tenant_id, agent_id, attempt)$
-- True when the attempt is newer than every one known of this job.
INSERT INTO trainings (job_id, tenant_id, agent_id, attempt, state)
VALUES (:job_id, :tenant_id, :agent_id, :attempt, 'accepted')
ON CONFLICT (job_id) DO UPDATE
SET attempt = excluded.attempt, state = 'accepted', changed_at = now()
WHERE trainings.attempt < excluded.attempt
RETURNING true;

-- name: cancel_attempt(job_id, tenant_id, agent_id, attempt)$
-- True when the attempt was not over. An attempt that is not known yet is refused when it comes.
INSERT INTO trainings (job_id, tenant_id, agent_id, attempt, state)
VALUES (:job_id, :tenant_id, :agent_id, :attempt, 'cancelled')
ON CONFLICT (job_id) DO UPDATE
SET attempt = excluded.attempt, state = 'cancelled', changed_at = now()
WHERE trainings.attempt < excluded.attempt
    OR (trainings.attempt = excluded.attempt AND trainings.state = 'accepted')
RETURNING true;

-- name: end_attempt(job_id, attempt, state)!
UPDATE trainings SET state = :state, changed_at = now()
WHERE job_id = :job_id AND attempt = :attempt AND state = 'accepted';

-- name: list_open_jobs()
SELECT job_id
FROM trainings
WHERE state = 'accepted';
