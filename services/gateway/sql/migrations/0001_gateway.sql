-- The gateway's own state (keys, uploaded datasets) and what it projects from events for reading.

-- A key is 256 random bits; only its sha256 is kept.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    key_hash bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    tenant_id text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY[
        'feedback', -- send feedback, interactions, annotations and spans
        'read', -- every GET
        'write', -- agents, datasets, jobs, deployments
        'operate' -- dead letters, of all tenants
    ]),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

CREATE TABLE agents (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    profile jsonb NOT NULL,
    configured_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, agent_id)
);

-- Uploaded under a name that never means other content later.
CREATE TABLE datasets (
    tenant_id text NOT NULL,
    name text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN (
        'training', -- may be learned from
        'evaluation' -- held out: no training may see it
    )),
    items integer NOT NULL CHECK (items > 0),
    uri text NOT NULL,
    digest text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name)
);

CREATE TABLE prepared_datasets (
    dataset_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    job_id uuid NOT NULL,
    dataset_version integer NOT NULL,
    body jsonb NOT NULL, -- DatasetPrepared
    prepared_at timestamptz NOT NULL
);
CREATE INDEX prepared_datasets_by_agent ON prepared_datasets (tenant_id, agent_id, prepared_at DESC);
CREATE INDEX prepared_datasets_by_job ON prepared_datasets (job_id);

-- Events of one job come on several topics: each fact has a column or table of its own, so that
-- they may come in any order.
CREATE TABLE jobs (
    job_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    method text,
    state text NOT NULL DEFAULT 'requested', -- archon_contracts JobState
    attempt integer NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    trace_id text NOT NULL DEFAULT '',
    dataset_name text, -- absent: unused feedback
    config jsonb NOT NULL DEFAULT '{}',
    requested_by text,
    window_trigger jsonb, -- RetrainTriggered
    version text,
    digest text,
    created_at timestamptz NOT NULL,
    state_at timestamptz -- time of the newest transition seen; null before the first
);
CREATE INDEX jobs_by_agent ON jobs (tenant_id, agent_id, created_at DESC);
CREATE INDEX jobs_by_time ON jobs (tenant_id, created_at DESC);

CREATE TABLE job_transitions (
    event_id uuid PRIMARY KEY,
    job_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    from_state text,
    to_state text NOT NULL,
    attempt integer NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX job_transitions_by_job ON job_transitions (job_id, at, position);

CREATE TABLE job_progress (
    job_id uuid PRIMARY KEY,
    attempt integer NOT NULL,
    total_steps integer,
    resumed_from_step integer NOT NULL DEFAULT 0,
    first_step_at timestamptz,
    step integer NOT NULL DEFAULT 0,
    loss double precision,
    recorded_at timestamptz
);

CREATE TABLE job_metrics (
    job_id uuid NOT NULL,
    attempt integer NOT NULL,
    name text NOT NULL,
    step integer NOT NULL,
    value double precision NOT NULL,
    epoch double precision,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (job_id, attempt, name, step)
);

CREATE TABLE evaluations (
    evaluation_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    job_id uuid NOT NULL,
    body jsonb NOT NULL, -- EvaluationCompleted
    at timestamptz NOT NULL
);
CREATE INDEX evaluations_by_job ON evaluations (job_id, at DESC);

CREATE TABLE models (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    version text NOT NULL,
    status text NOT NULL CHECK (status IN (
        'ready', -- registered, may be deployed
        'deployed', -- serving: at most one per agent
        'archived' -- kept for the record
    )),
    uri text NOT NULL,
    digest text NOT NULL,
    model_id uuid,
    job_id uuid,
    parent_version text,
    dataset_id uuid,
    metrics jsonb NOT NULL DEFAULT '{}',
    reason text NOT NULL DEFAULT '',
    registered_at timestamptz,
    deployed_at timestamptz,
    PRIMARY KEY (tenant_id, agent_id, version)
);
CREATE UNIQUE INDEX models_one_deployed ON models (tenant_id, agent_id) WHERE status = 'deployed';
CREATE INDEX models_by_job ON models (job_id);

CREATE TABLE synthetic_requests (
    request_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    request jsonb NOT NULL, -- GenerateSyntheticData
    requested_at timestamptz NOT NULL,
    result jsonb, -- SyntheticDataGenerated; absent: not ready
    finished_at timestamptz
);

CREATE TABLE workers (
    worker_id text PRIMARY KEY,
    service text NOT NULL,
    slots integer NOT NULL,
    busy integer NOT NULL,
    devices text[] NOT NULL,
    memory_mb double precision NOT NULL,
    seen_at timestamptz NOT NULL
);

-- Records that a service could not handle, as they came. Text is stored as bytes: it may be none.
CREATE TABLE dead_letters (
    id text PRIMARY KEY, -- service:partition:offset of the record on its dead-letter topic
    service text NOT NULL,
    reason text NOT NULL,
    error_type text NOT NULL,
    attempts integer NOT NULL,
    topic text NOT NULL, -- where it was read first, and where a replay goes
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    key bytea,
    headers jsonb NOT NULL, -- [[name, base64 value], ...] as received first
    null_headers text[] NOT NULL,
    body bytea, -- null: a tombstone
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    replays integer NOT NULL DEFAULT 0,
    replayed_at timestamptz
);
CREATE INDEX dead_letters_by_time ON dead_letters (last_at DESC);

-- The newest events, for streams that resume. Pruned to a bounded number.
CREATE TABLE recent_events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    tenant_id text NOT NULL,
    agent_id text,
    type text NOT NULL,
    body jsonb NOT NULL,
    at timestamptz NOT NULL
);

-- What came in on the feedback topic, counted per hour. Counters and offsets commit together, so
-- that a record is counted once however often it is read.
CREATE TABLE feedback_hours (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    hour timestamptz NOT NULL,
    feedback bigint NOT NULL DEFAULT 0,
    corrected bigint NOT NULL DEFAULT 0, -- feedback whose expected answer differs from the actual
    rated bigint NOT NULL DEFAULT 0,
    rating_sum double precision NOT NULL DEFAULT 0,
    rewarded bigint NOT NULL DEFAULT 0,
    reward_sum double precision NOT NULL DEFAULT 0,
    retracted bigint NOT NULL DEFAULT 0,
    annotations bigint NOT NULL DEFAULT 0,
    interactions bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0, -- interactions with an error
    latencies jsonb NOT NULL DEFAULT '{}', -- bucket -> count, see log_analysis.py
    PRIMARY KEY (tenant_id, agent_id, hour)
);

CREATE TABLE feedback_offsets (
    partition integer PRIMARY KEY,
    next_offset bigint NOT NULL
);
