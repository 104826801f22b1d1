-- How windows ended, and feedback that is new data again because no version came of it.
ALTER TABLE feedback
    ADD COLUMN returns smallint NOT NULL DEFAULT 0, -- windows with it that gave no version
    ADD COLUMN waiting_for text COLLATE "C"; -- an answer that the profile does not have yet
DROP INDEX feedback_unused;
CREATE INDEX feedback_unused ON feedback (agent_no, received_at)
    WHERE window_id IS NULL AND retracted_at IS NULL AND waiting_for IS NULL;
CREATE INDEX feedback_waiting ON feedback (agent_no) WHERE waiting_for IS NOT NULL;
ALTER TABLE windows
    ADD COLUMN outcome text CHECK (outcome IN (
        'learnt', -- a version that was deployed has learnt it
        'in_review', -- a person decides on the version that has learnt it
        'returned', -- its feedback, or part of it, is new data again
        'unlearnt' -- none of its feedback is tried again by itself
    )), -- null: its job is under way, or ended before this was kept
    ADD COLUMN outcome_reason text,
    ADD COLUMN ended_at timestamptz;
-- Which feedback a window held that left it again: its digest stays the proof of what it held.
CREATE TABLE window_returns (
    tenant_id text COLLATE "C" NOT NULL,
    window_id uuid NOT NULL REFERENCES windows,
    event_id uuid NOT NULL,
    PRIMARY KEY (window_id, event_id)
);
-- For a deployment: which window the version has learnt.
CREATE INDEX jobs_model ON jobs (tenant_id, agent_id, (facts -> 'model' ->> 'version'))
    WHERE facts -> 'model' ->> 'version' IS NOT NULL;
