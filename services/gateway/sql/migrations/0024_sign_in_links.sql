-- Links that sign somebody in once: a random token, kept as its sha256, stands for the key it was made
-- with. Apart from sessions, whose tokens are credentials by themselves.
CREATE TABLE sign_in_links (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    tenant_id text NOT NULL,
    key_id uuid NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);
CREATE INDEX sign_in_links_by_key ON sign_in_links (key_id);
