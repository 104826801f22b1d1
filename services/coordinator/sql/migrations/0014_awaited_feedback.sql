ALTER TABLE feedback_stats
    -- Whether the agent's next job waits for feedback that its request names and that is not stored
    -- yet: every batch looks at it, and no trigger may claim the part that came before the rest.
    ADD COLUMN awaits_feedback boolean NOT NULL DEFAULT false;
