-- The newest event of each agent, for the overview.
CREATE INDEX recent_events_by_agent ON recent_events (tenant_id, agent_id, position DESC)
WHERE agent_id IS NOT NULL;
