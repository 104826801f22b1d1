-- Retrains in a row that trained and gave no version: each doubles the backoff before the next one.
ALTER TABLE feedback_stats
    ADD COLUMN unsuccessful_runs integer NOT NULL DEFAULT 0 CHECK (unsuccessful_runs >= 0),
    ADD COLUMN last_unsuccessful_at timestamptz; -- the last of them; null: none since the last deployment
