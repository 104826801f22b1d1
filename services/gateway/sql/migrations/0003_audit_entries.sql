-- What AuditRecorded published of every service's audit log: a copy that is not in the services' hands.
-- Two entries of one sequence are both kept, so that a rewritten log shows as a fork.
CREATE TABLE audit_entries (
    tenant_id text NOT NULL,
    chain text NOT NULL, -- the service
    sequence bigint NOT NULL,
    entry_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    agent_id text,
    subject text NOT NULL,
    reason text NOT NULL,
    details jsonb NOT NULL,
    changes jsonb NOT NULL,
    cause_id uuid NOT NULL,
    trace_id text NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, chain, sequence, hash)
);
CREATE INDEX audit_entries_by_time ON audit_entries (tenant_id, recorded_at DESC);
CREATE INDEX audit_entries_by_agent ON audit_entries (tenant_id, agent_id, recorded_at DESC);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER append_only;
