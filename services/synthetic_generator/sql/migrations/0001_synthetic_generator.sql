-- What came of each request.

CREATE TABLE requests (
    tenant_id text NOT NULL,
    request_id uuid NOT NULL,
    agent_id text NOT NULL,
    event_body jsonb NOT NULL,  -- the body of SyntheticDataGenerated
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, request_id)  -- a request is carried out once, however often it comes
);
