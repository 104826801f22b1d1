-- Spans, logs and metrics of all services, so that the trace view needs no collector.

CREATE TABLE spans (
    trace_id text NOT NULL, -- 32 hex digits
    span_id text NOT NULL, -- 16 hex digits
    parent_id text,
    service text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    status text NOT NULL, -- UNSET, OK or ERROR
    error text,
    attributes jsonb NOT NULL,
    links jsonb NOT NULL, -- traceparents
    PRIMARY KEY (trace_id, span_id)
);
CREATE INDEX spans_started ON spans (started_at);

CREATE TABLE logs (
    at timestamptz NOT NULL,
    service text NOT NULL,
    level text NOT NULL,
    event text NOT NULL,
    trace_id text,
    span_id text,
    fields jsonb NOT NULL
);
CREATE INDEX logs_at ON logs (at);
CREATE INDEX logs_trace ON logs (trace_id) WHERE trace_id IS NOT NULL;

CREATE TABLE metrics (
    at timestamptz NOT NULL,
    service text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    value double precision NOT NULL,
    attributes jsonb NOT NULL
);
CREATE INDEX metrics_name_at ON metrics (name, at);
