-- Where each agent stands, and what was planned for each job.

CREATE TABLE agents (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    level integer NOT NULL DEFAULT 1 CHECK (level BETWEEN 1 AND 4),
    correct_answers double precision NOT NULL DEFAULT 0 CHECK (correct_answers >= 0),  -- weighted
    rated_answers double precision NOT NULL DEFAULT 0 CHECK (rated_answers >= 0),  -- weighted
    PRIMARY KEY (tenant_id, agent_id)
);

CREATE TABLE plans (
    tenant_id text NOT NULL,
    job_id uuid NOT NULL,
    agent_id text NOT NULL,
    plan jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, job_id)  -- a job is planned once, however often that is ordered
);
