-- Where each agent stands in the curriculum, and the newest plan.
CREATE TABLE curricula (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    measured jsonb, -- CurriculumMeasured; absent: nothing was measured
    measured_at timestamptz,
    plan jsonb, -- CurriculumPlan; absent: nothing was planned
    planned_for uuid, -- the job
    planned_at timestamptz,
    level_change jsonb, -- the newest LevelAdvanced or LevelRegressed
    changed_at timestamptz,
    PRIMARY KEY (tenant_id, agent_id)
);
