-- Experts and annotators are believed at full weight, so to speak for them is a scope of its own:
-- a key that an agent has for what its users say must not be able to claim it.

ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check CHECK (scopes <@ ARRAY[
        'feedback', -- send feedback of users, guardrails and environments, interactions, spans
        'annotate', -- send annotations; with `feedback`, an expert's feedback
        'read', -- every GET but those of keys and dead letters
        'write', -- agents, datasets, jobs, deployments
        'operate', -- dead letters, of all tenants; with `admin`, keys of all tenants
        'admin' -- keys of the own tenant
    ]);

-- Keys with `admin`, the bootstrap key among them, get it, so that somebody can give it. A key with
-- `feedback` alone does not: from now on its annotations and expert feedback are refused.
UPDATE api_keys SET scopes = array_append(scopes, 'annotate') WHERE 'admin' = ANY(scopes);
