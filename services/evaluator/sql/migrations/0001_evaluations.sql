-- The newest evaluation of each job. It fences: an older attempt, or the same
-- one sent again, starts nothing.
CREATE TABLE evaluations (
    job_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    state text NOT NULL CHECK (state IN (
        'accepted',   -- queued or running: see table work
        'completed',  -- EvaluationCompleted was sent
        'failed',     -- EvaluationFailed was sent
        'cancelled'   -- the job was cancelled; nothing was sent
    )),
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Scores that are known: the deployed version of one evaluation was mostly the candidate of an earlier
-- one on the same items. Everything that a score depends on is in the key.
CREATE TABLE scores (
    model text NOT NULL,      -- digest of its artifact, or the URI of a base model
    items text NOT NULL,      -- digest of the folder of items
    catalogue text NOT NULL,  -- digest of the catalogue; empty when there is none
    kind text NOT NULL,
    scoring_version integer NOT NULL, -- version of the scoring code
    predictions_uri text NOT NULL,
    predictions_digest text NOT NULL CHECK (predictions_digest ~ '^[0-9a-f]{64}$'),
    file text NOT NULL,       -- within that artifact
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, items, catalogue, kind, scoring_version)
);
