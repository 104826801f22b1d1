-- Versions, the history of deployments, runs and their metric series.

-- One row per agent. Every change of an agent's models locks it first, so that versions, revisions
-- and the events about them are in one order.
CREATE TABLE agents (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    revision integer NOT NULL DEFAULT 0 CHECK (revision >= 0),  -- of the agent's configuration
    PRIMARY KEY (tenant_id, agent_id)
);

CREATE TABLE models (
    model_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    major integer NOT NULL CHECK (major >= 0),
    minor integer NOT NULL CHECK (minor >= 0),
    patch integer NOT NULL CHECK (patch >= 0),
    version text NOT NULL
        GENERATED ALWAYS AS (major::text || '.' || minor::text || '.' || patch::text) STORED,
    kind text NOT NULL,
    artifact_uri text NOT NULL,
    artifact_digest text NOT NULL CHECK (artifact_digest ~ '^[0-9a-f]{64}$'),
    status text NOT NULL CHECK (status IN (
        'ready',     -- whole and deployable: never deployed, or replaced by another version
        'deployed'   -- at most one per agent
    )),
    job_id uuid NOT NULL,
    dataset_id uuid NOT NULL,
    dataset jsonb NOT NULL,
    parent_version text,
    evaluation_id uuid,
    metrics jsonb NOT NULL DEFAULT '{}',
    lineage jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, agent_id),
    UNIQUE (tenant_id, agent_id, major, minor, patch),
    UNIQUE (tenant_id, job_id)  -- a job gives at most one version, however often it is registered
);

CREATE UNIQUE INDEX one_deployed_version_per_agent ON models (tenant_id, agent_id)
WHERE status = 'deployed';

CREATE UNIQUE INDEX models_by_version ON models (tenant_id, agent_id, version);

-- What was live, since when and why: only ever added to.
CREATE TABLE deployments (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    revision integer NOT NULL CHECK (revision >= 1),
    version text NOT NULL,
    previous_version text,
    action text NOT NULL CHECK (action IN ('deploy', 'rollback')),
    reason text NOT NULL,
    job_id uuid,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, revision),
    FOREIGN KEY (tenant_id, agent_id, version) REFERENCES models (tenant_id, agent_id, version)
);

-- One row per attempt at a job's training.
CREATE TABLE runs (
    job_id uuid NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    state text NOT NULL CHECK (state IN (
        'running',    -- its first optimizer step is done
        'completed',  -- it gave a model
        'failed'      -- it ended without one
    )),
    started_at timestamptz,
    ended_at timestamptz,
    event_body jsonb NOT NULL DEFAULT '{}',  -- the body of the event that ended it
    PRIMARY KEY (job_id, attempt)
);

CREATE INDEX runs_by_agent ON runs (tenant_id, agent_id, started_at DESC);

CREATE TABLE evaluations (
    evaluation_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    job_id uuid NOT NULL,
    passed boolean NOT NULL,
    recorded_at timestamptz NOT NULL,
    event_body jsonb NOT NULL  -- the body of EvaluationCompleted
);

CREATE INDEX evaluations_by_job ON evaluations (job_id);

-- The metrics store: one row per metric and step of an attempt.
CREATE TABLE metrics (
    job_id uuid NOT NULL,
    attempt integer NOT NULL,
    name text NOT NULL,
    step integer NOT NULL,
    value double precision NOT NULL,
    epoch double precision,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (job_id, attempt, name, step)
);
