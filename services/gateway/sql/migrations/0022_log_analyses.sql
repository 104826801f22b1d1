-- Analyses of agents' logs that were requested, with the newest progress and the outcome.
CREATE TABLE log_analyses (
    analysis_id uuid NOT NULL,
    tenant_id text NOT NULL,
    agent_id text NOT NULL,
    request jsonb NOT NULL, -- the request, and LogAnalysisPlan
    requested_at timestamptz NOT NULL,
    progress jsonb, -- LogAnalysisProgressed; absent: not begun
    result jsonb, -- LogsAnalyzed; absent: not ended, or failed
    failure jsonb, -- LogAnalysisFailed
    finished_at timestamptz,
    PRIMARY KEY (analysis_id, tenant_id)
);
CREATE INDEX log_analyses_by_time ON log_analyses (tenant_id, requested_at DESC);
