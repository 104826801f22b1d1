-- How far requests for synthetic data are, and those that were cancelled.
ALTER TABLE synthetic_requests
    ADD COLUMN progress jsonb,  -- SyntheticDataProgressed; absent: not begun
    ADD COLUMN cancelled jsonb;  -- SyntheticDataCancelled

-- What was cancelled is not open.
DROP INDEX synthetic_requests_open;
CREATE INDEX synthetic_requests_open ON synthetic_requests (tenant_id, requested_at)
    WHERE finished_at IS NULL;
