-- The newest attempt of each job that the trainer was asked for. It fences: an older attempt, or
-- the same one sent again, starts nothing.
CREATE TABLE trainings (
    job_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    state text NOT NULL CHECK (state IN (
        'accepted',   -- queued or running: see table work
        'completed',  -- TrainingCompleted was sent
        'failed',     -- TrainingFailed was sent
        'cancelled'   -- cancelled; nothing was sent
    )),
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX open_trainings ON trainings (job_id) WHERE state = 'accepted';
