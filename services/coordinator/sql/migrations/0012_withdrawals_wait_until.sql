ALTER TABLE feedback_stats
    -- Of withdrawals alone, whoever's updates were refused; NULL: something was retracted or deployed
    -- since the last withdrawal was looked for.
    ADD COLUMN withdrawals_wait_until timestamptz,
    DROP COLUMN fresh_withdrawals;
