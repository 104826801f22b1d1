-- Replies of graders, so that the same question is paid for once. Bounded: the oldest go.
CREATE TABLE grader_replies (
    tenant_id text NOT NULL, -- prompts and replies quote a tenant's answers
    key text NOT NULL CHECK (key ~ '^[0-9a-f]{64}$'), -- of grader, prompt and number of the repeat
    grader text NOT NULL, -- endpoint and model
    reply text NOT NULL,
    replied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX grader_replies_by_time ON grader_replies (tenant_id, grader, replied_at DESC);
