-- Queries of the gateway. Tables are in its own schema, named by search_path.

-- API keys -----------------------------------------------------------------------------------

-- name: insert_api_key(id, key_hash, tenant_id, name, scopes, expires_at, created_by, agents)$
-- True when it is new. A key that is there already stays as it is, revoked or not.
INSERT INTO api_keys (id, key_hash, tenant_id, name, scopes, expires_at, created_by, agents)
VALUES (:id, :key_hash, :tenant_id, :name, :scopes, :expires_at, :created_by, :agents)
ON CONFLICT DO NOTHING
RETURNING true;

-- name: find_api_key(key_hash)^
-- By the database's clock, so that all gateways agree on when a key ends. A session's token is found
-- as the key that it stands for, and is good no longer than that.
SELECT k.id, k.tenant_id, k.name, k.scopes, k.agents, k.expires_at,
       extract(epoch FROM least(k.expires_at, c.until) - now())::float8 AS seconds_left,
       k.last_used_on IS NOT DISTINCT FROM current_date AS used_today
FROM (
    SELECT id AS key_id, NULL::timestamptz AS until FROM api_keys WHERE key_hash = :key_hash
    UNION ALL
    SELECT key_id, expires_at FROM sessions WHERE token_hash = :key_hash AND expires_at > now()
) c
JOIN api_keys k ON k.id = c.key_id
WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());

-- name: insert_session(token_hash, tenant_id, key_id, seconds)!
INSERT INTO sessions (token_hash, tenant_id, key_id, expires_at)
VALUES (:token_hash, :tenant_id, :key_id, now() + make_interval(secs => :seconds));

-- name: delete_session(token_hash)!
DELETE FROM sessions WHERE token_hash = :token_hash;

-- name: prune_sessions()!
DELETE FROM sessions WHERE expires_at < now();

-- name: insert_sign_in_link(token_hash, tenant_id, key_id, seconds)$
INSERT INTO sign_in_links (token_hash, tenant_id, key_id, expires_at)
VALUES (:token_hash, :tenant_id, :key_id, now() + make_interval(secs => :seconds))
RETURNING expires_at;

-- name: use_sign_in_link(token_hash)^
-- Once: of two requests at the same time one finds the row. The key is good as in `api_key`.
DELETE FROM sign_in_links l
USING api_keys k
WHERE l.token_hash = :token_hash AND l.expires_at > now() AND k.id = l.key_id
  AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
RETURNING k.id, k.tenant_id, k.name, k.scopes, k.agents, k.expires_at;

-- name: prune_sign_in_links()!
DELETE FROM sign_in_links WHERE expires_at < now();

-- name: mark_api_key_used(id)!
UPDATE api_keys SET last_used_on = current_date
WHERE id = :id AND last_used_on IS DISTINCT FROM current_date;

-- name: api_keys(tenant_id, id, limit, only, offset)
-- One key, or all of a tenant when id is null; never the hash.
SELECT id, tenant_id, name, scopes, agents, created_at, created_by, last_used_on, expires_at,
       revoked_at
FROM api_keys
WHERE tenant_id = :tenant_id AND (:id::uuid IS NULL OR id = :id)
  AND (:only::text[] IS NULL OR agents <@ :only::text[])
ORDER BY created_at DESC, id
LIMIT :limit OFFSET :offset;

-- name: count_api_keys(tenant_id)$
-- A tenant's keys that are good now.
SELECT count(*) FROM api_keys
WHERE tenant_id = :tenant_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- name: revoke_api_key(tenant_id, id)$
-- True for the first revocation, whose time is kept.
UPDATE api_keys SET revoked_at = now()
WHERE tenant_id = :tenant_id AND id = :id AND revoked_at IS NULL
RETURNING true;

-- Agents -------------------------------------------------------------------------------------

-- name: save_agent(tenant_id, agent_id, profile, configured_at)!
INSERT INTO agents (tenant_id, agent_id, profile, configured_at)
VALUES (:tenant_id, :agent_id, :profile, :configured_at)
ON CONFLICT (tenant_id, agent_id) DO UPDATE
SET profile = excluded.profile, configured_at = excluded.configured_at
WHERE agents.configured_at <= excluded.configured_at;

-- name: save_parked_agent(tenant_id, agent_id, reason, at, until)!
UPDATE agents SET parked_reason = :reason, parked_at = :at, parked_until = :until
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND (parked_at IS NULL OR parked_at <= :at);

-- name: parked_agents(tenant_id, limit)
SELECT agent_id, parked_reason AS reason, parked_at AS since, parked_until AS until
FROM agents
WHERE tenant_id = :tenant_id AND parked_until > now() AND parked_at > configured_at
ORDER BY agent_id
LIMIT :limit;

-- name: agent_names()
SELECT tenant_id, agent_id FROM agents;

-- name: has_agent(tenant_id, agent_id)$
SELECT EXISTS (SELECT FROM agents WHERE tenant_id = :tenant_id AND agent_id = :agent_id);

-- name: agent_kind(tenant_id, agent_id)$
SELECT profile ->> 'kind' FROM agents WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: agents(tenant_id, agent_id, limit, final_states, agents, offset)
-- One agent, or all of a tenant when agent_id is null, each with its deployed version and open job.
SELECT a.agent_id, a.profile, a.configured_at,
       CASE WHEN a.parked_until > now() AND a.parked_at > a.configured_at
            THEN a.parked_reason END AS parked_reason, a.parked_at, a.parked_until,
       m.version AS deployed_version, m.digest AS deployed_digest,
       m.uri AS deployed_uri, m.deployed_at, j.job_id AS open_job, u.unused AS unused_feedback,
       (SELECT name FROM datasets d
        WHERE d.tenant_id = a.tenant_id
          AND d.digest = a.profile -> 'evaluation_suite' ->> 'digest'
        ORDER BY d.created_at LIMIT 1) AS evaluation_dataset
FROM agents a
LEFT JOIN models m ON m.tenant_id = a.tenant_id AND m.agent_id = a.agent_id
                  AND m.status = 'deployed'
LEFT JOIN unused_feedback u ON u.tenant_id = a.tenant_id AND u.agent_id = a.agent_id
LEFT JOIN LATERAL (
    SELECT job_id FROM jobs
    WHERE jobs.tenant_id = a.tenant_id AND jobs.agent_id = a.agent_id
      AND state <> ALL (:final_states::text[])
    ORDER BY created_at DESC LIMIT 1
) j ON true
WHERE a.tenant_id = :tenant_id AND (:agent_id::text IS NULL OR a.agent_id = :agent_id)
  AND (:agents::text[] IS NULL OR a.agent_id = ANY(:agents::text[]))
ORDER BY a.agent_id
LIMIT :limit OFFSET :offset;

-- Datasets -----------------------------------------------------------------------------------

-- name: insert_dataset(tenant_id, name, purpose, items, uri, digest)!
INSERT INTO datasets (tenant_id, name, purpose, items, uri, digest)
VALUES (:tenant_id, :name, :purpose, :items, :uri, :digest)
ON CONFLICT (tenant_id, name) DO NOTHING;

-- name: datasets(tenant_id, name, limit, offset)
SELECT name, purpose, items, uri, digest, created_at FROM datasets
WHERE tenant_id = :tenant_id AND (:name::text IS NULL OR name = :name)
ORDER BY created_at DESC, name
LIMIT :limit OFFSET :offset;

-- name: save_prepared_dataset(dataset_id, tenant_id, agent_id, job_id, dataset_version, body, prepared_at)!
INSERT INTO prepared_datasets
    (dataset_id, tenant_id, agent_id, job_id, dataset_version, body, prepared_at)
VALUES (:dataset_id, :tenant_id, :agent_id, :job_id, :dataset_version, :body, :prepared_at)
ON CONFLICT (dataset_id) DO NOTHING;

-- name: find_dataset_version(tenant_id, agent_id, dataset_version)^
SELECT body, prepared_at FROM prepared_datasets
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND dataset_version = :dataset_version;

-- name: prepared_datasets(tenant_id, limit, agents, offset)
SELECT body, prepared_at FROM prepared_datasets
WHERE tenant_id = :tenant_id
  AND (:agents::text[] IS NULL OR agent_id = ANY(:agents::text[]))
