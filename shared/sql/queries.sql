-- Queries of the shared mechanism. Table names are unqualified: search_path names the schema.

-- name: lock_migrations()$
-- One migration at a time in the whole database; released at commit.
SELECT pg_advisory_xact_lock(4242001);

-- name: use_schema(name)$
-- For this transaction only.
SELECT set_config('search_path', :name, true);

-- name: create_schema()!
DO $$ BEGIN EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', current_setting('search_path')); END $$;

-- name: create_migrations_table()!
CREATE TABLE IF NOT EXISTS migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: has_migrations_table(name)$
-- And the present role may read it.
SELECT EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :name AND c.relname = 'migrations'
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
);

-- name: applied_migrations()
SELECT name, checksum FROM migrations;

-- name: record_migration(name, checksum)!
INSERT INTO migrations (name, checksum) VALUES (:name, :checksum);

-- name: use_services_role(name)$
-- For this transaction only: who the next two concern.
SELECT set_config('archon.services_role', :name, true);

-- name: ensure_services_role()!
-- Roles belong to the whole server: another database's setup may make it at the same moment.
DO $$
DECLARE
    services_role constant text NOT NULL DEFAULT current_setting('archon.services_role');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = services_role) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', services_role);
        EXECUTE format('GRANT %I TO CURRENT_USER', services_role);
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;

-- name: protect_schema()!
-- After the schema's files: the services' role may use its tables, and sees of each one with a
-- tenant_id the rows of the present tenant alone. What is there already is left as it is, so a
-- file may grant less on a table of its own.
DO $$
DECLARE
    services_role constant text NOT NULL DEFAULT current_setting('archon.services_role');
    schema_name constant text NOT NULL DEFAULT current_schema();
    relation record;
BEGIN
    IF NOT has_schema_privilege(services_role, schema_name, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', schema_name, services_role);
    END IF;
    FOR relation IN
        SELECT c.oid, c.relname, c.relkind, c.relrowsecurity,
               EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
                         AND NOT a.attisdropped) AS of_tenants
        FROM pg_class c
        WHERE c.relnamespace = schema_name::regnamespace AND c.relkind IN ('r', 'p', 'S')
          -- Reached through their table alone, by its policy: the role may not name them.
          AND NOT c.relispartition
        ORDER BY c.relname
    LOOP
        IF relation.relkind = 'S' THEN
            IF NOT has_sequence_privilege(services_role, relation.oid, 'USAGE') THEN
                EXECUTE format('GRANT USAGE ON SEQUENCE %I TO %I', relation.relname, services_role);
            END IF;
            CONTINUE;
        END IF;
        IF NOT has_table_privilege(services_role, relation.oid, 'SELECT') THEN
            EXECUTE format('GRANT %s ON %I TO %I',
                           CASE relation.relname
                                WHEN 'migrations' THEN 'SELECT'
                                -- Only ever added to.
                                WHEN 'audit_log' THEN 'SELECT, INSERT'
                                WHEN 'audit_entries' THEN 'SELECT, INSERT'
                                WHEN 'deployments' THEN 'SELECT, INSERT'
                                ELSE 'SELECT, INSERT, UPDATE, DELETE' END,
                           relation.relname, services_role);
        END IF;
        IF relation.of_tenants AND NOT relation.relrowsecurity THEN
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', relation.relname);
        END IF;
        IF relation.of_tenants
           AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = relation.oid) THEN
            -- The sub-selects are read once per statement, not once per row. An empty setting is
            -- what a connection has that was in a scope before: it is no scope either.
            EXECUTE format($policy$
                CREATE POLICY tenant ON %I USING (
                    tenant_id = (SELECT nullif(current_setting('archon.tenant_id', true), ''))
                    OR (SELECT current_setting('archon.tenant_id', true)) = '*'
                )$policy$, relation.relname);
        END IF;
    END LOOP;
END $$;

-- name: unprotected_tables(schema)
-- Tables with a tenant_id whose policy does not bind the present role, or that it may not read;
-- and partitions that it may read without the policy of their table.
SELECT n.nspname || '.' || c.relname AS name
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE n.nspname IN (:schema, 'telemetry') AND c.relkind IN ('r', 'p')
  AND CASE WHEN c.relispartition THEN has_table_privilege(c.oid, 'SELECT')
           ELSE NOT (row_security_active(c.oid) AND has_schema_privilege(n.oid, 'USAGE')
                     AND has_table_privilege(c.oid, 'SELECT')) END
