-- What triggers look at beyond counters.
ALTER TABLE feedback_stats
    -- StreamState: rated answers of the deployed version. Null: the policy looks at none of them.
    ADD COLUMN stream jsonb,
    ADD COLUMN training_seconds double precision; -- exponential mean of the agent's trainings
