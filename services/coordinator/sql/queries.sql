-- Queries of the coordinator. Table names are unqualified: search_path names the schema.

-- Agents

-- name: upsert_agent(tenant_id, agent_id, profile, now)!
INSERT INTO agents (tenant_id, agent_id, profile, configured_at)
VALUES (:tenant_id, :agent_id, :profile, :now)
ON CONFLICT (tenant_id, agent_id)
DO UPDATE SET profile = excluded.profile, configured_at = excluded.configured_at;

-- name: upsert_stats(tenant_id, agent_id)!
-- A new revision invalidates the policy that coordinators have cached.
INSERT INTO feedback_stats (tenant_id, agent_id) VALUES (:tenant_id, :agent_id)
ON CONFLICT (tenant_id, agent_id)
DO UPDATE SET profile_revision = feedback_stats.profile_revision + 1;

-- name: find_agent(tenant_id, agent_id)^
SELECT tenant_id, agent_id, profile, deployed
FROM agents WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: find_agents(tenant_ids, agent_ids)
SELECT a.tenant_id, a.agent_id, a.profile, a.deployed
FROM unnest(:tenant_ids::text[], :agent_ids::text[]) AS k (tenant_id, agent_id)
JOIN agents a USING (tenant_id, agent_id);

-- name: lock_agent(tenant_id, agent_id)^
SELECT tenant_id, agent_id, profile, deployed
FROM agents WHERE tenant_id = :tenant_id AND agent_id = :agent_id FOR UPDATE;

-- name: set_deployed(tenant_id, agent_id, deployed, since)!
-- An older fact never replaces a newer one.
UPDATE agents SET deployed = :deployed, deployed_since = :since
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND (deployed_since IS NULL OR deployed_since <= :since);

-- name: known_agents(tenant_ids, agent_ids)
SELECT a.tenant_id, a.agent_id
FROM unnest(:tenant_ids::text[], :agent_ids::text[]) AS k (tenant_id, agent_id)
JOIN agents a USING (tenant_id, agent_id);

-- Feedback statistics

-- name: lock_stats(tenant_id, agent_id)^
SELECT * FROM feedback_stats WHERE tenant_id = :tenant_id AND agent_id = :agent_id FOR UPDATE;

-- name: lock_all_stats(tenant_ids, agent_ids)
-- In the order of the key, so that two batches with the same agents never wait for each other.
SELECT t.tenant_id, t.agent_id, t.agent_no
FROM feedback_stats t
JOIN unnest(:tenant_ids::text[], :agent_ids::text[]) AS k (tenant_id, agent_id)
  USING (tenant_id, agent_id)
ORDER BY t.tenant_id, t.agent_id
FOR UPDATE OF t;

-- name: lock_due_stats(now)^
SELECT * FROM feedback_stats
WHERE check_at <= :now
ORDER BY check_at
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: set_check(tenant_id, agent_id, check_at)!
UPDATE feedback_stats SET check_at = :check_at WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: set_stream(tenant_id, agent_id, stream)!
UPDATE feedback_stats SET stream = :stream WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: record_training_seconds(tenant_id, agent_id, seconds)!
-- An exponential mean: the newest training counts 0.3.
UPDATE feedback_stats
SET training_seconds = coalesce(0.7 * training_seconds + 0.3 * :seconds, :seconds)
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: set_open_job(tenant_id, agent_id, job_id)!
UPDATE feedback_stats SET open_job_id = :job_id, check_at = NULL, awaits_feedback = false
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: set_awaits_feedback(tenant_id, agent_id, awaits)!
UPDATE feedback_stats
SET awaits_feedback = :awaits, check_at = CASE WHEN :awaits THEN NULL ELSE check_at END
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: count_stored_feedback(tenant_id, event_ids)$
SELECT count(*)::int FROM feedback
WHERE tenant_id = :tenant_id AND event_id = ANY(:event_ids::uuid[]);

-- name: clear_open_job(tenant_id, agent_id, job_id)!
UPDATE feedback_stats SET open_job_id = NULL
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND open_job_id = :job_id;

-- name: count_unsuccessful_run(tenant_id, agent_id, now)!
UPDATE feedback_stats SET unsuccessful_runs = unsuccessful_runs + 1, last_unsuccessful_at = :now
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: reset_unsuccessful_runs(tenant_id, agent_id)!
UPDATE feedback_stats SET unsuccessful_runs = 0, last_unsuccessful_at = NULL
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND unsuccessful_runs > 0;

-- Feedback

-- name: create_incoming()!
-- Where a batch is copied to before it is stored; it is empty again after each transaction.
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
    agent_no integer,
    event_id uuid,
    interaction_id text COLLATE "C",
    source text COLLATE "C",
    rating double precision,
    correct boolean,
    traceparent text COLLATE "C",
    body bytea,
    submitted_by text COLLATE "C",
    place integer -- in the batch
) ON COMMIT DELETE ROWS;