ORDER BY 1;

-- name: set_tenant_scope(tenant_id)$
-- To the end of the transaction.
SELECT set_config('archon.tenant_id', :tenant_id, true);

-- name: replace_tenant_scope(every_tenant)$
-- Returns the scope that was left.
WITH present AS MATERIALIZED (SELECT current_setting('archon.tenant_id', true) AS tenant_id)
SELECT tenant_id FROM present, LATERAL set_config('archon.tenant_id', :every_tenant, true);

-- name: insert_inbox(event_id, message_type)$
-- True when this message is new; the row and the effect commit together.
INSERT INTO inbox (event_id, message_type) VALUES (:event_id, :message_type)
ON CONFLICT (event_id) DO NOTHING
RETURNING true;

-- name: insert_inbox_rows(event_ids, message_types)
-- The ids of a batch that are new. In their order, so that two batches with the same ones wait for
-- each other and do not deadlock.
INSERT INTO inbox (event_id, message_type)
SELECT m.event_id, m.message_type
FROM unnest(:event_ids::uuid[], :message_types::text[]) AS m (event_id, message_type)
ORDER BY m.event_id
ON CONFLICT (event_id) DO NOTHING
RETURNING event_id;

-- name: count_deliveries(topics, partitions, offsets)$
-- Tries of a record, or of a batch by its first record of each partition; the most of them.
-- Counted outside the transaction that may roll back.
WITH counted AS (
    INSERT INTO deliveries (topic, partition, record_offset)
    SELECT * FROM unnest(:topics::text[], :partitions::integer[], :offsets::bigint[])
    ON CONFLICT (topic, partition, record_offset)
    DO UPDATE SET attempts = deliveries.attempts + 1, last_at = now()
    RETURNING attempts
)
SELECT max(attempts) FROM counted;

-- name: delete_deliveries(topics, partitions, offsets)!
DELETE FROM deliveries
WHERE (topic, partition, record_offset) IN (
    SELECT * FROM unnest(:topics::text[], :partitions::integer[], :offsets::bigint[])
);

-- name: prune_inbox(retention_days)!
DELETE FROM inbox WHERE received_at < now() - make_interval(days => :retention_days);

-- name: insert_outbox(event_id, shard, topic, key, headers, payload)$
-- True if the message is new.
-- The advisory lock orders writers of one key: ids are then given in commit order per key.
WITH ordered AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended(:topic || '/' || :key, 0))
)
INSERT INTO outbox (event_id, shard, topic, key, headers, payload)
SELECT :event_id, :shard, :topic, :key, :headers, :payload FROM ordered
ON CONFLICT (event_id) DO NOTHING
RETURNING true;

-- name: insert_outbox_rows(event_ids, shards, topics, keys, headers, payloads)!
-- Without the lock of `insert_outbox`: a batch may have more keys than the server has locks.
INSERT INTO outbox (event_id, shard, topic, key, headers, payload)
SELECT m.event_id, m.shard, m.topic, m.key, m.headers::jsonb, m.payload
FROM unnest(:event_ids::uuid[], :shards::int[], :topics::text[], :keys::text[],
            :headers::text[], :payloads::bytea[])
    WITH ORDINALITY AS m (event_id, shard, topic, key, headers, payload, place)
ORDER BY m.place
ON CONFLICT (event_id) DO NOTHING;

-- name: try_lock_shard(shard)$
-- Held by the session: one relay per shard and schema.
SELECT pg_try_advisory_lock(hashtext(current_schema() || '/outbox'), :shard);

-- name: unpublished(shard, most, blocked)
-- In id order, so that the order per key is the order of commits. Topics that Kafka does not take
-- records of just now are left out whole: they must not keep the others of the shard waiting.
SELECT id, event_id, topic, key, headers, payload,
       extract(epoch FROM clock_timestamp() - created_at)::float8 AS queue_seconds