ORDER BY prepared_at DESC, dataset_id
LIMIT :limit OFFSET :offset;

-- name: find_prepared_dataset(tenant_id, dataset_id)^
SELECT body, prepared_at FROM prepared_datasets
WHERE dataset_id = :dataset_id AND tenant_id = :tenant_id;

-- name: preceding_dataset(tenant_id, agent_id, prepared_at)$
-- The one that was prepared for the agent before it.
SELECT dataset_id FROM prepared_datasets
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND prepared_at < :prepared_at
ORDER BY prepared_at DESC LIMIT 1;

-- Jobs ---------------------------------------------------------------------------------------

-- name: insert_requested_job(job_id, tenant_id, agent_id, method, dataset_name, config, requested_by, at)!
-- With the request itself. Sent again it changes nothing: what the job does was stated the first time.
INSERT INTO jobs
    (job_id, tenant_id, agent_id, method, dataset_name, config, requested_by, created_at)
VALUES (:job_id, :tenant_id, :agent_id, :method, :dataset_name, :config, :requested_by, :at)
ON CONFLICT (job_id) DO NOTHING;

-- name: claim_request(tenant_id, request_id, digest)$
-- The update changes nothing: it makes a second request wait for the first, and see its row.
INSERT INTO idempotency_keys (tenant_id, request_id, digest)
VALUES (:tenant_id, :request_id, :digest)
ON CONFLICT (tenant_id, request_id) DO UPDATE SET digest = idempotency_keys.digest
RETURNING digest;

-- name: prune_requests(keep_days)!
DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(days => :keep_days);

-- name: save_requested_job(job_id, tenant_id, agent_id, method, dataset_name, config, requested_by, at)!
-- When its event comes round.
INSERT INTO jobs
    (job_id, tenant_id, agent_id, method, dataset_name, config, requested_by, created_at)
VALUES (:job_id, :tenant_id, :agent_id, :method, :dataset_name, :config, :requested_by, :at)
ON CONFLICT (job_id) DO UPDATE
SET dataset_name = excluded.dataset_name, config = excluded.config,
    requested_by = excluded.requested_by;

-- name: save_job_trigger(job_id, tenant_id, agent_id, window_trigger, at)!
INSERT INTO jobs (job_id, tenant_id, agent_id, window_trigger, created_at)
VALUES (:job_id, :tenant_id, :agent_id, :window_trigger, :at)
ON CONFLICT (job_id) DO UPDATE SET window_trigger = excluded.window_trigger;

-- name: save_feedback_returned(job_id, feedback_returned)!
UPDATE jobs SET feedback_returned = :feedback_returned WHERE job_id = :job_id;

-- name: save_job_state(job_id, tenant_id, agent_id, method, state, attempt, reason, trace_id, at)!
-- An older transition than the newest seen changes nothing here; it is still in the history.
INSERT INTO jobs
    (job_id, tenant_id, agent_id, method, state, attempt, reason, trace_id, created_at, state_at)
VALUES (:job_id, :tenant_id, :agent_id, :method, :state, :attempt, :reason, :trace_id, :at, :at)
ON CONFLICT (job_id) DO UPDATE
SET method = excluded.method, state = excluded.state, attempt = excluded.attempt,
    reason = excluded.reason, state_at = excluded.state_at,
    trace_id = coalesce(nullif(excluded.trace_id, ''), jobs.trace_id)
WHERE jobs.state_at IS NULL OR jobs.state_at <= excluded.state_at;

-- name: add_transition(event_id, tenant_id, job_id, from_state, to_state, attempt, reason, at)!
INSERT INTO job_transitions (event_id, tenant_id, job_id, from_state, to_state, attempt, reason, at)
VALUES (:event_id, :tenant_id, :job_id, :from_state, :to_state, :attempt, :reason, :at)
ON CONFLICT (event_id) DO NOTHING;

-- name: save_job_result(job_id, version, digest)!
UPDATE jobs SET version = :version, digest = :digest WHERE job_id = :job_id;

-- name: save_job_learning(job_id, learning)!
UPDATE jobs SET learning = :learning WHERE job_id = :job_id;

-- name: save_training_start(tenant_id, job_id, attempt, total_steps, resumed_from_step, first_step_at)!
-- A newer attempt starts again from nothing; an older one is stale.
INSERT INTO job_progress
    (tenant_id, job_id, attempt, total_steps, resumed_from_step, first_step_at, step)
VALUES (:tenant_id, :job_id, :attempt, :total_steps, :resumed_from_step, :first_step_at,
        :resumed_from_step)
ON CONFLICT (job_id, tenant_id) DO UPDATE
SET attempt = excluded.attempt, total_steps = excluded.total_steps,
    resumed_from_step = excluded.resumed_from_step, first_step_at = excluded.first_step_at,
    step = CASE WHEN job_progress.attempt = excluded.attempt
                THEN greatest(job_progress.step, excluded.step) ELSE excluded.step END
WHERE job_progress.attempt <= excluded.attempt;

-- name: save_training_steps(tenant_ids, job_ids, attempts, steps, losses, moments)!
-- One row of each job.
INSERT INTO job_progress (tenant_id, job_id, attempt, step, loss, recorded_at)
SELECT m.tenant_id, m.job_id, m.attempt, m.step, m.loss, m.recorded_at
FROM unnest(:tenant_ids::text[], :job_ids::uuid[], :attempts::integer[], :steps::integer[],
            :losses::float8[], :moments::timestamptz[])
    AS m (tenant_id, job_id, attempt, step, loss, recorded_at)
ORDER BY m.job_id
ON CONFLICT (job_id, tenant_id) DO UPDATE
SET attempt = excluded.attempt,
    step = CASE WHEN job_progress.attempt = excluded.attempt
                THEN greatest(job_progress.step, excluded.step) ELSE excluded.step END,
    loss = coalesce(excluded.loss, job_progress.loss), recorded_at = excluded.recorded_at
WHERE job_progress.attempt <= excluded.attempt;

-- name: save_metrics(tenant_ids, job_ids, attempts, events, names, steps, amounts, epochs, moments)!
-- A row per event and metric; `events` says of each point to which of the first three it belongs.
-- COPY is not possible: PostgreSQL refuses it where rows have a policy.
INSERT INTO job_metrics (tenant_id, job_id, attempt, name, first_step, last_step, recorded_at, steps,
                         amounts, epochs, moments)
SELECT (:tenant_ids::text[])[g.event], (:job_ids::uuid[])[g.event], (:attempts::integer[])[g.event],
       g.name, g.first_step, g.last_step, g.recorded_at, g.steps, g.amounts, g.epochs, g.moments
FROM (
    -- Grouped before the events are looked up: joined with them, each point would meet each event.
    SELECT m.event, m.name, min(m.step) AS first_step, max(m.step) AS last_step,
           min(m.at) AS recorded_at, array_agg(m.step ORDER BY m.step) AS steps,
           array_agg(m.amount ORDER BY m.step) AS amounts,
           array_agg(m.epoch ORDER BY m.step) AS epochs, array_agg(m.at ORDER BY m.step) AS moments
    FROM unnest(:events::integer[], :names::text[], :steps::integer[], :amounts::float8[],
                :epochs::float8[], :moments::timestamptz[]) AS m(event, name, step, amount, epoch, at)
    GROUP BY m.event, m.name
) AS g
ON CONFLICT (job_id, attempt, name, first_step, recorded_at, tenant_id) DO NOTHING;

