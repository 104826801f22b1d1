-- Whose span it is, as it says itself: a trace can be continued by anybody who knows its id, and each
-- tenant shall see its own part. Spans that say nothing are seen by operators alone.
ALTER TABLE spans
    ADD COLUMN tenant_id text NOT NULL
        GENERATED ALWAYS AS (coalesce(attributes ->> 'archon.tenant.id', '')) STORED,
    DROP CONSTRAINT spans_pkey,
    ADD PRIMARY KEY (trace_id, span_id, tenant_id); -- nobody takes another's place
