-- Rollouts: policies of agents, what was counted of versions' answers, experiments.

-- RolloutPolicy of the agent's profile; null: the profile is not known, the defaults hold.
ALTER TABLE agents ADD COLUMN rollout jsonb;

-- Sums over all the answers of a version that feedback or logs named, ever.
CREATE TABLE answer_counts (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    version text NOT NULL,
    counts jsonb NOT NULL,  -- see ArmCounts.to_json
    PRIMARY KEY (tenant_id, agent_id, version),
    FOREIGN KEY (tenant_id, agent_id, version) REFERENCES models (tenant_id, agent_id, version)
);

CREATE TABLE experiments (
    experiment_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN (
        'shadow',   -- the candidate answers beside the deployed version, unseen
        'canary',   -- it gets growing parts of the traffic
        'ab_test',  -- it gets a fixed part of the traffic
        'watch'     -- a deployed version is compared with the one before
    )),
    state text NOT NULL CHECK (state IN (
        'running',      -- at most one per agent
        'promoted',     -- the candidate is deployed
        'kept',         -- the deployed version stays
        'rolled_back',  -- of a watch: the version before is deployed again
        'cancelled'     -- another version was deployed meanwhile
    )),
    control_version text NOT NULL,
    treatment_version text NOT NULL,
    job_id uuid,
    progress jsonb NOT NULL,  -- versions, policy, counts and evidence; see the store
    started_at timestamptz NOT NULL,
    deadline_at timestamptz NOT NULL,
    ended_at timestamptz CHECK ((ended_at IS NULL) = (state = 'running')),
    reason text NOT NULL DEFAULT '',
    FOREIGN KEY (tenant_id, agent_id, control_version)
        REFERENCES models (tenant_id, agent_id, version),
    FOREIGN KEY (tenant_id, agent_id, treatment_version)
        REFERENCES models (tenant_id, agent_id, version)
);

CREATE UNIQUE INDEX one_running_experiment_per_agent ON experiments (tenant_id, agent_id)
WHERE state = 'running';

CREATE INDEX experiments_by_deadline ON experiments (deadline_at) WHERE state = 'running';

CREATE INDEX experiments_rolled_back ON experiments (tenant_id, agent_id, ended_at)
WHERE state = 'rolled_back';
