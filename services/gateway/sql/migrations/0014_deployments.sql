-- Which version of an agent was deployed, from when, by whom and why: a copy of the registry's history.
CREATE TABLE deployments (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    revision integer NOT NULL,
    version text NOT NULL,
    previous_version text,
    digest text NOT NULL,
    action text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    job_id uuid,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, revision)
);
-- What was deployed at a moment is the first row of this index at or before it.
CREATE INDEX deployments_by_time ON deployments (tenant_id, agent_id, at DESC, revision DESC);
