ALTER TABLE feedback_stats
    -- Whether something was retracted since the last withdrawal began: that waits for no backoff,
    -- neither of refused updates nor of a withdrawal that failed.
    ADD COLUMN fresh_withdrawals boolean NOT NULL DEFAULT false;
