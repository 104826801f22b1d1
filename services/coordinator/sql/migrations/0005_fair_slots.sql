-- When a tenant last got a training slot: of tenants that hold equally many, the one served longest
-- ago is next.
CREATE INDEX job_history_slots ON job_history (tenant_id, occurred_at DESC)
    WHERE to_state = 'training';
