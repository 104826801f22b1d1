-- For analyses of one agent's logs, which read the newest of its interactions page by page.
CREATE INDEX interactions_by_agent ON interactions (tenant_id, agent_id, received_at, event_id);