-- name: store_incoming(received_at, sent)
-- One statement: duplicates fall out, what remains is counted. Rows get distinct times in the
-- order in which they came. The new ids are listed only when there were duplicates among the
-- `sent` rows, which is rare.
WITH stored AS (
    INSERT INTO feedback (tenant_id, event_id, agent_id, agent_no, interaction_id, source, rating,
                          correct, received_at, traceparent, body, submitted_by)
    SELECT t.tenant_id, i.event_id, t.agent_id, i.agent_no, i.interaction_id, i.source, i.rating,
           i.correct, :received_at::timestamptz + i.place * interval '1 microsecond',
           i.traceparent, i.body, i.submitted_by
    FROM incoming i JOIN feedback_stats t USING (agent_no)
    ON CONFLICT (tenant_id, event_id) DO NOTHING
    RETURNING agent_no, event_id, rating, correct, received_at
), sums AS (
    SELECT agent_no, count(*)::int AS added, count(rating)::int AS rated,
           (count(*) FILTER (WHERE correct IS FALSE))::int AS wrong,
           coalesce(sum(rating), 0) AS rating_sum, min(received_at) AS oldest
    FROM stored
    GROUP BY agent_no
)
UPDATE feedback_stats t
SET unused = t.unused + s.added,
    corrections = t.corrections + s.wrong,
    rated = t.rated + s.rated,
    rating_sum = t.rating_sum + s.rating_sum,
    oldest_unused_at = least(t.oldest_unused_at, s.oldest) -- least() passes nulls over
FROM sums s
WHERE t.agent_no = s.agent_no
RETURNING t.*, s.added,
    CASE WHEN (SELECT count(*) FROM stored) < :sent::int
         THEN ARRAY(SELECT event_id FROM stored WHERE stored.agent_no = t.agent_no)
    END AS new_ids;

-- name: insert_interactions(tenant_ids, event_ids, agent_ids, bodies, received_at)
-- The new ids are listed only when there were duplicates.
WITH stored AS (
    INSERT INTO interactions (tenant_id, event_id, agent_id, body, received_at)
    SELECT g.tenant_id, g.event_id, g.agent_id, g.body, :received_at::timestamptz
    FROM unnest(:tenant_ids::text[], :event_ids::uuid[], :agent_ids::text[], :bodies::bytea[])
        AS g (tenant_id, event_id, agent_id, body)
    ON CONFLICT (tenant_id, event_id) DO NOTHING
    RETURNING tenant_id, agent_id, event_id
), sums AS (
    SELECT tenant_id, agent_id, count(*) AS added FROM stored GROUP BY tenant_id, agent_id
)
UPDATE feedback_stats t SET interactions = t.interactions + s.added
FROM sums s
WHERE t.tenant_id = s.tenant_id AND t.agent_id = s.agent_id
RETURNING t.tenant_id, s.added,
    CASE WHEN (SELECT count(*) FROM stored) < cardinality(:event_ids::uuid[])
         THEN ARRAY(SELECT event_id FROM stored
                    WHERE stored.tenant_id = t.tenant_id AND stored.agent_id = t.agent_id)
    END AS new_ids;

-- name: insert_pending_counts(counts)!
INSERT INTO pending_counts (counts) VALUES (:counts);

-- name: claim_pending_counts(most)
-- What another coordinator is taking is its to publish.
DELETE FROM pending_counts
WHERE id = ANY (ARRAY(
    SELECT id FROM pending_counts ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
))
RETURNING counts;

-- name: prune_interactions(before)!
DELETE FROM interactions WHERE received_at < :before;

-- name: insert_internal_traffic(tenant_ids, agent_ids, event_ids, kinds, traffic_classes, signals, partitions, offsets, received_at)
-- In the order of the ids, so that two batches with the same events never wait for each other.
INSERT INTO internal_traffic (tenant_id, agent_id, event_id, kind, traffic_class, signal, partition,
                            record_offset, received_at)
SELECT g.tenant_id, g.agent_id, g.event_id, g.kind, g.traffic_class, g.signal, g.partition,
       g.record_offset, :received_at::timestamptz
FROM unnest(:tenant_ids::text[], :agent_ids::text[], :event_ids::uuid[], :kinds::text[],
            :traffic_classes::text[], :signals::text[], :partitions::int[], :offsets::bigint[])
    AS g (tenant_id, agent_id, event_id, kind, traffic_class, signal, partition, record_offset)
ORDER BY g.event_id
ON CONFLICT (event_id, tenant_id) DO NOTHING
RETURNING event_id;

-- name: prune_internal_traffic(before)!
DELETE FROM internal_traffic WHERE received_at < :before;

-- name: insert_retractions(tenant_id, agent_id, source, submitted_by, annotator_id, event_ids, interaction_ids, reasons, partitions, offsets, received_at)
-- Those that are new: also one of a known id that stands further on in the log, since it was sent
-- once more. A redelivery stands where it stood.
INSERT INTO retractions (tenant_id, event_id, agent_id, interaction_id, source, reason, received_at,
                         submitted_by, annotator_id, partition, record_offset)
SELECT :tenant_id, g.event_id, :agent_id, g.interaction_id, :source, g.reason, :received_at,
       :submitted_by, :annotator_id, g.partition, g.record_offset
FROM unnest(:event_ids::uuid[], :interaction_ids::text[], :reasons::text[], :partitions::int[],
            :offsets::bigint[])
    AS g (event_id, interaction_id, reason, partition, record_offset)
ORDER BY g.event_id
ON CONFLICT (tenant_id, event_id)
DO UPDATE SET record_offset = excluded.record_offset, received_at = excluded.received_at
WHERE retractions.partition = excluded.partition
  AND retractions.record_offset < excluded.record_offset
RETURNING event_id, interaction_id;

