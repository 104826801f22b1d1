-- Each row says whose it is, so that row-level security keeps it.
ALTER TABLE job_history ADD COLUMN tenant_id text COLLATE "C";
UPDATE job_history h SET tenant_id = j.tenant_id FROM jobs j WHERE j.job_id = h.job_id;
ALTER TABLE job_history ALTER COLUMN tenant_id SET NOT NULL;
