-- Dataset versions and the replay memory.

-- One row per agent. Finishing a dataset locks it, so that version numbers have no gap and the
-- memory of an agent changes in one order.
CREATE TABLE agents (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    last_version integer NOT NULL DEFAULT 0 CHECK (last_version >= 0),
    PRIMARY KEY (tenant_id, agent_id)
);

CREATE TABLE datasets (
    dataset_id uuid PRIMARY KEY,  -- derives from the order: a repeated one finds its dataset here
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    job_id uuid NOT NULL,
    artifact_digest text NOT NULL CHECK (artifact_digest ~ '^[0-9a-f]{64}$'),
    event_body jsonb NOT NULL,  -- the body of DatasetPrepared
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, agent_id),
    UNIQUE (tenant_id, agent_id, version)
);

CREATE INDEX datasets_by_job ON datasets (job_id);

-- Earlier training items of an agent: a bounded reservoir, balanced over targets.
CREATE TABLE replay_buffer (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    input_hash text NOT NULL,      -- of the normalised input
    item_id text NOT NULL,
    input_key text NOT NULL,       -- the normalised input
    input text NOT NULL,
    target text NOT NULL,
    details jsonb NOT NULL,        -- rejected, weight, group, feedback_ids
    dataset_version integer NOT NULL,  -- which brought it
    PRIMARY KEY (tenant_id, agent_id, input_hash),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, agent_id)
);
