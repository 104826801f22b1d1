-- Each row says whose it is, so that row-level security keeps it: points had only their job's id.
-- Ids are unique per tenant: an event that names another tenant's job finds none.
ALTER TABLE metrics ADD COLUMN tenant_id text;
UPDATE metrics m SET tenant_id = r.tenant_id FROM runs r
WHERE r.job_id = m.job_id AND r.attempt = m.attempt;
-- Events come in any order, so points may be here before their run. Until now every key was of the
-- tenant `default`.
UPDATE metrics SET tenant_id = 'default' WHERE tenant_id IS NULL;
ALTER TABLE metrics
    ALTER COLUMN tenant_id SET NOT NULL,
    DROP CONSTRAINT metrics_pkey,
    ADD PRIMARY KEY (job_id, attempt, name, step, tenant_id);
ALTER TABLE runs
    DROP CONSTRAINT runs_pkey,
    ADD PRIMARY KEY (job_id, attempt, tenant_id);
ALTER TABLE evaluations
    DROP CONSTRAINT evaluations_pkey,
    ADD PRIMARY KEY (evaluation_id, tenant_id);
