-- How much feedback of an agent is in no window: what its trigger counts, as the coordinator said.
-- Apart from `agents`: counts may come before the agent's configuration.
CREATE TABLE unused_feedback (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    unused bigint NOT NULL CHECK (unused >= 0),
    at timestamptz NOT NULL, -- of the look; an older one replaces nothing
    PRIMARY KEY (tenant_id, agent_id)
);

-- For the overview: an agent may have had many experiments, and has one at a time.
CREATE INDEX experiments_running ON experiments (tenant_id, agent_id) WHERE state = 'running';