-- name: preceding_retractions(tenant_ids, agent_ids, interaction_ids, sources, submitters, annotator_ids, partitions, offsets)
-- Of each event the last retraction before it in the log that concerned what it says.
SELECT e.place, r.partition, r.record_offset
FROM unnest(:tenant_ids::text[], :agent_ids::text[], :interaction_ids::text[], :sources::text[],
            :submitters::text[], :annotator_ids::text[], :partitions::int[], :offsets::bigint[])
    WITH ORDINALITY AS e (tenant_id, agent_id, interaction_id, source, submitted_by, annotator_id,
                          partition, record_offset, place)
JOIN LATERAL (
    SELECT r.partition, r.record_offset
    FROM retractions r
    WHERE r.tenant_id = e.tenant_id AND r.agent_id = e.agent_id
      AND r.interaction_id = e.interaction_id AND r.source = e.source
      AND r.submitted_by IN (e.submitted_by, '*') AND r.annotator_id IN (e.annotator_id, '')
      AND r.partition IN (e.partition, -1) AND r.record_offset < e.record_offset
    ORDER BY r.record_offset DESC
    LIMIT 1
) r ON true
ORDER BY e.place;

-- name: erase_feedback(tenant_id, agent_id, interaction_ids, source, submitted_by, annotator_id, now)^
-- The content goes, the row stays; only feedback in no window change the stats. Three branches,
-- each with an index of its own. Rows from before submitters were recorded are anybody's.
WITH agent AS (
    SELECT agent_no FROM feedback_stats WHERE tenant_id = :tenant_id AND agent_id = :agent_id
), named AS (
    SELECT f.event_id, f.submitted_by, f.source, f.body FROM feedback f JOIN agent USING (agent_no)
    WHERE f.interaction_id = ANY(:interaction_ids::text[]) AND f.window_id IS NOT NULL
      AND f.source = :source AND f.retracted_at IS NULL
    UNION ALL
    SELECT f.event_id, f.submitted_by, f.source, f.body FROM feedback f JOIN agent USING (agent_no)
    WHERE f.interaction_id = ANY(:interaction_ids::text[]) AND f.window_id IS NULL AND f.waiting_for IS NULL
      AND f.source = :source AND f.retracted_at IS NULL
    UNION ALL
    SELECT f.event_id, f.submitted_by, f.source, f.body FROM feedback f JOIN agent USING (agent_no)
    WHERE f.interaction_id = ANY(:interaction_ids::text[]) AND f.window_id IS NULL AND f.waiting_for IS NOT NULL
      AND f.source = :source AND f.retracted_at IS NULL
), own AS (
    SELECT event_id FROM named
    WHERE (:submitted_by::text = '*' OR submitted_by = :submitted_by OR submitted_by IS NULL)
      AND CASE WHEN :annotator_id::text = '' THEN true
               ELSE convert_from(body, 'UTF8')::json ->> 'annotator_id' = :annotator_id END
), erased AS (
    UPDATE feedback f
    SET body = NULL, traceparent = NULL, retracted_at = :now
    FROM own n
    WHERE f.event_id = n.event_id AND f.tenant_id = :tenant_id
    -- What waits for its answer is not counted as unused.
    RETURNING f.event_id, f.rating, f.window_id, f.returns,
              f.window_id IS NULL AND f.waiting_for IS NULL AS is_unused
)
-- What a window or an update held before may lie in a prepared dataset, so data_prep must erase it.
SELECT coalesce(array_agg(event_id) FILTER (
           WHERE window_id IS NOT NULL OR returns > 0
              OR EXISTS (SELECT 1 FROM fast_items i
                         WHERE i.event_id = erased.event_id AND i.tenant_id = :tenant_id)
       ), '{}') AS claimed_ids,
       (count(*) FILTER (WHERE is_unused))::int AS unused,
       (count(rating) FILTER (WHERE is_unused))::int AS rated,
       coalesce(sum(rating) FILTER (WHERE is_unused), 0) AS rating_sum
FROM erased;

