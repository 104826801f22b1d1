-- The coordinator's memory: agents, their feedback and feedback_stats, windows, jobs and their history.

CREATE TABLE agents (
    tenant_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    profile jsonb NOT NULL, -- AgentProfile
    deployed jsonb, -- ModelRef of the version that serves; null: none yet
    deployed_since timestamptz,
    configured_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, agent_id)
);

-- One narrow row per agent, locked by whoever changes its feedback or opens its next job.
CREATE TABLE feedback_stats (
    agent_no integer GENERATED ALWAYS AS IDENTITY UNIQUE, -- stands for the key in hot indexes
    tenant_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    profile_revision integer NOT NULL DEFAULT 1, -- grows with the agent's profile
    unused integer NOT NULL DEFAULT 0 CHECK (unused >= 0), -- feedback in no window
    rated integer NOT NULL DEFAULT 0, -- those of them with a rating
    rating_sum double precision NOT NULL DEFAULT 0,
    oldest_unused_at timestamptz,
    previous_rated integer NOT NULL DEFAULT 0, -- ratings of the last window that had enough
    previous_rating_sum double precision NOT NULL DEFAULT 0,
    windows integer NOT NULL DEFAULT 0, -- claimed so far; the next one's sequence is one more
    last_window_at timestamptz,
    open_job_id uuid, -- the job that runs; the agent's next one waits for its end
    check_at timestamptz, -- look again then, though no feedback comes
    interactions bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, agent_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents
) WITH (fillfactor = 50); -- updated with every batch: leave room for HOT updates
CREATE INDEX feedback_stats_check ON feedback_stats (check_at) WHERE check_at IS NOT NULL;

CREATE TABLE windows (
    window_id uuid PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    sequence integer NOT NULL,
    reason text NOT NULL, -- TriggerReason
    feedback_count integer NOT NULL CHECK (feedback_count > 0),
    feedback_digest text NOT NULL, -- sha256 over the sorted feedback ids
    claimed_at timestamptz NOT NULL,
    UNIQUE (tenant_id, agent_id, sequence)
);

-- FeedbackReceived and AnnotationSubmitted, bodies as received.
CREATE TABLE feedback (
    tenant_id text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    agent_no integer NOT NULL,
    interaction_id text COLLATE "C" NOT NULL, -- an annotation's item_id
    source text COLLATE "C" NOT NULL, -- FeedbackSource, or 'annotation'
    rating double precision,
    correct boolean, -- whether the agent was right; null: not said
    received_at timestamptz NOT NULL, -- batch time plus place in the batch, in microseconds
    traceparent text COLLATE "C",
    body bytea, -- null once retracted: the row stays, so that a redelivery cannot revive it
    window_id uuid, -- no foreign key: its check would run for every inserted row
    retracted_at timestamptz,
    PRIMARY KEY (event_id, tenant_id), -- the part that differs comes first: it decides sooner
    CHECK (body IS NULL OR retracted_at IS NULL)
);
-- Text that was compressed once is not worth the time: bodies are small and come by thousands.
ALTER TABLE feedback ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX feedback_unused ON feedback (agent_no, received_at)
    WHERE window_id IS NULL AND retracted_at IS NULL;
CREATE INDEX feedback_window ON feedback (window_id, received_at) WHERE window_id IS NOT NULL;
-- For retractions. Kept for claimed rows only: unused ones are few and are found by their agent,
-- and a third index would have to be kept with every row that comes.
CREATE INDEX feedback_interaction ON feedback (agent_no, interaction_id)
    WHERE window_id IS NOT NULL;

-- Retractions already applied: a redelivered one must not touch what came after it.
CREATE TABLE retractions (
    tenant_id text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    interaction_id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);

-- Answers without feedback; kept for some days only.
CREATE TABLE interactions (
    tenant_id text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    received_at timestamptz NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);
CREATE INDEX interactions_received ON interactions USING brin (received_at);

CREATE TABLE jobs (
    job_id uuid PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C" NOT NULL, -- may not be configured yet
    state text NOT NULL CHECK (state IN (
        'requested', -- waits until its agent is known and free
        'planning', -- the curriculum service makes a plan
        'preparing', -- data_prep makes a dataset version
        'queued', -- waits for a training slot
        'training', -- the trainer does attempt `attempt`
        'evaluating', -- the evaluator compares the candidate with the deployed version
        'registering', -- the registry gives the candidate a version
        'rolling_out', -- the registry makes it deployed
        'completed', -- it is deployed
        'rejected', -- it was no better
        'failed', -- a stage could not be done
        'cancelled' -- somebody stopped it
    )),
    version integer NOT NULL, -- every update filters on it and adds one
    attempt integer NOT NULL DEFAULT 0, -- trainings begun; fences late results
    dispatches integer NOT NULL DEFAULT 0, -- times that this state's command was sent
    method text NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    requested_by text, -- null: not said
    config jsonb NOT NULL, -- TrainingConfig
    facts jsonb NOT NULL, -- JobFacts: what the stages found out
    trace_id text NOT NULL,
    parent_span_id text,
    job_span_id text NOT NULL,
    stage_span_id text NOT NULL,
    created_at timestamptz NOT NULL,
    state_since timestamptz NOT NULL,
    deadline_at timestamptz -- null in a final state
);
-- At most one job of an agent is under way; requested ones wait for its end.
CREATE UNIQUE INDEX jobs_one_active ON jobs (tenant_id, agent_id)
    WHERE state IN ('planning', 'preparing', 'queued', 'training', 'evaluating', 'registering',
                    'rolling_out');
CREATE INDEX jobs_requested ON jobs (tenant_id, agent_id, created_at) WHERE state = 'requested';
CREATE INDEX jobs_queued ON jobs (state) WHERE state IN ('queued', 'training');
CREATE INDEX jobs_deadline ON jobs (deadline_at) WHERE deadline_at IS NOT NULL;

-- One row per transition.
CREATE TABLE job_history (
    job_id uuid NOT NULL REFERENCES jobs,
    version integer NOT NULL, -- of the job after the transition
    from_state text,
    to_state text NOT NULL,
    event text NOT NULL, -- JobEvent
    attempt integer NOT NULL,
    reason text NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (job_id, version)
);

-- Who can train, as last heard.
CREATE TABLE workers (
    worker_id text PRIMARY KEY,
    service text NOT NULL,
    slots integer NOT NULL,
    busy integer NOT NULL,
    reported_at timestamptz NOT NULL
);
