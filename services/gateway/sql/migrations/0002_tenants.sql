-- Each row says whose it is, so that row-level security keeps it: what hangs on a job had only the
-- job's id. Ids are unique per tenant: an event that names another tenant's job finds none.
ALTER TABLE job_transitions ADD COLUMN tenant_id text;
UPDATE job_transitions t SET tenant_id = j.tenant_id FROM jobs j WHERE j.job_id = t.job_id;

ALTER TABLE job_progress ADD COLUMN tenant_id text;
UPDATE job_progress p SET tenant_id = j.tenant_id FROM jobs j WHERE j.job_id = p.job_id;

ALTER TABLE job_metrics ADD COLUMN tenant_id text;
UPDATE job_metrics m SET tenant_id = j.tenant_id FROM jobs j WHERE j.job_id = m.job_id;

-- Events come in any order, so a row may be here before its job. Until now every key was of the
-- tenant `default`.
UPDATE job_transitions SET tenant_id = 'default' WHERE tenant_id IS NULL;
UPDATE job_progress SET tenant_id = 'default' WHERE tenant_id IS NULL;
UPDATE job_metrics SET tenant_id = 'default' WHERE tenant_id IS NULL;

ALTER TABLE job_transitions ALTER COLUMN tenant_id SET NOT NULL;
ALTER TABLE job_progress
    ALTER COLUMN tenant_id SET NOT NULL,
    DROP CONSTRAINT job_progress_pkey,
    ADD PRIMARY KEY (job_id, tenant_id);
ALTER TABLE job_metrics
    ALTER COLUMN tenant_id SET NOT NULL,
    DROP CONSTRAINT job_metrics_pkey,
    ADD PRIMARY KEY (job_id, attempt, name, step, tenant_id);
ALTER TABLE evaluations
    DROP CONSTRAINT evaluations_pkey,
    ADD PRIMARY KEY (evaluation_id, tenant_id);
