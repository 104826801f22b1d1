-- Replies of graders, so that the same question is paid for once. Bounded: the oldest go.
CREATE TABLE grader_replies (
    key text PRIMARY KEY CHECK (key ~ '^[0-9a-f]{64}$'), -- of grader, prompt and number of the repeat
    grader text NOT NULL, -- endpoint and model
    reply text NOT NULL,
    replied_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX grader_replies_by_time ON grader_replies (grader, replied_at DESC);
