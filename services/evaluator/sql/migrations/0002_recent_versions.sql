-- Whom the candidate was compared with: the version then deployed. Its scores on the same items show
-- later whether losses, each within the limit, add up.
ALTER TABLE evaluations
    ADD COLUMN deployed text; -- digest of its artifact; null: nothing was deployed
CREATE INDEX evaluations_by_agent ON evaluations (tenant_id, agent_id, changed_at DESC);