FROM outbox
WHERE shard = :shard AND published_at IS NULL AND topic <> ALL(:blocked::text[])
ORDER BY id
LIMIT :most;

-- name: mark_published(ids)!
UPDATE outbox SET published_at = now() WHERE id = ANY(:ids::bigint[]);

-- name: oldest_unpublished_seconds()$
SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
FROM outbox WHERE published_at IS NULL;

-- name: oldest_waiting_seconds(limit)$
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
FROM (
    SELECT created_at FROM outbox WHERE published_at IS NULL ORDER BY shard, id LIMIT :limit
) waiting;

-- name: prune_outbox(retention_hours)!
DELETE FROM outbox WHERE published_at < now() - make_interval(hours => :retention_hours);

-- name: lock_audit_head(tenant_id, chain)^
-- Held to the end of the transaction: a chain grows one entry at a time. The last lock that a
-- transaction takes, so that nobody waits for it who is waited for.
INSERT INTO audit_heads (tenant_id, chain) VALUES (:tenant_id, :chain)
ON CONFLICT (tenant_id, chain) DO UPDATE SET chain = excluded.chain
RETURNING sequence, hash;

-- name: has_audit_entry(entry_id)$
SELECT EXISTS (SELECT FROM audit_log WHERE entry_id = :entry_id);

-- name: add_audit_entry(tenant_id, chain, sequence, entry_id, recorded_at, actor, action, agent_id, subject, reason, details, changes, cause_id, trace_id, previous_hash, hash)$
-- The entry, and its chain's head; true unless the entry was there.
WITH added AS (
    INSERT INTO audit_log
        (tenant_id, chain, sequence, entry_id, recorded_at, actor, action, agent_id, subject,
         reason, details, changes, cause_id, trace_id, previous_hash, hash)
    VALUES (:tenant_id, :chain, :sequence, :entry_id, :recorded_at, :actor, :action, :agent_id,
            :subject, :reason, :details, :changes, :cause_id, :trace_id, :previous_hash, :hash)
    ON CONFLICT (entry_id) DO NOTHING
    RETURNING tenant_id, chain, sequence, hash
)
UPDATE audit_heads AS head SET sequence = added.sequence, hash = added.hash
FROM added
WHERE head.tenant_id = added.tenant_id AND head.chain = added.chain
RETURNING true;

-- name: audit_entries_after(tenant_id, chain, sequence, most)
-- A page of all chains, in order: what comes after an entry.
SELECT tenant_id, chain, sequence, entry_id, recorded_at, actor, action, agent_id, subject, reason,
       details, changes, cause_id, trace_id, previous_hash, hash
FROM audit_log
WHERE (tenant_id, chain, sequence) > (:tenant_id, :chain, :sequence)
ORDER BY tenant_id, chain, sequence
LIMIT :most;

-- name: audit_hash_at(tenant_id, chain, sequence)$
SELECT hash FROM audit_log
WHERE tenant_id = :tenant_id AND chain = :chain AND sequence = :sequence;

-- name: audit_heads()
SELECT tenant_id, chain, sequence, hash FROM audit_heads WHERE sequence > 0;

-- name: enqueue_work(id, kind, key, payload, cause, priority, max_attempts)!
INSERT INTO work (id, kind, key, payload, cause, priority, max_attempts)
VALUES (:id, :kind, :key, :payload, :cause, :priority, :max_attempts)
ON CONFLICT (id) DO NOTHING;

-- name: lease_work(kinds, owner, token, lease_seconds)^
-- The next row that is due: queued, or leased by a worker whose lease ran out.
UPDATE work
SET state = 'leased', owner = :owner, token = :token, attempts = attempts + 1,
    lease_until = now() + make_interval(secs => :lease_seconds::float8)
