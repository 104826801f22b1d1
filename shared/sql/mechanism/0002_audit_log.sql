-- Who changed what, and why. Only ever added to, each entry with the hash of the one before it.

-- One chain per tenant, so that nobody needs to see another tenant's entries to add to their own.
CREATE TABLE audit_log (
    tenant_id text NOT NULL,
    chain text NOT NULL, -- the service
    sequence bigint NOT NULL CHECK (sequence >= 1),
    previous bigint GENERATED ALWAYS AS (nullif(sequence - 1, 0)) STORED,
    entry_id uuid NOT NULL UNIQUE,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL CHECK (actor <> ''),
    action text NOT NULL, -- archon_contracts AuditAction
    agent_id text,
    subject text NOT NULL,
    reason text NOT NULL,
    details jsonb NOT NULL, -- {name: text}
    changes jsonb NOT NULL, -- [{field, before, after}, ...]
    cause_id uuid NOT NULL, -- the message or request that led to it
    trace_id text NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'), -- see archon_contracts.audit_chain
    PRIMARY KEY (tenant_id, chain, sequence),
    UNIQUE (tenant_id, chain, sequence, hash),
    -- Neither a gap nor a fork can be written, whoever writes.
    CONSTRAINT follows_the_one_before FOREIGN KEY (tenant_id, chain, previous, previous_hash)
        REFERENCES audit_log (tenant_id, chain, sequence, hash),
    CHECK (sequence > 1 OR previous_hash = repeat('0', 64))
);

-- The newest entry of each chain: locked to add the next one.
CREATE TABLE audit_heads (
    tenant_id text NOT NULL,
    chain text NOT NULL,
    sequence bigint NOT NULL DEFAULT 0,
    hash text NOT NULL DEFAULT repeat('0', 64),
    PRIMARY KEY (tenant_id, chain)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is only ever added to: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'append_only';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- Also where a session plays a replica, which skips ordinary triggers.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER append_only;
