-- Benchmarks and validations that were requested, with the newest progress and the outcome.
CREATE TABLE benchmarks (
    benchmark_id uuid NOT NULL,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    mode text NOT NULL, -- benchmark or validation
    request jsonb NOT NULL, -- RunBenchmark
    requested_at timestamptz NOT NULL,
    progress jsonb, -- BenchmarkProgressed; absent: not begun
    result jsonb, -- BenchmarkCompleted; absent: not ended, or failed
    failure jsonb, -- BenchmarkFailed
    finished_at timestamptz,
    PRIMARY KEY (benchmark_id, tenant_id)
);
CREATE INDEX benchmarks_open ON benchmarks (tenant_id, requested_at) WHERE finished_at IS NULL;
CREATE INDEX benchmarks_by_agent ON benchmarks (tenant_id, agent_id, requested_at DESC);

-- Production feedback on each version, all hours together: what users say of it.
CREATE TABLE feedback_versions (
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    version text NOT NULL,
    feedback bigint NOT NULL DEFAULT 0,
    corrected bigint NOT NULL DEFAULT 0,
    rated bigint NOT NULL DEFAULT 0,
    rating_sum double precision NOT NULL DEFAULT 0,
    rewarded bigint NOT NULL DEFAULT 0,
    reward_sum double precision NOT NULL DEFAULT 0,
    since timestamptz NOT NULL, -- the first hour counted
    PRIMARY KEY (tenant_id, agent_id, version)
);
