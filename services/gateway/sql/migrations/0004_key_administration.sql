-- Keys are made, listed and revoked over the API: a scope for it, an end, and a trace of use.

ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check CHECK (scopes <@ ARRAY[
        'feedback', -- send feedback, interactions, annotations and spans
        'read', -- every GET but those of keys and dead letters
        'write', -- agents, datasets, jobs, deployments
        'operate', -- dead letters, of all tenants; with `admin`, keys of all tenants
        'admin' -- keys of the own tenant
    ]),
    ADD COLUMN expires_at timestamptz, -- null: never
    ADD COLUMN last_used_on date, -- to the day, so that a busy key costs one write a day
    ADD COLUMN created_by uuid; -- the key that made it; null: the bootstrap, or before this file

CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, created_at DESC);

-- The bootstrap key has every scope, so it has the new one too: somebody must make the first keys.
UPDATE api_keys SET scopes = array_append(scopes, 'admin')
WHERE tenant_id = 'default' AND name = 'bootstrap';