-- name: job_metrics(job_id, since, names, limit)
-- The points as they came; `since` leaves older partitions out. A training that goes on from a
-- checkpoint records some steps again: what came later from a step on replaces what came before.
WITH batches AS MATERIALIZED (
    SELECT attempt, name, steps, amounts, epochs, moments,
           min(first_step) OVER (PARTITION BY attempt, name ORDER BY recorded_at
                                 ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS replaced_from
    FROM job_metrics
    WHERE job_id = :job_id AND recorded_at >= :since
      AND (:names::text[] IS NULL OR name = ANY(:names::text[]))
)
SELECT b.name, p.step, p.value, p.epoch, b.attempt, p.recorded_at
FROM batches b,
     unnest(b.steps, b.amounts, b.epochs, b.moments) AS p(step, value, epoch, recorded_at)
WHERE b.replaced_from IS NULL OR p.step < b.replaced_from
ORDER BY b.attempt, p.step, b.name
LIMIT :limit;

-- name: metric_series(job_id, since)
-- A row per metric and attempt: how long it is, and its extremes and newest value.
SELECT m.attempt, m.name, sum(cardinality(m.steps)) AS points, min(m.first_step) AS first_step,
       max(m.last_step) AS last_step, min(x.low) AS lowest, max(x.high) AS highest,
       (array_agg(m.amounts[cardinality(m.amounts)] ORDER BY m.last_step DESC))[1] AS newest
FROM job_metrics m,
     LATERAL (SELECT min(v) AS low, max(v) AS high FROM unnest(m.amounts) AS v) x
WHERE m.job_id = :job_id AND m.recorded_at >= :since
GROUP BY m.attempt, m.name
ORDER BY m.attempt, m.name;

-- name: training_costs(since, agent_id, summed, peak)
-- What trainings reported that ended with a model, by agent; of jobs that were created since then.
SELECT j.agent_id, count(DISTINCT (j.job_id, m.attempt))::int AS trainings,
       (SELECT jsonb_object_agg(name, amount) FROM (
            SELECT n.name, sum(v) AS amount
            FROM jobs k JOIN job_metrics n USING (job_id, tenant_id), unnest(n.amounts) AS v
            WHERE k.agent_id = j.agent_id AND k.created_at >= :since
              AND n.recorded_at >= :since AND n.name = ANY(:summed::text[])
            GROUP BY n.name
        ) s) AS amounts,
       max((SELECT max(v) FROM unnest(m.amounts) AS v)) AS peak_memory_mb
FROM jobs j JOIN job_metrics m USING (job_id, tenant_id)
WHERE j.created_at >= :since AND m.recorded_at >= :since AND m.name = :peak
  AND (:agent_id::text IS NULL OR j.agent_id = :agent_id)
GROUP BY j.agent_id
ORDER BY j.agent_id;

-- name: metric_curves(job_id, since, names, buckets)
-- Lowest and highest point of each of so many equal ranges of steps: a plot of them covers the same
-- pixels as one of all points (M4 without its first and last points; Jugel et al., VLDB 2014). A
-- series with no more points than two per range is whole: a range is then one step. Steps that were
-- recorded again count as in `job_metrics`.
WITH batches AS MATERIALIZED (
    SELECT attempt, name, first_step, last_step, steps, amounts,
           min(first_step) OVER (PARTITION BY attempt, name ORDER BY recorded_at
                                 ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS replaced_from
    FROM job_metrics
    WHERE job_id = :job_id AND recorded_at >= :since
      AND (:names::text[] IS NULL OR name = ANY(:names::text[]))
), series AS MATERIALIZED (
    SELECT attempt, name, min(first_step) AS low, sum(cardinality(steps)) AS points,
           CASE WHEN sum(cardinality(steps)) <= 2 * :buckets::int THEN 1.0
                ELSE (max(last_step) - min(first_step) + 1)::float8 / :buckets::int END AS width
    FROM batches
    GROUP BY attempt, name
), ranges AS (
    SELECT b.attempt, b.name, s.points,
           min(ARRAY[p.value, p.step]) AS lowest, max(ARRAY[p.value, p.step]) AS highest
    FROM batches b
    JOIN series s USING (attempt, name),
         unnest(b.steps, b.amounts) AS p(step, value)
    WHERE b.replaced_from IS NULL OR p.step < b.replaced_from
    GROUP BY b.attempt, b.name, s.points, floor((p.step - s.low) / s.width)
)
SELECT r.attempt, r.name, r.points, c.point[2]::int AS step, c.point[1] AS value
FROM ranges r,
     LATERAL (SELECT DISTINCT point FROM (VALUES (r.lowest), (r.highest)) AS both_ends(point)) c
ORDER BY r.attempt, r.name, step;

-- name: make_metric_partitions()$
SELECT make_metric_partitions();

-- name: drop_metric_partitions(keep_days)$
SELECT drop_metric_partitions(:keep_days);

-- name: jobs(tenant_id, agent_id, state, limit, agents, offset)
SELECT j.job_id, j.agent_id, j.method, j.state, j.attempt, j.reason, j.trace_id, j.version,
       j.dataset_name, j.created_at, j.state_at
FROM jobs j
WHERE j.tenant_id = :tenant_id
  AND (:agent_id::text IS NULL OR j.agent_id = :agent_id)
  AND (:state::text IS NULL OR j.state = :state)
  AND (:agents::text[] IS NULL OR j.agent_id = ANY(:agents::text[]))
ORDER BY j.created_at DESC, j.job_id
LIMIT :limit OFFSET :offset;

-- name: count_open_jobs(tenant_id)$
-- The states are spelled out for the partial index jobs_open.
SELECT count(*) FROM jobs
WHERE tenant_id = :tenant_id AND state NOT IN ('completed', 'rejected', 'failed', 'cancelled');

-- name: find_job(tenant_id, job_id)^
SELECT j.job_id, j.agent_id, j.method, j.state, j.attempt, j.reason, j.trace_id, j.dataset_name,
       j.config, j.requested_by, j.learning, j.window_trigger, j.feedback_returned, j.created_at,
       j.state_at,
       coalesce(j.version, m.version) AS version, coalesce(j.digest, m.digest) AS digest,
       d.body AS prepared, e.body AS evaluation, p.attempt AS training_attempt, p.total_steps,
       p.resumed_from_step, p.first_step_at, p.step, p.loss, p.recorded_at
FROM jobs j
LEFT JOIN job_progress p ON p.job_id = j.job_id AND p.tenant_id = j.tenant_id
LEFT JOIN LATERAL (SELECT body FROM prepared_datasets WHERE job_id = j.job_id
                   ORDER BY prepared_at DESC LIMIT 1) d ON true
LEFT JOIN LATERAL (SELECT body FROM evaluations WHERE job_id = j.job_id
                   ORDER BY at DESC LIMIT 1) e ON true
LEFT JOIN LATERAL (SELECT version, digest FROM models WHERE job_id = j.job_id
                   ORDER BY registered_at DESC LIMIT 1) m ON true
WHERE j.tenant_id = :tenant_id AND j.job_id = :job_id;

-- name: transitions(job_id)
SELECT from_state, to_state AS state, attempt, reason, at FROM job_transitions
WHERE job_id = :job_id
ORDER BY at, position;

-- name: open_jobs_by_state(tenant_id, final_states)
SELECT state, count(*) AS jobs FROM jobs
WHERE tenant_id = :tenant_id AND state <> ALL (:final_states::text[])
GROUP BY state;

-- name: save_evaluation(evaluation_id, tenant_id, agent_id, job_id, body, at)!
INSERT INTO evaluations (evaluation_id, tenant_id, agent_id, job_id, body, at)
VALUES (:evaluation_id, :tenant_id, :agent_id, :job_id, :body, :at)
ON CONFLICT (evaluation_id, tenant_id) DO NOTHING;

-- Models -------------------------------------------------------------------------------------

-- name: save_registered_model(tenant_id, agent_id, version, uri, digest, model_id, job_id, parent_version, dataset_id, metrics, at, kind, dataset, facts)!
INSERT INTO models (tenant_id, agent_id, version, status, uri, digest, model_id, job_id,
                    parent_version, dataset_id, metrics, registered_at, kind, dataset, facts)
VALUES (:tenant_id, :agent_id, :version, 'ready', :uri, :digest, :model_id, :job_id,
        :parent_version, :dataset_id, :metrics, :at, :kind, :dataset, :facts)
ON CONFLICT (tenant_id, agent_id, version) DO UPDATE
SET model_id = excluded.model_id, job_id = excluded.job_id,
    parent_version = excluded.parent_version, dataset_id = excluded.dataset_id,
    metrics = excluded.metrics, registered_at = excluded.registered_at, kind = excluded.kind,
    dataset = excluded.dataset, facts = excluded.facts;

-- name: undeploy_model(tenant_id, agent_id)!
UPDATE models SET status = 'ready'
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND status = 'deployed';

-- name: unmark_rolled_back(tenant_id, agent_id, version)!
-- A rollback takes off what was deployed after its target, as the registry's history does: what
-- has a deployed_at is what a further rollback can return to.
UPDATE models SET deployed_at = NULL
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version <> :version
  AND deployed_at > (
      SELECT deployed_at FROM models
      WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version = :version
  );

-- name: save_deployed_model(tenant_id, agent_id, version, uri, digest, reason, at)!
INSERT INTO models (tenant_id, agent_id, version, status, uri, digest, reason, deployed_at)
VALUES (:tenant_id, :agent_id, :version, 'deployed', :uri, :digest, :reason, :at)
ON CONFLICT (tenant_id, agent_id, version) DO UPDATE
SET status = 'deployed', reason = excluded.reason, deployed_at = excluded.deployed_at;

-- name: save_deployment(tenant_id, agent_id, revision, version, previous_version, digest, action, actor, reason, job_id, at)!
-- A change that is published again has its revision and stays as it is.
INSERT INTO deployments (
    tenant_id, agent_id, revision, version, previous_version, digest, action, actor, reason, job_id,
    at
)
VALUES (
    :tenant_id, :agent_id, :revision, :version, :previous_version, :digest, :action, :actor,
    :reason, :job_id, :at
)
ON CONFLICT DO NOTHING;

-- name: save_configuration(tenant_id, agent_id, revision, body)!
-- A topic that is read again brings older revisions.
INSERT INTO agent_configurations (tenant_id, agent_id, revision, body)
VALUES (:tenant_id, :agent_id, :revision, :body)
ON CONFLICT (tenant_id, agent_id) DO UPDATE SET revision = excluded.revision, body = excluded.body
WHERE agent_configurations.revision < excluded.revision;

-- name: configuration(tenant_id, agent_id)$
SELECT body FROM agent_configurations
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: deployments(tenant_id, agent_id, until, limit, offset)
SELECT revision, version, previous_version, digest, action, actor, reason, job_id, at
FROM deployments
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND (:until::timestamptz IS NULL OR at <= :until)
ORDER BY at DESC, revision DESC
LIMIT :limit OFFSET :offset;

-- Experiments ---------------------------------------------------------------------------------

-- name: save_experiment(tenant_id, experiment_id, agent_id, mode, control, treatment, proportion, job_id, reason, at)!
-- One that is read again stays as far as it has come.
INSERT INTO experiments (tenant_id, experiment_id, agent_id, mode, state, control, treatment,
                         proportion, job_id, reason, started_at)
VALUES (:tenant_id, :experiment_id, :agent_id, :mode, 'running', :control, :treatment,
        :proportion, :job_id, :reason, :at)
ON CONFLICT DO NOTHING;

-- name: advance_experiment(tenant_id, experiment_id, proportion, step)!
UPDATE experiments SET proportion = :proportion, step = :step
WHERE tenant_id = :tenant_id AND experiment_id = :experiment_id AND step < :step;

-- name: save_experiment_measure(tenant_id, experiment_id, at, arms, difference, body)!
WITH kept AS (
    INSERT INTO experiment_measures (tenant_id, experiment_id, measured_at, body)
    VALUES (:tenant_id, :experiment_id, :at, :body)
    ON CONFLICT DO NOTHING
)
UPDATE experiments SET arms = :arms, difference = :difference, measure = :body
WHERE tenant_id = :tenant_id AND experiment_id = :experiment_id AND state = 'running';

-- name: conclude_experiment(tenant_id, experiment_id, state, stop_reason, winner, arms, difference, at)!
UPDATE experiments
SET state = :state, stop_reason = :stop_reason, winner = :winner, difference = :difference,
    ended_at = :at, arms = CASE WHEN :arms::jsonb = '[]' THEN arms ELSE :arms::jsonb END
WHERE tenant_id = :tenant_id AND experiment_id = :experiment_id AND state = 'running';

-- name: experiments(tenant_id, agent_id, state, agents, limit, offset)
SELECT experiment_id, agent_id, mode, state, control, treatment, proportion, step, job_id, reason,
       started_at, ended_at, stop_reason, winner, arms, difference, measure
FROM experiments
WHERE tenant_id = :tenant_id
  AND (:agent_id::text IS NULL OR agent_id = :agent_id)
  AND (:state::text IS NULL OR state = :state)
  AND (:agents::text[] IS NULL OR agent_id = ANY(:agents::text[]))
ORDER BY started_at DESC, experiment_id
LIMIT :limit OFFSET :offset;

-- name: find_experiment(tenant_id, experiment_id)^
SELECT experiment_id, agent_id, mode, state, control, treatment, proportion, step, job_id, reason,
       started_at, ended_at, stop_reason, winner, arms, difference, measure
FROM experiments
WHERE tenant_id = :tenant_id AND experiment_id = :experiment_id;

-- name: experiment_measures(tenant_id, experiment_id, limit)
-- The newest of them, oldest first.
SELECT body FROM (
    SELECT measured_at, body FROM experiment_measures
    WHERE tenant_id = :tenant_id AND experiment_id = :experiment_id
    ORDER BY measured_at DESC LIMIT :limit
) AS newest ORDER BY measured_at;

-- name: save_withdrawn_items(tenant_id, agent_id, affected)!
-- The list is whole: what it does not name holds nothing that was retracted.
UPDATE models SET withdrawn_items = coalesce((:affected::jsonb ->> version)::int, 0)
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND (withdrawn_items > 0 OR :affected::jsonb ? version);

-- name: archive_model(tenant_id, agent_id, version, reason, at)!
UPDATE models SET status = 'archived', reason = :reason, archived_at = :at
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version = :version;

-- name: protect_model(tenant_id, agent_id, version, reason)!
UPDATE models SET protected_reason = :reason
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version = :version;

-- name: models(tenant_id, agent_id, version, limit, offset)
SELECT m.agent_id, m.version, m.status, m.uri, m.digest, m.model_id, m.job_id, m.parent_version,
       m.dataset_id, m.metrics, m.reason, m.registered_at, m.deployed_at, m.withdrawn_items,
       m.kind, m.dataset, m.facts, m.protected_reason, m.archived_at,
       j.window_trigger ->> 'feedback_digest' AS feedback_digest, e.body AS evaluation
FROM models m
LEFT JOIN jobs j ON j.job_id = m.job_id
LEFT JOIN LATERAL (SELECT body FROM evaluations WHERE job_id = m.job_id
                   ORDER BY at DESC LIMIT 1) e ON true
WHERE m.tenant_id = :tenant_id AND m.agent_id = :agent_id
  AND (:version::text IS NULL OR m.version = :version)
ORDER BY m.registered_at DESC NULLS LAST, m.version DESC
LIMIT :limit OFFSET :offset;

-- name: search_models(tenant_id, agent_id, status, digest, parent_version, job_id, dataset_id, facts, metric_names, lows, highs, limit, offset)
-- A version without a metric does not fit a bound on it.
SELECT m.agent_id, m.version, m.status, m.uri, m.digest, m.model_id, m.job_id, m.parent_version,
       m.dataset_id, m.metrics, m.reason, m.registered_at, m.deployed_at, m.withdrawn_items,
       m.kind, m.dataset, m.facts, m.protected_reason, m.archived_at,
       j.window_trigger ->> 'feedback_digest' AS feedback_digest, e.body AS evaluation
FROM models m
LEFT JOIN jobs j ON j.job_id = m.job_id
LEFT JOIN LATERAL (SELECT body FROM evaluations WHERE job_id = m.job_id
                   ORDER BY at DESC LIMIT 1) e ON true
WHERE m.tenant_id = :tenant_id AND m.agent_id = :agent_id
  AND (:status::text IS NULL OR m.status = :status)
  AND (:digest::text IS NULL OR starts_with(m.digest, :digest))
  AND (:parent_version::text IS NULL OR m.parent_version = :parent_version)
  AND (:job_id::uuid IS NULL OR m.job_id = :job_id)
  AND (:dataset_id::uuid IS NULL OR m.dataset_id = :dataset_id)
  AND m.facts @> :facts::jsonb
  AND NOT EXISTS (
      SELECT FROM unnest(:metric_names::text[], :lows::float8[], :highs::float8[])
          AS wanted(name, low, high)
      WHERE ((m.metrics -> wanted.name ->> 'value')::float8 BETWEEN wanted.low AND wanted.high)
            IS NOT TRUE
  )
ORDER BY m.registered_at DESC NULLS LAST, m.version DESC
LIMIT :limit OFFSET :offset;

-- name: candidates(tenant_id, agent_id)
-- Jobs whose model is trained, evaluated or registered now; they are named for the version that
-- the next registration gives.
SELECT j.job_id, j.method, j.config, j.state, coalesce(
    (SELECT (number[1] || '.' || (number[2] + 1) || '.0')
     FROM models m, LATERAL (SELECT string_to_array(m.version, '.')::int[] AS number) parts
     WHERE m.tenant_id = j.tenant_id AND m.agent_id = j.agent_id
     ORDER BY number DESC LIMIT 1), '1.0.0') AS next_version
FROM jobs j
WHERE j.tenant_id = :tenant_id AND j.agent_id = :agent_id
  AND j.state IN ('training', 'evaluating', 'registering')
  AND NOT EXISTS (SELECT FROM models m WHERE m.job_id = j.job_id)
ORDER BY j.created_at DESC
LIMIT 100;

-- name: ancestors(tenant_id, agent_id, version, limit)
WITH RECURSIVE chain AS (
    SELECT m.*, 1 AS depth
    FROM models m
    WHERE m.tenant_id = :tenant_id AND m.agent_id = :agent_id AND m.version = :version
    UNION ALL
    SELECT m.*, chain.depth + 1
    FROM chain
    JOIN models m ON m.tenant_id = chain.tenant_id AND m.agent_id = chain.agent_id
                 AND m.version = chain.parent_version
    WHERE chain.depth < :limit
)
SELECT version, parent_version, status, digest, job_id, dataset_id,
       (facts ->> 'seed')::bigint AS seed, facts ->> 'revision' AS code_revision, registered_at
FROM chain
ORDER BY depth;

-- name: deployed_version(tenant_id, agent_id)$
SELECT version FROM models
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND status = 'deployed';

-- Dashboard ----------------------------------------------------------------------------------

-- name: overview_agents(tenant_id, agents, since, limit, offset)
-- A page of agents with what the overview says of each: no look-up depends on how much is stored.
SELECT a.agent_id, a.profile ->> 'kind' AS kind,
       (a.profile -> 'trigger' ->> 'minimum_feedback')::integer AS minimum_feedback,
       (a.profile -> 'trigger' ->> 'maximum_feedback')::integer AS maximum_feedback,
       coalesce((a.profile -> 'trigger' ->> 'enabled')::boolean, true) AS trigger_enabled,
       CASE WHEN a.parked_until > now() AND a.parked_at > a.configured_at
            THEN a.parked_reason END AS parked_reason,
       m.version, m.deployed_at, e.accuracy, j.job_id AS open_job, j.state AS open_state,
       f.feedback, f.corrected, f.rated, f.rating_sum, f.last_hour, u.unused,
       x.experiment_id, x.mode AS experiment_mode,
       l.type AS last_event, l.at AS last_event_at
FROM agents a
LEFT JOIN models m ON m.tenant_id = a.tenant_id AND m.agent_id = a.agent_id
                  AND m.status = 'deployed'
LEFT JOIN unused_feedback u ON u.tenant_id = a.tenant_id AND u.agent_id = a.agent_id
LEFT JOIN LATERAL (
    SELECT body -> 'accuracy' -> 'candidate' -> 'all' AS accuracy FROM evaluations
    WHERE evaluations.job_id = m.job_id
    ORDER BY at DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT job_id, state FROM jobs
    WHERE jobs.tenant_id = a.tenant_id AND jobs.agent_id = a.agent_id
      AND state NOT IN ('completed', 'rejected', 'failed', 'cancelled')
    ORDER BY created_at DESC LIMIT 1
) j ON true
LEFT JOIN LATERAL (
    SELECT sum(feedback)::bigint AS feedback, sum(corrected)::bigint AS corrected,
           sum(rated)::bigint AS rated, sum(rating_sum) AS rating_sum, max(hour) AS last_hour
    FROM feedback_hours
    WHERE feedback_hours.tenant_id = a.tenant_id AND feedback_hours.agent_id = a.agent_id
      AND hour >= :since
) f ON true
LEFT JOIN LATERAL (
    SELECT experiment_id, mode FROM experiments
    WHERE experiments.tenant_id = a.tenant_id AND experiments.agent_id = a.agent_id
      AND state = 'running'
    LIMIT 1
) x ON true
LEFT JOIN LATERAL (
    SELECT type, at FROM recent_events
    WHERE recent_events.tenant_id = a.tenant_id AND recent_events.agent_id = a.agent_id
    ORDER BY position DESC LIMIT 1
) l ON true
WHERE a.tenant_id = :tenant_id
  AND (:agents::text[] IS NULL OR a.agent_id = ANY(:agents::text[]))
ORDER BY a.agent_id
LIMIT :limit OFFSET :offset;

-- Synthetic data -----------------------------------------------------------------------------

-- name: save_synthetic_request(request_id, tenant_id, agent_id, request, at)!
INSERT INTO synthetic_requests (request_id, tenant_id, agent_id, request, requested_at)
VALUES (:request_id, :tenant_id, :agent_id, :request, :at)
ON CONFLICT (request_id) DO NOTHING;

-- name: count_open_synthetic(tenant_id, except_id, since)$
SELECT count(*) FROM synthetic_requests
WHERE tenant_id = :tenant_id AND finished_at IS NULL AND requested_at > :since
  AND request_id <> :except_id;

-- name: save_synthetic_progress(request_id, tenant_id, progress)!
-- Events may be late: what ended stays so, and progress never goes back.
UPDATE synthetic_requests SET progress = :progress
WHERE request_id = :request_id AND tenant_id = :tenant_id AND finished_at IS NULL
  AND coalesce((progress ->> 'candidates')::bigint, -1)
      < (:progress::jsonb ->> 'candidates')::bigint;

-- name: save_synthetic_cancelled(request_id, tenant_id, cancelled, at)!
UPDATE synthetic_requests SET cancelled = :cancelled, finished_at = :at
WHERE request_id = :request_id AND tenant_id = :tenant_id AND finished_at IS NULL;

-- name: save_synthetic_result(request_id, tenant_id, result, at)!
-- Requests of other services have no row here and are passed over.
UPDATE synthetic_requests SET result = :result, finished_at = :at
WHERE request_id = :request_id AND tenant_id = :tenant_id;

-- name: save_synthetic_dataset(request_id, tenant_id, name, items, uri, digest)!
-- A dataset like any other, so that a training can name it.
INSERT INTO datasets (tenant_id, name, purpose, items, uri, digest)
SELECT :tenant_id, :name, 'training', :items, :uri, :digest
FROM synthetic_requests WHERE request_id = :request_id AND tenant_id = :tenant_id
ON CONFLICT (tenant_id, name) DO NOTHING;

-- name: find_synthetic_request(tenant_id, request_id)^
SELECT request_id, agent_id, request, requested_at, progress, result, cancelled, finished_at
FROM synthetic_requests
WHERE tenant_id = :tenant_id AND request_id = :request_id;

-- Benchmarks ---------------------------------------------------------------------------------

-- name: save_benchmark_request(benchmark_id, tenant_id, agent_id, mode, request, at)!
INSERT INTO benchmarks (benchmark_id, tenant_id, agent_id, mode, request, requested_at)
VALUES (:benchmark_id, :tenant_id, :agent_id, :mode, :request, :at)
ON CONFLICT (benchmark_id, tenant_id) DO NOTHING;

-- name: count_open_benchmarks(tenant_id, except_id, since)$
SELECT count(*) FROM benchmarks
WHERE tenant_id = :tenant_id AND finished_at IS NULL AND requested_at > :since
  AND benchmark_id <> :except_id;

-- name: save_benchmark_progress(benchmark_id, tenant_id, progress)!
-- Events may be late: what ended stays so, and progress never goes back.
UPDATE benchmarks SET progress = :progress
WHERE benchmark_id = :benchmark_id AND tenant_id = :tenant_id AND finished_at IS NULL
  AND coalesce((progress ->> 'answered')::bigint, -1) < (:progress::jsonb ->> 'answered')::bigint;

-- name: save_benchmark_end(benchmark_id, tenant_id, result, failure, at)!
UPDATE benchmarks SET result = :result, failure = :failure, finished_at = :at
WHERE benchmark_id = :benchmark_id AND tenant_id = :tenant_id;

-- name: find_benchmark(tenant_id, benchmark_id)^
SELECT benchmark_id, agent_id, mode, request, requested_at, progress, result, failure, finished_at
FROM benchmarks
WHERE tenant_id = :tenant_id AND benchmark_id = :benchmark_id;

-- name: agent_profile(tenant_id, agent_id)$
SELECT profile FROM agents WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: add_version_feedback(tenant_id, agent_id, versions, since, feedback, corrected, rated, rating_sums, rewarded, reward_sums)!
INSERT INTO feedback_versions
    (tenant_id, agent_id, version, since, feedback, corrected, rated, rating_sum, rewarded, reward_sum)
SELECT :tenant_id, :agent_id, version, since, feedback, corrected, rated, rating_sum, rewarded, reward_sum
FROM unnest(:versions::text[], :since::timestamptz[], :feedback::bigint[], :corrected::bigint[],
            :rated::bigint[], :rating_sums::float8[], :rewarded::bigint[], :reward_sums::float8[])
    AS n(version, since, feedback, corrected, rated, rating_sum, rewarded, reward_sum)
ON CONFLICT (tenant_id, agent_id, version) DO UPDATE
SET since = least(feedback_versions.since, excluded.since),
    feedback = feedback_versions.feedback + excluded.feedback,
    corrected = feedback_versions.corrected + excluded.corrected,
    rated = feedback_versions.rated + excluded.rated,
    rating_sum = feedback_versions.rating_sum + excluded.rating_sum,
    rewarded = feedback_versions.rewarded + excluded.rewarded,
    reward_sum = feedback_versions.reward_sum + excluded.reward_sum;

-- name: version_feedback(tenant_id, agent_id, versions)
SELECT version, since, feedback, corrected, rated, rating_sum, rewarded, reward_sum
FROM feedback_versions
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND version = ANY(:versions::text[]);

-- Workers ------------------------------------------------------------------------------------

-- name: save_worker(worker_id, service, slots, busy, devices, memory_mb, capabilities, at)!
INSERT INTO workers
    (worker_id, service, slots, busy, devices, memory_mb, capabilities, seen_at)
VALUES (:worker_id, :service, :slots, :busy, :devices, :memory_mb, :capabilities, :at)
ON CONFLICT (worker_id) DO UPDATE
SET slots = excluded.slots, busy = excluded.busy, devices = excluded.devices,
    memory_mb = excluded.memory_mb, capabilities = excluded.capabilities,
    seen_at = excluded.seen_at
WHERE workers.seen_at <= excluded.seen_at;

-- name: announced_methods(seen_after)
-- Workers are of no tenant: any of them may get any tenant's job.
SELECT DISTINCT c.kind, c.method
FROM workers, jsonb_to_recordset(capabilities) AS c(kind text, method text)
WHERE seen_at > :seen_after;

-- name: workers(seen_after)
SELECT worker_id, service, slots, busy, devices, memory_mb, capabilities, seen_at FROM workers
WHERE seen_at > :seen_after
ORDER BY service, worker_id;

-- Dead letters -------------------------------------------------------------------------------

-- name: insert_dead_letter(id, service, reason, error_type, attempts, topic, partition, record_offset, key, headers, null_headers, body, first_at, last_at)!
INSERT INTO dead_letters
    (id, service, reason, error_type, attempts, topic, partition, record_offset, key, headers,
     null_headers, body, first_at, last_at)
VALUES (:id, :service, :reason, :error_type, :attempts, :topic, :partition, :record_offset, :key,
        :headers, :null_headers, :body, :first_at, :last_at)
ON CONFLICT (id) DO NOTHING;

-- name: dead_letters(service, limit, offset)
SELECT id, service, reason, error_type, attempts, topic, partition, record_offset, key, headers,
       null_headers, NULL AS body, octet_length(body) AS size_bytes, first_at, last_at, replays,
       replayed_at
FROM dead_letters
WHERE :service::text IS NULL OR service = :service
ORDER BY last_at DESC, id
LIMIT :limit OFFSET :offset;

-- name: count_refused_audit_entries(topic)$
SELECT count(*) FROM dead_letters WHERE replays = 0 AND topic = :topic;

-- name: find_dead_letter(id)^
SELECT id, service, reason, error_type, attempts, topic, partition, record_offset, key, headers,
       null_headers, body, octet_length(body) AS size_bytes, first_at, last_at, replays,
       replayed_at
FROM dead_letters WHERE id = :id;

-- name: count_replay(id)$
UPDATE dead_letters SET replays = replays + 1, replayed_at = now() WHERE id = :id
RETURNING replays;

-- name: prune_dead_letters(keep_days)!
DELETE FROM dead_letters WHERE last_at < now() - make_interval(days => :keep_days);

-- name: count_dead_letters()
SELECT service, count(*) AS letters FROM dead_letters WHERE replays = 0 GROUP BY service;

-- Audit trail --------------------------------------------------------------------------------

-- name: insert_audit_copy(tenant_id, chain, sequence, entry_id, recorded_at, actor, action, agent_id, subject, reason, details, changes, cause_id, trace_id, previous_hash, hash)!
INSERT INTO audit_entries
    (tenant_id, chain, sequence, entry_id, recorded_at, actor, action, agent_id, subject, reason,
     details, changes, cause_id, trace_id, previous_hash, hash)
VALUES (:tenant_id, :chain, :sequence, :entry_id, :recorded_at, :actor, :action, :agent_id,
        :subject, :reason, :details, :changes, :cause_id, :trace_id, :previous_hash, :hash)
ON CONFLICT (tenant_id, chain, sequence, hash) DO NOTHING;

-- name: newest_audit_entries(tenant_id, agent_id, action, since, limit, agents, offset)
SELECT chain, sequence, recorded_at, actor, action, agent_id, subject, reason, details, changes,
       cause_id, trace_id, previous_hash, hash
FROM audit_entries
WHERE tenant_id = :tenant_id
  AND (:agent_id::text IS NULL OR agent_id = :agent_id)
  AND (:action::text IS NULL OR action = :action)
  AND (:since::timestamptz IS NULL OR recorded_at >= :since)
  AND (:agents::text[] IS NULL OR agent_id = ANY(:agents::text[]))
ORDER BY recorded_at DESC, chain, sequence DESC
LIMIT :limit OFFSET :offset;

-- name: audit_copy_after(tenant, tenant_id, chain, sequence, hash, limit)
-- A page of one tenant's chains, or of all, in order: what comes after an entry.
SELECT tenant_id, chain, sequence, entry_id, recorded_at, actor, action, agent_id, subject, reason,
       details, changes, cause_id, trace_id, previous_hash, hash
FROM audit_entries
WHERE (:tenant::text IS NULL OR tenant_id = :tenant)
  AND (tenant_id, chain, sequence, hash) > (:tenant_id, :chain, :sequence, :hash)
ORDER BY tenant_id, chain, sequence, hash
LIMIT :limit;

-- Recent events ------------------------------------------------------------------------------

-- name: insert_recent_event(event_id, tenant_id, agent_id, type, body, at)!
INSERT INTO recent_events (event_id, tenant_id, agent_id, type, body, at)
VALUES (:event_id, :tenant_id, :agent_id, :type, :body, :at)
ON CONFLICT (event_id) DO NOTHING;

-- name: events_since(tenant_id, event_id, limit)
-- What came after an event; nothing when that event is no longer kept.
SELECT event_id, tenant_id, agent_id, type, body, at FROM recent_events
WHERE tenant_id = :tenant_id
  AND position > (SELECT position FROM recent_events WHERE event_id = :event_id)
ORDER BY position
LIMIT :limit;

-- name: has_recent_event(tenant_id, event_id)$
SELECT EXISTS (
    SELECT 1 FROM recent_events WHERE event_id = :event_id AND tenant_id = :tenant_id
);

-- name: prune_events(keep)!
DELETE FROM recent_events WHERE position <= (SELECT max(position) FROM recent_events) - :keep;

-- Feedback counters --------------------------------------------------------------------------

-- name: add_feedback_counts(tenant_id, agent_id, hours, feedback, corrected, rated, rating_sums, rewarded, reward_sums, retracted, annotations, interactions, failed, latencies)!
INSERT INTO feedback_hours
    (tenant_id, agent_id, hour, feedback, corrected, rated, rating_sum, rewarded, reward_sum,
     retracted, annotations, interactions, failed, latencies)
SELECT :tenant_id, :agent_id, hour, feedback, corrected, rated, rating_sum, rewarded, reward_sum,
       retracted, annotations, interactions, failed, latencies::jsonb
FROM unnest(:hours::timestamptz[], :feedback::bigint[],
            :corrected::bigint[], :rated::bigint[], :rating_sums::float8[], :rewarded::bigint[],
            :reward_sums::float8[], :retracted::bigint[], :annotations::bigint[],
            :interactions::bigint[], :failed::bigint[], :latencies::text[])
    AS n(hour, feedback, corrected, rated, rating_sum, rewarded, reward_sum, retracted,
         annotations, interactions, failed, latencies)
ON CONFLICT (tenant_id, agent_id, hour) DO UPDATE
SET feedback = feedback_hours.feedback + excluded.feedback,
    corrected = feedback_hours.corrected + excluded.corrected,
    rated = feedback_hours.rated + excluded.rated,
    rating_sum = feedback_hours.rating_sum + excluded.rating_sum,
    rewarded = feedback_hours.rewarded + excluded.rewarded,
    reward_sum = feedback_hours.reward_sum + excluded.reward_sum,
    retracted = feedback_hours.retracted + excluded.retracted,
    annotations = feedback_hours.annotations + excluded.annotations,
    interactions = feedback_hours.interactions + excluded.interactions,
    failed = feedback_hours.failed + excluded.failed,
    latencies = (
        SELECT coalesce(jsonb_object_agg(bucket, total), '{}') FROM (
            SELECT key AS bucket, sum(value::bigint) AS total
            FROM (SELECT * FROM jsonb_each_text(feedback_hours.latencies)
                  UNION ALL SELECT * FROM jsonb_each_text(excluded.latencies)) both_sides
            GROUP BY key
        ) merged
    );

-- name: save_unused_feedback(tenant_id, agent_id, unused, at)!
INSERT INTO unused_feedback (tenant_id, agent_id, unused, at)
VALUES (:tenant_id, :agent_id, :unused, :at)
ON CONFLICT (tenant_id, agent_id) DO UPDATE
SET unused = excluded.unused, at = excluded.at
WHERE unused_feedback.at <= excluded.at;

-- name: feedback_hours(tenant_id, agent_id, since)
SELECT hour, feedback, corrected, rated, rating_sum, rewarded, reward_sum, retracted, annotations,
       interactions, failed, latencies
FROM feedback_hours
WHERE tenant_id = :tenant_id AND (:agent_id::text IS NULL OR agent_id = :agent_id)
  AND hour >= :since
ORDER BY hour;

-- name: feedback_totals(tenant_id, agent_id)
SELECT agent_id, sum(feedback)::bigint AS feedback, sum(corrected)::bigint AS corrected,
       sum(rated)::bigint AS rated, sum(rating_sum) / nullif(sum(rated), 0) AS mean_rating,
       sum(interactions)::bigint AS interactions, max(hour) AS last_hour
FROM feedback_hours
WHERE tenant_id = :tenant_id AND (:agent_id::text IS NULL OR agent_id = :agent_id)
GROUP BY agent_id;

-- Traces -------------------------------------------------------------------------------------

-- name: spans(trace_id)
-- Written by every service's telemetry; bounded, because a trace can be long.
SELECT span_id, parent_id, service, name, kind, started_at, ended_at, status, error, attributes,
       links
FROM telemetry.spans
WHERE trace_id = :trace_id
ORDER BY started_at, ended_at DESC
LIMIT 5000;

-- name: outbox_age_seconds()$
SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
FROM outbox WHERE published_at IS NULL;

-- name: measure_outbox_backlog(limit)^
-- What is not yet published, of the first `limit` rows of its index: a look costs the same however
-- much waits.
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age_seconds,
       count(*)::integer AS backlog
FROM (
    SELECT created_at FROM outbox WHERE published_at IS NULL ORDER BY shard, id LIMIT :limit
) waiting;

-- name: insert_webhook(webhook_id, tenant_id, url, events, agents, secret)!
INSERT INTO webhooks (webhook_id, tenant_id, url, events, agents, secret)
VALUES (:webhook_id, :tenant_id, :url, :events, :agents, :secret)
ON CONFLICT (webhook_id) DO NOTHING;

-- name: webhooks(tenant_id, webhook_id, limit, offset)
-- Newest first, one or all of a tenant's; never the secret.
SELECT webhook_id, url, events, agents, created_at
FROM webhooks
WHERE tenant_id = :tenant_id AND (:webhook_id::uuid IS NULL OR webhook_id = :webhook_id)
ORDER BY created_at DESC, webhook_id
LIMIT :limit OFFSET :offset;

-- name: count_webhooks(tenant_id)$
SELECT count(*) FROM webhooks WHERE tenant_id = :tenant_id;

-- name: delete_webhook(tenant_id, webhook_id)!
DELETE FROM webhooks WHERE tenant_id = :tenant_id AND webhook_id = :webhook_id;

-- name: insert_webhook_deliveries(tenant_id, agent_id, kind, event, event_id, payload)!
-- Each webhook of the tenant that wants this kind of event, of this agent. Its id derives from the
-- event's, so that an event that is projected again is not sent again.
INSERT INTO webhook_deliveries (delivery_id, webhook_id, tenant_id, event, payload)
SELECT md5(webhook_id::text || :event_id::text)::uuid, webhook_id, tenant_id, :event, :payload
FROM webhooks
WHERE tenant_id = :tenant_id AND :kind = ANY (events)
  AND (agents IS NULL OR :agent_id = ANY (agents))
ON CONFLICT (delivery_id) DO NOTHING;

-- name: lease_webhook_deliveries(limit, seconds)
-- Several gateways send beside each other: what one has leased is due again only after the lease.
UPDATE webhook_deliveries d
SET due_at = now() + make_interval(secs => :seconds), attempts = d.attempts + 1
FROM (
    SELECT delivery_id FROM webhook_deliveries
    WHERE state = 'pending' AND due_at <= now()
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
) due, webhooks w
WHERE d.delivery_id = due.delivery_id AND w.webhook_id = d.webhook_id
RETURNING d.delivery_id, d.payload, d.attempts, d.created_at, w.url, w.secret;

-- name: record_webhook_delivery(delivery_id, attempts, state, outcome, retry_seconds)!
-- Only of the attempt that was leased: a later one has its own outcome.
UPDATE webhook_deliveries
SET state = :state, outcome = :outcome,
    due_at = now() + make_interval(secs => :retry_seconds),
    ended_at = CASE WHEN :state <> 'pending' THEN now() END
WHERE delivery_id = :delivery_id AND attempts = :attempts AND state = 'pending';

-- name: webhook_deliveries(tenant_id, webhook_id, limit, offset)
SELECT delivery_id, event, state, attempts, outcome, created_at, ended_at,
       CASE WHEN state = 'pending' THEN due_at END AS next_attempt_at
FROM webhook_deliveries
WHERE tenant_id = :tenant_id AND webhook_id = :webhook_id
ORDER BY created_at DESC, delivery_id
LIMIT :limit OFFSET :offset;

-- name: prune_webhook_deliveries(days)!
DELETE FROM webhook_deliveries
WHERE state <> 'pending' AND ended_at < now() - make_interval(days => :days);
-- Log analyses -------------------------------------------------------------------------------

-- name: save_log_analysis_request(analysis_id, tenant_id, agent_id, request, at)!
INSERT INTO log_analyses (analysis_id, tenant_id, agent_id, request, requested_at)
VALUES (:analysis_id, :tenant_id, :agent_id, :request, :at)
ON CONFLICT (analysis_id, tenant_id) DO NOTHING;

-- name: prune_log_analyses(tenant_id, before)!
-- They quote what users wrote.
DELETE FROM log_analyses WHERE tenant_id = :tenant_id AND requested_at < :before;

-- name: count_open_log_analyses(tenant_id, except_id, since)$
SELECT count(*) FROM log_analyses
WHERE tenant_id = :tenant_id AND finished_at IS NULL AND requested_at > :since
  AND analysis_id <> :except_id;

-- name: add_erased_interactions(tenant_id, agent_id, interaction_ids)!
-- Of analyses that have not ended: what they read may quote them.
UPDATE log_analyses SET erased_interactions = erased_interactions || :interaction_ids::text[]
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND finished_at IS NULL;

-- name: log_analysis_results(tenant_id, agent_id)
SELECT analysis_id, result FROM log_analyses
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND result IS NOT NULL
FOR UPDATE;

-- name: erased_interactions(tenant_id, analysis_id)$
SELECT erased_interactions FROM log_analyses
WHERE tenant_id = :tenant_id AND analysis_id = :analysis_id
FOR UPDATE;

-- name: replace_log_analysis_result(tenant_id, analysis_id, result)!
UPDATE log_analyses SET result = :result
WHERE tenant_id = :tenant_id AND analysis_id = :analysis_id;

-- name: save_log_analysis_progress(analysis_id, tenant_id, progress)!
-- Events may be late: what ended stays so, and progress never goes back.
UPDATE log_analyses SET progress = :progress
WHERE analysis_id = :analysis_id AND tenant_id = :tenant_id AND finished_at IS NULL
  AND coalesce((progress ->> 'done')::int, -1) < (:progress::jsonb ->> 'done')::int;

-- name: save_log_analysis_end(analysis_id, tenant_id, result, failure, at)!
UPDATE log_analyses SET result = :result, failure = :failure, finished_at = :at
WHERE analysis_id = :analysis_id AND tenant_id = :tenant_id;

-- name: find_log_analysis(tenant_id, analysis_id)^
SELECT analysis_id, agent_id, request, requested_at, progress, result, failure, finished_at
FROM log_analyses
WHERE tenant_id = :tenant_id AND analysis_id = :analysis_id;

-- Reviews of people ---------------------------------------------------------------------------

-- name: insert_review_tasks(tenant_id, agent_id, task_ids, kind, items, votes, at)!
INSERT INTO review_tasks (task_id, tenant_id, agent_id, kind, item, votes, created_at)
SELECT n.task_id, :tenant_id, :agent_id, :kind, n.item::jsonb, :votes, :at
FROM unnest(:task_ids::uuid[], :items::text[]) WITH ORDINALITY AS n (task_id, item, place)
ORDER BY n.place
ON CONFLICT (task_id, tenant_id) DO NOTHING;

-- name: find_leased_task(tenant_id, agent_id, reviewer, after)^
-- The one that the reviewer has until after that time.
SELECT task_id, agent_id, kind, item, votes, answered, leased_until FROM review_tasks
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND leased_to = :reviewer
  AND answered < votes AND leased_until > :after
LIMIT 1;

-- name: lease_review_task(tenant_id, agent_id, reviewer, now, until)^
-- The reviewer's own task, or else the next one that nobody looks at and that they have not seen.
UPDATE review_tasks SET leased_to = :reviewer, leased_until = :until
WHERE tenant_id = :tenant_id AND task_id = coalesce(
    (
        SELECT t.task_id FROM review_tasks t
        WHERE t.tenant_id = :tenant_id AND t.agent_id = :agent_id AND t.leased_to = :reviewer
          AND t.answered < t.votes
        LIMIT 1
    ),
    (
        SELECT t.task_id FROM review_tasks t
        WHERE t.tenant_id = :tenant_id AND t.agent_id = :agent_id AND t.answered < t.votes
          AND (t.leased_to IS NULL OR t.leased_until < :now)
          AND NOT EXISTS (
              SELECT 1 FROM reviews r
              WHERE r.task_id = t.task_id AND r.tenant_id = t.tenant_id AND r.reviewer = :reviewer
          )
        ORDER BY t.place
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
)
RETURNING task_id, agent_id, kind, item, votes, answered, leased_until;

-- name: lock_review_task(tenant_id, task_id)^
SELECT task_id, agent_id, kind, item, votes, answered, leased_to, leased_until FROM review_tasks
WHERE tenant_id = :tenant_id AND task_id = :task_id
FOR UPDATE;

-- name: insert_review(task_id, tenant_id, agent_id, reviewer, choice, comment, at)!
INSERT INTO reviews (task_id, tenant_id, agent_id, reviewer, choice, comment, reviewed_at)
VALUES (:task_id, :tenant_id, :agent_id, :reviewer, :choice, :comment, :at);

-- name: end_review_lease(tenant_id, task_id, added)!
UPDATE review_tasks SET answered = answered + :added, leased_to = NULL, leased_until = NULL
WHERE tenant_id = :tenant_id AND task_id = :task_id;

-- name: delete_last_review(tenant_id, agent_id, reviewer, since)^
DELETE FROM reviews
WHERE tenant_id = :tenant_id AND reviewer = :reviewer AND task_id = (
    SELECT task_id FROM reviews
    WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND reviewer = :reviewer
      AND reviewed_at >= :since
    ORDER BY reviewed_at DESC
    LIMIT 1
)
RETURNING task_id, choice;

-- name: lease_undone_task(tenant_id, task_id, reviewer, until, removed)!
UPDATE review_tasks
SET answered = answered - :removed, leased_to = :reviewer, leased_until = :until
WHERE tenant_id = :tenant_id AND task_id = :task_id;

-- name: count_review_tasks(tenant_id, agent_id)
SELECT kind, count(*) AS tasks, count(*) FILTER (WHERE answered >= votes) AS done,
       coalesce(sum(answered), 0)::bigint AS reviews
FROM review_tasks
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
GROUP BY kind
ORDER BY kind;

-- name: list_reviews(tenant_id, agent_id, most)
-- The newest ones with a choice, and what they are about.
SELECT r.task_id, t.kind, t.item, r.reviewer, r.choice, r.comment, r.reviewed_at
FROM reviews r JOIN review_tasks t USING (task_id, tenant_id)
WHERE r.tenant_id = :tenant_id AND r.agent_id = :agent_id AND r.choice IS NOT NULL
ORDER BY r.reviewed_at DESC, r.task_id
LIMIT :most;

-- Curricula. An older event never replaces a newer one.

-- name: save_curriculum_measure(tenant_id, agent_id, measured, at)!
INSERT INTO curricula AS c (tenant_id, agent_id, measured, measured_at)
VALUES (:tenant_id, :agent_id, :measured, :at)
ON CONFLICT (tenant_id, agent_id)
DO UPDATE SET measured = excluded.measured, measured_at = excluded.measured_at
WHERE c.measured_at IS NULL OR c.measured_at <= excluded.measured_at;

-- name: save_curriculum_plan(tenant_id, agent_id, plan, job_id, at)!
INSERT INTO curricula AS c (tenant_id, agent_id, plan, planned_for, planned_at)
VALUES (:tenant_id, :agent_id, :plan, :job_id, :at)
ON CONFLICT (tenant_id, agent_id)
DO UPDATE SET plan = excluded.plan, planned_for = excluded.planned_for,
              planned_at = excluded.planned_at
WHERE c.planned_at IS NULL OR c.planned_at <= excluded.planned_at;

-- name: save_level_change(tenant_id, agent_id, change, at)!
INSERT INTO curricula AS c (tenant_id, agent_id, level_change, changed_at)
VALUES (:tenant_id, :agent_id, :change, :at)
ON CONFLICT (tenant_id, agent_id)
DO UPDATE SET level_change = excluded.level_change, changed_at = excluded.changed_at
WHERE c.changed_at IS NULL OR c.changed_at <= excluded.changed_at;

-- name: find_curriculum(tenant_id, agent_id)^
SELECT * FROM curricula WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: median_training_seconds(tenant_id, agent_id)$
-- Of the newest 50 jobs that trained: from the first attempt to the evaluation.
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)
FROM (
    SELECT extract(epoch FROM max(t.at) FILTER (WHERE t.to_state = 'evaluating')
                   - min(t.at) FILTER (WHERE t.to_state = 'training'))::float8 AS seconds
    FROM (SELECT job_id FROM jobs
          WHERE tenant_id = :tenant_id AND agent_id = :agent_id
          ORDER BY created_at DESC
          LIMIT 50) AS newest
    JOIN job_transitions t USING (job_id)
    GROUP BY t.job_id
) AS trained
WHERE seconds > 0;
