-- Versions and the history of deployments.

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

-- Which version was deployed, since when and why: rows are only ever added.
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
