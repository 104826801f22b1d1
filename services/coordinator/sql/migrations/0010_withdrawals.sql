-- Retracted feedback that a window or an update has had: versions may hold it.
CREATE TABLE withdrawals (
    tenant_id text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    withdrawn_at timestamptz NOT NULL,
    tries smallint NOT NULL DEFAULT 0, -- jobs that were to make a version without it
    PRIMARY KEY (event_id, tenant_id)
);
CREATE INDEX withdrawals_of_agent ON withdrawals (tenant_id, agent_id, withdrawn_at);
CREATE INDEX window_returns_event ON window_returns (event_id);
ALTER TABLE feedback_stats
    -- Retracted items that nobody has looked for in the deployed version; an upper bound, so that a
    -- look costs nothing while there are none.
    ADD COLUMN withdrawals integer NOT NULL DEFAULT 0 CHECK (withdrawals >= 0);
-- Before this was kept nothing was looked for: versions of today may hold what was retracted then.
INSERT INTO withdrawals (tenant_id, event_id, agent_id, withdrawn_at)
SELECT f.tenant_id, f.event_id, f.agent_id, f.retracted_at
FROM feedback f
WHERE f.retracted_at IS NOT NULL
  AND (f.window_id IS NOT NULL OR f.returns > 0
       OR EXISTS (SELECT 1 FROM fast_items i
                  WHERE i.event_id = f.event_id AND i.tenant_id = f.tenant_id));
UPDATE feedback_stats s SET withdrawals = 1
WHERE EXISTS (SELECT 1 FROM withdrawals w
              WHERE w.tenant_id = s.tenant_id AND w.agent_id = s.agent_id);
