-- What a generation has made so far, so that an interrupted one goes on where it was.
CREATE TABLE segments (
    tenant_id text NOT NULL,
    request_id uuid NOT NULL,
    draws integer NOT NULL CHECK (draws >= 0),  -- candidates that were made before its end
    items jsonb NOT NULL,  -- accepted since the segment before: input, target, method, family
    state jsonb NOT NULL,  -- counters at its end
    PRIMARY KEY (tenant_id, request_id, draws)
);

-- Replies of language models, so that the same prompt is paid for once. Bounded: the oldest go.
CREATE TABLE llm_replies (
    tenant_id text NOT NULL,  -- prompts and replies quote a tenant's examples
    key text NOT NULL CHECK (key ~ '^[0-9a-f]{64}$'),  -- of endpoint, model, prompt and seed
    reply text NOT NULL,
    replied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX llm_replies_by_time ON llm_replies (tenant_id, replied_at DESC);