WHERE id = (
    SELECT id FROM work
    WHERE kind = ANY(:kinds::text[])
      AND (state = 'queued' AND run_after <= now() OR state = 'leased' AND lease_until < now())
    ORDER BY priority DESC, created_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, kind, key, payload, cause, token, attempts, max_attempts;

-- name: renew_lease(id, token, lease_seconds)$
UPDATE work SET lease_until = now() + make_interval(secs => :lease_seconds::float8)
WHERE id = :id AND token = :token AND state = 'leased'
RETURNING true;

-- name: lock_lease(id, token)$
-- Locks the row to the end of the transaction: nobody can take the lease meanwhile.
SELECT true FROM work WHERE id = :id AND token = :token AND state = 'leased' FOR UPDATE;

-- name: finish_work(id, token, state, error)$
UPDATE work SET state = :state, error = :error, finished_at = now(), lease_until = NULL
WHERE id = :id AND token = :token AND state = 'leased'
RETURNING true;

-- name: retry_work(id, token, delay_seconds, error)$
UPDATE work
SET state = 'queued', error = :error, lease_until = NULL,
    run_after = now() + make_interval(secs => :delay_seconds::float8)
WHERE id = :id AND token = :token AND state = 'leased'
RETURNING true;

-- name: release_work(id, token)$
-- Handed back unfinished at shutdown: the try does not count.
UPDATE work
SET state = 'queued', lease_until = NULL, attempts = attempts - 1, run_after = now()
WHERE id = :id AND token = :token AND state = 'leased'
RETURNING true;

-- name: cancel_work(kind, key)!
UPDATE work SET state = 'cancelled', finished_at = now(), lease_until = NULL
WHERE kind = :kind AND key = :key AND state IN ('queued', 'leased');

-- name: last_work_error(kind, key)$
-- Of the newest row that is not done: why its last try failed.
SELECT error FROM work
WHERE kind = :kind AND key = :key AND state IN ('queued', 'leased') AND error IS NOT NULL
ORDER BY created_at DESC
LIMIT 1;

-- name: seconds_to_next_work(kinds)$
-- Seconds until the next row may be due; NULL when there is none.
SELECT min(extract(epoch FROM CASE state WHEN 'leased' THEN lease_until ELSE run_after END - now()))::float8
FROM work WHERE kind = ANY(:kinds::text[]) AND state IN ('queued', 'leased');

-- name: insert_spans(trace_ids, span_ids, parent_ids, services, names, kinds, starts, ends, statuses, errors, attributes, links)!
INSERT INTO telemetry.spans
    (trace_id, span_id, parent_id, service, name, kind, started_at, ended_at, status, error, attributes, links)
SELECT t.trace_id, t.span_id, nullif(t.parent_id, ''), t.service, t.name, t.kind, t.started_at, t.ended_at,
       t.status, nullif(t.error, ''), t.attributes::jsonb, t.links::jsonb
FROM unnest(:trace_ids::text[], :span_ids::text[], :parent_ids::text[], :services::text[], :names::text[],
            :kinds::text[], :starts::timestamptz[], :ends::timestamptz[], :statuses::text[], :errors::text[],
            :attributes::text[], :links::text[])
    AS t(trace_id, span_id, parent_id, service, name, kind, started_at, ended_at, status, error, attributes, links)
ON CONFLICT (trace_id, span_id, tenant_id) DO NOTHING;

-- name: insert_logs(moments, service, levels, events, trace_ids, span_ids, fields)!
INSERT INTO telemetry.logs (at, service, level, event, trace_id, span_id, fields)
SELECT t.at, :service, t.level, t.event, nullif(t.trace_id, ''), nullif(t.span_id, ''), t.fields::jsonb
FROM unnest(:moments::timestamptz[], :levels::text[], :events::text[], :trace_ids::text[],
            :span_ids::text[], :fields::text[]) AS t(at, level, event, trace_id, span_id, fields);

-- name: insert_metrics(moments, service, names, kinds, amounts, attributes)!
INSERT INTO telemetry.metrics (at, service, name, kind, value, attributes)
SELECT t.at, :service, t.name, t.kind, t.value, t.attributes::jsonb
FROM unnest(:moments::timestamptz[], :names::text[], :kinds::text[], :amounts::float8[], :attributes::text[])
    AS t(at, name, kind, value, attributes);

-- name: prune_telemetry(retention_days)!
WITH old_spans AS (
    DELETE FROM telemetry.spans WHERE started_at < now() - make_interval(days => :retention_days)
), old_logs AS (
    DELETE FROM telemetry.logs WHERE at < now() - make_interval(days => :retention_days)
)
DELETE FROM telemetry.metrics WHERE at < now() - make_interval(days => :retention_days);
