-- What every service's schema has: messages taken, messages to send, long work.

-- Messages whose effect is committed. Kept longer than topics keep records.
CREATE TABLE inbox (
    event_id uuid PRIMARY KEY,
    message_type text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_received ON inbox (received_at);

-- Tries of a record; a row lives until its record is settled. Unlogged: counting costs no disk
-- wait, and a crash of the database only loses tries.
CREATE UNLOGGED TABLE deliveries (
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, record_offset)
);

-- Messages to publish, written in the transaction of their cause.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE,
    shard smallint NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    headers jsonb NOT NULL, -- [[name, base64 value or null], ...]
    payload bytea, -- null is a tombstone
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (shard, id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- Work that outlives a message. Times are the database's, so that clocks need not agree.
CREATE TABLE work (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    cause jsonb NOT NULL, -- {id, correlation_id, traceparent} of the message that asked
    state text NOT NULL DEFAULT 'queued' CHECK (state IN (
        'queued', -- due at run_after
        'leased', -- a worker holds it until lease_until
        'done', -- finished, its events are in the outbox
        'failed', -- given up, its failure event is in the outbox
        'cancelled' -- nobody wants it any more
    )),
    priority integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL CHECK (max_attempts > 0),
    owner text,
    token uuid, -- stamped at each lease; every later write filters on it
    lease_until timestamptz,
    run_after timestamptz NOT NULL DEFAULT now(),
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CHECK (state <> 'leased' OR token IS NOT NULL AND lease_until IS NOT NULL)
);
CREATE INDEX work_open ON work (kind, priority DESC, created_at) WHERE state IN ('queued', 'leased');
CREATE INDEX work_by_key ON work (kind, key);
