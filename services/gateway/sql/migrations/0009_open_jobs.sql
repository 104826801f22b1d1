-- How many jobs of a tenant have not ended is asked for each request for one more.
CREATE INDEX jobs_open ON jobs (tenant_id)
    WHERE state NOT IN ('completed', 'rejected', 'failed', 'cancelled');
CREATE INDEX synthetic_requests_open ON synthetic_requests (tenant_id, requested_at)
    WHERE result IS NULL;
