-- Comparisons of two versions on production traffic, as the registry's events state them.
CREATE TABLE experiments (
    tenant_id text NOT NULL,
    experiment_id uuid NOT NULL,
    agent_id text NOT NULL,
    mode text NOT NULL,             -- shadow, canary or ab_test
    state text NOT NULL CHECK (state IN (
        'running',
        'promoted',   -- the candidate is deployed
        'kept',       -- the deployed version stays
        'cancelled'   -- another version was deployed meanwhile
    )),
    control jsonb NOT NULL,         -- ModelRef of the deployed version
    treatment jsonb NOT NULL,       -- ModelRef of the candidate
    proportion double precision NOT NULL,  -- of the traffic that the candidate answers now
    step integer NOT NULL DEFAULT 1,
    job_id uuid,
    reason text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    stop_reason text,
    winner text,                    -- version that is deployed after it
    arms jsonb NOT NULL DEFAULT '[]',      -- two ArmReports of the last measure
    difference jsonb,               -- Estimate; after the end, that of the conclusion
    measure jsonb,                  -- the last ExperimentMeasured
    PRIMARY KEY (tenant_id, experiment_id)
);
CREATE INDEX experiments_by_time ON experiments (tenant_id, started_at DESC, experiment_id);
CREATE INDEX experiments_of_agent ON experiments (tenant_id, agent_id, started_at DESC);

-- What each showed as its answers grew: some hundred rows at most (the registry's MEASURE_GROWTH).
CREATE TABLE experiment_measures (
    tenant_id text NOT NULL,
    experiment_id uuid NOT NULL,
    measured_at timestamptz NOT NULL,
    body jsonb NOT NULL,            -- ExperimentMeasured
    PRIMARY KEY (tenant_id, experiment_id, measured_at)
);
