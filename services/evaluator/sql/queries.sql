-- name: accept_attempt(job_id, tenant_id, agent_id, attempt, deployed)$
-- True when the attempt is newer than every one known of this job.
INSERT INTO evaluations (job_id, tenant_id, agent_id, attempt, deployed, state)
VALUES (:job_id, :tenant_id, :agent_id, :attempt, :deployed, 'accepted')
ON CONFLICT (job_id) DO UPDATE
SET attempt = excluded.attempt, deployed = excluded.deployed, state = 'accepted',
    changed_at = now()
WHERE evaluations.attempt < excluded.attempt AND evaluations.state <> 'cancelled'
RETURNING true;

-- name: cancel_job(job_id)$
-- True when an evaluation of the job was waiting or running.
UPDATE evaluations SET state = 'cancelled', changed_at = now()
WHERE job_id = :job_id AND state = 'accepted'
RETURNING true;

-- name: end_attempt(job_id, attempt, state)!
UPDATE evaluations SET state = :state, changed_at = now()
WHERE job_id = :job_id AND attempt = :attempt AND state = 'accepted';

-- name: find_score(model, items, catalogue, kind, scoring_version)^
SELECT predictions_uri, predictions_digest, file
FROM scores
WHERE model = :model AND items = :items AND catalogue = :catalogue AND kind = :kind
    AND scoring_version = :scoring_version;

-- name: find_recent_scores(tenant_id, agent_id, deployed, items, catalogue, kind, scoring_version, most)
-- Scores on these items of versions that candidates of windows were compared with before the present
-- one, newest first.
SELECT s.predictions_uri, s.predictions_digest, s.file
FROM (
    SELECT e.deployed, max(e.changed_at) AS last_seen
    FROM evaluations e
    WHERE e.tenant_id = :tenant_id AND e.agent_id = :agent_id AND e.deployed <> :deployed
    GROUP BY e.deployed
) AS version
JOIN scores s ON s.model = version.deployed AND s.items = :items AND s.catalogue = :catalogue
    AND s.kind = :kind AND s.scoring_version = :scoring_version
ORDER BY version.last_seen DESC
LIMIT :most;

-- name: insert_score(model, items, catalogue, kind, scoring_version, predictions_uri, predictions_digest, file)!
-- The newest stays: its artifact is the one that was certainly there a moment ago.
INSERT INTO scores (
    model, items, catalogue, kind, scoring_version, predictions_uri, predictions_digest, file
)
VALUES (
    :model, :items, :catalogue, :kind, :scoring_version, :predictions_uri, :predictions_digest, :file
)
ON CONFLICT (model, items, catalogue, kind, scoring_version) DO UPDATE
SET predictions_uri = excluded.predictions_uri, predictions_digest = excluded.predictions_digest,
    file = excluded.file, recorded_at = now();

-- name: find_grader_replies(tenant_id, grader, most)
-- The newest ones.
SELECT key, reply FROM grader_replies
WHERE tenant_id = :tenant_id AND grader = :grader
ORDER BY replied_at DESC
LIMIT :most;

-- name: insert_grader_replies(tenant_id, grader, keys, replies)!
INSERT INTO grader_replies (tenant_id, key, grader, reply)
SELECT :tenant_id, n.key, :grader, n.reply FROM unnest(:keys::text[], :replies::text[]) AS n (key, reply)
ON CONFLICT (tenant_id, key) DO NOTHING;

-- name: prune_grader_replies(tenant_id, grader, most)!
DELETE FROM grader_replies
WHERE tenant_id = :tenant_id AND grader = :grader AND replied_at < (
    SELECT replied_at FROM grader_replies
    WHERE tenant_id = :tenant_id AND grader = :grader
    ORDER BY replied_at DESC
    OFFSET :most LIMIT 1
);