-- name: claim_feedback(tenant_id, agent_id, window_id, maximum, maximum_bytes)^
-- The oldest unused feedback, at most `maximum`, and no more once it has `maximum_bytes`: data
-- preparation holds a window in memory. The caller holds the statistics' lock.
WITH oldest AS (
    SELECT event_id, received_at, octet_length(body) AS size FROM feedback
    WHERE agent_no = (
            SELECT agent_no FROM feedback_stats WHERE tenant_id = :tenant_id AND agent_id = :agent_id
          )
      AND window_id IS NULL AND retracted_at IS NULL AND waiting_for IS NULL
    ORDER BY received_at
    LIMIT :maximum
), summed AS (
    SELECT event_id, sum(size) OVER (
        ORDER BY received_at, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS size_before
    FROM oldest
), chosen AS (
    SELECT event_id FROM summed WHERE coalesce(size_before, 0) < :maximum_bytes
), claimed AS (
    UPDATE feedback f SET window_id = :window_id
    FROM chosen c
    WHERE f.tenant_id = :tenant_id AND f.event_id = c.event_id
    RETURNING f.event_id, f.rating, f.correct, f.received_at, f.traceparent
)
SELECT count(*)::int AS feedback_count,
       count(rating)::int AS rated,
       coalesce(sum(rating), 0) AS rating_sum,
       count(correct)::int AS labelled,
       avg(correct::int)::float8 AS success_rate,
       (array_agg(traceparent ORDER BY received_at DESC))[1] AS completed_by,
       encode(sha256(convert_to(coalesce(string_agg(event_id::text, E'\n' ORDER BY event_id), ''),
                                'UTF8')), 'hex') AS feedback_digest
FROM claimed;

-- name: subtract_from_stats(tenant_id, agent_id, taken, rated, rating_sum)^
-- What left the unused feedback, by a claim or a retraction. The last one takes the rounding
-- error of the sum with it.
UPDATE feedback_stats t
SET unused = unused - :taken,
    rated = rated - :rated,
    rating_sum = CASE WHEN rated = :rated THEN 0 ELSE rating_sum - :rating_sum END,
    oldest_unused_at = (
        SELECT min(received_at) FROM feedback
        WHERE agent_no = t.agent_no AND window_id IS NULL AND retracted_at IS NULL
          AND waiting_for IS NULL
    )
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
RETURNING *;

-- name: add_to_stats(tenant_id, agent_id, added, rated, rating_sum, oldest)!
-- What is unused again.
UPDATE feedback_stats
SET unused = unused + :added,
    rated = rated + :rated,
    rating_sum = rating_sum + :rating_sum,
    oldest_unused_at = least(oldest_unused_at, :oldest::timestamptz) -- passes nulls over
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: add_unchanged_counts(tenant_id, agent_id)!
-- Counts of nothing, as `FeedbackCounter.encode` writes them: publishing them shows readers how much
-- feedback is unused now.
INSERT INTO pending_counts (counts)
SELECT convert_to(jsonb_build_object(
    'hour', to_char(date_trunc('hour', now() AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
    'counters', jsonb_build_array(jsonb_build_array(
        :tenant_id::text, :agent_id::text, NULL, '{}'::jsonb, NULL))
)::text, 'UTF8');

-- name: unused_feedback(tenant_ids, agent_ids)
-- What of each agent is in no window. The clock's time: the transaction's may be that of an older
-- look, which must not replace a newer one.
SELECT t.tenant_id, t.agent_id, t.unused, clock_timestamp() AS at
FROM feedback_stats t
JOIN unnest(:tenant_ids::text[], :agent_ids::text[]) AS k (tenant_id, agent_id)
  USING (tenant_id, agent_id);

-- name: record_window(tenant_id, agent_id, sequence, now, previous_rated, previous_rating_sum)!
UPDATE feedback_stats
SET windows = :sequence, last_window_at = :now,
    previous_rated = :previous_rated, previous_rating_sum = :previous_rating_sum
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: insert_window(window_id, tenant_id, agent_id, sequence, reason, feedback_count, feedback_digest, now)!
INSERT INTO windows (window_id, tenant_id, agent_id, sequence, reason, feedback_count,
                     feedback_digest, claimed_at)
VALUES (:window_id, :tenant_id, :agent_id, :sequence, :reason, :feedback_count,
        :feedback_digest, :now);

-- name: window_feedback(window_id, after_received_at, after_event_id, limit)
-- A page of it without annotations, oldest first. (received_at, event_id) is unique.
SELECT event_id, source, rating, received_at, body, coalesce(submitted_by, '') AS submitted_by,
       interaction_id
FROM feedback
WHERE window_id = :window_id AND retracted_at IS NULL AND source <> 'annotation'
  AND (received_at, event_id) > (:after_received_at, :after_event_id)
ORDER BY received_at, event_id
LIMIT :limit;

-- name: interaction_bodies(tenant_id, agent_id, event_ids)
-- Those of the interactions that are kept.
SELECT event_id, body FROM interactions
WHERE tenant_id = :tenant_id AND event_id = ANY (:event_ids::uuid[]) AND agent_id = :agent_id;

-- name: window_annotations(window_id, after_item, limit)
-- All annotations of the next `limit` items, in the order of the items' ids.
SELECT event_id, source, rating, received_at, body, coalesce(submitted_by, '') AS submitted_by
FROM feedback
WHERE window_id = :window_id AND retracted_at IS NULL AND source = 'annotation'
  AND interaction_id IN (
      SELECT DISTINCT interaction_id FROM feedback
      WHERE window_id = :window_id AND retracted_at IS NULL AND source = 'annotation'
        AND interaction_id > :after_item
      ORDER BY interaction_id
      LIMIT :limit
  )
ORDER BY interaction_id, received_at, event_id;

-- name: window_contexts(window_id, most)
-- Distinct traces that led to the window, newest first.
SELECT traceparent
FROM feedback
WHERE window_id = :window_id AND traceparent IS NOT NULL
GROUP BY traceparent
ORDER BY max(received_at) DESC
LIMIT :most;

-- The fast path

-- name: open_corrections(tenant_id, agent_id, most)
-- Unused corrections that no update has had, newest first: those of a rater who is over the limit
-- must not keep the others out.
SELECT event_id, source, rating, received_at, body, coalesce(submitted_by, '') AS submitted_by,
       traceparent
FROM feedback f
WHERE agent_no = (
        SELECT agent_no FROM feedback_stats WHERE tenant_id = :tenant_id AND agent_id = :agent_id
      )
  AND window_id IS NULL AND retracted_at IS NULL AND waiting_for IS NULL AND correct IS FALSE
  AND NOT EXISTS (SELECT 1 FROM fast_items i
                  WHERE i.event_id = f.event_id AND i.tenant_id = f.tenant_id)
ORDER BY received_at DESC
LIMIT :most;

-- name: fast_items_of_raters(tenant_id, agent_id, since)
-- Every rater's, so that their sum is the agent's.
SELECT rater, count(*)::int AS items
FROM fast_items
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND claimed_at > :since
GROUP BY rater;

-- name: insert_fast_items(tenant_id, agent_id, update_id, event_ids, raters, now)!
INSERT INTO fast_items (tenant_id, event_id, agent_id, update_id, rater, claimed_at)
SELECT :tenant_id, g.event_id, :agent_id, :update_id, g.rater, :now
FROM unnest(:event_ids::uuid[], :raters::text[]) AS g (event_id, rater);

-- name: record_update(tenant_id, agent_id, sequence, corrections)!
UPDATE feedback_stats SET updates = :sequence, corrections = :corrections
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: count_refused_update(tenant_id, agent_id, now)!
UPDATE feedback_stats SET refused_updates = refused_updates + 1, last_refused_update_at = :now
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: reset_refused_updates(tenant_id, agent_id)!
UPDATE feedback_stats SET refused_updates = 0, last_refused_update_at = NULL
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND refused_updates > 0;

-- name: update_feedback(update_id)
-- What the update learns, without what was retracted since.
SELECT f.event_id, f.source, f.rating, f.received_at, f.body,
       coalesce(f.submitted_by, '') AS submitted_by
FROM fast_items i JOIN feedback f USING (event_id, tenant_id)
WHERE i.update_id = :update_id AND f.retracted_at IS NULL
ORDER BY f.received_at;

-- Withdrawals. The caller holds the statistics' lock.

-- name: record_withdrawals(tenant_id, agent_id, event_ids, now)^
-- After the preparation that the open job has begun, whatever this process's clock says: that dataset
-- may hold the items, and by its time alone it would pass for one that was commanded later.
WITH begun AS (
    SELECT max(h.occurred_at) + interval '1 microsecond' AS occurred_at
    FROM feedback_stats s JOIN job_history h ON h.job_id = s.open_job_id
    WHERE s.tenant_id = :tenant_id AND s.agent_id = :agent_id AND h.to_state = 'preparing'
), recorded AS (
    INSERT INTO withdrawals (tenant_id, event_id, agent_id, withdrawn_at)
    SELECT :tenant_id, g.event_id, :agent_id, greatest(:now, b.occurred_at)
    FROM unnest(:event_ids::uuid[]) AS g (event_id), begun b
    ON CONFLICT DO NOTHING
)
UPDATE feedback_stats
SET withdrawals = withdrawals + cardinality(:event_ids::uuid[]), withdrawals_wait_until = NULL
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
RETURNING *;

-- name: withdrawn_items(tenant_id, agent_id, most)
-- With the windows and updates that have had each.
SELECT w.event_id, w.withdrawn_at, w.tries,
       array_remove(ARRAY[f.window_id, i.update_id] || ARRAY(
           SELECT r.window_id FROM window_returns r
           WHERE r.event_id = w.event_id AND r.tenant_id = w.tenant_id
       ), NULL) AS holders
FROM withdrawals w
JOIN feedback f USING (event_id, tenant_id)
LEFT JOIN fast_items i USING (event_id, tenant_id)
WHERE w.tenant_id = :tenant_id AND w.agent_id = :agent_id
ORDER BY w.withdrawn_at DESC
LIMIT :most;

-- name: trained_versions(tenant_id, agent_id)
-- From the base model a version has the memory of what was deployed then. Versions from before their
-- trainings said whether they are a closed form: only the classifiers', where fine-tuning was not
-- chosen.
SELECT j.facts -> 'model' ->> 'version' AS version,
       coalesce(j.facts -> 'warm_start' ->> 'version',
                j.facts -> 'evaluation' ->> 'compared_with') AS parent,
       (j.facts -> 'window' ->> 'window_id')::uuid AS holder,
       j.facts -> 'warm_start' ->> 'version' IS NULL AS is_from_base,
       coalesce(
           (j.facts #>> '{candidate,metrics,train/closed_form}')::float8 = 1,
           a.profile ->> 'kind' = 'classifier'
               AND coalesce((j.facts #>> '{candidate,metrics,train/fine_tuned_chosen}')::float8, 0) = 0
       ) AS is_closed_form,
       (SELECT max(h.occurred_at) FROM job_history h
        WHERE h.job_id = j.job_id AND h.to_state = 'preparing') AS prepared_at,
       coalesce(jsonb_typeof(j.facts -> 'withdrawal') = 'object', false) AS is_withdrawal
FROM jobs j JOIN agents a USING (tenant_id, agent_id)
WHERE j.tenant_id = :tenant_id AND j.agent_id = :agent_id
  AND j.facts -> 'model' ->> 'version' IS NOT NULL;

-- name: count_withdrawal_try(tenant_id, agent_id, event_ids, sequence)!
WITH tried AS (
    UPDATE withdrawals SET tries = tries + 1
    WHERE tenant_id = :tenant_id AND event_id = ANY(:event_ids::uuid[])
)
UPDATE feedback_stats SET updates = :sequence, withdrawals_wait_until = NULL
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: give_up_withdrawals(tenant_id, agent_id, tries)!
UPDATE withdrawals SET tries = :tries
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND tries > 0;

-- name: reset_withdrawal_tries(tenant_id, agent_id)!
UPDATE withdrawals SET tries = 0
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND tries > 0;

-- name: set_withdrawals(tenant_id, agent_id, withdrawals)!
UPDATE feedback_stats SET withdrawals = :withdrawals, withdrawals_wait_until = NULL
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: delay_withdrawals(tenant_id, agent_id, until)!
UPDATE feedback_stats SET withdrawals_wait_until = :until
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- name: mark_withdrawals(tenant_id, agent_id)!
UPDATE feedback_stats s
SET withdrawals_wait_until = NULL,
    withdrawals = (SELECT count(*) FROM withdrawals w
                   WHERE w.tenant_id = s.tenant_id AND w.agent_id = s.agent_id)
WHERE tenant_id = :tenant_id AND agent_id = :agent_id;

-- How windows end. The caller holds the statistics' lock.

-- name: learnt_by_updates(tenant_id, agent_id, window_id)
-- The feedback in a window that the deployed version holds already: an update of the fast path among
-- the version's ancestors learnt it. The way back from what is deployed leaves rolled-back updates out.
WITH RECURSIVE borrowed AS MATERIALIZED (
    SELECT f.event_id, i.update_id
    FROM feedback f JOIN fast_items i USING (event_id, tenant_id)
    WHERE f.window_id = :window_id AND f.retracted_at IS NULL
), ancestors (version) AS (
    SELECT deployed ->> 'version' FROM agents
    -- Most windows have no such feedback; then no ancestor is looked up.
    WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND EXISTS (SELECT 1 FROM borrowed)
    -- Without ALL: it ends even if versions named each other.
    UNION
    SELECT j.facts -> 'warm_start' ->> 'version'
    FROM ancestors a JOIN jobs j ON j.facts -> 'model' ->> 'version' = a.version
    WHERE j.tenant_id = :tenant_id AND j.agent_id = :agent_id
), updates AS (
    SELECT (j.facts -> 'window' ->> 'window_id')::uuid AS update_id
    FROM ancestors a JOIN jobs j ON j.facts -> 'model' ->> 'version' = a.version
    WHERE j.tenant_id = :tenant_id AND j.agent_id = :agent_id
      AND (j.facts -> 'window' ->> 'fast_path')::boolean
      -- Which item was kept out is not known here, so such an update counts for none of its items.
      AND (j.facts -> 'dataset' ->> 'left_out')::int = 0
)
SELECT event_id FROM borrowed WHERE update_id IN (SELECT update_id FROM updates);

-- name: return_feedback(window_id, maximum_returns, by_hand, learnt)^
-- Make a window's feedback unused again, but for what is learnt and what that happened to often
-- enough. Given back by hand, it has all its tries again.
WITH returned AS (
    UPDATE feedback
    SET window_id = NULL, returns = CASE WHEN :by_hand::boolean THEN 1 ELSE returns + 1 END
    WHERE window_id = :window_id AND retracted_at IS NULL
      AND (:by_hand::boolean OR returns < :maximum_returns::int)
      AND NOT EXISTS (SELECT 1 FROM unnest(:learnt::uuid[]) AS l (id) WHERE l.id = event_id)
    RETURNING tenant_id, event_id, rating, received_at
), noted AS (
    INSERT INTO window_returns (tenant_id, window_id, event_id)
    SELECT tenant_id, :window_id, event_id FROM returned
    ON CONFLICT DO NOTHING
)
SELECT count(*)::int AS returned, count(rating)::int AS rated,
       coalesce(sum(rating), 0) AS rating_sum, min(received_at) AS oldest
FROM returned;

-- name: unlearnt_feedback(window_id, most, learnt)^
-- What stays in a window and is not learnt: how many, and the first ids.
SELECT count(*)::int AS unlearnt, coalesce((array_agg(event_id ORDER BY received_at))[1 : :most::int], '{}')
           AS event_ids
FROM feedback
WHERE window_id = :window_id AND retracted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM unnest(:learnt::uuid[]) AS l (id) WHERE l.id = event_id);

-- name: set_waiting(window_id, event_ids, answers)!
-- Feedback leaves its window until the agent has the answer that it names.
WITH waiting AS (
    UPDATE feedback f
    SET window_id = NULL, waiting_for = w.answer
    FROM unnest(:event_ids::uuid[], :answers::text[]) AS w (event_id, answer)
    WHERE f.event_id = w.event_id AND f.window_id = :window_id AND f.retracted_at IS NULL
    RETURNING f.tenant_id, f.event_id
)
INSERT INTO window_returns (tenant_id, window_id, event_id)
SELECT tenant_id, :window_id, event_id FROM waiting
ON CONFLICT DO NOTHING;

-- name: release_waiting(tenant_id, agent_id, answers)^
-- Feedback whose answer the agent has now is unused; answers null: whatever it waits for.
WITH released AS (
    UPDATE feedback
    SET waiting_for = NULL
    WHERE agent_no = (
            SELECT agent_no FROM feedback_stats WHERE tenant_id = :tenant_id AND agent_id = :agent_id
          )
      AND waiting_for IS NOT NULL AND retracted_at IS NULL
      AND (:answers::text[] IS NULL OR waiting_for = ANY(:answers::text[]))
    RETURNING rating, received_at
)
SELECT count(*)::int AS returned, count(rating)::int AS rated,
       coalesce(sum(rating), 0) AS rating_sum, min(received_at) AS oldest
FROM released;

-- name: end_window(window_id, outcome, reason, now)!
UPDATE windows SET outcome = :outcome, outcome_reason = :reason, ended_at = :now
WHERE window_id = :window_id;

-- name: window_outcome(window_id)$
SELECT outcome FROM windows WHERE window_id = :window_id;

-- name: window_of_version(tenant_id, agent_id, version)^
-- The window that a version was trained on, and how it stands.
SELECT w.window_id, w.outcome
FROM jobs j JOIN windows w ON w.window_id = (j.facts -> 'window' ->> 'window_id')::uuid
WHERE j.tenant_id = :tenant_id AND j.agent_id = :agent_id
  AND j.facts -> 'model' ->> 'version' = :version
ORDER BY j.created_at DESC
LIMIT 1;

-- name: reclaim_feedback(window_id)^
-- Take back what a window gave back and no other window has claimed since.
WITH reclaimed AS (
    UPDATE feedback f
    SET window_id = r.window_id
    FROM window_returns r
    WHERE r.window_id = :window_id AND f.event_id = r.event_id AND f.tenant_id = r.tenant_id
      AND f.window_id IS NULL AND f.retracted_at IS NULL AND f.waiting_for IS NULL
      -- What left the window to wait for its answer was not exported, so no version has it.
      AND f.returns > 0
    RETURNING f.tenant_id, f.event_id, f.rating
), removed AS (
    DELETE FROM window_returns r USING reclaimed c
    WHERE r.window_id = :window_id AND r.event_id = c.event_id
)
SELECT count(*)::int AS taken, count(rating)::int AS rated, coalesce(sum(rating), 0) AS rating_sum
FROM reclaimed;

-- Jobs

-- name: insert_job(job_id, tenant_id, agent_id, state, version, method, priority, requested_by, config, facts, trace_id, parent_span_id, job_span_id, stage_span_id, now, deadline_at)$
-- True when there was no job of this id.
INSERT INTO jobs (job_id, tenant_id, agent_id, state, version, method, priority, requested_by,
                  config, facts, trace_id, parent_span_id, job_span_id, stage_span_id, created_at,
                  state_since, deadline_at)
VALUES (:job_id, :tenant_id, :agent_id, :state, :version, :method, :priority, :requested_by,
        :config, :facts, :trace_id, :parent_span_id, :job_span_id, :stage_span_id, :now, :now,
        :deadline_at)
ON CONFLICT (job_id) DO NOTHING
RETURNING true;

-- name: update_job(job_id, known_version, state, version, attempt, dispatches, priority, config, facts, stage_span_id, state_since, deadline_at)$
-- Nothing when somebody else changed the job since it was read.
UPDATE jobs
SET state = :state, version = :version, attempt = :attempt, dispatches = :dispatches,
    priority = :priority, config = :config, facts = :facts, stage_span_id = :stage_span_id,
    state_since = :state_since, deadline_at = :deadline_at
WHERE job_id = :job_id AND version = :known_version
RETURNING true;

-- name: lock_job(job_id)^
SELECT * FROM jobs WHERE job_id = :job_id FOR UPDATE;

-- name: count_open_jobs(tenant_id)$
-- Two counts, since each has a partial index of its own.
SELECT (SELECT count(*) FROM jobs
        WHERE tenant_id = :tenant_id
          AND state IN ('planning', 'preparing', 'queued', 'training', 'evaluating', 'registering',
                        'rolling_out'))
     + (SELECT count(*) FROM jobs WHERE tenant_id = :tenant_id AND state = 'requested');

-- name: find_version(tenant_id, agent_id, version)$
-- Of the agent's jobs, and what is deployed: an imported version came of no job.
SELECT facts -> 'model' FROM jobs
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND facts -> 'model' ->> 'version' = :version::text
UNION ALL
SELECT deployed FROM agents
WHERE tenant_id = :tenant_id AND agent_id = :agent_id
  AND deployed ->> 'version' = :version::text
LIMIT 1;

-- name: lock_next_requested(tenant_id, agent_id)^
SELECT * FROM jobs
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND state = 'requested'
ORDER BY created_at, job_id
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: lock_overdue_job(now)^
SELECT * FROM jobs
WHERE deadline_at <= :now
ORDER BY deadline_at
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: insert_transition(tenant_id, job_id, version, from_state, to_state, event, attempt, reason, now)!
INSERT INTO job_history (tenant_id, job_id, version, from_state, to_state, event, attempt, reason,
                         occurred_at)
VALUES (:tenant_id, :job_id, :version, :from_state, :to_state, :event, :attempt, :reason, :now);

-- name: job_transitions(job_id)
SELECT to_state, occurred_at FROM job_history WHERE job_id = :job_id ORDER BY version;

-- Training slots

-- name: lock_scheduler()$
-- One allocation at a time; the last lock that a transaction takes, but for the audit log's.
SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/scheduler', 0));

-- name: queued_jobs(most, now, aging)
-- The first of every tenant, then the second of every tenant, and so on: one that queues thousands
-- of jobs hides nobody else's. What a tenant used of the slots in the last hour is that of its newest
-- trainings.
WITH queued AS (
    SELECT job_id, tenant_id, agent_id, priority, state_since,
           row_number() OVER (
               PARTITION BY tenant_id ORDER BY state_since - priority * make_interval(secs => :aging), job_id
           ) AS place
    FROM jobs
    WHERE state = 'queued'
), served AS (
    SELECT tenants.tenant_id, max(began.occurred_at) AS served_at,
           coalesce(sum(greatest(extract(epoch FROM
               least(coalesce(ended.occurred_at, :now), :now)
               - greatest(began.occurred_at, :now - interval '1 hour')
           ), 0)), 0)::float8 AS used_seconds
    FROM (SELECT DISTINCT tenant_id FROM queued) tenants
    CROSS JOIN LATERAL (
        SELECT h.job_id, h.version, h.occurred_at
        FROM job_history h JOIN jobs j USING (job_id)
        WHERE h.tenant_id = tenants.tenant_id AND h.to_state = 'training'
          -- Updates of the fast path take no slot.
          AND j.facts #>> '{window,fast_path}' IS DISTINCT FROM 'true'
          AND j.facts #>> '{withdrawal,subtracted}' IS DISTINCT FROM 'true'
        ORDER BY h.occurred_at DESC
        LIMIT 50
    ) began
    LEFT JOIN LATERAL (
        SELECT occurred_at
        FROM job_history
        WHERE job_history.job_id = began.job_id AND job_history.version > began.version
        ORDER BY version
        LIMIT 1
    ) ended ON true
    GROUP BY tenants.tenant_id
)
SELECT job_id, queued.tenant_id, agent_id, priority, state_since, served_at,
       coalesce(used_seconds, 0)::float8 AS used_seconds
FROM queued LEFT JOIN served ON served.tenant_id = queued.tenant_id
ORDER BY place, served_at NULLS FIRST, state_since, job_id
LIMIT :most;

-- name: running_jobs()
-- Updates of the fast path take no slot.
SELECT tenant_id, agent_id FROM jobs
WHERE state = 'training' AND facts #>> '{window,fast_path}' IS DISTINCT FROM 'true'
  AND facts #>> '{withdrawal,subtracted}' IS DISTINCT FROM 'true';

-- name: lock_queued_job(job_id)^
SELECT * FROM jobs WHERE job_id = :job_id AND state = 'queued' FOR UPDATE SKIP LOCKED;

-- name: reported_slots(service, since)
SELECT slots FROM workers WHERE service = :service AND reported_at > :since;

-- name: upsert_worker(worker_id, service, slots, busy, now)!
INSERT INTO workers (worker_id, service, slots, busy, reported_at)
VALUES (:worker_id, :service, :slots, :busy, :now)
ON CONFLICT (worker_id)
DO UPDATE SET service = excluded.service, slots = excluded.slots, busy = excluded.busy,
              reported_at = excluded.reported_at;

-- Logs for an analysis

-- name: agent_interactions(tenant_id, agent_id, since, before, before_id, most)
-- A page of them, newest first. (received_at, event_id) is unique.
SELECT event_id, received_at, body FROM interactions
WHERE tenant_id = :tenant_id AND agent_id = :agent_id AND received_at >= :since
  AND (received_at, event_id) < (:before, :before_id)
ORDER BY received_at DESC, event_id DESC
LIMIT :most;

-- name: agent_feedback(tenant_id, agent_id, since, before, before_id, most)
-- The same of feedback without annotations: what is unused, what waits for its answer, and what
-- windows claimed since then. Each part has an index of its own, which LATERAL reads.
SELECT event_id, received_at, body FROM (
    (
        SELECT f.event_id, f.received_at, f.body
        FROM feedback_stats t
        CROSS JOIN LATERAL (
            SELECT event_id, received_at, body FROM feedback
            WHERE agent_no = t.agent_no AND window_id IS NULL AND retracted_at IS NULL
              AND waiting_for IS NULL AND source <> 'annotation'
              AND received_at >= :since AND (received_at, event_id) < (:before, :before_id)
            ORDER BY received_at DESC, event_id DESC
            LIMIT :most
        ) AS f
        WHERE t.tenant_id = :tenant_id AND t.agent_id = :agent_id
    )
    UNION ALL
    (
        SELECT f.event_id, f.received_at, f.body
        FROM feedback_stats t
        CROSS JOIN LATERAL (
            SELECT event_id, received_at, body FROM feedback
            WHERE agent_no = t.agent_no AND window_id IS NULL AND retracted_at IS NULL
              AND waiting_for IS NOT NULL AND source <> 'annotation'
              AND received_at >= :since AND (received_at, event_id) < (:before, :before_id)
            ORDER BY received_at DESC, event_id DESC
            LIMIT :most
        ) AS f
        WHERE t.tenant_id = :tenant_id AND t.agent_id = :agent_id
    )
    UNION ALL
    (
        SELECT f.event_id, f.received_at, f.body
        FROM windows w
        CROSS JOIN LATERAL (
            SELECT event_id, received_at, body FROM feedback
            WHERE window_id = w.window_id AND retracted_at IS NULL AND source <> 'annotation'
              AND received_at >= :since AND (received_at, event_id) < (:before, :before_id)
            ORDER BY received_at DESC, event_id DESC
            LIMIT :most
        ) AS f
        WHERE w.tenant_id = :tenant_id AND w.agent_id = :agent_id AND w.claimed_at >= :since
        ORDER BY f.received_at DESC, f.event_id DESC
        LIMIT :most
    )
) AS newest
ORDER BY received_at DESC, event_id DESC
LIMIT :most;
