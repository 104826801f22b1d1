-- What a request with an Idempotency-Key said when it came first: another body, or another API key,
-- under the same one is a mistake of its sender, and is refused.
CREATE TABLE idempotency_keys (
    tenant_id text NOT NULL,
    request_id uuid NOT NULL, -- derived from tenant, path and Idempotency-Key
    digest bytea NOT NULL CHECK (octet_length(digest) = 32), -- sha256 of API key, query and body
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, request_id)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
